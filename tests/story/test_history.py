"""`gate log` and `gate blame` on real repositories: what people ask of the past of a baseline, and what it costs."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from runstore import schema
from runstore.manifest import MetricDeclaration, Provenance
from tests.command_line import gate as process
from tests.factories import ACC, LOWER, Point, Record, edit_manifest, files_of, passing, scored, unsynced, write_run
from tests.repositories import Repository, gate, git

BASELINE = "baselines/qa"
Metrics = Mapping[str, MetricDeclaration]


class Story:
    """A repository with a baseline whose commits have names."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder)
        self.folder = folder
        self.names: dict[str, str] = {}

    def baseline(
        self,
        name: str,
        records: Sequence[Record],
        metrics: Metrics = ACC,
        *,
        reason: str | None = None,
        points: Sequence[Point] = (),
        path: str = BASELINE,
    ) -> str:
        """Commit a baseline; `name` is the subject."""
        place = self.folder / path
        shutil.rmtree(place, ignore_errors=True)
        with unsynced():
            made = Provenance(commit=f"{len(self.names):040x}")
            write_run(place, records, metrics, points=points, slices=["lang"], provenance=made)
        if reason is not None:
            edit_manifest(place, lambda manifest: manifest.update(origin={"accepted": [{"reason": reason}]}))
        return self.commit(name)

    def commit(self, name: str) -> str:
        oid = self.repository.commit(name)
        self.names[oid[:12]] = name
        return oid

    def told(self, text: str) -> str:
        """A text with the names of commits in the place of their ids."""
        for oid, name in self.names.items():
            text = text.replace(oid, f"<{name}>"[:12].ljust(12))
        return text


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Four commits of a baseline: the second lowers the mean, the third is another file, the fourth adds a record."""
    made = Story(tmp_path / "repository")
    made.baseline("One", [scored("a", 0.5, output="x", tags={"lang": "de"}), scored("b", 1)])
    made.baseline("Two", [scored("a", 0.25, output="y", tags={"lang": "de"}), scored("b", 1)], reason="a new prompt")
    made.repository.write("README", "x")
    made.commit("Else")
    made.baseline("Three", [scored("a", 0.25, output="y", tags={"lang": "de"}), *passing(2), scored("b", 1)])
    return made


def view(outcome: Any, name: str) -> Any:
    """The JSON of an outcome, which fits its schema."""
    assert outcome.code == 0, outcome.err
    value = json.loads(outcome.out)
    assert list(schema.validate(name, value)) == []
    return value


def means(found: Any, metric: str = "acc") -> list[float | None]:
    return [one["values"].get(metric, {}).get("mean") for one in found["commits"]]


LOG = """\
acc  baselines/qa at HEAD (<Three>     ): 3 commits, newest first
  ▆▁█

commit        date        n    mean    delta  subject
<Three>       2026-01-01  4  0.8125  +0.1875  Three
<Two>         2026-01-01  2  0.6250  -0.1250  Two
              reason: a new prompt
<One>         2026-01-01  2  0.7500           One

The folder begins at <One>       . If it had another name before, that is not followed.
"""

BLAME = """\
a  baselines/qa at HEAD (<Three>     )

  acc  0.2500  since <Two>        of 2026-01-01

<Two>         2026-01-01  ann  Two
    acc: 0.5000 -> 0.2500
    changed: /output

<One>         2026-01-01  ann  One
    added the record
    acc: 0.5000
"""

ALL = """\
baselines/qa at HEAD (<Three>     ): 3 commits

metric        n   value    delta  history
acc           4  0.8125  +0.1875  ▆▁█

The folder begins at <One>       . If it had another name before, that is not followed.
"""


@pytest.mark.parametrize(
    ("words", "text"), [(["log", "acc"], LOG), (["log"], ALL), (["log", BASELINE], ALL), (["blame", "a"], BLAME)]
)
def test_the_text_is_this(story: Story, words: list[str], text: str) -> None:
    outcome = gate(story.folder, *words)
    assert (outcome.code, story.told(outcome.out)) == (0, text)


def test_the_json_fits_its_schema_and_says_the_same(story: Story) -> None:
    found = view(gate(story.folder, "log", "acc", "--format", "json"), "history")
    assert means(found) == [0.8125, 0.625, 0.75]
    assert [one["values"]["acc"]["delta"] for one in found["commits"]] == [0.1875, -0.125, None]
    assert [one["reasons"] for one in found["commits"]] == [[], ["a new prompt"], []]
    assert (found["end"], found["baseline"], found["metric"]) == ("start", BASELINE, "acc")
    told = view(gate(story.folder, "blame", "a", "--format", "json"), "blame")
    assert [one["subject"] for one in told["changes"]] == ["Two", "One"]
    assert told["scores"]["acc"]["since"]["subject"] == "Two"


def test_a_slice_has_a_history_of_its_own(story: Story) -> None:
    found = view(gate(story.folder, "log", "acc", BASELINE, "--slice", "lang=de", "--format", "json"), "history")
    assert (means(found), found["slice"]) == ([0.25, 0.25, 0.5], {"tag": "lang", "value": "de"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["log", "f1"], "no commit has a value of 'f1'"),
        (["log", "acc", BASELINE, "--slice", "lang=xx"], "for lang=xx"),
        (["log", BASELINE, "--slice", "lang=xx"], "no commit has scores for lang=xx"),
        (["log", "acc", BASELINE, "--slice", "lang"], "is not TAG=VALUE"),
        (["log", "acc", "nowhere"], "no commit has anything there"),
        (["log", "acc", "../out"], "leads out of the repository"),
        (["log", "acc", "/"], "does not lie in this repository"),
        (["log", "--ref", "nope"], "no such commit"),
        (["log", "--ref", "--output=x"], "is no ref of git"),
        (["log", "acc", f"HEAD:{BASELINE}", "--ref", "main"], "names a ref, and --ref names one, too"),
        (["blame", "zz"], "no commit has a record 'zz'"),
        (["blame", "a", "--repeat", "2"], "no commit has a repeat 2 of a record"),
        (["blame", "\udcff"], "is no text"),
        (["log", "acc", "a\nb"], "cannot be asked for"),
        (["log", "acc", "\udcff"], "cannot be asked for"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_so(story: Story, words: list[str], said: str) -> None:
    outcome = gate(story.folder, *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err


def test_outside_a_repository_there_is_no_history(tmp_path: Path) -> None:
    outcome = gate(tmp_path, "log", "acc", "x")
    assert outcome.code == 2
    assert "not a git repository" in outcome.err


def test_a_commit_in_which_the_baseline_is_no_run_is_a_gap_and_hides_nothing(story: Story) -> None:
    place = story.folder / BASELINE
    (place / "summary.json").write_text("{}\n")
    story.commit("Broken")
    (place / "manifest.json").write_text("<<<<<<< ours\n")
    story.commit("Conflict")
    shutil.rmtree(place)
    story.commit("Gone")
    story.baseline("Future", passing(1))
    edit_manifest(place, lambda manifest: manifest.update(format=2))
    story.commit("Future")
    story.baseline("Back", [scored("a", 0.25, output="y", tags={"lang": "de"}), scored("b", 0)])
    found = view(gate(story.folder, "log", "acc", "--format", "json"), "history")
    assert [one["gap"] and one["gap"]["kind"] for one in found["commits"]] == [
        None, "format", None, "missing", "invalid", "invalid", None, None, None,
    ]  # fmt: skip
    assert found["commits"][0]["values"]["acc"]["delta"] == 0.125 - 1
    assert found["commits"][2]["values"]["acc"]["delta"] == 1 - 0.8125
    text = gate(story.folder, "log", "acc").out
    assert "gap: another format: format 2" in text
    assert "gap: missing: the folder is not there" in text
    assert "gap: INVALID: manifest.json" in text
    told = view(gate(story.folder, "blame", "a", "--format", "json"), "blame")
    assert [(one["kind"], one["subject"]) for one in told["changes"]] == [
        ("changed", "Back"),
        ("unreadable", "Future"),
        ("removed", "Gone"),
        ("unreadable", "Conflict"),
        ("changed", "Two"),
        ("added", "One"),
    ]


def test_a_baseline_that_is_gone_is_asked_for_by_its_folder(story: Story) -> None:
    shutil.rmtree(story.folder / BASELINE)
    story.commit("Gone")
    found = view(gate(story.folder, "log", BASELINE, "--format", "json"), "history")
    assert means(found) == [None, 0.8125, 0.625, 0.75]
    told = view(gate(story.folder, "blame", "a", BASELINE, "--format", "json"), "blame")
    assert [one["kind"] for one in told["changes"]] == ["removed", "changed", "added"]
    assert told["scores"] == {}


def test_several_baselines_have_to_be_named(story: Story) -> None:
    story.baseline("Other", passing(1), path="baselines/other")
    outcome = gate(story.folder, "log", "acc")
    assert outcome.code == 2
    assert "name one: baselines/other, baselines/qa" in outcome.err
    assert gate(story.folder, "log", "acc", BASELINE).code == 0
    assert means(view(gate(story.folder / "baselines/other", "log", "acc", "--format", "json"), "history")) == [1]


def test_the_last_n_commits_say_that_there_are_more_and_what_changed_in_each(story: Story) -> None:
    outcome = gate(story.folder, "log", "acc", "-n", "2")
    assert "There is more before <Two>" in story.told(outcome.out)
    found = view(gate(story.folder, "log", "acc", "-n", "2", "--format", "json"), "history")
    assert [one["values"]["acc"]["delta"] for one in found["commits"]] == [0.1875, -0.125]
    assert view(gate(story.folder, "log", "-n", "3", "--format", "json"), "history")["end"] == "start"


def test_a_series_is_told_by_its_figure(tmp_path: Path) -> None:
    story = Story(tmp_path / "r")
    loss = {"loss": MetricDeclaration(direction="lower", aggregate="min")}
    story.baseline("One", [], loss, points=[("loss", 3, 0), ("loss", 2, 1), ("loss", 2.5, 2)])
    story.baseline("Two", [], loss, points=[("loss", 3, 0), ("loss", 1.5, 1)])
    found = view(gate(story.folder, "log", "loss", "--format", "json"), "history")
    assert means(found, "loss") == [1.5, 2]
    assert "loss (lower is better)" in gate(story.folder, "log", "loss").out


def test_a_unit_that_changed_is_not_compared(tmp_path: Path) -> None:
    story = Story(tmp_path / "r")
    for unit, value in (("s", 1), ("ms", 1000)):
        metrics = {"t": MetricDeclaration(direction="lower", unit=unit)}
        story.baseline(unit, [{"id": "a", "scores": {"t": value}}], metrics)
    found = view(gate(story.folder, "log", "t", "--format", "json"), "history")
    assert [one["values"]["t"]["delta"] for one in found["commits"]] == [None, None]


def branches(story: Story) -> None:
    """Two branches that each change one record, merged by hand into a baseline that has both."""
    old = [scored("a", 0), scored("b", 0), scored("c", 0)]
    story.baseline("Base", old)
    story.repository.git("switch", "-qc", "left")
    story.baseline("Left", [scored("a", 1), *old[1:]])
    story.repository.git("switch", "-q", "main")
    story.baseline("Right", [old[0], scored("b", 1), old[2]])
    story.repository.git("merge", "-q", "--no-commit", "--no-ff", "-s", "ours", "left")
    story.baseline("Merge", [scored("a", 1), scored("b", 1), old[2]])


def test_a_merge_is_one_change_of_a_metric_and_blame_looks_behind_it(tmp_path: Path) -> None:
    story = Story(tmp_path / "r")
    branches(story)
    found = view(gate(story.folder, "log", "acc", "--format", "json"), "history")
    assert [one["subject"] for one in found["commits"]] == ["Merge", "Right", "Base"]
    assert means(found) == [2 / 3, 1 / 3, 0]
    for record, subject in (("a", "Left"), ("b", "Right"), ("c", "Base")):
        told = view(gate(story.folder, "blame", record, "--format", "json"), "blame")
        assert told["changes"][0]["subject"] == subject


def test_a_merge_that_takes_one_side_whole_is_told_as_git_log_tells_it(tmp_path: Path) -> None:
    story = Story(tmp_path / "r")
    story.baseline("Base", [scored("a", 0)])
    story.repository.git("switch", "-qc", "left")
    story.baseline("Left", [scored("a", 1)])
    story.repository.git("switch", "-q", "main")
    story.repository.write("README", "x")
    story.commit("Else")
    story.repository.git("merge", "-q", "--no-ff", "-m", "Merge left", "left")
    found = view(gate(story.folder, "log", "acc", "--format", "json"), "history")
    assert [one["subject"] for one in found["commits"]] == ["Merge left", "Base"]
    told = view(gate(story.folder, "blame", "a", "--format", "json"), "blame")
    assert [one["subject"] for one in told["changes"]] == ["Left", "Base"]


def test_bare_shallow_worktree_and_a_sub_folder_say_the_same(story: Story, tmp_path: Path) -> None:
    whole = gate(story.folder, "log", "acc", BASELINE).out
    git(tmp_path, "clone", "-q", "--bare", story.folder, "bare.git")
    assert gate(tmp_path / "bare.git", "log", "acc", BASELINE).out == whole
    assert gate(tmp_path / "bare.git", "log", "acc").out == whole
    story.repository.git("worktree", "add", "-q", tmp_path / "tree", "HEAD")
    assert gate(tmp_path / "tree", "log", "acc", BASELINE).out == whole
    assert gate(story.folder / "baselines", "log", "acc", "qa").out == whole
    assert gate(story.folder / BASELINE, "log", "acc", ".").out == whole
    assert gate(story.folder / "baselines", "log", "acc").out == whole
    (story.folder / "docs").mkdir()
    assert gate(story.folder / "docs", "log", "acc").out == whole
    assert gate(story.folder, "log", "acc", story.folder / BASELINE).out == whole
    told = gate(story.folder / BASELINE, "blame", "a", ".").out
    assert told == gate(tmp_path / "bare.git", "blame", "a").out
    assert gate(story.folder, "log", "acc", f"main:{BASELINE}").out == whole.replace("at HEAD", "at main")


def test_a_shallow_clone_says_that_its_history_is_cut(story: Story, tmp_path: Path) -> None:
    clone = story.repository.clone(tmp_path / "clone", "--depth=3")  # Three, Else, Two
    outcome = gate(clone.folder, "log", "acc")
    assert "The history is cut at <Two>" in story.told(outcome.out)
    assert "  git fetch --unshallow\n" in outcome.out
    found = view(gate(clone.folder, "log", "acc", "--format", "json"), "history")
    assert (means(found), found["end"]) == ([0.8125, 0.625], "shallow")
    told = view(gate(clone.folder, "blame", "a", "--format", "json"), "blame")
    assert [(one["kind"], one["is_cut"]) for one in told["changes"]] == [("added", True)]
    assert told["scores"]["acc"]["is_cut"] is True
    text = " ".join(gate(clone.folder, "blame", "a").out.split())
    assert "or has it from before: the history is cut here" in text
    assert "or before" in text


def test_a_partial_clone_says_what_it_lacks_and_fetches_nothing(story: Story, tmp_path: Path) -> None:
    story.repository.git("config", "uploadpack.allowFilter", "true")
    clone = story.repository.clone(tmp_path / "clone", "--filter=blob:none")
    outcome = gate(clone.folder, "log", "acc")
    assert outcome.code == 0, outcome.err
    assert "which is partial" in outcome.out
    found = view(gate(clone.folder, "log", "acc", "--format", "json"), "history")
    assert (means(found), found["end"]) == ([0.8125], "partial")
    told = view(gate(clone.folder, "blame", "a", "--format", "json"), "blame")
    assert [one["is_cut"] for one in told["changes"]] == [True]
    assert told["scores"]["acc"]["value"] == 0.25
    assert "git fetch --refetch --no-filter\n" in gate(clone.folder, "blame", "a").out
    bare = story.repository.clone(tmp_path / "bare", "--filter=blob:none", "--no-checkout")
    outcome = gate(bare.folder, "log", "acc", BASELINE)
    assert outcome.code == 2
    assert "git fetch --refetch --no-filter" in outcome.err


def test_shards_are_read_only_where_the_record_would_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runstore.shards.SHARDED_ABOVE", 2000)
    monkeypatch.setattr("runstore.shards._TARGET_BYTES", 800)
    story = Story(tmp_path / "r")
    records = [scored(f"r{number:03d}", 0, output="x" * 50) for number in range(60)]
    story.baseline("One", records)
    assert len(list((story.folder / BASELINE).glob("records-*.jsonl"))) > 2
    for index, name in ((0, "first"), (33, "middle"), (59, "last")):
        records[index] = scored(f"r{index:03d}", 1, output="x" * 50)
        story.baseline(name, records)
        told = view(gate(story.folder, "blame", f"r{index:03d}", "--format", "json"), "blame")
        assert [one["subject"] for one in told["changes"]] == [name, "One"]


def test_repeats_have_to_be_named(tmp_path: Path) -> None:
    story = Story(tmp_path / "r")
    story.baseline("One", [scored("a", 0, repeat=1), scored("a", 1, repeat=2)])
    story.baseline("Two", [scored("a", 0, repeat=1), scored("a", 0, repeat=2)])
    outcome = gate(story.folder, "blame", "a")
    assert (outcome.code, "has 2 repeats" in outcome.err) == (2, True)
    for repeat, subjects in (("1", ["One"]), ("2", ["Two", "One"])):
        told = view(gate(story.folder, "blame", "a", "--repeat", repeat, "--format", "json"), "blame")
        assert [one["subject"] for one in told["changes"]] == subjects


def test_records_that_are_not_those_of_the_manifest_are_not_believed(story: Story) -> None:
    place = story.folder / BASELINE / "records.jsonl"
    place.write_bytes(place.read_bytes().replace(b"0.25", b"0.75"))
    story.commit("Laundered")
    told = view(gate(story.folder, "blame", "a", "--format", "json"), "blame")
    assert [one["kind"] for one in told["changes"]] == ["unreadable", "changed", "added"]
    assert "digest" in told["changes"][0]["why"]
    assert told["scores"] == {}


HOSTILE = "\x1b[2J::error::x | =HYPERLINK(1) <script>\u202e"


def test_no_text_of_a_commit_steers_what_shows_it(tmp_path: Path) -> None:
    story = Story(tmp_path / "r")
    record = {"id": HOSTILE, "scores": {HOSTILE: 1}}
    story.baseline(HOSTILE, [record], {HOSTILE: LOWER}, reason=f"=1+1\n{HOSTILE}")
    author = HOSTILE.replace("<", "").replace(">", "")
    story.repository.git("commit", "-q", "--amend", "--no-edit", f"--author=x{author} <a@example.com>")
    assert "\x1b" in story.repository.git("log", "--format=%an")
    for words in (["log", BASELINE], ["log", HOSTILE, BASELINE], ["blame", HOSTILE]):
        text = gate(story.folder, *words).out
        assert not set("\x1b\u202e\r") & set(text)
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
    rows = list(csv.reader(io.StringIO(gate(story.folder, "log", BASELINE, "--format", "csv").out)))
    assert {len(row) for row in rows} == {15}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    picture = ET.fromstring(gate(story.folder, "log", BASELINE, "--format", "svg").out)
    assert {element.tag.rpartition("}")[2] for element in picture.iter()} <= {
        "svg", "title", "desc", "rect", "text", "path", "circle",
    }  # fmt: skip
    view(gate(story.folder, "log", BASELINE, "--format", "json"), "history")
    view(gate(story.folder, "blame", HOSTILE, "--format", "json"), "blame")


def test_a_link_is_no_file_of_a_run_whatever_it_says(story: Story) -> None:
    for name in ("records.jsonl", "manifest.json"):
        oid = story.repository.git("hash-object", "-w", story.folder / BASELINE / name)
        story.repository.git("update-index", "--cacheinfo", f"120000,{oid},{BASELINE}/{name}")
        story.repository.git("commit", "-qm", name)
    found = view(gate(story.folder, "log", "acc", BASELINE, "--format", "json"), "history")
    assert [one["gap"] and one["gap"]["kind"] for one in found["commits"]] == ["missing", None, None, None, None]
    told = view(gate(story.folder, "blame", "a", BASELINE, "--format", "json"), "blame")
    assert [one["kind"] for one in told["changes"]] == ["removed", "unreadable", "changed", "added"]


def test_a_document_that_is_too_large_is_a_gap(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 10_000
    story.repository.write(f"{BASELINE}/manifest.json", b"x" * (size + 1))
    story.commit("Large")
    monkeypatch.setattr("runstore.history.reading._DOCUMENT_BYTES", size)
    found = view(gate(story.folder, "log", "acc", BASELINE, "--format", "json"), "history")
    assert "larger than" in found["commits"][0]["gap"]["message"]
    assert means(found)[1:] == [0.8125, 0.625, 0.75]


def test_settings_of_the_repository_change_nothing(story: Story) -> None:
    words = (["log", "acc"], ["blame", "a"])
    before = [gate(story.folder, *one).out for one in words]
    for setting, value in (
        ("log.showSignature", "true"), ("log.follow", "true"), ("diff.renames", "copies"), ("core.abbrev", "4"),
        ("format.pretty", "raw"), ("log.date", "raw"), ("core.quotePath", "true"), ("color.ui", "always"),
        ("i18n.logOutputEncoding", "ISO-8859-1"),
    ):  # fmt: skip
        story.repository.git("config", setting, value)
    assert [gate(story.folder, *one).out for one in words] == before


def import_history(folder: Path, commits: int) -> None:
    """A bare repository in which each of many commits changes a baseline, written by `git fast-import`."""
    runs = []
    for number in range(10):
        records = passing(20)
        records[number] = scored(f"r{number:03d}", 0)
        with unsynced():
            place = write_run(folder.parent / f"run{number}", records)
        runs.append(files_of(place))
    stream = io.BytesIO()
    for number in range(commits):
        stream.write(
            b"commit refs/heads/main\ncommitter ann <a@example.com> %d +0000\n" % (1_700_000_000 + number * 60)
        )
        stream.write(b"data <<.\nCommit %d\n.\n" % number)
        for path, data in runs[number % 10].items():
            stream.write(b"M 100644 inline %s/%s\ndata %d\n%s\n" % (BASELINE.encode(), path.encode(), len(data), data))
    git(folder.parent, "init", "-q", "--bare", "--template=", folder)
    feed = folder.parent / "stream"
    feed.write_bytes(stream.getvalue())
    git(folder.parent, "-C", folder, "config", "core.compression", "0")
    with feed.open("rb") as source:
        subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], stdin=source, check=True)


def counted(folder: Path) -> tuple[Path, dict[str, str]]:
    """A file with a line for each git process, and the environment in which they are counted."""
    tools = folder / "tools"
    tools.mkdir()
    real = shutil.which("git")
    (tools / "git").write_text(f'#!/bin/sh\necho "$*" >> "{folder}/calls"\nexec "{real}" "$@"\n')
    (tools / "git").chmod(0o755)
    return folder / "calls", {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize("words", [["log", "acc"], ["log", "acc", BASELINE], ["blame", "r003"]])
def test_a_thousand_commits_take_as_many_git_processes_as_ten(tmp_path: Path, words: list[str]) -> None:
    calls, env = counted(tmp_path)
    numbers = []
    for commits in (10, 1000):
        folder = tmp_path / f"n{commits}" / "repository.git"
        folder.parent.mkdir()
        import_history(folder, commits)
        outcome = gate(folder, *words, env=env)
        assert outcome.code == 0, outcome.err
        numbers.append(len(calls.read_text().splitlines()))
        calls.unlink()
    assert numbers[0] == numbers[1] <= 5


def test_a_thousand_commits_are_told_rightly(tmp_path: Path) -> None:
    import_history(tmp_path / "r.git", 1000)
    found = view(gate(tmp_path / "r.git", "log", "acc", "--format", "json"), "history")
    assert means(found) == [0.95] * 1000
    told = view(gate(tmp_path / "r.git", "blame", "r003", "--format", "json"), "blame")
    assert len(told["changes"]) == 201  # there and back each ten, and the first
    assert [one["subject"] for one in told["changes"][:2]] == ["Commit 994", "Commit 993"]
    assert told["scores"]["acc"]["since"]["subject"] == "Commit 994"


def test_the_commands_work_as_processes_of_their_own(story: Story) -> None:
    for words in (["log", "acc"], ["blame", "a"]):
        assert process(story.folder, *words).out == gate(story.folder, *words).out
