"""What a review shows: which records, in which order, with every digit, and nothing wider than the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, comparison, large_text
from runstore.accepting import acceptance
from runstore.accepting.acceptance import Side
from runstore.accepting.selection import Selection, Sieve
from runstore.change import ChangeClass
from runstore.errors import InvalidRunError
from runstore.policy import from_toml
from runstore.policy.model import Policy
from runstore.reports.text_safety import columns
from runstore.reviewing import chosen, closing, page, walk
from runstore.reviewing.side_by_side import side_by_side, text_of, whole
from runstore.reviewing.subjects import Item, Judged, items_of
from runstore.source import FolderSource
from runstore.store.reader import Run
from runstore.verification import verify
from tests.factories import ACC, HIGHER, LOWER, Record, pair_of_runs, scored, write_run

TODAY = date(2026, 1, 31)
METRICS = {**ACC, "loss": LOWER}
WAIVER = 'ceiling = 1\nowner = "o"\nreason = "r"\nexpires = 2030-01-01\n'


def judged(runs: tuple[Run, Run], policy: str = "") -> Judged:
    rules = (from_toml(policy, "gate.toml") if policy else None) or Policy()
    found = comparison.compare(*runs, rules, today=TODAY, limit=10**9)
    return Judged(path="", comparison=found, rules=rules)


def items(
    place: Path,
    baseline: Sequence[Record],
    current: Sequence[Record],
    policy: str = "",
    **selected: Any,
) -> list[Item]:
    return items_of([judged(pair_of_runs(place, baseline, current, METRICS), policy)], Sieve(Selection(**selected)))


def names(found: Sequence[Item]) -> list[str]:
    return [f"{item.subject.kind.value} {item.change.key[0].decode()}" for item in found]


def test_the_worst_kinds_come_first_and_within_a_kind_the_worst_records(tmp_path: Path) -> None:
    old = [scored(name, 0.5) for name in ("better", "bit", "errs", "gone", "lot", "same", "skips", "text")]
    new = [
        scored("better", 1),
        scored("bit", 0.4),
        {"id": "errs", "status": "error", "reason": {"type": "Timeout", "message": "30 s"}},
        scored("lot", 0),
        scored("new", 1),
        {"id": "new-error", "status": "error"},
        scored("same", 0.5),
        {"id": "skips", "status": "skipped"},
        scored("text", 0.5, output="x"),
    ]
    found = items(tmp_path, old, new)
    assert names(found) == [
        "regressed lot",
        "regressed bit",
        "removed gone",
        "errored errs",
        "errored new-error",
        "skipped skips",
        "added new",
        "improved better",
        "changed text",
    ]


def test_only_what_is_selected_is_walked_through(tmp_path: Path) -> None:
    old = [scored(name, 1, tags={"lang": name[0]}) for name in ("de-1", "de-2", "en-1")]
    new = [scored(name, 0, tags={"lang": name[0]}) for name in ("de-1", "de-2", "en-1")]
    assert names(items(tmp_path, old, new, only=("de-*",))) == ["regressed de-1", "regressed de-2"]
    assert names(items(tmp_path / "2", old, new, slices=(("lang", "e"),))) == ["regressed en-1"]


@pytest.mark.parametrize(
    ("old", "new", "policy", "falls", "why_not"),
    [
        ({"acc": 1}, {"acc": 0.3}, "", [("acc", "0.7")], ""),
        ({"acc": 1, "loss": 1}, {"acc": 0.5, "loss": 3.5}, "", [("acc", "0.5"), ("loss", "2.5")], ""),
        ({"acc": 0.5, "loss": 1}, {"acc": 1, "loss": 2}, "", [("loss", "1")], ""),
        ({"acc": 1, "loss": 1}, {"acc": 0.5, "loss": 2}, "[metrics.acc]\nmax_drop = 0.9\n", [("loss", "1")], ""),
        ({"acc": 1}, {"acc": 0.5}, "[metrics.acc]\nmax_drop = 0.9\n", [], "mean is limited"),
        (
            {"acc": 1},
            {"acc": 0.5},
            "[metrics.acc]\nmax_drop = 0.9\n[records]\nmax_regressed = 0\n",
            [("acc", "0.5")],
            "",
        ),
        ({"acc": 1}, {"acc": 0.5}, '[metrics.acc]\ndirection = "lower"\nmax = 1\n', [], "did not get worse"),
        ({"acc": 0.5}, {"acc": 1}, "", [], "did not get worse"),
        ({"acc": 1, "loss": 1}, {"acc": 1}, "", [], "a score that is missing"),
        ({"acc": 1}, {"acc": 0.5}, f'[[waivers]]\nmetric = "acc"\nrecord = "a"\n{WAIVER}', [], "waivers.0: up to 1"),
    ],
)
def test_a_waiver_is_asked_for_each_metric_that_counts(
    tmp_path: Path, old: Record, new: Record, policy: str, falls: list[tuple[str, str]], why_not: str
) -> None:
    (found,) = items(tmp_path, [{"id": "a", "scores": old}], [{"id": "a", "scores": new}], policy)
    assert [(fall.metric, fall.amount) for fall in found.subject.falls] == [
        (metric, Decimal(amount)) for metric, amount in falls
    ]
    assert why_not in found.subject.cannot_waive
    assert bool(falls) != bool(found.subject.cannot_waive)


def test_what_is_waived_already_says_so(tmp_path: Path) -> None:
    policy = f'[[waivers]]\nmetric = "acc"\nrecord = "a"\n{WAIVER}'
    (found,) = items(tmp_path, [scored("a", 1)], [scored("a", 0)], policy)
    assert found.notes == ("a got worse in acc by 1; waived up to 1 until 2030-01-01 by o: r",)


def test_a_score_that_the_baseline_does_not_declare_comes_in_only_with_the_whole_run(tmp_path: Path) -> None:
    one = pair_of_runs(tmp_path, [scored("a", 1), scored("b", 1)], [])[0]
    new = [{"id": "a", "scores": {"acc": 0, "f1": 1}}, scored("b", 0)]
    other = pair_of_runs(tmp_path / "2", [], new, {**ACC, "f1": HIGHER})[1]
    found = {item.change.key[0]: item.subject for item in items_of([judged((one, other))], Sieve(Selection()))}
    assert found[b"a"].cannot_accept.startswith("its score of 'f1' means nothing in the baseline")
    assert found[b"b"].cannot_accept == ""


def shown(
    place: Path, old: Sequence[Record], new: Sequence[Record], width: int = 80, *, color: bool = False
) -> list[str]:
    one = judged(pair_of_runs(place, old, new, METRICS))
    found = items_of([one], Sieve(Selection()))
    return page.lines(found[0], one.comparison, at=2, of=1234, width=80, color=color)


def test_scores_have_every_digit(tmp_path: Path) -> None:
    old = [scored("a", 0.30000000000000004, tags={"lang": "de", "topic": "tax"}, input="2 + 2?", output="4")]
    new = [scored("a", 0.3, tags={"lang": "de", "topic": "tax"}, input="2 + 2?", output="5")]
    assert shown(tmp_path, old, new) == [
        "3/1,234 regressed",
        "  a",
        "  tags: lang=de, topic=tax",
        "  acc: 0.30000000000000004 -> 0.3 (-0.00000000000000004)",
        "  input: 2 + 2?",
        "  /output: 4 -> 5",
    ]


def test_a_record_that_one_side_has_is_shown_with_its_scores_and_output(tmp_path: Path) -> None:
    gone = shown(tmp_path / "1", [scored("a"), scored("b", 1, output="old", input="why?")], [scored("a")])
    assert gone == ["3/1,234 removed", "  b", "  acc: 1 -> none", "  input: why?", "  /output", "    - old"]
    new = shown(tmp_path / "2", [scored("a")], [scored("a"), scored("b", 0.5, output="new", repeat=2)])
    assert new == ["3/1,234 added", "  b (repeat 2)", "  acc: none -> 0.5", "  /output", "    + new"]


def test_colour_changes_nothing_but_the_colour(tmp_path: Path) -> None:
    old, new = [scored("a", 1, output="one two three")], [scored("a", 0, output="one too three")]
    plain, coloured = shown(tmp_path / "1", old, new), shown(tmp_path / "2", old, new, color=True)
    assert any("\x1b[31m" in line for line in coloured)
    for code in ("0", "1", "2", "31", "32"):
        coloured = [line.replace(f"\x1b[{code}m", "") for line in coloured]
    assert coloured == plain


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
values = st.recursive(text | st.integers(-9, 9) | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=6)


def is_safe(line: str) -> bool:
    return not any(one < " " or one in "\x7f\x9b\u2028\u202e\u2066" for one in line)


@given(text.filter(bool), values, values, st.integers(40, 120))
def test_both_sides_are_safe_and_fit_whatever_they_hold(name: str, before: object, after: object, width: int) -> None:
    sides: tuple[Record, Record] = (
        {"id": name, "output": before, "tags": {"t": name}},
        {"id": name, "output": after, "metadata": {name: before}},
    )
    found = side_by_side(*sides, width)
    assert all(is_safe(line) for line in found)
    assert [line for line in found if columns(line) > width] == []
    assert all(is_safe(line) for side in sides for line in text_of(side).split("\n"))


@given(text, text, st.integers(40, 120))
def test_both_sides_hold_every_line_of_both_texts(before: str, after: str, width: int) -> None:
    found = "\n".join(side_by_side({"id": "a", "output": before}, {"id": "a", "output": after}, width))
    for line in (*before.split("\n"), *after.split("\n")):
        if line.isascii() and line.isalnum() and len(line) < 15:
            assert line in found
    assert ("|" in found or "- " in found or "<" in found or ">" in found) or before == after or "+ " in found


def test_long_texts_stand_beside_each_other_line_by_line() -> None:
    old, new = "same\ngone\nold words\nend", "same\nnew words\nend\nmore"
    found = side_by_side({"id": "a", "output": old}, {"id": "a", "output": new}, 80)
    assert [line.split() for line in found[2:]] == [
        ["output:", "output:"],
        ["same", "same"],
        ["gone", "|", "new", "words"],
        ["old", "words", "<"],
        ["end", "end"],
        [">", "more"],
    ]
    assert side_by_side({"id": "a", "output": old}, {"id": "a", "output": new}, 79)[2:] == [
        "  output:",
        "    same",
        "-   gone",
        "-   old words",
        "+   new words",
        "    end",
        "+   more",
    ]


def test_a_long_text_is_cut_in_time_that_grows_with_it(tmp_path: Path) -> None:
    long = "x" * 2_000_000 + "\n" + "y\n" * 5_000
    found = side_by_side({"id": "a", "output": long}, {"id": "a", "output": f"{long}z"}, 100)
    assert sum(line.count("x") for line in found) == 4_000_000


def test_the_summary_names_what_is_chosen_and_no_more_than_twenty(tmp_path: Path) -> None:
    found = items(tmp_path, [scored(f"r{n:02d}", 1) for n in range(30)], [scored(f"r{n:02d}", 0.5) for n in range(30)])
    state = walk.press(walk.press(walk.start([item.subject for item in found], TODAY), "n"), "A")
    told = closing.summary(state, found, 80)
    assert told[:2] == ["accepted    29 records", "  - r01"]
    assert told[-3:] == ["    and 9 more", "waived      0 records", "skipped     1 record"]
    everything = closing.summary(state, found, 80, most=100)
    assert [line[4:] for line in everything if line.startswith("  - ")] == [f"r{n:02d}" for n in range(1, 30)]


def accepted(place: Path, taken: Sequence[str]) -> tuple[Run, list[Item]]:
    """A new baseline that takes some of three records, built beside its two runs."""
    runs = pair_of_runs(place, [scored("a*", 1), scored("ab", 1), scored("c", 1)], [scored("a*", 0), scored("ab", 0)])
    one = judged(runs)
    some = [item for item in items_of([one], Sieve(Selection())) if item.change.key[0].decode() in taken]
    counts = {kind: getattr(one.comparison.counts, kind.value) for kind in ChangeClass}
    sides = [Side(run=run, folder=place / name) for run, name in zip(runs, "bc", strict=True)]
    plan = chosen.acceptance(sides[0], sides[1], counts, some, "why")
    return acceptance.build(plan, place / "made", "made"), some


@pytest.mark.parametrize("taken", [("a*",), ("ab", "c"), ("c",), ("a*", "ab", "c")])
def test_exactly_the_chosen_records_are_taken_also_those_whose_ids_look_like_patterns(
    tmp_path: Path, taken: tuple[str, ...]
) -> None:
    made, some = accepted(tmp_path, taken)
    verify(made)
    chosen.check_shown(made, some)
    lines = (tmp_path / "made/records.jsonl").read_bytes().splitlines()
    now = {record["id"]: record["scores"]["acc"] for record in map(json.loads, lines)}
    wanted = {name: 0 if name in taken else 1 for name in ("a*", "ab", "c")}
    assert now == {name: score for name, score in wanted.items() if not (name == "c" and name in taken)}


def test_one_trial_is_taken_and_the_others_stay(tmp_path: Path) -> None:
    old, new = ([scored("a", acc, repeat=n) for n in (1, 2, 3)] for acc in (1, 0))
    runs = pair_of_runs(tmp_path, old, new)
    some = [item for item in items_of([judged(runs)], Sieve(Selection())) if item.change.key[1] == 2]
    sides = [Side(run=run, folder=tmp_path / name) for run, name in zip(runs, "bc", strict=True)]
    plan = chosen.acceptance(sides[0], sides[1], {ChangeClass.REGRESSED: 3}, some, "why")
    acceptance.build(plan, tmp_path / "made", "made")
    scores = [json.loads(line)["scores"]["acc"] for line in (tmp_path / "made/records.jsonl").read_bytes().splitlines()]
    assert (scores, plan.left) == ([1, 0, 1], {ChangeClass.REGRESSED: 2})


@pytest.mark.parametrize("other", [b'{"id":"ab","scores":{"acc":0.5}}', None])
def test_a_record_that_is_not_what_was_shown_is_refused(tmp_path: Path, other: bytes | None) -> None:
    made, some = accepted(tmp_path, ("ab",))
    was = some[0].change
    with pytest.raises(InvalidRunError, match="no longer what was shown"):
        chosen.check_shown(made, [replace(some[0], change=was._replace(current=other))])


def test_large_texts_are_shown_whole_and_one_that_is_missing_or_changed_is_said(tmp_path: Path) -> None:
    long = "word " * 400
    parted = large_text.part(scored("a", 1, output=long), 600)
    write_run(tmp_path / "run", [parted.record])
    tree, line = FolderSource(tmp_path / "run"), canonical.encode(parted.record)
    assert "[cut: 2000 bytes, sha256" in text_of(whole(line, tree))
    ((sha256, text),) = parted.texts.items()
    place = tmp_path.joinpath(large_text.FOLDER, *large_text.path_of(sha256))
    place.parent.mkdir(parents=True)
    place.write_bytes(text)
    assert whole(line, tree) == scored("a", 1, output=long)
    place.write_bytes(text.upper())
    with pytest.raises(InvalidRunError, match="the large text was changed"):
        whole(line, tree)
    assert whole(None, tree) == {}
