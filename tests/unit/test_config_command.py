"""`gate config`: what is in force and where it comes from, whether a file is a policy, and what it asks, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runstore.policy import Policy
from tests.factories import ACC, passing, scored, write_run

VALID = sorted((Path(__file__).parents[1] / "corpus" / "policies" / "valid").glob("*.toml"))
Gate = Callable[..., tuple[int, str, str]]
POLICY = """\
[metrics.acc]
max_drop = 0.05
level = "warn"

[records]
max_added = 3
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder; the search for a policy ends here."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(place: Path, text: str, name: str = "gate.toml") -> None:
    (place / name).write_text(text, encoding="utf-8")


def rows(out: str) -> dict[str, tuple[str, str]]:
    """Key → value and source of what `show` prints."""
    found = [line.split("  ") for line in out.splitlines()[2:]]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in found]
    return {key: (value, source) for key, value, source in cells}


def test_every_key_in_force_is_shown_with_its_value_and_the_line_it_comes_from(place: Path, gate: Gate) -> None:
    write(place, POLICY)
    code, out, err = gate("config", "show")
    assert (code, err, out.splitlines()[0]) == (0, "", str(place / "gate.toml"))
    found = rows(out)
    assert found["metrics.acc.max_drop"] == ("0.05", "gate.toml:2")
    assert found["metrics.acc.level"] == ('"warn"', "gate.toml:3")
    assert found["metrics.acc.significance"] == ('"ignored"', "default")
    assert found["records.max_added"] == ("3", "gate.toml:6")
    assert found["records.max_removed"] == ("0", "default")
    assert found["records.max_regressed"] == ("not set", "default")
    assert found["evidence.alpha"] == ("0.05", "default")
    assert found["comparability.may_differ"] == ("[]", "default")


def test_a_policy_in_pyproject_is_shown_with_the_lines_of_that_file(place: Path, gate: Gate) -> None:
    write(place, '[project]\nname = "x"\n[tool.gate.metrics]\nacc.min = 0.5\n', "pyproject.toml")
    assert rows(gate("config", "show")[1])["metrics.acc.min"] == ("0.5", "pyproject.toml:4")


def test_without_a_file_the_strict_default_is_shown_and_called_so(gate: Gate) -> None:
    code, out, _ = gate("config", "show")
    assert code == 0
    assert out.splitlines()[0] == "the strict default (there is no policy file)"
    assert {source for _, source in rows(out).values()} == {"default"}
    assert rows(out)["records.max_errors"] == ("0", "default")


def test_the_settings_are_told_to_programs_with_a_version(place: Path, gate: Gate) -> None:
    write(place, POLICY)
    code, out, _ = gate("config", "show", "--format", "json", "--config", "gate.toml")
    told = json.loads(out)
    assert (code, told["format"], told["file"]) == (0, 1, "gate.toml")
    settings = {one.pop("key"): one for one in told["settings"]}
    assert settings["metrics.acc.max_drop"] == {"value": "0.05", "source": "file", "line": 2}
    assert settings["records.max_removed"] == {"value": 0, "source": "default"}
    assert settings["records.max_regressed"] == {"value": None, "source": "default"}
    assert settings["comparability.must_match"]["value"] == list(Policy().comparability.must_match)


def test_the_strict_default_is_told_to_programs_without_a_file(gate: Gate) -> None:
    assert json.loads(gate("config", "show", "--format", "json")[1])["file"] is None


def test_a_waiver_is_shown_as_it_stands_in_the_file(place: Path, gate: Gate) -> None:
    waiver = 'metric = "a"\nceiling = 0.5\nowner = "o"\nreason = "r"\nexpires = 2030-01-31\n'
    write(place, f'[[waivers]]\n{waiver}slice = {{ lang = "de" }}\n[[waivers]]\n{waiver}record = "q"\n')
    found = {key: cells for key, cells in rows(gate("config", "show")[1]).items() if key.startswith("waivers.")}
    same = {"metric": '"a"', "ceiling": "0.5", "owner": '"o"', "reason": '"r"', "expires": "2030-01-31"}
    assert {key: value for key, (value, _) in found.items()} == {
        **{f"waivers.0.{key}": value for key, value in {**same, "slice": '{"lang" = "de"}'}.items()},
        **{f"waivers.1.{key}": value for key, value in {**same, "record": '"q"', "repeat": "1"}.items()},
    }
    assert found["waivers.1.record"][1] == "gate.toml:14"
    assert found["waivers.1.repeat"][1] == "default"


def test_two_keys_of_one_dotted_name_are_shown_without_a_line(place: Path, gate: Gate) -> None:
    write(
        place,
        '[suites."a.metrics.b".metrics.c]\nmin = 1\n[suites.a.metrics."b.metrics.c"]\nmin = 2\n',
    )
    code, out, _ = gate("config", "show")
    lines = [line.split() for line in out.splitlines() if line.startswith("suites.a.metrics.b.metrics.c.min")]
    assert (code, lines) == (
        0,
        [["suites.a.metrics.b.metrics.c.min", value, "gate.toml"] for value in ("1", "2")],
    )


@pytest.mark.parametrize("policy", VALID, ids=lambda path: path.stem)
def test_what_a_policy_asks_is_said_in_words_one_line_a_rule(place: Path, gate: Gate, policy: Path) -> None:
    write(place, policy.read_text(encoding="utf-8"))
    code, out, err = gate("config", "check", "gate.toml")
    assert (code, err) == (0, "")
    assert out == policy.with_suffix(".txt").read_text(encoding="utf-8")


def test_the_strict_default_is_said_in_words_too(gate: Gate) -> None:
    code, out, _ = gate("config", "check")
    assert code == 0
    assert out.splitlines()[:2] == [
        "the strict default (there is no policy file) asks:",
        "  default: no record of the baseline may be missing",
    ]
    assert "  default: no record may get worse in a metric that has no limit on its drop" in out.splitlines()


def test_what_is_no_policy_is_refused_with_its_place_and_line(place: Path, gate: Gate) -> None:
    write(place, "[metrics.acc]\nmax_drop = 0\nmax_dropp = 1\n")
    for words in (("check",), ("check", "gate.toml"), ("show",)):
        code, out, err = gate("config", *words)
        assert (code, out) == (2, "")
        assert "gate.toml /metrics/acc/max_dropp: unknown name 'max_dropp' (line 3)" in err
        assert "did you mean 'max_drop'?" in err


def test_a_file_that_is_not_there_is_refused(gate: Gate) -> None:
    assert gate("config", "check", "none.toml")[0] == 2
    assert gate("config", "show", "--config", "none.toml")[0] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[metrics.typo]\nmin = 1\n", "[metrics.'typo'] selects no metric"),
        ('[[slices]]\ntag = "typo"\nmin = 1\n', "slices.0 is on slices by 'typo'"),
        ('[[slices]]\ntag = "lang"\nmetric = "typo"\nmin = 1\n', "slices.0 selects no metric with 'typo'"),
        ("[reference]\npath = 'x'\n[reference.metrics.typo]\nmax_drop = 1\n", "'typo'] selects no metric"),
        ("[suites.typo.records]\nmax_added = 1\n", "[suites.'typo'] select no run"),
        ("[suites.qa.metrics.typo]\nmin = 1\n", "[metrics.'typo'] selects no metric"),
        ("[suites.qa]\nslices = [{tag = 'typo', min = 1}]\n", "slices.0 is on slices by 'typo'"),
    ],
)
def test_a_rule_that_selects_nothing_in_the_runs_is_refused(place: Path, gate: Gate, text: str, message: str) -> None:
    write_run(place / "runs" / "qa", [scored("a", tags={"lang": "de"})], ACC, slices=["lang"])
    write(place, text)
    assert gate("config", "check")[0] == 0
    code, out, err = gate("config", "check", "--run", "runs")
    assert (code, out) == (2, "")
    assert message in err


def test_a_policy_of_which_every_rule_selects_something_is_told(place: Path, gate: Gate) -> None:
    write_run(place / "runs" / "qa", [scored("a", tags={"lang": "de"})], ACC, slices=["lang"])
    write_run(place / "one", passing(1))
    write(place, '[metrics.acc]\nmin = 1\n[[slices]]\ntag = "lang"\nmin = 1\n[suites.qa.records]\nmax_added = 1\n')
    assert gate("config", "check", "--run", "runs", "--run", "one")[0] == 0


def test_runs_that_are_none_are_refused(place: Path, gate: Gate) -> None:
    run = write_run(place / "one", passing(1))
    assert gate("config", "check", "--run", "nowhere")[0] == 2
    (run / "manifest.json").write_text("{}", encoding="utf-8")
    assert gate("config", "check", "--run", "one")[0] == 3


def test_what_steers_a_terminal_or_a_runner_is_shown_as_an_escape(place: Path, gate: Gate) -> None:
    write(place, '[metrics."\\u001b[2J\\n::error::x"]\nmin = 1\n')
    for words in (("show",), ("check",)):
        code, out, _ = gate("config", *words)
        assert code == 0
        assert "\x1b" not in out
        assert "\n::" not in out
        assert "\\x1b[2J\\n" in out


def test_the_keys_of_a_policy_are_printed(gate: Gate) -> None:
    code, out, _ = gate("config", "reference")
    assert code == 0
    assert "## `[metrics.NAME]`" in out
    assert "| `max_drop` | number from `0` | – |" in out


def test_without_a_subcommand_the_help_is_shown_and_nothing_passes(gate: Gate) -> None:
    code, out, err = gate("config")
    assert code == 2
    assert "show" in out + err
