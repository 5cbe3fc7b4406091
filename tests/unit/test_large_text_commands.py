"""Large texts on the command line: made, checked, shown, compared, accepted, rebuilt, on disk and in git."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runstore.manifest import Provenance
from runstore.store.writer import RunWriter
from tests.factories import ACC, Record, files_of, replace_bytes, scored, unsynced
from tests.repositories import Repository, gate

LONG = "a line of a long answer\n" * 60
OTHER = f"{LONG}and its end\n"


@pytest.fixture(autouse=True)
def _unsynced() -> Iterator[None]:
    with unsynced():
        yield


def write(place: Path, *records: Record, limit: int | None = 512) -> Path:
    with RunWriter(place, metrics=ACC, large_text=limit) as writer:
        for record in records:
            writer.append(record)
    return place


def the_text(folder: Path) -> Path:
    (found,) = (folder / ".texts").rglob("*.txt")
    return found


def changes(folder: Path, *words: str | Path) -> list[dict[str, Any]]:
    done = gate(folder, "compare", *words, "--format", "json", "--no-cache")
    found: list[dict[str, Any]] = done.view["changes"]
    return found


@pytest.mark.parametrize("size", ["1024", "1KiB", "1 KiB", "1024B"])
def test_import_keeps_large_texts_beside_the_run(tmp_path: Path, size: str) -> None:
    (tmp_path / "r.jsonl").write_text(json.dumps({"id": "a", "acc": 1, "out": LONG}))
    done = gate(
        tmp_path,
        *["import", "r.jsonl", "--score", "acc", "--output-field", "out", "-o", "runs/a", "--large-text"],
        size,
    )
    assert done.code == 0, done.err
    assert the_text(tmp_path / "runs").read_text() == LONG
    assert gate(tmp_path, "validate", "runs").out == "ok   runs/a  1 record\n"


@pytest.mark.parametrize("size", ["", "x", "1", "511", "65MiB", "1KB", "-1024", "1e3", "٣KiB", "9" * 30])
def test_a_size_that_makes_no_sense_is_refused(tmp_path: Path, size: str) -> None:
    (tmp_path / "r.jsonl").write_text('{"id":"a","acc":1}')
    done = gate(tmp_path, "import", "r.jsonl", "--score", "acc", "-o", "run", "--large-text", size)
    assert done.code == 2
    assert "--large-text" in done.err
    assert not (tmp_path / "run").exists()


def test_a_missing_text_is_told_with_its_record_and_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "run", scored("a", output="x"), scored("b", output={"deep": LONG}))
    shutil.rmtree(tmp_path / ".texts")
    done = gate(tmp_path, "validate", "run")
    assert done.code == 3
    assert "run/records.jsonl:2 record 'b' /output/deep: a large text is missing: there is no file .texts/" in done.out
    assert "hint: bring the folder .texts that stands beside the run where it was made, or run again" in done.out


def test_a_text_that_was_changed_is_told(tmp_path: Path) -> None:
    write(tmp_path / "run", scored("a", output=LONG))
    the_text(tmp_path).write_text(LONG.replace("\n", "\r\n"))
    done = gate(tmp_path, "validate", "run")
    assert done.code == 3
    assert "/output: the large text was changed" in done.out
    assert "-text in .gitattributes" in done.out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"size":1440', '"size":1441', "says that the large text takes 1441 bytes; it takes 1440"),
        ('"output":"a line', '"output":"A line', "the beginning in the record is not that of the large text"),
    ],
)
def test_a_record_that_says_otherwise_than_its_text_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    write(tmp_path / "run", scored("a", output=LONG))
    records = tmp_path / "run/records.jsonl"
    before = records.read_text()
    assert before.count(old) == 1
    records.write_text(before.replace(old, new))
    shutil.rmtree(tmp_path / "run/volatile", ignore_errors=True)
    (tmp_path / "run/summary.json").unlink()
    assert gate(tmp_path, "fmt", "run").code == 0
    done = gate(tmp_path, "validate", "run")
    assert (done.code, message in done.out) == (3, True), done.out
    assert gate(tmp_path, "show", "run", "--record", "a").code == 3


def test_show_prints_a_text_whole_or_says_that_it_is_cut(tmp_path: Path) -> None:
    write(tmp_path / "run", scored("a", output=LONG))
    whole = gate(tmp_path, "show", "run", "--record", "a").out
    assert whole.count("a line of a long answer") == 60
    assert "texts" not in whole
    shutil.rmtree(tmp_path / ".texts")
    cut = gate(tmp_path, "show", "run", "--record", "a")
    assert cut.code == 0
    assert "[cut: 1440 bytes, sha256 " in cut.out
    assert "[its file is not beside the run]" in cut.out


def test_show_as_json_prints_the_record_as_it_is_stored(tmp_path: Path) -> None:
    write(tmp_path / "run", scored("a", output=LONG))
    (found,) = json.loads(gate(tmp_path, "show", "run", "--record", "a", "--format", "json").out)
    assert found == json.loads((tmp_path / "run/records.jsonl").read_text())


def test_runs_compare_without_their_texts_and_reports_say_what_is_cut(tmp_path: Path) -> None:
    write(tmp_path / "b", scored("a", output=LONG), scored("r", output=LONG))
    write(tmp_path / "c", scored("a", output=OTHER), scored("n", output=LONG))
    shutil.rmtree(tmp_path / ".texts")
    done = gate(
        tmp_path, "compare", "b", "c", "--no-cache", "--format", "json:saved.json", "--format", "html:page.html"
    )
    assert done.code == 1
    found = {change["id"]: change for change in json.loads((tmp_path / "saved.json").read_text())["changes"]}
    assert [field["path"] for field in found["a"]["fields"]] == ["/output"]
    for value in (*found["a"]["fields"][0].values(), *(change["record"]["output"] for change in found.values())):
        assert value == "/output" or "… [cut: 14" in value
    for form in ("text", "markdown", "junit", "csv", "sarif", "html", "json"):
        assert gate(tmp_path, "report", "saved.json", "--format", form).code == 1
    assert "cut: 1440 bytes" in (tmp_path / "page.html").read_text()


def test_a_whole_text_and_its_name_are_no_difference_of_fields(tmp_path: Path) -> None:
    write(tmp_path / "b", scored("a", output={"x": [LONG]}))
    write(tmp_path / "c", scored("a", output={"x": [LONG]}), limit=None)
    for one, other in (("b", "c"), ("c", "b")):
        assert gate(tmp_path, "compare", one, other).code == 0
        assert [change["fields"] for change in changes(tmp_path, one, other)] == [[]]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        (b'"/output/q":{', b'"/output/t":{', "/texts/~1output~1t"),
        (b'"size":1440', b'"size":1e3', "/texts/~1output~1q/size"),
        (b'"size":1440', b'"size":99', "/texts/~1output~1q/size"),
        (b'"/output/q":{"', b'"/output/q":{"Size":1,"', "/texts/~1output~1q/Size"),
    ],
)
@pytest.mark.parametrize("others", [0, 20])
def test_a_record_among_many_that_names_no_good_text_is_no_run(
    tmp_path: Path, others: int, old: bytes, new: bytes, where: str
) -> None:
    more = [scored(f"r{number:02d}", 0.5, output=f"{number} {OTHER}", input=OTHER) for number in range(others)]
    write(tmp_path / "b", scored("q", 0.5, output={"q": LONG}), *more)
    write(tmp_path / "c", scored("q", 1, output={"q": LONG}), *[{**one, "scores": {"acc": 1}} for one in more])
    assert gate(tmp_path, "compare", "b", "c", "--no-cache").code == 0
    replace_bytes(tmp_path / "c", old, new)
    done = gate(tmp_path, "compare", "b", "c", "--no-cache")
    assert done.code == 3
    assert "c/records.jsonl:1" in done.text
    assert where in done.text or "not canonical" in done.text


def test_fmt_takes_large_texts_out_of_a_run_that_stands(tmp_path: Path) -> None:
    write(tmp_path / "named", scored("a", output=LONG), scored("b", output="x"))
    write(tmp_path / "there/run", scored("a", output=LONG), scored("b", output="x"), limit=None)
    assert gate(tmp_path, "fmt", "there/run", "--large-text", "1KiB", "--check").code == 1
    assert not (tmp_path / "there/.texts").exists()
    assert gate(tmp_path, "fmt", "there/run", "--large-text", "1KiB").out == "formatted  there/run\n"
    assert files_of(tmp_path / "there/run") == files_of(tmp_path / "named")
    assert files_of(tmp_path / "there/.texts") == files_of(tmp_path / ".texts")
    assert gate(tmp_path, "fmt", "there/run", "--large-text", "1KiB").out == ""
    assert gate(tmp_path, "fmt", "there/run").out == ""


def test_a_folder_of_texts_is_no_run_of_a_suite(tmp_path: Path) -> None:
    for side in ("b", "c"):
        write(tmp_path / side / "one", scored("a", output=LONG))
        write(tmp_path / side / "deep/two", scored("a", output=LONG))
    assert gate(tmp_path, "compare", "b", "c").code == 0
    assert gate(tmp_path, "validate", "b").out == "ok   b/deep/two  1 record\nok   b/one  1 record\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "repository")
    write(found.folder / "baselines/qa", scored("a", 0, output=LONG), scored("k", output="kept"))
    found.write(".gitignore", "/runs/\n")
    found.commit("baseline")
    return found


def accept(folder: Path, *words: str) -> Any:
    return gate(folder, "accept", "runs/qa", "baselines/qa", "--reason", "why", *words)


def test_what_is_accepted_brings_its_texts_and_leaves_the_others(repository: Repository) -> None:
    here = repository.folder
    write(here / "runs/qa", scored("a", 1, output=OTHER), scored("k", output=LONG * 2), scored("l", output=LONG * 3))
    done = accept(here, "--only", "a", "--only", "l")
    assert done.code == 0, done.err
    assert sorted(path.stat().st_size for path in (here / "baselines/.texts").rglob("*.txt")) == [1440, 1452, 4320]
    assert gate(here, "validate", "baselines").code == 0
    assert accept(here).code == 0
    assert gate(here, "validate", "baselines").code == 0
    assert sorted(path.name for path in (here / "baselines").iterdir()) == [".texts", "qa"]


def test_texts_that_were_committed_with_a_part_do_not_make_the_run_stale(repository: Repository) -> None:
    here = repository.folder
    made_from = Provenance(commit=repository.git("rev-parse", "HEAD"))
    with RunWriter(here / "runs/qa", metrics=ACC, large_text=512, provenance=made_from) as writer:
        for name in "ak":
            writer.append(scored(name, 1, output=f"{name} {LONG}"))
    for name in "ak":
        done = accept(here, "--only", name)
        assert done.code == 0, done.err
        repository.commit(f"accepted {name}")
    assert gate(here, "validate", "baselines").code == 0


def test_a_text_that_stands_there_is_not_written_again(repository: Repository) -> None:
    here = repository.folder
    before = the_text(here / "baselines").stat()
    write(here / "runs/qa", scored("a", 1, output=LONG), scored("k", output="kept"))
    assert accept(here).code == 0
    after = the_text(here / "baselines").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_first_baseline_brings_its_texts(repository: Repository) -> None:
    here = repository.folder
    write(here / "runs/new", scored("a", output=LONG))
    assert gate(here, "accept", "runs/new", "fresh/new", "--new", "--reason", "why").code == 0
    assert gate(here, "validate", "fresh").code == 0


def test_a_run_without_its_texts_is_not_accepted(repository: Repository) -> None:
    here = repository.folder
    write(here / "runs/qa", scored("a", 1, output=OTHER), scored("k", output="kept"))
    shutil.rmtree(here / "runs/.texts")
    before = files_of(here / "baselines")
    done = accept(here)
    assert done.code == 3
    assert "runs/qa, record 'a' /output: the large text" in done.err
    assert "is not beside the run" in done.err
    assert files_of(here / "baselines") == before


def test_a_run_with_another_text_under_the_name_is_not_accepted(repository: Repository) -> None:
    here = repository.folder
    write(here / "runs/qa", scored("a", 1, output=OTHER), scored("k", output="kept"))
    the_text(here / "runs").write_text(OTHER.replace("end", "END"))
    before = files_of(here / "baselines")
    done = accept(here)
    assert (done.code, "the large text was changed" in done.err) == (3, True)
    assert files_of(here / "baselines") == before


def test_texts_are_read_from_the_commit_that_is_named(repository: Repository) -> None:
    here = repository.folder
    shutil.rmtree(here / "baselines/.texts")
    assert gate(here, "validate", "HEAD:baselines/qa").code == 0
    assert gate(here, "validate", "HEAD:baselines").code == 0
    assert gate(here / "baselines", "validate", "HEAD:./qa").code == 0
    assert gate(here, "show", "HEAD:baselines/qa", "--record", "a").out.count("a long answer") == 60
    assert gate(here, "validate", "baselines/qa").code == 3
    repository.commit("texts are lost")
    assert gate(here, "validate", "HEAD:baselines/qa").code == 3
    assert "[cut: 1440" in gate(here, "show", "HEAD:baselines/qa", "--record", "a").out


def test_a_link_among_the_texts_of_a_commit_is_refused(repository: Repository) -> None:
    text = the_text(repository.folder / "baselines")
    text.unlink()
    text.symlink_to("/etc/passwd")
    repository.commit("a link")
    done = gate(repository.folder, "validate", "HEAD:baselines/qa")
    assert (done.code, "neither a file nor a folder of texts" in done.out) == (3, True)


def test_a_merge_of_two_that_accept_is_rebuilt_with_the_texts_of_both(repository: Repository) -> None:
    here = repository.folder
    records = [scored(name, 0, output=f"{name} {LONG}") for name in "abcdef"]
    shutil.rmtree(here / "baselines")
    write(here / "baselines/qa", *records)
    repository.commit("six records")
    for branch, name in (("one", "a"), ("two", "f")):
        repository.git("checkout", "-q", "-b", branch, "main")
        shutil.rmtree(here / "runs", ignore_errors=True)
        new = [scored(one["id"], 1, output=f"new {one['id']} {LONG}") if one["id"] == name else one for one in records]
        write(here / "runs/qa", *new)
        assert accept(here).code == 0
        repository.commit(branch)
    with pytest.raises(AssertionError):
        repository.git("merge", "-q", "one")  # summary and manifest are in conflict
    assert gate(here, "rebuild", "baselines/qa").code == 0
    assert gate(here, "validate", "baselines/qa").out == "ok   baselines/qa  6 records\n"


def test_blame_names_the_place_of_a_text_that_changed(repository: Repository) -> None:
    here = repository.folder
    write(here / "runs/qa", scored("a", 0, output=OTHER), scored("k", output="kept"))
    assert accept(here).code == 0
    repository.commit("longer")
    done = gate(here, "blame", "a", "baselines/qa", "--format", "json")
    assert done.view["changes"][0]["fields"] == ["/output"]
