"""Large texts in a repository: the same text is held once, and a change of one is a few lines to read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runstore.store.writer import RunWriter
from tests.factories import ACC, scored, unsynced
from tests.repositories import Repository, gate

RECORDS = 20
LIMIT = 16 * 1024


def prose(number: int) -> str:
    """About a megabyte that no compression makes small: every line is another number."""
    return "".join(f"{pow(7, number * 40_000 + line, 2**127 - 1):x}\n" for line in range(32_000))


def write(place: Path, texts: list[str], score: int = 1, *, large: bool = True) -> None:
    with RunWriter(place, metrics=ACC, large_text=LIMIT if large else None, replace=True) as writer:
        for number in range(RECORDS):
            writer.append(scored(f"q{number:02d}", score, output=texts[number % len(texts)]))


@pytest.fixture(autouse=True)
def _unsynced() -> Iterator[None]:
    with unsynced():
        yield


def kilobytes(repository: Repository) -> int:
    """What the objects take in the repository, before git packs them."""
    return int(repository.git("count-objects").split(", ")[1].split()[0])


def test_a_text_that_many_records_and_commits_name_is_held_once(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    text = prose(1)
    write(tmp_path / "baselines/qa", [text])
    repository.commit("first")
    first = kilobytes(repository)
    assert first < 1.2 * len(text) / 1024
    for score in (0.5, 0):
        write(tmp_path / "baselines/qa", [text], score)  # type: ignore[arg-type]  # any score
        write(tmp_path / f"baselines/other-{score}", [text])
        repository.commit("other scores, the same text")
    assert kilobytes(repository) - first < 100
    assert len(repository.git("ls-files", "baselines/.texts").splitlines()) == 1


def test_a_change_of_a_large_text_is_a_few_lines_of_the_records(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    write(tmp_path / "baselines/qa", [prose(1), prose(2)])
    repository.commit("first")
    changed = prose(2).replace("\n", "\na line more\n", 1)
    write(tmp_path / "runs/qa", [prose(1), changed])
    done = gate(
        tmp_path, "accept", "runs/qa", "baselines/qa", "--only", "q01", "--reason", "a line more", "--commit", "x" * 7
    )
    assert done.code == 4  # it names no commit
    assert gate(tmp_path, "accept", "runs/qa", "baselines/qa", "--only", "q01", "--reason", "a line more").code == 0
    lines = repository.git("diff", "-U0", "--", "baselines/qa/records.jsonl").splitlines()
    told = [line for line in lines if line[0] in "+-" and not line.startswith(("+++", "---"))]
    assert [line[0] for line in told] == ["-", "+"]
    assert max(map(len, told)) < 1000
    new = repository.git("ls-files", "-o", "--exclude-standard", "--", "baselines/.texts").splitlines()
    assert len(new) == 1
    assert (tmp_path / new[0]).read_text() == changed


def test_texts_in_git_differ_line_by_line_for_whoever_looks(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    write(tmp_path / "baselines/qa", [prose(1)])
    repository.commit("first")
    changed = prose(1).replace("\n", "\na line more\n", 1)
    write(tmp_path / "baselines/qa", [changed])
    repository.commit("second")
    assert gate(tmp_path, "gc", "baselines").code == 0
    repository.commit("what nobody needs is gone")
    found = repository.git("diff", "-M", "--stat", "HEAD~2", "--", "baselines/.texts")
    assert "1 file changed, 1 insertion(+)" in found
    assert gate(tmp_path, "validate", "baselines/qa", "HEAD~2:baselines/qa").code == 0
