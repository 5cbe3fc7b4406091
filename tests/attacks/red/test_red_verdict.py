"""What made the gate say PASS, or fall over, when its rules were attacked: each test is one way in."""

from __future__ import annotations

from pathlib import Path

import pytest

from runstore.manifest import MetricDeclaration
from tests import command_line
from tests.attacks.arena import compare
from tests.factories import HIGHER, SHARE, passing, scored, write_run
from tests.repositories import gate

_HUGE = f"0x{'f' * 5000}"  # 6,000 decimal digits: Python reads such a number and refuses to write it
_WAIVER = 'metric = "acc"\nrecord = "r000"\nceiling = 1\nowner = "a"\nreason = "b"\nexpires = 2030-01-01\n'


def policy(folder: Path, text: str) -> None:
    (folder / "gate.toml").write_text(text)


@pytest.mark.parametrize("number", [_HUGE, "9007199254740992"])
@pytest.mark.parametrize(
    "text",
    [
        "[records]\nmax_removed = {}\n",
        "[metrics.acc]\nmax_drop = 0.1\nmin_records = {}\n",
        "[metrics.acc]\nmax_drop = 0.1\nat = {}\n",
        "[evidence]\nresamples = {}\n",
        "[quarantine]\nmax_records = {}\n",
        f"[[waivers]]\n{_WAIVER}repeat = {{}}\n",
    ],
)
def test_an_integer_that_json_cannot_carry_is_refused_in_a_policy(tmp_path: Path, text: str, number: str) -> None:
    policy(tmp_path, text.format(number))
    for words in (("check",), ("show", "--format", "json")):
        outcome = gate(tmp_path, "config", *words)
        assert outcome.code == 2, outcome.text
        assert "is more than" in outcome.text


def test_a_series_is_not_judged_by_the_aggregate_of_the_records_that_have_the_same_metric(tmp_path: Path) -> None:
    policy(tmp_path, '[metrics.acc]\naggregate = "p50"\nmax_drop = 0.01\n')
    for side, value in (("baseline", 1), ("current", 0)):
        write_run(tmp_path / side, passing(3), points=[("acc", value, None)])
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (5, ["nothing-compared"]), outcome.text
    assert "acc is a series" in outcome.view["findings"][0]["message"]


def test_the_floor_of_a_quantile_is_not_held_by_the_mean_of_a_new_metric(tmp_path: Path) -> None:
    policy(tmp_path, '[metrics.new]\naggregate = "p5"\nmin = 0.9\n')
    metrics = {"acc": SHARE, "new": SHARE}
    write_run(tmp_path / "baseline", passing(40), metrics)
    current = [{"id": f"r{n:03d}", "scores": {"acc": 1, "new": int(n > 2)}} for n in range(40)]
    write_run(tmp_path / "current", current, metrics)
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules) == (5, ["nothing-compared"]), outcome.text


@pytest.mark.parametrize("declared", [HIGHER, MetricDeclaration(direction="higher", range=(-1.7e308, 1.7e308))])
@pytest.mark.parametrize("test", ["auto", "permutation"])
def test_differences_beyond_every_double_are_no_evidence(
    tmp_path: Path, declared: MetricDeclaration, test: str
) -> None:
    policy(tmp_path, f'[metrics.acc]\nmax_drop = 0.1\nsignificance = "required"\ntest = "{test}"\n')
    for side, value in (("baseline", 1.7e308), ("current", -1.7e308)):
        others = [scored(f"r{number:03d}", 1.7e308) for number in range(100)]  # so many that all figures are doubles
        write_run(tmp_path / side, [scored("a", value), *others], {"acc": declared})
    outcome = compare(tmp_path)
    assert (outcome.code, outcome.rules[0]) == (5, "evidence"), outcome.text


@pytest.mark.parametrize("mark", ["\u2028", "\x85"])
def test_the_dots_of_a_line_are_counted_past_what_is_no_end_of_line_in_toml(tmp_path: Path, mark: str) -> None:
    policy(tmp_path, f'{".".join(["a"] * 900)}."{mark}".{".".join(["a"] * 900)} = 1\n')
    outcome = gate(tmp_path, "config", "check")
    assert outcome.code == 2, outcome.text
    assert "more than 1000 dots" in outcome.text


def test_many_rules_are_read_in_proportion_to_their_number(tmp_path: Path) -> None:
    rules = (f'[[slices]]\ntag = "lang"\nmax_drop = {number}\n' for number in range(5000))
    policy(tmp_path, "".join(rules))
    assert command_line.gate(tmp_path, "config", "check", timeout_s=20).code == 0


def test_an_empty_entry_of_the_cache_does_not_say_that_trials_are_alone(tmp_path: Path) -> None:
    policy(tmp_path, '[metrics.acc]\nmax_drop = 0.2\nsignificance = "required"\n')
    records = [scored(f"r{number % 4}", number % 2, repeat=number // 4 + 1) for number in range(240)]
    for side in ("baseline", "current"):
        write_run(tmp_path / side, records, {"acc": SHARE})
    first = compare(tmp_path)
    assert (first.code, first.rules[0]) == (5, "evidence"), first.text
    entries = [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() in (b"", b"alone")]
    assert entries
    for entry in entries:
        entry.write_bytes(b"")
    assert compare(tmp_path).code == 5


@pytest.mark.parametrize(("alpha", "code"), [("0.01", 0), ("1e-12", 5), ("1e-300", 5)])
def test_a_level_too_small_for_the_units_is_no_evidence(tmp_path: Path, alpha: str, code: int) -> None:
    limits = 'max_drop = 0.3\nsignificance = "required"\ntest = "t"\n'
    policy(tmp_path, f"[evidence]\nalpha = {alpha}\n[metrics.acc]\n{limits}")
    for side, gap in (("baseline", 0.0), ("current", 0.01)):
        write_run(tmp_path / side, [scored(f"r{n}", 0.5 + n * gap) for n in range(39)], {"acc": SHARE})
    outcome = compare(tmp_path)
    assert outcome.code == code, outcome.text
    assert outcome.rules == (["evidence"] if code else [])
