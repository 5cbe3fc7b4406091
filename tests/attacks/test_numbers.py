"""Group N of the table of attacks: numbers that are none, or that are not what they look like."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.arena import SIDES, assert_refused, compare, two_runs, with_line, with_score
from tests.factories import HIGHER, LOWER, SHARE, Record, scored, write_run
from tests.repositories import gate

PLACE = "records.jsonl:2"


@pytest.mark.parametrize("text", [b"NaN", b"nan", b"-NaN"])
def test_N1_a_current_score_that_is_nan_is_refused(tmp_path: Path, text: bytes) -> None:
    assert_refused(tmp_path, "current", with_score(text), PLACE)


def test_N1_a_computed_nan_does_not_get_into_a_run(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text('{"id": "a", "acc": NaN}\n{"id": "b", "acc": 1}\n')
    outcome = gate(tmp_path, "import", "results.jsonl", "--id", "id", "--score", "acc", "-o", "run")
    assert outcome.code == 3
    assert "results.jsonl" in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", [b"NaN", b"null"])
def test_N2_a_baseline_score_that_is_nan_is_refused_however_bad_the_current_run_is(tmp_path: Path, text: bytes) -> None:
    assert_refused(tmp_path, "baseline", with_score(text), PLACE)


@pytest.mark.parametrize("text", [b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e400", b"inf"])
@pytest.mark.parametrize("side", SIDES)
def test_N3_an_infinite_score_is_refused(tmp_path: Path, side: str, text: bytes) -> None:
    assert_refused(tmp_path, side, with_score(text), PLACE)


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-inf", "-0.1", "'0.05'", "true", "[]", "1e9999"])
def test_N4_a_threshold_that_is_no_limit_is_refused_before_any_data_is_read(tmp_path: Path, value: str) -> None:
    two_runs(tmp_path)
    (tmp_path / "current/records.jsonl").write_bytes(b"broken")
    (tmp_path / "gate.toml").write_text(f"[metrics.acc]\nmax_drop = {value}\n")
    outcome = gate(tmp_path, "compare", "baseline", "current")
    assert outcome.code == 2
    assert "gate.toml /metrics/acc/max_drop" in outcome.err


@pytest.mark.parametrize("side", SIDES)
def test_N5_a_nan_laundered_to_null_is_refused(tmp_path: Path, side: str) -> None:
    assert_refused(tmp_path, side, with_score(b"null"), PLACE, "/scores/acc", "expected a number, found null")


@pytest.mark.parametrize("text", [b"true", b"false"])
@pytest.mark.parametrize("side", SIDES)
def test_N6_a_boolean_is_no_score(tmp_path: Path, side: str, text: bytes) -> None:
    assert_refused(tmp_path, side, with_score(text), PLACE, "/scores/acc", "expected a number, found a boolean")


@pytest.mark.parametrize("text", [b'"0.99"', b'"N/A"', b'""', b"[0.99]", b"{}"])
@pytest.mark.parametrize("side", SIDES)
def test_N7_a_text_is_no_score(tmp_path: Path, side: str, text: bytes) -> None:
    assert_refused(tmp_path, side, with_score(text), PLACE, "/scores/acc", "expected a number, found")


def test_N7_an_import_maps_text_only_when_told_and_does_not_guess(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text('{"id": "a", "acc": "0.99"}\n{"id": "b", "acc": "N/A"}\n')
    words = ("import", "results.jsonl", "--id", "id", "--score", "acc", "-o", "run")
    outcome = gate(tmp_path, *words)
    assert outcome.code == 3
    assert "--on-" in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text",
    [
        b"9007199254740993",
        b"9007199254740992",
        b"-9007199254740993",
        b"9007199254740992.0",
        b"1e16",
        b"10000000000000000",
    ],
)
@pytest.mark.parametrize("side", SIDES)
def test_N8_an_integer_beyond_what_doubles_tell_apart_is_refused(tmp_path: Path, side: str, text: bytes) -> None:
    assert_refused(tmp_path, side, with_score(text), PLACE)


@pytest.mark.parametrize("digits", [158, 400, 5000])
@pytest.mark.parametrize("side", SIDES)
def test_N9_an_enormous_integer_is_refused_with_its_line(tmp_path: Path, side: str, digits: int) -> None:
    assert_refused(tmp_path, side, with_score(b"1" + b"0" * digits), PLACE)


@pytest.mark.parametrize("field", [b"input", b"output", b"target", b"repeat"])
def test_N9_an_enormous_integer_is_refused_in_any_field(tmp_path: Path, field: bytes) -> None:
    line = b'{"id":"r001","%s":%s}' % (field, b"9" * 400)
    assert_refused(tmp_path, "current", with_line(line), PLACE)


@pytest.mark.parametrize(
    "text", [b"-0", b"-0.0", b"0.0", b"-0e0", b"00", b"1.0", b"1e0", b"+1", b".5", b"1E-7", b"1e-07", b"1e-400"]
)
@pytest.mark.parametrize("side", SIDES)
def test_N11_a_number_in_another_form_is_not_canonical(tmp_path: Path, side: str, text: bytes) -> None:
    assert_refused(tmp_path, side, with_score(text), PLACE)


@pytest.mark.parametrize(
    ("current", "limit", "code"),
    [(0.85, "0.05", 0), (0.8499999999999999, "0.05", 1), (0.85, "0.0499999999999999999999", 1), (0.85, "5e-2", 0)],
)
def test_N12_a_drop_is_held_against_its_limit_in_decimal(tmp_path: Path, current: float, limit: str, code: int) -> None:
    write_run(tmp_path / "baseline", [scored("a", 0.9)])
    write_run(tmp_path / "current", [scored("a", current)])
    (tmp_path / "gate.toml").write_text(f"[metrics.acc]\nmax_drop = {limit}\n")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (code, ["max-drop"] if code else [])


@pytest.mark.parametrize(("direction", "current"), [(HIGHER, -0.01), (LOWER, 0.01), (LOWER, 5e-324)])
def test_N14_a_relative_limit_on_a_baseline_of_zero_fails_and_never_divides(
    tmp_path: Path, direction: object, current: float
) -> None:
    metrics = {"m": LOWER if direction is LOWER else HIGHER}
    write_run(tmp_path / "baseline", [{"id": "a", "scores": {"m": 0}}], metrics)
    write_run(tmp_path / "current", [{"id": "a", "scores": {"m": current}}], metrics)
    (tmp_path / "gate.toml").write_text("[metrics.m]\nmax_relative_drop = 0.5\n")
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (1, ["max-relative-drop"])


@pytest.mark.parametrize("text", [b"1e+308", b"1.5", b"-0.1", b"2", b"-1"])
@pytest.mark.parametrize("side", SIDES)
def test_N16_a_score_outside_its_range_is_refused(tmp_path: Path, side: str, text: bytes) -> None:
    assert_refused(tmp_path, side, with_score(text), PLACE, "/scores/acc", "outside the declared range [0, 1]")


def test_N16_scores_whose_totals_overflow_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text('{"id": "a", "x": 1.7e308}\n{"id": "b", "x": -1.7e308}\n')
    outcome = gate(tmp_path, "import", "results.jsonl", "--id", "id", "--score", "x", "-o", "run")
    assert outcome.code == 3
    assert "larger than any double" in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("ranged", [False, True])
def test_N16_a_difference_larger_than_any_double_fails_and_is_reported(tmp_path: Path, ranged: bool) -> None:
    metrics = {"x": SHARE.__class__(range=(-1.7e308, 1.7e308)) if ranged else HIGHER}
    for side, value in (("baseline", 1.7e308), ("current", -1.7e308)):
        records: list[Record] = [{"id": "a", "scores": {"x": value}}]
        write_run(tmp_path / side, records, metrics)
    for form in ("json", "text", "markdown", "html"):
        outcome = gate(tmp_path, "compare", "baseline", "current", "--format", form)
        assert (outcome.code, form) == (1, form), outcome.err
