"""Reading foreign files: formats, limits, and the bytes that people's tools leave in them."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from runstore.errors import SourceDataError, UsageError
from runstore.importers import FORMATS, format_of, load_format
from runstore.importers.census import FieldCensus
from runstore.importers.field_path import FieldPath
from runstore.importers.formats import csv_table, json_document, jsonl
from runstore.importers.rows import BadRow, Format, Row
from runstore.importers.source_file import Limits, SourceFile
from runstore.importers.twins import TwinFinder

MODULES: list[Format] = [csv_table, json_document, jsonl]


def read(form: Format, path: Path, data: bytes, records: str | None = None, **limits: int) -> list[Row | BadRow]:
    path.write_bytes(data)
    return list(form.rows(SourceFile(path, Limits(**limits)), records))


def test_the_table_names_every_module_of_the_folder_once() -> None:
    folder = Path(csv_table.__file__).parent
    modules = {f"runstore.importers.formats.{path.stem}" for path in folder.glob("[!_]*.py")}
    assert sorted(entry.module for entry in FORMATS.values()) == sorted(modules)
    assert [load_format(name) for name in sorted(FORMATS)] == MODULES


ENDINGS = [
    ("a.json", "json"),
    ("a.JSONL", "jsonl"),
    ("a.ndjson.gz", "jsonl"),
    ("b/a.csv.GZ", "csv"),
    ("a.b.json", "json"),
]


@pytest.mark.parametrize(("name", "form"), ENDINGS)
def test_the_ending_of_a_file_says_its_format(name: str, form: str) -> None:
    assert format_of(Path(name)) == form


@pytest.mark.parametrize("name", ["a", "a.gz", "a.tsv", "json", ".json"])
def test_an_unknown_ending_is_an_error_that_lists_the_formats(name: str) -> None:
    with pytest.raises(UsageError, match=r"known are \.csv \(csv\), \.json \(json\), \.jsonl \(jsonl\)"):
        format_of(Path(name))


def test_json_lines_are_rows_and_blank_lines_and_crlf_mean_nothing(tmp_path: Path) -> None:
    rows = read(jsonl, tmp_path / "s.jsonl", b'{"a":1}\r\n\n  \r\n{"a":[2.0]}')
    assert rows == [Row("line 1", {"a": 1}), Row("line 4", {"a": [2.0]})]


BAD_LINES = [
    (b"{", "not JSON"),
    (b"7", "expected an object, found an integer"),
    (b'{"a":1}{"a":2}', "not JSON"),
    (b'{"a":1,"\\u0061":2}', "the key 'a' stands twice in one object"),
    (b'{"a":"\xff"}', "not UTF-8"),
    (b'\xef\xbb\xbf{"a":1}', "a byte order mark"),
    (b'{"a":"\\ud800"}', "lone surrogate"),
    (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "nested deeper than 64"),
    (b'{"a":' + b"9" * 5000 + b"}", "an integer of thousands of digits"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_a_line_that_is_no_object_is_named_and_the_next_is_read(line: bytes, reason: str, tmp_path: Path) -> None:
    bad, good = read(jsonl, tmp_path / "s.jsonl", line + b'\n{"a":1}\n')
    assert isinstance(bad, BadRow)
    assert (bad.place, bad.reason[: len(reason)]) == ("line 1", reason)
    assert good == Row("line 2", {"a": 1})


def test_a_line_over_the_limit_is_named_without_being_held_and_the_next_is_read(tmp_path: Path) -> None:
    long = b'{"a":"' + b"x" * 100 + b'"}\n'
    rows = read(jsonl, tmp_path / "s.jsonl", b'{"a":1}\n' + long + b'{"a":2}\n', line_bytes=8)
    assert rows == [Row("line 1", {"a": 1}), BadRow("line 2", "longer than 8 bytes"), Row("line 3", {"a": 2})]


def test_a_gzip_bomb_stops_at_the_limit_of_all_lines(tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match="more than 1,000 bytes after decompression"):
        read(jsonl, tmp_path / "s.jsonl.gz", gzip.compress(b"{}\n" * 10_000), total_bytes=1000)
    with pytest.raises(SourceDataError, match="more than 1,000 bytes after decompression"):
        read(jsonl, tmp_path / "s.jsonl.gz", gzip.compress(b" " * 10_000_000), total_bytes=1000, line_bytes=100)


def test_a_document_over_its_limit_is_refused(tmp_path: Path) -> None:
    for name, data in (("s.json", b" " * 1001), ("s.json.gz", gzip.compress(b" " * 10_000_000))):
        with pytest.raises(SourceDataError, match="larger than 1,000 bytes"):
            read(json_document, tmp_path / name, data, document_bytes=1000)


PACKED = gzip.compress(b"{}\n" * 99)
BROKEN = [b"plain", PACKED[:-9], PACKED[:-8] + b"\0" * 8, PACKED[:10] + b"\xff" * 30]


@pytest.mark.parametrize("data", BROKEN, ids=["no gzip", "cut off", "wrong checksum", "no deflate"])
def test_broken_gzip_is_an_error_of_the_source(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match="not a whole gzip file"):
        read(jsonl, tmp_path / "s.jsonl.gz", data)


def test_a_json_array_and_a_json_object_are_rows(tmp_path: Path) -> None:
    array = read(json_document, tmp_path / "s.json", b'[{"a":1}, 7]')
    assert array == [Row("element 0", {"a": 1}), BadRow("element 1", "expected an object, found an integer")]
    members = read(json_document, tmp_path / "s.json", b'{"k\\n": true, "l": {"a": 1}}')
    assert members == [Row("key 'k\\n'", True, "k\n"), Row("key 'l'", {"a": 1}, "l")]
    inner = read(json_document, tmp_path / "s.json", b'{"r": [{"s": [{"a": 1}]}]}', records="r.0.s")
    assert inner == [Row("element 0", {"a": 1})]


def test_a_document_that_is_not_json_names_file_and_byte(tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match=r"s\.json byte 6: not JSON: Expecting value"):
        read(json_document, tmp_path / "s.json", b'{"a": }')


def test_a_table_is_rows_of_text_and_empty_cells_are_null(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbfid,a.b\r\n1,"x, ""y""\r\nz"\r\n\r\n2,\r\n'
    rows = read(csv_table, tmp_path / "s.csv", data)
    assert rows == [Row("line 2", {"id": "1", "a.b": 'x, "y"\r\nz'}), Row("line 5", {"id": "2", "a.b": None})]


BAD_ROWS = [
    (b"1\n", "1 cells under 2 columns"),
    (b"1,2,3\n", "3 cells under 2 columns"),
    (b"1,\xff\n", "not UTF-8"),
    (b'1,"x"y\n', "',' expected after '\"'"),
    (b"1," + b"x" * 100 + b"\n", "longer than 60 bytes (a quote that is not closed?)"),
]


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_a_row_that_does_not_fit_the_table_is_named_and_the_next_is_read(
    row: bytes, reason: str, tmp_path: Path
) -> None:
    rows = read(csv_table, tmp_path / "s.csv", b"id,a\n" + row + b"2,3\n", line_bytes=60)
    assert rows == [BadRow("line 2", reason), Row("line 3", {"id": "2", "a": "3"})]


def test_a_long_cell_is_read_and_the_limit_of_the_csv_module_is_left_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = "x" * (before + 1)
    assert read(csv_table, tmp_path / "s.csv", f"a\n{long}\n".encode()) == [Row("line 2", {"a": long})]
    assert csv.field_size_limit() == before


def test_a_quote_that_is_never_closed_holds_no_more_than_the_limit(tmp_path: Path) -> None:
    rows = read(csv_table, tmp_path / "s.csv", b'id,a\n1,"x\n' + b"2,3\n" * 50, line_bytes=60)
    assert rows[0] == BadRow("line 2", "longer than 60 bytes (a quote that is not closed?)")
    assert rows[-1] == Row("line 52", {"id": "2", "a": "3"})


@pytest.mark.parametrize(("data", "message"), [(b"a,a\n", "column 'a' stands twice"), (b"\xff\n", "not UTF-8")])
def test_a_table_whose_columns_are_not_sound_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceDataError, match=message):
        read(csv_table, tmp_path / "s.csv", data)


def test_an_empty_source_has_no_rows(tmp_path: Path) -> None:
    assert read(jsonl, tmp_path / "s.jsonl", b"") == []
    assert read(csv_table, tmp_path / "s.csv", b"") == []
    assert read(csv_table, tmp_path / "s.csv", b"id,a\n") == []
    assert read(json_document, tmp_path / "s.json", b"[]") == []


def find_twins(folder: Path, keep: str) -> tuple[int, int, int, list[int], list[str]]:
    finder = TwinFinder(folder)
    records = [
        ("a", 1, b"1"),
        ("b", 1, b"1"),
        ("a", 2, b"1"),
        ("b", 1, b"2"),
        ("c", 1, b"1"),
        ("a", 1, b"1"),
        ("b", 1, b"1"),
    ]
    for number, (record_id, repeat, line) in enumerate(records):
        finder.add(record_id, repeat, line, f"line {number + 1}\t{record_id!r}")
    twins = finder.find("last" if keep == "last" else "first")
    dropped = [number for number in range(len(records) + 20) if twins.drops(number)]
    return twins.ids, twins.rows, twins.differing, dropped, [group.text for group in twins.first]


def test_twins_have_one_id_and_one_repeat_and_the_first_or_the_last_is_kept(tmp_path: Path) -> None:
    texts = ["line 1, line 6: id 'a'", "line 2, line 4, line 7: id 'b', with other values"]
    assert find_twins(tmp_path, "first") == (2, 5, 1, [3, 5, 6], texts)
    assert find_twins(tmp_path, "last") == (2, 5, 1, [0, 1, 3], texts)


def test_the_census_names_what_no_path_maps_also_inside_objects_that_are_gone_through() -> None:
    census = FieldCensus(
        [FieldPath.parse("id"), FieldPath.parse("m.acc"), FieldPath.parse("meta"), FieldPath.parse("meta.x")]
    )
    census.add({"id": 1, "m": {"acc": 1, "f1": 2}, "meta": {"x": 1, "y": 2}, "rest": 0})
    census.add({"id": 2, "m": {"acc": 1}, "rest": 0})
    assert census.unmapped() == [("rest", 2), ("m.f1", 1)]


NEAR = [("m.ac", "m.acc"), ("acc", "m.acc"), ("rset", "rest"), ("dotted.key", "dotted\\.key"), ("zzz", None)]


@pytest.mark.parametrize(("text", "near"), NEAR)
def test_the_nearest_field_to_a_typo_is_offered(text: str, near: str | None) -> None:
    census = FieldCensus([])
    census.add({"m": {"acc": 1}, "rest": 0, "dotted.key": 1})
    assert census.nearest(text) == near
