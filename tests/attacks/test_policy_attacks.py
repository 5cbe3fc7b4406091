"""What someone would do in a pull request to get green where a policy gives leave, looks closer or asks for more.

Each attack is two sound runs, a policy and what the command line must say of them: the exit code, the rules, and words
by which a person can act. The command line runs in this process, which is what makes so many attacks cheap; a sample
runs in processes of its own.
"""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from runstore.cli import main
from runstore.cli.boundary import run_guarded
from runstore.manifest import Identity, MetricDeclaration, Provenance
from tests import command_line
from tests.command_line import Outcome
from tests.factories import ACC, HIGHER, LOWER, SHARE, Record, passing, scored, unsynced, write_run

TODAY = ("--today", "2030-06-15")
Runs = tuple[list[Record], list[Record]]


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with unsynced():
        yield


def gate(folder: Path, *words: str) -> Outcome:
    """The command line `gate WORDS…` in a folder, in this process."""
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setattr(sys, "argv", ["gate", *words])
        patch.setenv("HOME", str(folder))
        patch.delenv("XDG_CACHE_HOME", raising=False)
        patch.delenv("RUNSTORE_CACHE_DIR", raising=False)
        with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
            code = run_guarded(main.gate)
    return Outcome(code, out.getvalue(), err.getvalue())


def compare(folder: Path, *words: str) -> Outcome:
    """`gate compare baseline current --format json WORDS…`."""
    return gate(folder, "compare", "baseline", "current", "--format", "json", *words)


def judged(folder: Path, before: list[Record], after: list[Record], policy: str = "", **options: Any) -> Outcome:
    """The verdict on two runs by a policy, on a fixed day."""
    write_run(folder / "baseline", before, **options)
    write_run(folder / "current", after, **options)
    return by(folder, policy)


def by(folder: Path, policy: str) -> Outcome:
    """The verdict on the runs that are there by a policy."""
    (folder / "gate.toml").write_text(policy) if policy else (folder / "gate.toml").unlink(missing_ok=True)
    return compare(folder, *TODAY)


def told(outcome: Outcome, level: str = "") -> str:
    """The messages of a JSON report, and the hints, in one text; of one level if it is named."""
    found = [finding for finding in outcome.view["findings"] if level in ("", finding["level"])]
    return "\n".join(f"{finding['message']} ({finding.get('hint') or ''})" for finding in found)


def waiver(record: str | None = None, metric: str = "acc", ceiling: str = "0.5", more: str = "") -> str:
    """A waiver that holds on the day of these tests, as TOML."""
    named = f"record = {json.dumps(record)}\n" if record else ""
    end = "" if "expires" in more else "expires = 2030-12-31\n"
    return (
        f'[[waivers]]\nmetric = "{metric}"\n{named}ceiling = {ceiling}\nowner = "ann"\nreason = "known"\n{end}{more}\n'
    )


def quarantine(*records: str, most: int = 5, expires: str = "2030-12-31") -> str:
    """A quarantine as TOML."""
    entry = '[[quarantine.records]]\nrecord = "{}"\nowner = "ann"\nreason = "flaky"\nexpires = {}\n'
    return f"[quarantine]\nmax_records = {most}\n" + "".join(entry.format(name, expires) for name in records)


def worse(*names: str, by_: float = 0.5, count: int = 6) -> Runs:
    """Records `r000` to `r005` that score 1, and the same in which the named ones score less."""
    return passing(count), [scored(r["id"], 1 - by_ if r["id"] in names else 1) for r in passing(count)]


# Waivers


def test_a_waiver_that_fits_excuses_and_is_reported(tmp_path: Path) -> None:
    outcome = judged(tmp_path, *worse("r001"), waiver("r001"))
    assert (outcome.code, outcome.rules) == (0, ["waived"])
    assert "until 2030-12-31 by ann" in told(outcome)


@pytest.mark.parametrize(
    ("leave", "message"),
    [
        (waiver("r00"), "neither run has that record"),
        (waiver("r0011"), "neither run has that record"),
        (waiver("R001"), "neither run has that record"),
        (waiver("r00*"), "neither run has that record"),
        (waiver("r00?"), "neither run has that record"),
        (waiver("r001 "), "neither run has that record"),
        (waiver("r002"), "excuses nothing"),
        (waiver("r001", more="repeat = 2"), "excuses nothing"),
        (waiver("r001", metric="accuracy"), "excuses nothing"),
        (waiver("r001", metric="a?c"), "excuses nothing"),
        (waiver("r001", ceiling="0.49999999999999999999"), "r001 is worse in acc by 0.5, and its waiver allows 0.4"),
        (waiver("r001", more="expires = 2030-06-14"), "expired on 2030-06-14 and excuses nothing"),
        (waiver(None), "excuses nothing"),
        (waiver(None, more='slice = {lang = "de"}'), "excuses nothing"),
    ],
)
def test_a_waiver_for_something_else_excuses_nothing(tmp_path: Path, leave: str, message: str) -> None:
    outcome = judged(tmp_path, *worse("r001"), leave)
    assert (outcome.code, outcome.rules[0]) == (1, "max-regressed")
    assert message in told(outcome)


def test_a_waiver_does_not_excuse_a_second_record(tmp_path: Path) -> None:
    outcome = judged(tmp_path, *worse("r001", "r0010", "r002"), waiver("r001"))
    assert outcome.code == 1
    assert "1 record got worse in a score" in told(outcome, "error")
    assert [one["record"] for one in outcome.view["findings"] if one["level"] == "error"] == [None, "r002"]


def test_a_waiver_for_one_metric_does_not_excuse_another_of_the_same_record(tmp_path: Path) -> None:
    both = {"acc": SHARE, "f1": SHARE}
    before: list[Record] = [{"id": "a", "scores": {"acc": 1, "f1": 1}}]
    after: list[Record] = [{"id": "a", "scores": {"acc": 0.5, "f1": 0.5}}]
    outcome = judged(tmp_path, before, after, waiver("a"), metrics=both)
    assert (outcome.code, outcome.rules[0]) == (1, "max-regressed")


@pytest.mark.parametrize(
    ("after", "rule"),
    [
        ([{"id": "a", "status": "error"}], "max-errors"),
        ([{"id": "a", "status": "error", "scores": {"acc": 1}}], "max-errors"),
        ([{"id": "a", "status": "skipped"}], "max-skipped"),
        ([{"id": "a"}], "max-lost-scores"),
        ([], "max-removed"),
        ([scored("a ")], "max-removed"),
    ],
)
def test_what_is_missing_or_errored_is_excused_by_no_waiver(tmp_path: Path, after: list[Record], rule: str) -> None:
    outcome = judged(
        tmp_path, [scored("a"), scored("b")], [*after, scored("b")], waiver("a", ceiling="1") + waiver(None)
    )
    assert outcome.code == 1
    assert rule in outcome.rules
    assert "waived" not in outcome.rules


@pytest.mark.parametrize(
    ("leave", "message"),
    [
        (waiver("r001", ceiling="1"), "as much as the whole range of the metric: it enforces nothing"),
        (waiver("r001", ceiling="1e300"), "as much as the whole range of the metric: it enforces nothing"),
        (waiver("r001", more="expires = 2099-01-01"), "ends only on 2099-01-01, more than 366 days ahead"),
        (waiver("r001", more="expires = 9999-12-31"), "ends only on 9999-12-31, more than 366 days ahead"),
    ],
)
def test_a_waiver_without_a_bound_or_an_end_is_said_to_be_too_broad(tmp_path: Path, leave: str, message: str) -> None:
    outcome = judged(tmp_path, *worse("r001"), leave)
    assert (outcome.code, outcome.rules) == (0, ["waived", "waiver-broad"])
    assert message in told(outcome, "warning")


def test_a_waiver_holds_on_its_last_day_and_not_on_the_next(tmp_path: Path) -> None:
    outcome = judged(tmp_path, *worse("r001"), waiver("r001", more="expires = 2030-06-15"))
    assert (outcome.code, outcome.rules) == (0, ["waived"])
    outcome = compare(tmp_path, "--today", "2030-06-16")
    assert (outcome.code, outcome.rules) == (1, ["max-regressed", "waiver-expired"])
    assert "ask ann to renew or remove it" in told(outcome)


def test_a_waiver_of_the_mean_reaches_as_far_as_its_ceiling_and_excuses_no_floor(tmp_path: Path) -> None:
    rule = "[metrics.acc]\nmax_drop = 0.01\n"
    outcome = judged(tmp_path, *worse("r001", "r002", by_=0.75, count=5), rule + waiver(None, ceiling="0.3"))
    assert (outcome.code, outcome.rules) == (0, ["waived"])
    outcome = by(tmp_path, rule + waiver(None, ceiling="0.2999999999999999999999999999999999"))
    assert (outcome.code, outcome.rules) == (1, ["max-drop", "waiver-unused"])
    outcome = by(tmp_path, rule + "min = 0.71\n" + waiver(None, ceiling="0.3"))
    assert (outcome.code, sorted(outcome.rules)) == (1, ["min", "waived"])


# Quarantine


@pytest.mark.parametrize(
    ("after", "rules"),
    [
        ([], ["max-removed"]),
        ([scored("b")], ["max-removed", "max-added"]),
        ([{"id": "a"}], ["max-lost-scores", "quarantined"]),
    ],
)
def test_a_quarantined_record_may_fail_but_not_go_missing(
    tmp_path: Path, after: list[Record], rules: list[str]
) -> None:
    kept = passing(2)
    outcome = judged(tmp_path, [*kept, scored("a")], [*kept, *after], quarantine("a"))
    assert (outcome.code, outcome.rules) == (1, rules)


def test_a_quarantined_record_still_counts_in_the_mean(tmp_path: Path) -> None:
    rule = "[metrics.acc]\nmax_drop = 0.05\n"
    outcome = judged(tmp_path, *worse("r001", by_=1), rule + quarantine("r001"))
    assert outcome.code == 1
    assert "max-drop" in outcome.rules


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (quarantine("r001", "r002", most=1), 2, "2 in quarantine; max_records is 1"),
        (quarantine("r001", "r001"), 2, "the same is quarantined twice"),
        (quarantine("r001").replace("max_records = 5\n", ""), 2, "max_records"),
        (quarantine("r001", most=-1), 2, "max_records"),
        (quarantine("*"), 1, "neither run has that record"),
        (quarantine("r00"), 1, "neither run has that record"),
        (quarantine("r001", expires="2030-06-14"), 1, "expired on 2030-06-14 and excuses nothing"),
        (quarantine("r001", expires='"2030-12-31"'), 2, "expected a date"),
        (quarantine("r001", expires="2030-12-31T00:00:00"), 2, "expected a date"),
        (quarantine("r001"), 0, "is in quarantine until 2030-12-31 by ann"),
    ],
)
def test_a_quarantine_reaches_no_further_than_it_says(tmp_path: Path, text: str, code: int, message: str) -> None:
    outcome = judged(tmp_path, *worse("r001"), text)
    assert outcome.code == code, outcome.text
    assert message in outcome.text


# Slices


def tagged(name: str, lang: str, acc: float = 1) -> Record:
    return scored(name, acc, tags={"lang": lang})


LANGS = [tagged(f"d{n}", "de") for n in range(3)] + [tagged(f"e{n}", "en", 0.5) for n in range(9)]
HIDDEN = [tagged(f"d{n}", "de", 0.5) for n in range(3)] + [tagged(f"e{n}", "en", 1) for n in range(9)]
BY_LANG = '[metrics.acc]\nmax_drop = 0.01\n[[slices]]\ntag = "lang"\nmax_drop = 0.01\n'


def retagged(records: list[Record], lang: str | None) -> list[Record]:
    bare = [{key: value for key, value in record.items() if key != "tags"} for record in records]
    return bare if lang is None else [{**record, "tags": {"lang": lang}} for record in bare]


@pytest.mark.parametrize("lang", ["en", "de ", "DE", "d\u0435", None])
def test_records_tagged_otherwise_do_not_leave_their_slice(tmp_path: Path, lang: str | None) -> None:
    after = [*retagged(HIDDEN[:3], lang), *HIDDEN[3:]]
    outcome = judged(tmp_path, LANGS, after, BY_LANG, slices=["lang"])
    assert outcome.code == 1
    assert "acc of lang = de got worse from 1.0 to 0.5" in told(outcome, "error")


@pytest.mark.parametrize("slices", [[], ["language"], ["topic"]])
def test_a_slice_that_the_current_run_no_longer_declares_is_judged_all_the_same(
    tmp_path: Path, slices: list[str]
) -> None:
    write_run(tmp_path / "baseline", LANGS, slices=["lang"])
    write_run(tmp_path / "current", HIDDEN, slices=slices)
    outcome = by(tmp_path, BY_LANG)
    assert (outcome.code, outcome.rules) == (1, ["max-drop"])
    assert "acc of lang = de got worse from 1.0 to 0.5" in told(outcome)


@pytest.mark.parametrize(
    ("rule", "code", "message"),
    [
        ('tag = "language"', 2, "which no baseline declares"),
        ('tag = "Lang"', 2, "which no baseline declares"),
        ('where = {lang = "fr"}', 5, "no record of the baseline has lang = fr"),
        ('where = {lang = "d*"}', 5, "no record of the baseline has lang = d*"),
        ('where = {lang = "de"}\nmetric = "f1"', 2, "selects no metric with 'f1'"),
        ('where = {lang = "de", topic = "x"}', 2, "it names 2 tags"),
        ("where = {}", 2, "it names no tag"),
        ('where = {lang = "de"}\ntag = "lang"', 2, "`where` and `tag`"),
    ],
)
def test_a_rule_on_a_slice_that_is_not_there_is_no_pass(tmp_path: Path, rule: str, code: int, message: str) -> None:
    policy = f"[metrics.acc]\nmax_drop = 0.01\n[[slices]]\n{rule}\nmax_drop = 0.01\n"
    outcome = judged(tmp_path, LANGS, HIDDEN, policy, slices=["lang"])
    assert outcome.code == code, outcome.text
    assert message in outcome.text


def test_a_slice_made_small_by_leaving_records_out_is_not_advisory(tmp_path: Path) -> None:
    policy = (
        '[[slices]]\ntag = "lang"\nmax_drop = 0.01\nmin_records = 3\n[records]\nmax_removed = 2\nmax_regressed = 9\n'
    )
    outcome = judged(tmp_path, LANGS, HIDDEN[2:], policy, slices=["lang"])
    assert (outcome.code, outcome.rules) == (1, ["min-records", "max-drop"])


def test_T19_a_regression_hidden_in_a_slice_while_the_mean_rises_fails(tmp_path: Path) -> None:
    outcome = judged(tmp_path, LANGS, HIDDEN, "[metrics.acc]\nmax_drop = 0\n", slices=["lang"])
    assert outcome.code == 0
    assert outcome.view["metrics"][0]["current"] > outcome.view["metrics"][0]["baseline"]
    outcome = by(tmp_path, BY_LANG)
    assert (outcome.code, outcome.rules) == (1, ["max-drop"])
    assert by(tmp_path, "[metrics.acc]\nmax_drop = 0\n[records]\nmax_regressed = 2\n").code == 1
    assert by(tmp_path, "").code == 1


# Reference

PINNED = '[metrics.acc]\nmax_drop = 0.1\n[reference]\npath = "{}"\n[reference.metrics.acc]\nmax_drop = 0.15\n'


def slid(folder: Path) -> None:
    """A pinned run at 1, a baseline at 0.9 and a current run at 0.8: each step is allowed, both together are not."""
    for name, acc in (("pinned", 1.0), ("baseline", 0.9), ("current", 0.8)):
        write_run(folder / name, [scored("a", acc), scored("b", acc)])


def test_small_steps_down_add_up_against_the_pinned_run(tmp_path: Path) -> None:
    slid(tmp_path)
    outcome = by(tmp_path, PINNED.format("pinned"))
    assert (outcome.code, outcome.rules) == (1, ["reference-drop"])
    assert "since the pinned reference" in told(outcome)


@pytest.mark.parametrize(
    "path", ["nowhere", "pinned/../pinned", "../pinned", "/pinned", "", ".", "./pinned", "pinned\\x", "~"]
)
def test_a_reference_that_is_not_there_or_leaves_its_folder_is_an_error(tmp_path: Path, path: str) -> None:
    slid(tmp_path)
    outcome = by(tmp_path, PINNED.format(path.replace("\\", "\\\\")))
    assert outcome.code == 2, outcome.text
    assert "gate.toml" in outcome.err


def test_a_reference_of_another_question_is_not_compared(tmp_path: Path) -> None:
    slid(tmp_path)
    shutil.rmtree(tmp_path / "pinned")
    write_run(tmp_path / "pinned", [scored("a"), scored("b")], identity=Identity(params={"judge": "kind"}))
    outcome = by(tmp_path, PINNED.format("pinned"))
    assert (outcome.code, outcome.rules) == (1, ["comparability", "reference-drop"])
    assert "params.judge differs: reference" in told(outcome)


def test_a_reference_that_was_damaged_is_refused(tmp_path: Path) -> None:
    slid(tmp_path)
    (tmp_path / "pinned/records.jsonl").write_bytes(b"")
    outcome = by(tmp_path, PINNED.format("pinned"))
    assert (outcome.code, outcome.rules) == (3, ["invalid-run"])


def test_a_reference_that_shares_no_record_is_no_pass(tmp_path: Path) -> None:
    slid(tmp_path)
    shutil.rmtree(tmp_path / "pinned")
    write_run(tmp_path / "pinned", [scored("x", 0), scored("y", 0)])
    outcome = by(tmp_path, PINNED.format("pinned"))
    assert (outcome.code, outcome.rules) == (5, ["nothing-compared"])


@pytest.mark.parametrize("how", ["named", "linked"])
def test_a_reference_that_leads_to_the_current_run_is_refused(tmp_path: Path, how: str) -> None:
    slid(tmp_path)
    shutil.rmtree(tmp_path / "pinned")
    (tmp_path / "pinned").symlink_to("current")
    outcome = by(tmp_path, PINNED.format("current" if how == "named" else "pinned"))
    assert (outcome.code, outcome.out) == (2, "")
    assert "the pinned reference" in outcome.err
    assert "hint: " in outcome.err


def test_a_reference_that_equals_the_current_run_is_said(tmp_path: Path) -> None:
    slid(tmp_path)
    shutil.rmtree(tmp_path / "pinned")
    shutil.copytree(tmp_path / "current", tmp_path / "pinned")
    outcome = by(tmp_path, PINNED.format("pinned"))
    assert (outcome.code, outcome.rules) == (0, ["identical"])
    assert "the pinned reference is the current run, byte for byte" in told(outcome)


# What the manifest says of the question


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({"judge": "a"}, {"judge": "b"}, ["params.judge"]),
        ({"judge": "a"}, {"Judge": "b"}, ["params.judge"]),
        ({"judge": "a"}, {"\u0458udge": "a"}, ["params.judge"]),
        ({"judge": "a"}, {"judge": "a", "judge_version": 2}, ["params.judge_version"]),
        ({"judge": 1}, {"judge": "1"}, ["params.judge"]),
        ({"judge": 1}, {"judge": True}, ["params.judge"]),
        ({"judge": None}, {}, ["params.judge"]),
        ({"seed": 1}, {}, ["params.seed"]),
        ({"seed": 1, "prompt": "x"}, {}, ["params.seed", "params.prompt"]),
    ],
)
def test_T13_another_judge_or_seed_is_not_compared_whatever_the_limits(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], names: list[str]
) -> None:
    write_run(tmp_path / "baseline", passing(2), identity=Identity(params=before))
    write_run(tmp_path / "current", passing(2), identity=Identity(params=after))
    outcome = by(tmp_path, "[metrics.acc]\nmax_drop = 1\n[records]\nmax_regressed = 9\n")
    assert (outcome.code, outcome.rules) == (5, ["comparability"])
    for name in names:
        assert f"{name} differs" in told(outcome)
        assert "may_differ" in told(outcome)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("must_match = ['params.judge']", 5, "params.judge differs"),
        ("must_match = ['params.j*']", 5, "params.judge differs"),
        ("must_match = ['params.Judge']", 5, "must_match names 'params.Judge', which neither run has"),
        ("must_differ = ['params.model']", 5, "must_differ names 'params.model', which neither run has"),
        ("may_differ = ['params.judge']\nmust_match = ['params.judge']", 2, "stands in"),
        ("may_differ = ['judge']", 2, "is no field of a manifest"),
        ("may_differ = ['params.judge']", 0, ""),
        ("may_differ = ['params.Judge']", 5, "params.judge differs"),
    ],
)
def test_what_must_match_is_what_the_policy_names(tmp_path: Path, text: str, code: int, message: str) -> None:
    for side in ("baseline", "current"):
        write_run(tmp_path / side, passing(2), identity=Identity(params={"judge": side}))
    outcome = by(tmp_path, f"[comparability]\n{text}\n")
    assert outcome.code == code, outcome.text
    assert message in outcome.text


# What the manifest says of the metrics

LATENCY = MetricDeclaration(direction="lower", unit="ms", range=(0, 1000))


@pytest.mark.parametrize(
    ("declared", "score"),
    [
        (replace(LATENCY, unit="s"), 0.25),
        (replace(LATENCY, unit=None), 0.25),
        (replace(LATENCY, range=(0, 10000)), 250),
        (replace(LATENCY, range=None), 250),
        (replace(LATENCY, direction="higher"), 900),
    ],
)
@pytest.mark.parametrize(
    "policy", ["", "[metrics.latency]\nmax_drop = 1000\nmax = 1000\n[records]\nmax_regressed = 1\n"]
)
def test_T12_a_metric_that_means_something_else_needs_a_person(
    tmp_path: Path, declared: MetricDeclaration, score: float, policy: str
) -> None:
    write_run(tmp_path / "baseline", [{"id": "a", "scores": {"latency": 250}}], {"latency": LATENCY})
    write_run(tmp_path / "current", [{"id": "a", "scores": {"latency": score}}], {"latency": declared})
    outcome = by(tmp_path, policy)
    assert outcome.code == (1 if score == 900 and not policy else 4)
    assert "metric-declaration" in outcome.rules
    assert "a change of what a metric means needs a new baseline" in told(outcome)


def test_a_wider_range_does_not_make_an_error_cheaper(tmp_path: Path) -> None:
    metric = {"acc": MetricDeclaration(direction="higher", range=(-1, 1))}
    write_run(tmp_path / "baseline", [scored("a", 0.5), scored("b", 0.5)], metric)
    failed: Record = {"id": "a", "status": "error"}
    write_run(tmp_path / "current", [failed, scored("b", 0.5)], ACC)
    outcome = by(tmp_path, "[metrics.acc]\nmax_drop = 0.74\n[records]\nmax_errors = 1\n")
    assert (outcome.code, outcome.rules) == (1, ["metric-declaration", "max-drop"])
    assert outcome.view["metrics"][0]["current"] == -0.25


def test_a_direction_flipped_in_the_run_does_not_turn_a_drop_into_a_gain(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", [scored("a", 1)], {"acc": HIGHER})
    write_run(tmp_path / "current", [scored("a", 0)], {"acc": LOWER})
    assert by(tmp_path, "").code == 1
    outcome = by(tmp_path, "[metrics.acc]\nmax_drop = 0.5\n")
    assert (outcome.code, outcome.rules) == (1, ["metric-declaration", "max-drop"])


@pytest.mark.parametrize("name", ["\u0430cc", "acc ", "Acc", "ac\u0441", "a\u200bcc", "acc\u0000"])
def test_S14_a_metric_renamed_to_a_look_alike_is_missing(tmp_path: Path, name: str) -> None:
    write_run(tmp_path / "baseline", passing(2))
    write_run(tmp_path / "current", [{"id": f"r00{n}", "scores": {name: 1}} for n in range(2)], {name: SHARE})
    for policy in (
        "",
        "[metrics.acc]\nmax_drop = 1\n[records]\nmax_regressed = 9\nmax_lost_scores = 9\n",
        "[metrics.'*']\nmax_drop = 1\n[records]\nmax_regressed = 9\nmax_lost_scores = 9\n",
    ):
        outcome = by(tmp_path, policy)
        assert outcome.code == 1
        assert "the baseline has the metric acc; the current run does not" in told(outcome)


def test_a_new_metric_under_a_rule_for_everything_is_not_judged_silently(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", passing(2))
    after: list[Record] = [{"id": f"r00{n}", "scores": {"acc": 1, "f1": 0}} for n in range(2)]
    write_run(tmp_path / "current", after, {"acc": SHARE, "f1": SHARE})
    outcome = by(tmp_path, "[metrics.'*']\nmax_drop = 0.1\n")
    assert (outcome.code, outcome.rules) == (5, ["metric-missing"])
    assert "accept a baseline that has it" in told(outcome)
    outcome = by(tmp_path, "[metrics.'*']\nmin = 0.5\n")
    assert (outcome.code, outcome.rules) == (1, ["min"])


# Records that dilute, and those that are left out


def trials(name: str, *accs: float) -> list[Record]:
    return [scored(name, acc, **({"repeat": n} if n > 1 else {})) for n, acc in enumerate(accs, start=1)]


def test_repeats_that_were_added_do_not_dilute(tmp_path: Path) -> None:
    outcome = judged(tmp_path, trials("a", 1, 1), trials("a", 1, 0, *[1.0] * 40), "[metrics.acc]\nmax_drop = 0.4\n")
    assert (outcome.code, outcome.rules) == (1, ["max-added", "max-drop"])
    assert outcome.view["metrics"][0]["current"] == 0.5
    outcome = by(tmp_path, "[metrics.acc]\nmax_drop = 1\n[records]\nmax_added = 39\n")
    assert (outcome.code, outcome.rules) == (1, ["max-added"])


def test_repeats_that_were_left_out_are_missing(tmp_path: Path) -> None:
    before = trials("a", 1, 1, 0, 0)
    outcome = judged(tmp_path, before, before[:2], "[metrics.acc]\nmax_drop = 1\n")
    assert (outcome.code, outcome.rules) == (1, ["max-removed"])
    outcome = by(tmp_path, "[metrics.acc]\naggregate = 'pass@4'\nmax_drop = 1\n[records]\nmax_removed = 2\n")
    assert outcome.code == 5, outcome.text


def test_S10_easy_new_records_neither_reach_a_floor_nor_enough_records(tmp_path: Path) -> None:
    before = [scored("a", 0.5), scored("b", 0.5)]
    policy = "[metrics.acc]\nmax_drop = 0.1\nmin = {}\nmin_records = {}\n"
    outcome = judged(tmp_path, before, [*before, *passing(500)], policy.format("0.51", 2))
    assert (outcome.code, outcome.rules) == (1, ["max-added", "min"])
    outcome = by(tmp_path, policy.format("0.5", 3))
    assert (outcome.code, outcome.rules) == (5, ["max-added", "min-records"])


def test_S15_fewer_samples_do_not_pass_by_a_generous_policy(tmp_path: Path) -> None:
    policy = "[metrics.acc]\nmax_drop = 0.5\nmin_records = 100\n[records]\nmax_removed = 950\n"
    outcome = judged(tmp_path, passing(200), passing(50), policy)
    assert (outcome.code, outcome.rules) == (5, ["min-records"])
    assert by(tmp_path, "[metrics.acc]\nmax_drop = 0.5\n[records]\nmax_removed = 149\n").code == 1
    assert by(tmp_path, "[metrics.acc]\nmax_drop = 0.5\n[records]\nmax_removed = 150\n").code == 0


def test_S4_all_but_one_record_removed_is_no_pass_by_a_slice_or_a_floor(tmp_path: Path) -> None:
    outcome = judged(tmp_path, LANGS, LANGS[:1], BY_LANG + "[records]\nmax_removed = 99\n", slices=["lang"])
    assert (outcome.code, outcome.rules) == (5, ["nothing-compared"])
    assert "lang = en" in told(outcome)


@pytest.mark.parametrize("status", ["error", "skipped"])
@pytest.mark.parametrize("kept", [{}, {"scores": {"acc": 1}}])
def test_a_score_that_is_kept_beside_an_error_counts_as_the_worst(
    tmp_path: Path, status: str, kept: dict[str, Any]
) -> None:
    failed: Record = {"id": "r000", "status": status, **kept}
    policy = "[metrics.acc]\nmax_drop = 0.2\nmin = 0.8\n[records]\nmax_errors = 9\nmax_skipped = 9\n"
    outcome = judged(tmp_path, passing(4), [failed, *passing(4)[1:]], policy)
    assert (outcome.code, outcome.rules) == (1, ["max-drop", "min"])
    assert outcome.view["metrics"][0]["current"] == 0.75


@pytest.mark.parametrize(
    "limit",
    [
        "max_drop = 0",
        "max_relative_drop = 0",
        "max = 300",
        "aggregate = 'p95'\nmax_drop = 0",
        "aggregate = 'p95'\nmax = 300",
        "aggregate = 'p95'\nmax = 300\nmin_records = 1",
    ],
)
def test_a_slow_record_that_times_out_does_not_leave_a_mean_without_a_range(tmp_path: Path, limit: str) -> None:
    declared = {"latency": MetricDeclaration(direction="lower", unit="ms")}
    before: list[Record] = [{"id": name, "scores": {"latency": ms}} for name, ms in (("a", 100), ("b", 500))]
    after: list[Record] = [before[0], {"id": "b", "status": "error"}]
    policy = f"[metrics.latency]\n{limit}\n[records]\nmax_errors = 1\nmax_regressed = 1\n"
    outcome = judged(tmp_path, before, after, policy, metrics=declared)
    assert (outcome.code, outcome.rules) == (5, ["nothing-compared"])
    assert "declare a range" in told(outcome)


@pytest.mark.parametrize(("least", "code"), [(4, 0), (5, 5)])
def test_a_quantile_rests_on_as_many_records_as_it_was_taken_of(tmp_path: Path, least: int, code: int) -> None:
    policy = f"[metrics.acc]\naggregate = 'p95'\nmax_drop = 0\nmin_records = {least}\n"
    assert judged(tmp_path, passing(4), [*passing(4), *trials("new", 1, 1)], policy).code == code


# Significance


def test_too_few_records_to_see_a_drop_are_no_pass(tmp_path: Path) -> None:
    policy = "[metrics.acc]\nmax_drop = 0.01\nsignificance = 'required'\n[records]\nmax_regressed = 99\n"
    outcome = judged(tmp_path, *worse("r001", by_=1), policy)
    assert outcome.code == 5, outcome.text
    assert "evidence" in outcome.rules


def test_a_drop_that_many_records_show_is_no_chance(tmp_path: Path) -> None:
    policy = "[metrics.acc]\nmax_drop = 0.01\nsignificance = 'required'\n[records]\nmax_regressed = 99\n"
    outcome = judged(tmp_path, *worse(*(f"r{n:03d}" for n in range(60)), by_=1, count=200), policy)
    assert (outcome.code, outcome.rules) == (1, ["max-drop"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[evidence]\nalpha = 0\n", "is not between 0 and 1"),
        ("[evidence]\nalpha = 1\n", "is not between 0 and 1"),
        ("[evidence]\npower = 0.0\n", "is not between 0 and 1"),
        ("[evidence]\nresamples = 1\n", "resamples"),
        ("[metrics.acc]\nmax_drop = 0\nsignificance = 'required'\n", "a limit of 0 can never be shown"),
        ("[metrics.acc]\nmin = 0\nsignificance = 'required'\n", "needs a limit on the drop"),
    ],
)
def test_evidence_that_nothing_could_give_is_refused(tmp_path: Path, text: str, message: str) -> None:
    outcome = judged(tmp_path, *worse("r001"), text)
    assert outcome.code == 2
    assert message in outcome.text


# Volatile measures

VOLATILE = "[volatile.p95_ms]\nmax_relative_drop = 0.1\nmax = 500\n"


def measured(folder: Path, before: object, after: object) -> None:
    for side, value in (("baseline", before), ("current", after)):
        write_run(folder / side, passing(2), notes=side)
        if value is not None:
            (folder / side / "volatile").mkdir()
            (folder / side / "volatile/measures.json").write_text(
                value if isinstance(value, str) else json.dumps(value)
            )


@pytest.mark.parametrize(
    ("before", "after", "code", "rule"),
    [
        ({"p95_ms": 400}, {"p95_ms": 440}, 0, ""),
        ({"p95_ms": 400}, {"p95_ms": 440.00000000000006}, 1, "max-relative-drop"),
        ({"p95_ms": 400}, {"p95_ms": 1e308}, 1, "max"),
        ({"p95_ms": 400}, None, 1, "volatile-missing"),
        ({"p95_ms": 400}, {}, 1, "volatile-missing"),
        ({"p95_ms": 400}, {"P95_ms": 1}, 1, "volatile-missing"),
        (None, {"p95_ms": 1}, 5, "volatile-missing"),
        ({"p95_ms": 0}, {"p95_ms": 0.001}, 1, "max-relative-drop"),
        ({"p95_ms": 400}, '{"p95_ms": NaN}', 3, "invalid-run"),
        ({"p95_ms": 400}, '{"p95_ms": -Infinity}', 3, "invalid-run"),
        ({"p95_ms": 400}, '{"p95_ms": 1e999}', 3, "invalid-run"),
        ({"p95_ms": 400}, '{"p95_ms": "1"}', 3, "invalid-run"),
        ({"p95_ms": 400}, '{"p95_ms": null}', 3, "invalid-run"),
        ({"p95_ms": 400}, '{"p95_ms": true}', 3, "invalid-run"),
        ({"p95_ms": 400}, '{"p95_ms": 900, "p95_ms": 1}', 3, "invalid-run"),
        ({"p95_ms": 400}, f'{{"p95_ms": 1{"0" * 400}}}', 3, "invalid-run"),
        ({"p95_ms": 400}, "", 3, "invalid-run"),
        ({"p95_ms": 400}, "[1]", 3, "invalid-run"),
    ],
)
def test_a_volatile_measure_that_is_not_there_or_no_number_is_no_pass(
    tmp_path: Path, before: object, after: object, code: int, rule: str
) -> None:
    measured(tmp_path, before, after)
    outcome = by(tmp_path, VOLATILE)
    assert outcome.code == code, outcome.text
    assert not rule or rule in outcome.rules


@pytest.mark.parametrize("how", ["file", "folder", "fifo"])
def test_volatile_measures_behind_a_link_or_a_pipe_are_refused(tmp_path: Path, how: str) -> None:
    measured(tmp_path, {"p95_ms": 400}, {"p95_ms": 900})
    place = tmp_path / "current/volatile"
    if how == "folder":
        shutil.rmtree(place)
        place.symlink_to(tmp_path / "baseline/volatile")
    else:
        (place / "measures.json").unlink()
        if how == "fifo":
            os.mkfifo(place / "measures.json")
        else:
            (place / "measures.json").symlink_to(tmp_path / "baseline/volatile/measures.json")
    outcome = by(tmp_path, VOLATILE)
    assert (outcome.code, outcome.rules) == (3, ["invalid-run"])
    assert "volatile" in told(outcome)


# Suites


def suite(folder: Path, side: str, **accs: float) -> None:
    for name, acc in accs.items():
        write_run(folder / side / name, [scored("a", acc), scored("b", acc)])


@pytest.mark.parametrize(
    ("policy", "code", "message"),
    [
        ("[suites.'quality'.metrics.acc]\nmax_drop = 1\n", 2, "select no run"),
        ("[suites.'QA'.metrics.acc]\nmax_drop = 1\n", 2, "select no run"),
        ("[suites.'qa'.metrics.acc]\nmax_drop = 1\n", 1, "got worse"),
        ("[suites.'*'.metrics.acc]\nmax_drop = 1\n", 0, ""),
        ("[suites.'*'.metrics.f1]\nmax_drop = 1\n", 2, "selects no metric"),
        ("[suites.'*'.metrics.acc]\nmax_drop = 1\n[suites.qa.metrics.acc]\nmax_drop = 0\n", 2, "select no run"),
        ("[suites.'*'.metrics]\n[metrics.acc]\nmax_drop = 1\n", 2, "select no run"),
        ("[suites.qa]\n", 2, "asks for nothing"),
    ],
)
def test_rules_for_a_part_of_a_suite_hold_for_it_alone(tmp_path: Path, policy: str, code: int, message: str) -> None:
    suite(tmp_path, "baseline", qa=1, sums=1)
    suite(tmp_path, "current", qa=0.5, sums=0.5)
    outcome = by(tmp_path, policy)
    assert outcome.code == code, outcome.text
    assert message in outcome.text


@pytest.mark.parametrize("name", [".qa", "qa2", "qa/qa", "QA"])
def test_a_run_of_a_suite_that_was_renamed_or_hidden_is_missing(tmp_path: Path, name: str) -> None:
    suite(tmp_path, "baseline", qa=1, sums=1)
    suite(tmp_path, "current", **{name: 0, "sums": 1})
    outcome = by(tmp_path, "[suites.'*'.metrics.acc]\nmax_drop = 1\n")
    assert outcome.code == 1
    assert "run-missing" in outcome.rules


# The file itself


@pytest.mark.parametrize(
    "text",
    [
        b"metrics = {acc = {max_drop = 0, max_drop = 1}}\n",
        b"[metrics.acc]\nmax_drop = 0\n[metrics.acc]\nmax_drop = 1\n",
        b"[metrics.acc]\nmax_drop = 0\nmax_drop = 1\n",
        b"[metrics.acc]\nmax_drop = 0\n[metrics]\nacc.max_drop = 1\n",
        b"\xef\xbb\xbf[metrics.acc]\nmax_drop = 1\n",
        b"\xff\xfe[\x00m\x00",
        b"[metrics.acc]\nmax_drop = 1\x00\n",
        b"[metrics.acc]\nmax_drop = 1e401\n",
        b"[metrics.acc]\nmax_drop = 1e999999999999\n",
        b"[metrics.acc]\nmax_drop = inf\n",
        b"[metrics.acc]\nmax_drop = +inf\n",
        b"[metrics.acc]\nmax_drop = nan\n",
        b"[metrics.acc]\nmin = nan\n",
        b"[metrics.acc]\nmin = -inf\n",
        b"[metrics.acc]\nmax_drop = -0.1\n",
        b"[metrics.acc]\nmax_drop = true\n",
        b"[metrics.acc]\nmax_drop = '1'\n",
        b"[metrics.acc]\nmax_drop = [1]\n",
        b"[metrics.acc]\nmax_drop = 0x\n",
        b"[metrics.acc]\nmax_relative_drop = inf\n",
        b"[metrics.acc]\nmin = 2\nmax = 1\n",
        b"[metrics.acc]\nmax_drop = 1\nlevel = 'off'\n",
        b"[metrics.acc]\nmax_drop = 1\nlevel = 'WARN'\n",
        b"[records]\nmax_regressed = inf\n",
        b"[records]\nmax_regressed = 1.0\n",
        b"[records]\nmax_regressed = -1\n",
        b"[records]\nmax_regressed = true\n",
        b"[records]\nmax_removed = 'all'\n",
        b"[records]\nmax_regressed = " + b"9" * 5000 + b"\n",
        b"[volatile.x]\nmax = nan\n",
        b"[reference]\npath = 'baseline'\n",
        b"records = 1\n",
        b"",
        b"# nothing\n",
        b"[metrics.acc]\rmax_drop = 1\r",
        b"[metrics.acc]\nmax_drop = 0 # strict\rlevel = 'warn'\n",
    ],
)
def test_N4_a_policy_that_is_no_policy_is_an_error_and_nothing_is_judged(tmp_path: Path, text: bytes) -> None:
    write_run(tmp_path / "baseline", passing(2))
    write_run(tmp_path / "current", passing(2))
    (tmp_path / "gate.toml").write_bytes(text)
    outcome = gate(tmp_path, "compare", "baseline", "current")
    assert (outcome.code, outcome.out) == (2, ""), outcome.text
    assert "gate.toml" in outcome.err


@pytest.mark.parametrize("text", ["[metrics.acc]\r\nmax_drop = 0.1\r\n", "[metrics]\nacc = {max_drop = 0.10}\n"])
def test_a_policy_with_other_line_ends_or_inline_tables_says_the_same(tmp_path: Path, text: str) -> None:
    write_run(tmp_path / "baseline", [scored("a", 0.9)])
    write_run(tmp_path / "current", [scored("a", 0.79)])
    (tmp_path / "gate.toml").write_bytes(text.encode())
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-drop"])


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_a_policy_that_cannot_be_read_is_not_passed_over(tmp_path: Path, make: Callable[[Path], object]) -> None:
    write_run(tmp_path / "baseline", passing(2))
    write_run(tmp_path / "current", passing(2))
    make(tmp_path / "gate.toml")
    for words in ([], ["--config", "gate.toml"]):
        outcome = command_line.gate(tmp_path, "compare", "baseline", "current", *words, timeout_s=20)
        assert (outcome.code, outcome.out) == (2, "")
        assert "gate.toml" in outcome.err


# Rows of the table that are about numbers and tries, with a policy


@pytest.mark.parametrize(
    ("drop", "code"), [("0.05", 0), ("0.050000000000000000000000000000001", 0), ("0.04999999999999999999", 1)]
)
def test_N12_a_drop_is_decided_in_decimal_on_the_text_of_limit_and_score(tmp_path: Path, drop: str, code: int) -> None:
    outcome = judged(tmp_path, [scored("a", 0.9)], [scored("a", 0.85)], f"[metrics.acc]\nmax_drop = {drop}\n")
    assert outcome.code == code
    outcome = by(tmp_path, f"[metrics.acc]\nmax_drop = 1\n{waiver('a', ceiling=drop)}[records]\nmax_regressed = 0\n")
    assert outcome.code == code


@pytest.mark.parametrize("limit", ["0.5", "1", "1e300"])
def test_N14_with_a_baseline_of_0_no_relative_drop_is_small_enough(tmp_path: Path, limit: str) -> None:
    errors = {"errors": MetricDeclaration(direction="lower", range=(0, 100))}
    before: list[Record] = [{"id": "a", "scores": {"errors": 0}, "tags": {"lang": "de"}}]
    after: list[Record] = [{"id": "a", "scores": {"errors": 1e-9}, "tags": {"lang": "de"}}]
    rule = f"max_relative_drop = {limit}\n"
    outcome = judged(tmp_path, before, after, f"[metrics.errors]\n{rule}", metrics=errors, slices=["lang"])
    assert (outcome.code, outcome.rules) == (1, ["max-relative-drop"])
    outcome = by(tmp_path, f"[metrics.errors]\nmax_drop = 1\n[[slices]]\ntag = 'lang'\n{rule}")
    assert (outcome.code, outcome.rules) == (1, ["max-relative-drop"])
    write_run(tmp_path / "pinned", before, errors)
    pinned = f"[metrics.errors]\nmax_drop = 1\n[reference]\npath = 'pinned'\n[reference.metrics.errors]\n{rule}"
    outcome = by(tmp_path, pinned)
    assert (outcome.code, outcome.rules) == (1, ["reference-drop"])


def test_T20_a_second_try_is_said_whatever_the_policy(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", passing(2))
    write_run(tmp_path / "current", passing(2), provenance=Provenance(attempt=7))
    outcome = by(tmp_path, "[metrics.acc]\nmax_drop = 1\n")
    assert (outcome.code, outcome.rules) == (0, ["attempt"])
    assert "this is attempt 7" in told(outcome, "notice")


@pytest.mark.parametrize(
    ("policy", "code"), [(waiver("r001"), 0), (waiver("r00"), 1), (quarantine("r001"), 0), (VOLATILE, 1), ("x = 1", 2)]
)
def test_a_process_of_its_own_says_the_same(tmp_path: Path, policy: str, code: int) -> None:
    here = judged(tmp_path, *worse("r001"), policy)
    words = ("compare", "baseline", "current", "--format", "json", *TODAY)
    assert (here.code, here) == (code, command_line.gate(tmp_path, *words))
