"""A file of a run made legible: a field a line, exact, and nothing that steers a terminal; anything else as it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, legible
from tests.factories import ACC, scored, write_run
from tests.strategies import json_values

Gate = Callable[..., tuple[int, str, str]]


def shown(data: bytes) -> bytes:
    return b"".join(legible.lines(io.BytesIO(data)))


def line(record: dict[str, Any]) -> bytes:
    return canonical.encode(record) + b"\n"


def test_a_record_is_shown_a_field_a_line_with_what_was_judged_first() -> None:
    record = scored(
        "refund 17",
        0.5,
        repeat=2,
        status="error",
        input={"messages": [{"role": "user", "content": "Hi"}, {}]},
        output="It says:\n" + "one two three. " * 8 + "\n" + "x" * 100,
        reason={"type": "Timeout", "message": "17"},
        tags={"a tag": "de"},
        target=["true", True, None, "", 1.5, "C:\\temp"],
    )
    assert shown(line(record)).decode() == (
        "record refund 17\n"
        "  repeat: 2\n"
        "  status: error\n"
        "  scores/acc: 0.5\n"
        '  reason/message: "17"\n'
        "  reason/type: Timeout\n"
        '  tags/"a tag": de\n'
        "  input/messages[0]/content: Hi\n"
        "  input/messages[0]/role: user\n"
        "  input/messages[1]: {}\n"
        "  output:\n"
        "    | It says:\n"
        "    | one two three.\n" + "      one two three.\n" * 7 + "      \n"
        f"    | {'x' * 94}\\\n"
        "      xxxxxx\n"
        '  target[0]: "true"\n'
        "  target[1]: true\n"
        "  target[2]: null\n"
        '  target[3]: ""\n'
        "  target[4]: 1.5\n"
        "  target[5]: C:\\\\temp\n"
        "\n"
    )


def test_points_and_documents_are_shown_likewise(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [scored("a", 1)], {**ACC, "loss": ACC["acc"]}, points=[("loss", 1, 3)])
    assert shown((run / "series.jsonl").read_bytes()) == b"point loss step 3 value 1\n"
    assert shown((run / "summary.json").read_bytes()).startswith(b"summary\n  format: 1\n  metrics/acc/count: 1\n")
    assert b"\n  metrics/acc/direction: higher\n" in shown((run / "manifest.json").read_bytes())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello\n\x1b[31m\xff\n",
        b"{}\n",
        b'{"a": 1}',
        b'{"id":"a"}',
        b'{"id":"a","output": 1}\n',
        b'{"id":"a"\n{"id":\n',
        b'{"id":"a","id":"b"}\n',
        b'{"name":"a"\n',
        b'{"name":1}\n',
        b'{"format":1}\n',
        b"<<<<<<< ours\n" + line({"id": "a"}),
        b"\x89PNG\r\n\x1a\n\x00",
    ],
)
def test_what_is_no_file_of_a_run_or_is_damaged_comes_out_as_it_is(data: bytes) -> None:
    assert shown(data) == data


def test_lines_that_are_damaged_stand_among_those_that_are_not() -> None:
    damaged = b'<<<<<<< ours\n{"id":"b"\n'
    assert shown(line({"id": "a"}) + damaged + line({"id": "c"})) == b"record a\n\n" + damaged + b"record c\n\n"


def test_nothing_in_it_steers_a_terminal_or_hides() -> None:
    hostile = "\x1b[2J\x9b\u202e\u2066\r\t\x00"
    record = {"id": hostile, "tags": {hostile: hostile}, "output": hostile, "input": {hostile: [hostile]}}
    text = shown(line(record)).decode()
    assert text.isascii()
    assert all(character.isprintable() or character == "\n" for character in text)


def texts_of(*parts: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), min_size=1, max_size=10).map("".join)


values = st.one_of(
    json_values(),
    texts_of("a", ". ", " ", "\n", "\\", '"', "\x1b", "x" * 95, "|", ": ", "é", "漢" * 50),
)


@given(st.lists(values, min_size=2, max_size=2))
def test_two_values_that_differ_are_shown_differently(two: list[Any]) -> None:
    one, other = (line({"id": "a", "output": value}) for value in two)
    assert (one == other) == (shown(one) == shown(other))


names = texts_of("a", "/", ": ", "[0]", '"', "\\", "\n", " ")


@given(st.lists(st.recursive(names, lambda inner: st.dictionaries(names, inner, max_size=2)), min_size=2, max_size=2))
def test_two_objects_that_differ_in_their_names_are_shown_differently(two: list[Any]) -> None:
    one, other = (line({"id": "a", "input": value}) for value in two)
    assert (one == other) == (shown(one) == shown(other))


def test_the_command_prints_it_whole(tmp_path: Path, gate: Gate) -> None:
    run = write_run(tmp_path / "run", [scored(f"r{number:04d}", 1, output="x" * 80) for number in range(4000)])
    records = run / "records.jsonl"
    assert gate("git", "textconv", records) == (0, shown(records.read_bytes()).decode(), "")
    code, out, err = gate("git", "textconv", tmp_path / "none")
    assert (code, out, "No such file" in err) == (74, "", True)
