"""Group P of the table of attacks: bytes made to confuse, or to exhaust, whoever reads them."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import gzip
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import command_line
from tests.attacks.arena import LINE, SIDES, Damage, assert_refused, peak_memory, two_runs, with_line, with_score
from tests.factories import SHARE, Record, replace_bytes, reseal, rewrite, write_run
from tests.repositories import gate

PLACE = "records.jsonl:2"
MIB = 1024 * 1024


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"r001","scores":{"acc":1,"acc":0}}',
        b'{"id":"r001","scores":{"\\u0061cc":0,"acc":1}}',
        b'{"id":"r001","scores":{"acc":1,"\\u0061cc":0}}',
        b'{"id":"r001","id":"r001"}',
        b'{"id":"r001","\\u0069d":"zzz"}',
        b'{"id":"r001","scores":{"acc":1},"scores":{"acc":0}}',
        b'{"id":"r001","metadata":{"a":{"b":1,"b":2}}}',
    ],
)
@pytest.mark.parametrize("side", SIDES)
def test_P1_a_key_that_stands_twice_is_refused(tmp_path: Path, side: str, line: bytes) -> None:
    assert_refused(tmp_path, side, with_line(line), PLACE)


@pytest.mark.parametrize("name", ["manifest.json", "summary.json"])
@pytest.mark.parametrize("side", SIDES)
def test_P1_a_key_that_stands_twice_in_a_document_is_refused(tmp_path: Path, side: str, name: str) -> None:
    def damage(run: Path) -> None:
        path = run / name
        path.write_bytes(path.read_bytes().replace(b'  "format": 1,\n', b'  "format": 1,\n  "format": 1,\n', 1))
        if name != "manifest.json":
            reseal(run)

    assert_refused(tmp_path, side, damage, name, "'format' stands twice")


@pytest.mark.parametrize("cut", [1, 2, 10])
@pytest.mark.parametrize("side", SIDES)
def test_P2_a_last_line_that_was_cut_off_is_refused(tmp_path: Path, side: str, cut: int) -> None:
    damage: Damage = lambda run: rewrite(run, "records.jsonl", lambda data: data[:-cut])  # noqa: E731
    assert_refused(tmp_path, side, damage, "records.jsonl:4", "does not end with a line feed")


@pytest.mark.parametrize("side", SIDES)
def test_P2_a_file_that_was_cut_off_after_the_run_was_written_is_refused(tmp_path: Path, side: str) -> None:
    def damage(run: Path) -> None:
        path = run / "records.jsonl"
        path.write_bytes(path.read_bytes()[:-1])

    assert_refused(tmp_path, side, damage, "records.jsonl", "bytes; the manifest says")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("ended", [True, False])
def test_P4_a_line_of_20_mb_is_refused_and_never_held_whole(tmp_path: Path, side: str, ended: bool) -> None:
    giant = LINE.replace(b"fine", b"x" * 20_000_000)
    damage: Damage = lambda run: rewrite(  # noqa: E731
        run, "records.jsonl", lambda data: data.replace(LINE, giant) if ended else data + giant
    )
    place = f"records.jsonl:{2 if ended else 5}"
    assert_refused(tmp_path, side, damage, place, "a line is longer than 16777216 bytes")
    code, peak = peak_memory(tmp_path, "compare", "baseline", "current")
    assert code == 3
    # 25 MiB of program, twice the 16 MiB that a line may have, and what the allocator keeps of pieces put together.
    assert peak < 128


def test_P4_an_endless_line_is_not_imported(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.jsonl.gz", "wb", compresslevel=1) as file:
        file.write(b'{"id":"a","x":"')
        for _ in range(200):
            file.write(b"x" * MIB)
        file.write(b'"}\n')
    words = ("import", "bomb.jsonl.gz", "--id", "id", "-o", "run")
    outcome = gate(tmp_path, *words)
    assert outcome.code == 3
    assert "bomb.jsonl.gz" in outcome.err
    code, peak = peak_memory(tmp_path, *words)
    assert code == 3
    assert peak < 120


def many(count: int, acc: Callable[[int], int]) -> list[Record]:
    text = "x" * 1100
    return [{"id": f"r{n:06d}", "output": text, "scores": {"acc": acc(n)}} for n in range(count)]


def test_P5_memory_does_not_grow_with_the_number_of_records(tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 40_000):
        folder = tmp_path / str(count)
        write_run(folder / "baseline", many(count, lambda n: 1), {"acc": SHARE})
        write_run(folder / "current", many(count, lambda n: int(n % 100 != 0)), {"acc": SHARE})
        code, peak = peak_memory(folder, "compare", "baseline", "current", "--no-cache")
        assert code == 1
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 16
    assert peaks[1] < 80


ENCODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("byte order mark", lambda data: b"\xef\xbb\xbf" + data),
    ("UTF-16", lambda data: data.decode().encode("utf-16")),
    ("UTF-16 big-endian", lambda data: data.decode().encode("utf-16-be")),
    ("invalid UTF-8", lambda data: data.replace(b"fine", b"f\xffne")),
    ("overlong slash", lambda data: data.replace(b"fine", b"\xc0\xaf")),
    ("overlong NUL", lambda data: data.replace(b"fine", b"\xc0\x80")),
    ("surrogate as UTF-8", lambda data: data.replace(b"fine", b"\xed\xa0\x80")),
    ("beyond Unicode", lambda data: data.replace(b"fine", b"\xf4\x90\x80\x80")),
    ("raw NUL", lambda data: data.replace(b"fine", b"fi\x00ne")),
    ("NUL at the end", lambda data: data + b"\x00\n"),
    ("lone high surrogate", lambda data: data.replace(b"fine", b"\\ud800")),
    ("lone low surrogate", lambda data: data.replace(b"fine", b"\\udc00")),
    ("surrogates in the wrong order", lambda data: data.replace(b"fine", b"\\udc00\\ud800")),
    ("escapes that are not needed", lambda data: data.replace(b"fine", b"\\u0066ine")),
]


@pytest.mark.parametrize(("name", "edit"), ENCODINGS, ids=[name for name, _ in ENCODINGS])
@pytest.mark.parametrize("side", SIDES)
def test_P6_any_other_encoding_is_refused(tmp_path: Path, side: str, name: str, edit: Callable[[bytes], bytes]) -> None:
    assert_refused(tmp_path, side, lambda run: rewrite(run, "records.jsonl", edit), "records.jsonl")


@pytest.mark.parametrize("edit", [edit for _, edit in ENCODINGS[:3]])
def test_P6_any_other_encoding_of_the_manifest_is_refused(tmp_path: Path, edit: Callable[[bytes], bytes]) -> None:
    def damage(run: Path) -> None:
        (run / "manifest.json").write_bytes(edit((run / "manifest.json").read_bytes()))

    assert_refused(tmp_path, "current", damage, "manifest.json")


@pytest.mark.parametrize("name", ["records.jsonl", "summary.json"])
@pytest.mark.parametrize("side", SIDES)
def test_P8_crlf_is_not_canonical_and_the_hint_names_gitattributes(tmp_path: Path, side: str, name: str) -> None:
    assert_refused(tmp_path, side, lambda run: rewrite(run, name, lambda data: data.replace(b"\n", b"\r\n")), name)
    assert ".gitattributes" in gate(tmp_path, "compare", "baseline", "current").text


def test_P8_crlf_that_git_put_into_a_committed_run_is_refused(tmp_path: Path) -> None:
    def damage(run: Path) -> None:
        for name in ("manifest.json", "records.jsonl", "summary.json"):
            (run / name).write_bytes((run / name).read_bytes().replace(b"\n", b"\r\n"))

    assert_refused(tmp_path, "current", damage, "manifest.json")
    assert ".gitattributes" in gate(tmp_path, "compare", "baseline", "current").text


def test_P9_an_archive_is_not_opened_by_guessing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "log.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../escaped.txt", b"0" * MIB)
        archive.writestr("header.json", b"{}")
    outcome = gate(tmp_path, "import", "log.eval", "--id", "id", "-o", "run")
    assert outcome.code == 2
    assert "log.eval" in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".cache") == ["log.eval"]


def test_P9_a_document_that_inflates_without_end_is_not_imported(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.jsonl.gz", "wb", compresslevel=9) as file:
        for _ in range(40):
            file.write(b"[" * MIB)
    outcome = gate(tmp_path, "import", "bomb.jsonl.gz", "--id", "id", "-o", "run")
    assert outcome.code == 3
    assert not (tmp_path / "run").exists()


def test_P10_an_alias_bomb_is_no_policy(tmp_path: Path) -> None:
    two_runs(tmp_path)
    rows = ["a: &a [x,x,x,x,x,x,x,x,x]"] + [
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    (tmp_path / "gate.yaml").write_text("\n".join(rows))
    outcome = command_line.gate(tmp_path, "compare", "baseline", "current", "--config", "gate.yaml", timeout_s=20)
    assert outcome.code == 2
    assert "gate.yaml: not TOML" in outcome.err


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.place,))


def test_P11_a_pickled_artifact_is_bytes_with_a_digest_and_never_loaded(tmp_path: Path) -> None:
    two_runs(tmp_path)
    (tmp_path / "current/artifacts").mkdir()
    for name in ("model.pkl", "model.pt", "model.joblib"):
        (tmp_path / "current/artifacts" / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    reseal(tmp_path / "current")
    for words in (("compare", "baseline", "current"), ("validate", "current"), ("show", "current"), ("fmt", "current")):
        assert gate(tmp_path, *words).code == 0, words
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity"])
def test_P13_a_nan_within_a_declared_range_is_refused(tmp_path: Path, text: bytes) -> None:
    assert_refused(tmp_path, "current", with_score(text), PLACE)


def test_P13_a_nan_in_the_range_itself_is_refused(tmp_path: Path) -> None:
    def damage(run: Path) -> None:
        path = run / "manifest.json"
        path.write_bytes(path.read_bytes().replace(b"        1\n", b"        NaN\n"))

    assert_refused(tmp_path, "current", damage, "manifest.json")


@pytest.mark.parametrize("depth", [65, 1000, 100_000])
@pytest.mark.parametrize("side", SIDES)
def test_P4_nesting_without_end_is_refused(tmp_path: Path, side: str, depth: int) -> None:
    line = b'{"id":"r001","output":' + b"[" * depth + b"]" * depth + b"}"
    assert_refused(tmp_path, side, with_line(line), PLACE)


def test_P2_a_line_feed_too_many_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path, "current", lambda run: replace_bytes(run, LINE + b"\n", LINE + b"\n\n"), "records.jsonl:3")
