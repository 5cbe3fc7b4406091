"""Comparability: which fields of the manifests must be the same, may differ, and must differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runstore.comparison import Comparison, compare
from runstore.findings import Verdict
from runstore.manifest import Dataset, Identity, Provenance
from runstore.policy import from_toml
from runstore.policy.model import Comparability, Policy
from runstore.store.reader import read_run
from tests.factories import passing, write_run


def compared(place: Path, before: dict[str, Any], after: dict[str, Any], policy: Policy) -> Comparison:
    for name, given in (("b", before), ("c", {**after, "notes": "c"})):
        write_run(place / name, passing(2), **given)
    return compare(read_run(place / "b"), read_run(place / "c"), policy)


def params(**values: Any) -> dict[str, Any]:
    return {"identity": Identity(params=values)}


def data(*names: str, digest: str = "1") -> dict[str, Any]:
    return {"identity": Identity(datasets=[Dataset(name=name, digest=digest) for name in names])}


DEFAULT = Comparability()


@pytest.mark.parametrize(
    ("before", "after", "asked", "says"),
    [
        (params(judge="a"), params(judge="b"), DEFAULT, ['params.judge differs: baseline "a", current "b"']),
        (params(judge_model="a"), params(), DEFAULT, ['params.judge_model differs: baseline "a", current has none']),
        (params(), params(judge="b"), DEFAULT, ['params.judge differs: baseline has none, current "b"']),
        (params(prompt_hash="1"), params(prompt_hash="2"), DEFAULT, ["params.prompt_hash differs"]),
        (params(seed=1), params(seed=2), DEFAULT, ["params.seed differs: baseline 1, current 2"]),
        (params(seed=1), params(seed="1"), DEFAULT, ['params.seed differs: baseline 1, current "1"']),
        (params(scorer="a"), params(scorer="b"), DEFAULT, ["params.scorer differs"]),
        (params(model="a"), params(model="b"), DEFAULT, []),
        (data("d"), data("d", "e"), DEFAULT, ["data set 'e' differs: baseline has none, current '1'"]),
        (data("d"), data("d", digest="2"), DEFAULT, ["data set 'd' differs: baseline '1', current '2'"]),
        (params(judge="a"), params(judge="b"), Comparability(may_differ=["params.judge"]), []),
        (params(judge="a"), params(judge="b"), Comparability(may_differ=["params.*"]), []),
        (params(judge="a"), params(judge="b"), Comparability(must_match=["project"]), []),
        (params(model="a"), params(model="b"), Comparability(must_match=["params.model"]), ["params.model differs"]),
        (params(model="a"), params(model="b"), Comparability(must_match=["params.*"]), ["params.model differs"]),
        (params(), params(), Comparability(must_match=["params.*"]), []),
        (params(), params(), Comparability(must_match=["params.modle"]), ["must_match names 'params.modle'"]),
        (params(model="a"), params(model="b"), Comparability(must_differ=["params.model"]), []),
        (params(model="a"), params(), Comparability(must_differ=["params.model"]), []),
        (
            params(model="a"),
            params(model="a"),
            Comparability(must_differ=["params.model"]),
            ['params.model must differ and is the same on both sides: "a"'],
        ),
        (params(), params(), Comparability(must_differ=["params.model"]), ["must_differ names 'params.model'"]),
        (params(), params(), Comparability(must_differ=["params.m*"]), ["must_differ names 'params.m*'"]),
        (
            {"provenance": Provenance(commit="1" * 40)},
            {"provenance": Provenance(commit="1" * 40)},
            Comparability(must_differ=["commit"]),
            ["commit must differ and is the same on both sides"],
        ),
        (
            {"provenance": Provenance(environment="x")},
            {"provenance": Provenance(environment="y")},
            Comparability(must_match=["environment"]),
            ["environment differs: baseline 'x', current 'y'"],
        ),
        ({"tags": {"gpu": "a"}}, {"tags": {"gpu": "b"}}, Comparability(must_match=["tags.gpu"]), ["tags.gpu differs"]),
    ],
)
def test_what_must_match_or_differ_is_named_with_both_values(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], asked: Comparability, says: list[str]
) -> None:
    result = compared(tmp_path, before, after, Policy(comparability=asked))
    messages = [finding.message for finding in result.findings]
    assert [finding.rule.value for finding in result.findings] == ["comparability"] * len(says)
    assert len(messages) == len(says)
    assert all(message.startswith(text) for message, text in zip(messages, says, strict=True)), messages
    assert result.verdict is (Verdict.INCONCLUSIVE if says else Verdict.PASS)


def test_the_hint_says_how_to_allow_it_and_doing_so_does(tmp_path: Path) -> None:
    before, after = params(**{'judge."x"': "a"}), params(**{'judge."x"': "b"})
    hint = compared(tmp_path / "1", before, after, Policy()).findings[0].hint
    assert hint is not None
    key = hint.partition("[comparability] ")[2]
    policy = from_toml(f"[comparability]\n{key}\n", "gate.toml")
    assert policy is not None
    assert compared(tmp_path / "2", before, after, policy).findings == []
