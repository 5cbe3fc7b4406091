"""`gate accept`: what a run says becomes the baseline, whole or in part, and everything else stays as it was."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runstore import canonical
from runstore.accepting.refusals import CI_VARIABLES
from runstore.manifest import Dataset, Identity, MetricDeclaration, Provenance
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from runstore.verification import verify
from tests.factories import ACC, HIGHER, LOWER, edit_manifest, files_of, passing, replace_bytes, scored, write_run

Gate = Callable[..., tuple[int, str, str]]
WHY = ("--reason", "the new index finds more")
BASELINE = [
    scored("a", 1, tags={"lang": "de"}),
    scored("b", 0, tags={"lang": "en"}),
    scored("c", 0.5, tags={"lang": "en"}),
    scored("d", 1, tags={"lang": "de"}),
    scored("gone", 1, tags={"lang": "fr"}),
    scored("same", 1, tags={"lang": "en"}),
]
CURRENT = [
    scored("a", 0, tags={"lang": "de"}),
    scored("b", 1, tags={"lang": "en"}),
    scored("c", 0.75, tags={"lang": "en"}),
    scored("d", 1, output="other", tags={"lang": "de"}),
    scored("new", 1, tags={"lang": "fr"}),
    scored("same", 1, tags={"lang": "en"}),
]


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no CI service runs the tests, and the paths are short."""
    for name in CI_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with `baseline` and `current`."""
    write_run(tmp_path / "baseline", BASELINE, slices=["lang"], provenance=Provenance(environment="old"))
    identity = Identity(name="night", params={"model": "m2"})
    write_run(tmp_path / "current", CURRENT, slices=["lang"], identity=identity, provenance=Provenance(environment="n"))
    return tmp_path


def ids(run: Path) -> dict[str, bytes]:
    """Id → line of the records."""
    lines = [line for path in read_run(run).record_files for line in (run / path).read_bytes().splitlines()]
    return {json.loads(line)["id"]: line for line in lines}


def manifest(run: Path) -> Any:
    return json.loads((run / "manifest.json").read_bytes())


def taken(runs: Path, before: dict[str, bytes]) -> list[str]:
    """The ids of which the baseline now has what the current run has; all others are as they were."""
    now, theirs = ids(runs / "baseline"), ids(runs / "current")
    changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    assert all(now.get(name) == theirs.get(name) for name in changed)
    verify(read_run(runs / "baseline"))
    return sorted(changed)


def test_the_whole_run_is_accepted_with_name_params_provenance_and_the_reason(runs: Path, gate: Gate) -> None:
    code, out, err = gate("accept", "current", "baseline", *WHY)
    assert (code, err) == (0, "")
    assert out == (
        "accepted    baseline: the whole run, 6 records (1 regressed, 1 removed, 1 added, 2 improved, 1 changed)\n"
        "made from   no commit that the run names\n"
        "reason      the new index finds more\n"
        "gate        now says PASS of that run\n"
        "review      git diff --stat -- baseline\n"
    )
    entry = {
        "reason": "the new index finds more",
        "records": {"regressed": 1, "removed": 1, "added": 1, "improved": 2, "changed": 1},
    }
    assert manifest(runs / "baseline") == {**manifest(runs / "current"), "origin": {"accepted": [entry]}}
    same = {path: data for path, data in files_of(runs / "current").items() if path != "manifest.json"}
    assert {**files_of(runs / "baseline"), **same} == files_of(runs / "baseline")
    assert sorted(files_of(runs / "baseline")) == sorted(files_of(runs / "current"))
    assert gate("compare", "baseline", "current")[0] == 0


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (("--only", "a"), ["a"]),
        (("--only", "a", "--only", "b"), ["a", "b"]),
        (("--only", "[ab]"), ["a", "b"]),
        (("--only", "*"), ["a", "b", "c", "d", "gone", "new"]),
        (("--only", "gone"), ["gone"]),
        (("--only", "new"), ["new"]),
        (("--slice", "lang=en"), ["b", "c"]),
        (("--slice", "lang=fr"), ["gone", "new"]),
        (("--slice", "lang=de", "--slice", "lang=fr"), ["a", "d", "gone", "new"]),
        (("--improved",), ["b", "c"]),
        (("--improved", "--only", "b*"), ["b"]),
        (("--only", "[a-c]", "--slice", "lang=de"), ["a"]),
    ],
)
def test_a_selection_takes_these_records_and_no_others(
    runs: Path, gate: Gate, selection: tuple[str, ...], expected: list[str]
) -> None:
    before, declared = ids(runs / "baseline"), manifest(runs / "baseline")
    code, _, err = gate("accept", "current", "baseline", *selection, *WHY)
    assert (code, err) == (0, "")
    assert taken(runs, before) == expected
    after = manifest(runs / "baseline")
    assert {name: after[name] for name in declared if name != "files"} == {
        name: declared[name] for name in declared if name != "files"
    }


def test_a_part_says_which_run_it_came_from_and_what_was_selected(runs: Path, gate: Gate) -> None:
    code, out, _ = gate("accept", "current", "baseline", "--improved", "--slice", "lang=en", "--only", "c", *WHY)
    assert (code, out) == (
        0,
        "accepted    baseline: 1 record (1 improved)\n"
        "left        5 records (1 regressed, 1 removed, 1 added, 1 improved, 1 changed)\n"
        "made from   no commit that the run names\n"
        "reason      the new index finds more\n"
        "gate        now says FAIL of that run: max-regressed, max-removed\n"
        "review      git diff --stat -- baseline\n",
    )
    assert manifest(runs / "baseline")["origin"] == {
        "accepted": [
            {
                "digest": canonical.sha256((runs / "current" / "manifest.json").read_bytes()),
                "provenance": {"environment": "n"},
                "reason": "the new index finds more",
                "records": {"improved": 1},
                "run_id": manifest(runs / "current")["run_id"],
                "selection": ["only c", "slice lang=en", "improved"],
            }
        ]
    }


def test_parts_are_listed_one_after_the_other_and_a_whole_run_begins_anew(runs: Path, gate: Gate) -> None:
    for words in (("--only", "b"), ("--only", "c"), ()):
        assert gate("accept", "current", "baseline", *words, "--reason", f"why {words}")[0] == 0
        reasons = [entry["reason"] for entry in manifest(runs / "baseline")["origin"]["accepted"]]
        expected = ["why ('--only', 'b')", "why ('--only', 'c')"][: 1 + ("c" in words)]
        assert reasons == (expected if words else ["why ()"])


@pytest.mark.parametrize("words", [(), ("--only", "a"), ("--improved",)], ids=["whole", "only", "improved"])
def test_accepting_again_changes_nothing_and_says_so(runs: Path, gate: Gate, words: tuple[str, ...]) -> None:
    assert gate("accept", "current", "baseline", *words, *WHY)[0] == 0
    before, place = files_of(runs / "baseline"), (runs / "baseline").stat().st_ino
    code, out, _ = gate("accept", "current", "baseline", *words, "--reason", "another")
    assert (code, out.splitlines()[0]) == (0, "unchanged   baseline: it has all of that already")
    assert (files_of(runs / "baseline"), (runs / "baseline").stat().st_ino) == (before, place)


def test_an_equal_run_is_accepted_as_it_is(tmp_path: Path, gate: Gate) -> None:
    for name in ("baseline", "current"):
        write_run(tmp_path / name, passing(3))
    code, out, _ = gate("accept", "current", "baseline", *WHY)
    assert (code, out) == (0, "unchanged   baseline: it has all of that already\n")


def test_a_dry_run_says_the_same_and_writes_nothing(runs: Path, gate: Gate) -> None:
    before = files_of(runs)
    code, out, _ = gate("accept", "current", "baseline", "--only", "a", "--dry-run")
    assert (code, out) == (
        0,
        "would take  baseline: 1 record (1 regressed)\n"
        "left        5 records (1 removed, 1 added, 2 improved, 1 changed)\n"
        "made from   no commit that the run names\n"
        "reason      (a dry run needs none)\n",
    )
    assert files_of(runs) == before


def test_repeats_are_accepted_with_their_record(tmp_path: Path, gate: Gate) -> None:
    trials = [scored("q", 0, repeat=number) for number in (1, 2, 10)]
    write_run(tmp_path / "baseline", [*trials, scored("r", 0)])
    write_run(tmp_path / "current", [scored("q", 1, repeat=2), scored("q", 0, repeat=3), scored("r", 1)])
    assert gate("accept", "current", "baseline", "--only", "q", *WHY)[0] == 0
    lines = [json.loads(line) for line in (tmp_path / "baseline/records.jsonl").read_bytes().splitlines()]
    assert [(line["id"], line.get("repeat"), line["scores"]["acc"]) for line in lines] == [
        ("q", 2, 1),
        ("q", 3, 0),
        ("r", None, 0),
    ]
    verify(read_run(tmp_path / "baseline"))


def with_series(place: Path, values: list[float], artifact: bytes) -> Path:
    (place.parent / "file").write_bytes(artifact)
    with RunWriter(place, metrics={**ACC, "loss": LOWER}) as run:
        run.append(scored("a", values[0]))
        for step, value in enumerate(values):
            run.log_metric("loss", value, step)
        run.add_artifact(place.parent / "file", "deep/plot.bin")
        run.add_volatile("measures", {"seconds": values[0]})
        run.add_volatile("clock", {"at": values[0]})
    return place


def test_series_artifacts_and_measures_come_in_with_the_whole_run(tmp_path: Path, gate: Gate) -> None:
    old, new = with_series(tmp_path / "baseline", [0, 1], b"old"), with_series(tmp_path / "current", [1, 0], b"new")
    expected = files_of(new)
    assert gate("accept", "current", "baseline", *WHY)[0] == 0
    del expected["volatile/clock.json"], expected["manifest.json"]
    assert {path: data for path, data in files_of(old).items() if path != "manifest.json"} == expected


def test_series_artifacts_and_everything_volatile_stay_when_records_are_accepted(tmp_path: Path, gate: Gate) -> None:
    old = with_series(tmp_path / "baseline", [0, 1], b"old")
    with_series(tmp_path / "current", [1, 0], b"new")
    before = files_of(old)
    code, out, _ = gate("accept", "current", "baseline", "--only", "a", *WHY)
    assert code == 0
    assert "left        the series: they come in only with the whole run\n" in out
    after = files_of(old)
    assert {path for path in before if before[path] != after.get(path)} == {
        "manifest.json",
        "records.jsonl",
        "summary.json",
    }
    assert after.keys() == before.keys()


def test_a_training_run_without_records_is_accepted_whole(tmp_path: Path, gate: Gate) -> None:
    for name, value in (("baseline", 1), ("current", 0.5)):
        write_run(tmp_path / name, metrics={"loss": LOWER}, points=[("loss", value, None)])
    code, out, _ = gate("accept", "current", "baseline", *WHY)
    assert (code, out.splitlines()[0]) == (0, "accepted    baseline: the whole run, no record differs")
    assert gate("compare", "baseline", "current")[0] == 0


def test_a_policy_says_which_way_is_better(runs: Path, gate: Gate) -> None:
    (runs / "gate.toml").write_text('[metrics.acc]\ndirection = "lower"\n')
    before = ids(runs / "baseline")
    assert gate("accept", "current", "baseline", "--improved", *WHY)[0] == 0
    assert taken(runs, before) == ["a"]


# What is refused.


def test_a_selection_that_matches_nothing_is_refused_with_what_is_near(runs: Path, gate: Gate) -> None:
    before = files_of(runs)
    for words, said in (
        (("--only", "sam"), "--only 'sam' matches no record of either run\n  hint: there are: 'same'"),
        (("--only", "b", "--only", "x?"), "--only 'x?' matches no record of either run\n  hint: there are: 'a', 'b'"),
        (("--slice", "lang=dee"), "--slice 'lang=dee' matches no record of either run\n  hint: there are: 'de'"),
        (("--slice", "no=1"), "--slice 'no=1' matches no record of either run\n  hint: no record has any tag 'no'"),
    ):
        code, out, err = gate("accept", "current", "baseline", *words, *WHY)
        assert (code, out) == (2, "")
        assert err.startswith(f"gate: error: {said}")
    assert files_of(runs) == before


def test_a_selection_of_equal_records_changes_nothing(runs: Path, gate: Gate) -> None:
    code, out, _ = gate("accept", "current", "baseline", "--only", "same", *WHY)
    assert (code, out.splitlines()[0]) == (0, "unchanged   baseline: it has all of that already")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (None, "no reason is given"),
        ("", "no reason is given"),
        (" \t\n", "no reason is given"),
        ("two\nlines", "not one line"),
        ("a\x1b[31m", "not one line"),
        ("a\u2028b", "not one line"),
        ("a\u202eb", "not one line"),
        ("a\udcffb", "not one line"),
        ("x" * 501, "has 501 characters"),
    ],
)
def test_a_reason_is_one_line_that_says_something(runs: Path, gate: Gate, reason: str | None, said: str) -> None:
    before = files_of(runs)
    code, out, err = gate("accept", "current", "baseline", *(() if reason is None else ("--reason", reason)))
    assert (code, out, said in err) == (2, "", True)
    assert files_of(runs) == before


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CI", "true"), ("CI", "1"), ("GITHUB_ACTIONS", "true"), ("GITLAB_CI", "yes"), ("JENKINS_URL", "https://ci")],
)
def test_ci_accepts_nothing_and_may_look(
    runs: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    before = files_of(runs)
    monkeypatch.setenv(variable, value)
    code, out, err = gate("accept", "current", "baseline", *WHY)
    assert (code, out) == (2, "")
    assert err.startswith(f"gate: error: this is CI ({variable} is set), and a baseline is accepted by a person")
    assert gate("accept", "current", "baseline", *WHY, "--dry-run")[0] == 0
    assert files_of(runs) == before


@pytest.mark.parametrize("value", ["", "false", "0"])
def test_a_variable_that_says_no_is_no_ci(runs: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CI", value)
    assert gate("accept", "current", "baseline", *WHY)[0] == 0


@pytest.mark.parametrize("side", ["baseline", "current"])
def test_an_invalid_run_is_refused(runs: Path, gate: Gate, side: str) -> None:
    (runs / side / "summary.json").write_bytes((runs / side / "summary.json").read_bytes().replace(b"6", b"7", 1))
    before = files_of(runs)
    code, out, err = gate("accept", "current", "baseline", *WHY)
    assert (code, out) == (3, "")
    assert f"{side}/summary.json" in err
    assert files_of(runs) == before


def test_a_line_that_differs_is_checked_in_full(runs: Path, gate: Gate) -> None:
    replace_bytes(runs / "current", b'"acc":0.75', b'"acc":7.5')
    assert gate("accept", "current", "baseline", "--only", "a", *WHY)[0] == 3


def test_runs_that_have_nothing_in_common_are_accepted_only_on_purpose(tmp_path: Path, gate: Gate) -> None:
    write_run(tmp_path / "baseline", [scored("a")])
    write_run(tmp_path / "current", [scored("b")])
    code, out, err = gate("accept", "current", "baseline", *WHY)
    assert (code, out) == (5, "")
    assert "the gate cannot compare the two runs: baseline and current have no record in common" in err
    assert gate("accept", "current", "baseline", "--only", "b", *WHY)[0] == 5
    assert gate("accept", "current", "baseline", "--incomparable", "--only", "b", *WHY)[0] == 2
    code, out, _ = gate("accept", "current", "baseline", "--incomparable", *WHY)
    assert (code, "note        baseline and current have no record in common\n" in out) == (0, True)
    assert list(ids(tmp_path / "baseline")) == ["b"]


def test_records_of_another_data_set_do_not_come_in(tmp_path: Path, gate: Gate) -> None:
    for name, digest, acc in (("baseline", "1", 0), ("current", "2", 1)):
        identity = Identity(datasets=[Dataset(name="qa", digest=digest)])
        write_run(tmp_path / name, [scored("a", acc)], identity=identity)
    before = files_of(tmp_path)
    code, _, err = gate("accept", "current", "baseline", "--only", "a", *WHY)
    assert (code, "data set 'qa' differs" in err) == (5, True)
    assert gate("accept", "current", "baseline", *WHY)[0] == 5
    assert files_of(tmp_path) == before


def test_a_run_that_was_not_completed_or_is_empty_is_no_baseline(tmp_path: Path, gate: Gate) -> None:
    write_run(tmp_path / "baseline", passing(2))
    write_run(tmp_path / "killed", passing(2), status="killed")
    write_run(tmp_path / "empty")
    for name, said in (("killed", "was not completed: killed"), ("empty", "has no records and no series")):
        code, out, err = gate("accept", name, "baseline", "--incomparable", *WHY)
        assert (code, out, said in err) == (5, "", True)
    assert gate("accept", "empty", "first", "--new", *WHY)[0] == 5


@pytest.mark.parametrize(
    ("metrics", "score", "said"),
    [
        ({"acc": MetricDeclaration(direction="lower", range=(0, 1))}, "acc", "its direction differs"),
        ({"acc": MetricDeclaration(range=(0, 2))}, "acc", "its range differs"),
        ({"acc": MetricDeclaration(range=(0, 1), unit="%")}, "acc", "its unit differs"),
        ({**ACC, "f1": HIGHER}, "f1", "the baseline does not declare it"),
    ],
)
def test_a_score_that_means_something_else_comes_in_only_with_the_whole_run(
    tmp_path: Path, gate: Gate, metrics: dict[str, MetricDeclaration], score: str, said: str
) -> None:
    write_run(tmp_path / "baseline", [scored("a", 0), scored("b", 0)])
    write_run(tmp_path / "current", [{"id": "a", "scores": {score: 1}}, scored("b", 1)], metrics)
    code, _, err = gate("accept", "current", "baseline", "--only", "a", *WHY)
    assert code == 2
    assert f"the record 'a' has a score of {score!r}, which means nothing in the baseline: {said}" in err
    code, out, _ = gate("accept", "current", "baseline", *WHY)
    assert code == 0
    assert ("note        " in out) == (score == "acc")
    assert gate("compare", "baseline", "current")[0] == 0


def test_a_record_without_the_foreign_score_comes_in(tmp_path: Path, gate: Gate) -> None:
    write_run(tmp_path / "baseline", [scored("a", 0), scored("b", 0)])
    write_run(tmp_path / "current", [{"id": "a", "scores": {"f1": 1}}, scored("b", 1)], {**ACC, "f1": HIGHER})
    assert gate("accept", "current", "baseline", "--only", "b", *WHY)[0] == 0


def test_places_that_lie_in_each_other_or_are_links_are_refused(runs: Path, gate: Gate) -> None:
    write_run(runs / "suite/a/artifacts/b", passing(1))
    (runs / "link").symlink_to("baseline")
    (runs / "to-current").symlink_to("current")
    for current, baseline, said in (
        ("baseline", "baseline", "are the same folder"),
        ("link", "baseline", "are the same folder"),
        ("current", "link", "is a symbolic link"),
        ("baseline", "baseline/x", "are one inside the other"),
        (".", "baseline", "are one inside the other"),
        ("suite/a/artifacts/b", "suite/a", "are one inside the other"),
        ("missing", "baseline", "no such folder"),
        ("current", "missing", "no run stands there"),
    ):
        code, out, err = gate("accept", current, baseline, *WHY)
        assert (code, out, said in err) == (2, "", True), (current, baseline, err)
    assert gate("accept", "to-current", "baseline", *WHY)[0] == 0


def test_the_folder_one_stands_in_is_not_replaced(runs: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs / "baseline")
    code, _, err = gate("accept", "../current", ".", *WHY)
    assert (code, "is the working folder" in err) == (2, True)


def test_an_origin_of_another_kind_is_not_overwritten(runs: Path, gate: Gate) -> None:
    edit_manifest(runs / "baseline", lambda value: value.update(origin={"accepted": "yes"}))
    code, _, err = gate("accept", "current", "baseline", "--only", "a", *WHY)
    assert (code, "baseline/manifest.json /origin/accepted: is not the list" in err) == (3, True)


def test_no_text_of_a_run_steers_the_terminal_or_a_ci_runner(tmp_path: Path, gate: Gate) -> None:
    nasty = "x\n::error::\x1b[31m\u202e"
    write_run(tmp_path / "baseline", [scored("a", 0), scored(nasty, 0, tags={nasty: nasty})])
    provenance = Provenance(commit=nasty)
    write_run(tmp_path / "current", [scored("a", 1), scored("b", 1, tags={nasty: nasty})], provenance=provenance)
    for words, expected in (
        (("--only", "c"), 2),
        (("--slice", f"{nasty}=y"), 2),
        (("--slice", f"y={nasty}"), 2),
        (("--only", nasty, "--dry-run"), 0),
        (("--only", "*"), 0),
        (("--commit", "y" * 9), 4),
    ):
        code, out, err = gate("accept", "current", "baseline", *words, *WHY)
        assert code == expected, err
        assert not re.search(r"(?m)^\s*::|\x1b|\u202e", out + err)


# The first baseline, and suites.


def test_a_first_baseline_is_made_on_purpose_and_once(runs: Path, gate: Gate) -> None:
    assert gate("accept", "current", "deep/er/qa", *WHY)[0] == 2
    code, out, _ = gate("accept", "current", "deep/er/qa", "--new", *WHY)
    assert (code, out.splitlines()[0]) == (0, "accepted    deep/er/qa: the whole run, 6 records (6 added)")
    assert manifest(runs / "deep/er/qa")["origin"]["accepted"][0]["records"] == {"added": 6}
    assert gate("compare", "deep/er/qa", "current")[0] == 0
    assert sorted(path.name for path in (runs / "deep/er").iterdir()) == ["qa"]
    assert gate("accept", "current", "other", "--new", "--only", "a", *WHY)[0] == 2
    code, out, _ = gate("accept", "current", "deep/er/qa", "--new", *WHY)
    assert (code, out.startswith("unchanged")) == (0, True)


def suite(place: Path, **runs: int) -> Path:
    for name, acc in runs.items():
        write_run(place / name.replace("_", "/"), [scored("a", acc), scored("b", acc)])
    return place


def test_a_suite_is_accepted_run_by_run(tmp_path: Path, gate: Gate) -> None:
    suite(tmp_path / "baseline", x=0, y_z=1, lost=1)
    suite(tmp_path / "current", x=1, y_z=1, extra=1)
    code, out, err = gate("accept", "current", "baseline", *WHY)
    assert (code, err) == (0, "")
    assert out == (
        "left        baseline/lost: the current side has no such run\n"
        "left        current/extra: it has no baseline; --new takes it in\n"
        "accepted    baseline/x: the whole run, 2 records (2 improved)\n"
        "made from   no commit that the run names\n"
        "reason      the new index finds more\n"
        "gate        now says PASS of that run\n"
        "unchanged   baseline/y/z: it has all of that already\n"
        "review      git diff --stat -- baseline\n"
    )
    assert gate("accept", "current", "baseline", "--new", *WHY)[0] == 0
    assert sorted(
        str(path.parent.relative_to(tmp_path / "baseline")) for path in tmp_path.glob("baseline/**/manifest.json")
    ) == [
        "extra",
        "lost",
        "x",
        "y/z",
    ]


def test_no_run_of_a_suite_is_accepted_if_one_is_refused(tmp_path: Path, gate: Gate) -> None:
    suite(tmp_path / "baseline", x=0, y=0)
    suite(tmp_path / "current", x=1)
    write_run(tmp_path / "current/y", [scored("other")])
    before = files_of(tmp_path)
    code, out, err = gate("accept", "current", "baseline", *WHY)
    assert (code, out) == (5, "")
    assert err.startswith("gate: error: baseline/y: the gate cannot compare the two runs")
    assert err.endswith("gate: error: none of the runs was accepted\n")
    assert files_of(tmp_path) == before


def test_an_id_of_a_suite_need_be_in_one_run_only(tmp_path: Path, gate: Gate) -> None:
    suite(tmp_path / "baseline", x=0, y=0)
    suite(tmp_path / "current", x=1)
    write_run(tmp_path / "current/y", [scored("a", 0), scored("b", 0), scored("c")])
    code, out, _ = gate("accept", "current", "baseline", "--only", "c", *WHY)
    assert (code, [line.split(":")[0] for line in out.splitlines() if "baseline/" in line]) == (
        0,
        ["unchanged   baseline/x", "accepted    baseline/y"],
    )
    assert gate("accept", "current", "baseline", "--only", "d", *WHY)[0] == 2


# Stale runs.


def git(folder: Path, *words: str) -> str:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
    names |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in names.items()}
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, **names}
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def committed(folder: Path, path: str, text: str) -> str:
    (folder / path).write_text(text)
    git(folder, "add", "--all", ".")
    git(folder, "commit", "--quiet", "--message", path)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit that holds `baselines/qa`, and nothing else but code."""
    git(tmp_path, "init", "--quiet")
    write_run(tmp_path / "baselines/qa", [scored("a", 0), scored("b", 0)])
    (tmp_path / ".gitignore").write_text("runs/\n")
    committed(tmp_path, "code.py", "1\n")
    return tmp_path


def made_from(repository: Path, commit: str | None, *, dirty: bool | None = None) -> None:
    provenance = Provenance(commit=commit, dirty=dirty)
    write_run(repository / "runs/today", [scored("a", 1), scored("b", 1)], provenance=provenance)


def test_a_run_of_what_is_checked_out_is_accepted_also_when_only_the_baseline_has_changed_since(
    repository: Path, gate: Gate
) -> None:
    head = git(repository, "rev-parse", "HEAD")
    made_from(repository, head[:10], dirty=True)
    code, out, _ = gate("accept", "runs/today", "baselines/qa", "--only", "a", *WHY)
    assert code == 0
    assert f"made from   commit {head[:10]}, with changes that were not committed\n" in out
    assert manifest(repository / "baselines/qa")["origin"]["accepted"][0]["provenance"] == {
        "commit": head[:10],
        "dirty": True,
    }
    committed(repository, "baselines/qa/../../.gitignore", "runs/\n")
    assert git(repository, "rev-parse", "HEAD") != head
    assert gate("accept", "runs/today", "baselines/qa", *WHY)[0] == 0


def test_a_stale_run_is_refused_unless_its_commit_is_named(repository: Path, gate: Gate) -> None:
    old = git(repository, "rev-parse", "HEAD")
    committed(repository, "code.py", "2\n")
    made_from(repository, old)
    before = files_of(repository / "baselines")
    code, out, err = gate("accept", "runs/today", "baselines/qa", *WHY)
    assert (code, out) == (4, "")
    assert f"the run was made from commit {old[:12]!r}; since then 'code.py' changed" in err
    for wrong in (old[:6], "0" * 40):
        assert gate("accept", "runs/today", "baselines/qa", "--commit", wrong, *WHY)[0] == 4
    assert files_of(repository / "baselines") == before
    assert gate("accept", "runs/today", "baselines/qa", "--commit", old[:7], *WHY)[0] == 0


@pytest.mark.parametrize("commit", ["0" * 40, "v1.2", "--output=x", "HEAD", "a" * 12])
def test_a_commit_that_the_repository_does_not_have_is_stale(repository: Path, gate: Gate, commit: str) -> None:
    made_from(repository, commit)
    code, _, err = gate("accept", "runs/today", "baselines/qa", *WHY)
    assert (code, f"the run was made from commit {commit[:12]!r}" in err) == (4, True)


def test_a_run_without_a_commit_is_accepted_and_cannot_be_named_by_one(repository: Path, gate: Gate) -> None:
    made_from(repository, None)
    assert gate("accept", "runs/today", "baselines/qa", "--commit", "abcdef0", *WHY)[0] == 4
    assert gate("accept", "runs/today", "baselines/qa", *WHY)[0] == 0


def test_git_sees_the_lines_of_accepted_records_and_no_others(repository: Path, gate: Gate) -> None:
    made_from(repository, None)
    assert gate("accept", "runs/today", "baselines/qa", "--only", "b", *WHY)[0] == 0
    diff = git(repository, "diff", "--unified=0", "--", "baselines/qa/records.jsonl").splitlines()
    assert [line for line in diff if line[0] in "+-" and line[1] == "{"] == [
        '-{"id":"b","scores":{"acc":0}}',
        '+{"id":"b","scores":{"acc":1}}',
    ]
    assert [line.strip() for line in git(repository, "status", "--short").splitlines()] == [
        "M baselines/qa/manifest.json",
        "M baselines/qa/records.jsonl",
        "M baselines/qa/summary.json",
    ]
