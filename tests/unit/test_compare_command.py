"""`gate compare` as a user meets it: verdicts as exit codes, reports where they were asked for, the policy found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Outcome
from tests.factories import HIGHER, SHARE, Record, files_of, passing, replace_bytes, scored, write_run
from tests.repositories import gate

ESCAPE = "\x1b"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A baseline `b`, a current run `same` as good, and one `bad` in which a record got worse."""
    write_run(tmp_path / "b", passing(3))
    write_run(tmp_path / "same", passing(3), notes="another")
    write_run(tmp_path / "bad", [scored("r000", 0.5), *passing(3)[1:]])
    return tmp_path


def test_every_verdict_has_its_exit_code(folder: Path) -> None:
    write_run(folder / "invalid", passing(3))
    replace_bytes(folder / "invalid", b'"r001"', b'"r000"')
    write_run(folder / "review", passing(3), {"acc": HIGHER})
    edits: list[tuple[str, str, int]] = [
        ("same", "PASS", 0),
        ("bad", "FAIL", 1),
        ("invalid", "INVALID", 3),
        ("review", "REVIEW", 4),
    ]
    for name, verdict, code in edits:
        outcome = gate(folder, "compare", "b", name, "--format", "json")
        assert (outcome.view["verdict"], outcome.view["exit_code"], outcome.code) == (verdict, code, code)
        text = gate(folder, "compare", "b", name)
        assert text.code == code
        assert text.out.startswith(verdict)
    write_run(folder / "killed", passing(3), status="killed")
    outcome = gate(folder, "compare", "killed", "same", "--format", "json")
    assert (outcome.view["verdict"], outcome.code) == ("INCONCLUSIVE", 5)


def test_two_folders_of_runs_are_compared_as_suites(tmp_path: Path) -> None:
    for side, acc in (("b", 1), ("c", 0)):
        write_run(tmp_path / side / "qa/de", [scored("a", acc)])
        write_run(tmp_path / side / "qa/fr", passing(1), notes=side)
    write_run(tmp_path / "b/old", passing(1))
    write_run(tmp_path / "c/new", passing(1))
    outcome = gate(tmp_path, "compare", "b", "c", "--format", "json")
    assert outcome.code == 1
    assert outcome.rules == ["run-added", "run-missing", "max-regressed"]
    assert [run["path"] for run in outcome.view["runs"]] == ["new", "old", "qa/de", "qa/fr"]
    assert outcome.view["counts"]["common"] == 2
    replace_bytes(tmp_path / "c/qa/fr", b'"r000"', b'""')
    outcome = gate(tmp_path, "compare", "b", "c", "--format", "json")
    assert outcome.code == 3
    assert outcome.rules == ["run-added", "run-missing", "max-regressed", "invalid-run"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing", "b"], "missing: no such folder"),
        (["b", "missing"], "missing: no such folder"),
        (["b", "b/records.jsonl"], "b/records.jsonl: not a folder"),
        (["b", "empty"], "b is a run and empty is none"),
        (["empty", "empty"], "empty holds no run"),
    ],
)
def test_what_is_no_run_is_a_usage_error(folder: Path, words: list[str], message: str) -> None:
    (folder / "empty").mkdir()
    outcome = gate(folder, "compare", *words)
    assert outcome.code == 2
    assert message in outcome.err
    assert "hint: " in outcome.err
    assert outcome.out == ""


def test_several_reports_are_written_at_once_and_one_goes_to_standard_output(folder: Path) -> None:
    words = [
        "--format",
        "json",
        "--format",
        "html:out/deep/r.html",
        "--format",
        "markdown:out/r.md",
        "--format",
        "text:r.txt",
    ]
    outcome = gate(folder, "compare", "b", "bad", *words)
    assert outcome.code == 1
    assert outcome.view["verdict"] == "FAIL"
    assert (folder / "out/deep/r.html").read_text().lower().startswith("<!doctype html>")
    assert "FAIL" in (folder / "out/r.md").read_text()
    assert (folder / "r.txt").read_text().startswith("FAIL")
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["deep", "r.md"]


def test_a_report_can_be_named_with_o_and_replaces_the_one_before(folder: Path) -> None:
    for name in ("bad", "same"):
        outcome = gate(folder, "compare", "b", name, "--format", "json", "-o", "r.json")
        assert outcome.out == ""
    assert json.loads((folder / "r.json").read_bytes())["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "xml"], "'xml' is no report format: text, json, markdown, html"),
        (["--format", "jsn"], "did you mean 'json'?"),
        (["--format", ""], "is no report format"),
        (["--format", "text", "--format", "json"], "only one report can go to stdout"),
        (["--format", "text", "--format", "json", "-o", "x"], "-o names the file of one report"),
        (["--format", "json:x", "-o", "y"], "-o names the file of one report"),
        (["-o", "link"], "link is a symbolic link or a folder"),
        (["-o", "b"], "b is a symbolic link or a folder"),
        (["-o", "b/report.txt"], "b/report.txt lies inside b"),
        (["-o", "bad/artifacts/report.txt"], "lies inside bad"),
        (["--format", "html:b/../bad/r.html"], "lies inside bad"),
        (["--format", "html:inside/r.html"], "lies inside b"),
    ],
)
def test_a_report_that_cannot_be_written_there_is_refused_before_any_work(
    folder: Path, words: list[str], message: str
) -> None:
    (folder / "target").write_bytes(b"before")
    (folder / "link").symlink_to("target")
    (folder / "inside").symlink_to("b")
    before = files_of(folder)
    outcome = gate(folder, "compare", "b", "bad", *words)
    assert outcome.code == 2
    assert message in outcome.text
    assert outcome.out == ""
    assert files_of(folder) == before


@pytest.mark.parametrize(
    ("env", "colored"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": ""}, False),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({"CLICOLOR_FORCE": "1", "FORCE_COLOR": "0"}, False),
        ({"CLICOLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_unless_it_is_forced_and_never_against_no_color(
    folder: Path, env: dict[str, str], colored: bool
) -> None:
    outcome = gate(folder, "compare", "b", "bad", env=env)
    assert (ESCAPE in outcome.out) == colored
    gate(folder, "compare", "b", "bad", "-o", "r.txt", env=env)
    assert ESCAPE not in (folder / "r.txt").read_text()


def test_without_a_policy_the_strict_default_holds_and_says_so(folder: Path) -> None:
    outcome = gate(folder, "compare", "b", "bad", "--format", "json")
    assert outcome.view["policy"] == "the strict default"
    text = gate(folder, "compare", "b", "bad").text
    assert "r000" in text
    assert "gate.toml" in text


LOOSE = "[metrics.acc]\nmax_drop = 0.5\n"


@pytest.mark.parametrize("name", ["gate.toml", "pyproject.toml"])
def test_the_policy_is_found_upward_until_the_root_of_the_repository(folder: Path, name: str) -> None:
    text = LOOSE if name == "gate.toml" else "[tool.gate.metrics.acc]\nmax_drop = 0.5\n"
    deeper = folder / "repository/one/two"
    deeper.mkdir(parents=True)
    (folder / name).write_text(text)
    words = ["compare", str(folder / "b"), str(folder / "bad")]
    assert gate(folder, *words).code == 0
    assert gate(deeper, *words).code == 1
    (folder / ".git").mkdir()
    assert gate(deeper, *words).code == 0
    (folder / "repository/.git").write_text("gitdir: elsewhere")
    assert gate(deeper, *words).code == 1
    (folder / "repository" / name).write_text(text)
    assert gate(deeper, *words).code == 0


def test_gate_toml_comes_before_pyproject_and_one_without_a_table_is_passed_over(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.gate.metrics.acc]\nmax_drop = 0\n")
    assert gate(folder, "compare", "b", "bad").code == 1
    (folder / "gate.toml").write_text(LOOSE)
    outcome = gate(folder, "compare", "b", "bad", "--format", "json")
    assert (outcome.code, outcome.view["policy"]) == (0, "gate.toml")
    (folder / "gate.toml").unlink()
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert gate(folder, "compare", "b", "bad").code == 1


def test_a_policy_can_be_named(folder: Path) -> None:
    (folder / "strict.toml").write_text("[metrics.acc]\nmax_drop = 0\n")
    (folder / "gate.toml").write_text(LOOSE)
    assert gate(folder, "compare", "b", "bad").code == 0
    assert gate(folder, "compare", "b", "bad", "--config", "strict.toml").code == 1
    assert gate(folder, "compare", "b", "bad", "-c", "strict.toml").code == 1


def write(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gate.toml", "[metrics.acc]\nmax_drop = nan\n", "gate.toml /metrics/acc/max_drop: NaN is not a finite number"),
        ("gate.toml", "[metrics.acc]\nmax_drop = inf\n", "Infinity is not a finite number"),
        ("gate.toml", "[metrics.acc]\nmax_drop = -0.1\n", "-0.1 is negative"),
        ("gate.toml", "[metrics.acc]\nmax_drop = '0.1'\n", "expected a number"),
        ("gate.toml", "[metrics.acc]\nmax_drop = true\n", "expected a number"),
        ("gate.toml", "[metrics.acc]\nmax_dorp = 0.1\n", "did you mean 'max_drop'?"),
        ("gate.toml", "[metric.acc]\nmax_drop = 0.1\n", "did you mean 'metrics'?"),
        ("gate.toml", "", "the policy asks for nothing"),
        ("gate.toml", "[metrics.acc]\nmax_drop = 0.1\nmax_drop = 1\n", "not TOML"),
        ("gate.toml", "not toml at all", "not TOML"),
        ("gate.toml", "[metrics.acc]\nmax_drop = 1e99999999999999999999\n", "not TOML"),
        ("gate.toml", f"x = {'[' * 9000}", "not TOML"),
        ("gate.toml", b"\xff\xfe[\x00m\x00", "not UTF-8"),
        ("gate.toml", b"#" * (1024 * 1024 + 1), "larger than 1048576 bytes"),
        ("gate.toml", "[metrics.f1]\nmax_drop = 0.1\n", "selects no metric"),
        ("pyproject.toml", "[tool.gate]\n", "the policy asks for nothing"),
        ("pyproject.toml", "[tool]\ngate = 1\n", "expected an object"),
        ("pyproject.toml", "[tool.gate.metrics.acc]\nmax_drop = nan\n", "pyproject.toml /metrics/acc/max_drop: NaN"),
        ("pyproject.toml", "[tool.gate.rules]\n", "unknown name 'rules'"),
    ],
)
def test_a_policy_that_is_none_is_a_usage_error_and_nothing_is_judged(
    folder: Path, name: str, text: str | bytes, message: str
) -> None:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    for words in ([], ["--config", name]):
        outcome = gate(folder, "compare", "b", "same", *words)
        assert outcome.code == 2
        assert message in outcome.text
        assert name in outcome.err
        assert outcome.out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "missing.toml"], "missing.toml: no such file"),
        (["--config", "b"], "b: no such file"),
        (["--config", "pyproject.toml"], "has no [tool.gate] table"),
    ],
)
def test_a_policy_that_is_named_must_be_there(folder: Path, words: list[str], message: str) -> None:
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    outcome = gate(folder, "compare", "b", "same", *words)
    assert (outcome.code, message in outcome.text) == (2, True)


def test_a_policy_is_refused_before_any_run_is_read(folder: Path) -> None:
    (folder / "gate.toml").write_text("[metrics.acc]\nmax_drop = nan\n")
    (folder / "b/records.jsonl").write_bytes(b"")
    assert gate(folder, "compare", "b", "same").code == 2


def test_the_cache_is_where_it_was_asked_for_and_can_be_left_out(folder: Path) -> None:
    for number, (words, env) in enumerate(
        (
            (["--no-cache"], {}),
            ([], {"RUNSTORE_CACHE_DIR": str(folder / "mine")}),
            ([], {"XDG_CACHE_HOME": str(folder / "xdg")}),
            ([], {"XDG_CACHE_HOME": "relative"}),
            ([], {"RUNSTORE_CACHE_DIR": "/proc/nowhere"}),
            ([], {"HOME": "/dev/null"}),
        )
    ):
        outcome = gate(folder, "compare", "b", "same", *words, env=env)
        assert (outcome.code, outcome.err) == (0, ""), number
    found = sorted(str(path.relative_to(folder)).rsplit("/", 1)[0] for path in files_of_cache(folder))
    assert found == ["mine", "xdg/runstore/verified"]


def files_of_cache(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*-*") if path.is_file()]


def test_no_environment_variable_makes_a_fail_a_pass(folder: Path) -> None:
    env = dict.fromkeys(("FAILED_TEST_EXIT_CODE", "GATE_EXIT_CODE", "GATE_REPORT_ONLY", "PYTHONOPTIMIZE"), "0")
    assert gate(folder, "compare", "b", "bad", env={**env, "PYTHONOPTIMIZE": "2", "CI": "true"}).code == 1


def test_the_limit_shortens_the_list_and_changes_nothing_else(folder: Path) -> None:
    write_run(folder / "worse", [scored(f"r{number:03d}", 0) for number in range(3)])
    views: list[Any] = []
    for limit in ("0", "2", "1000"):
        outcome: Outcome = gate(folder, "compare", "b", "worse", "--format", "json", "--limit", limit)
        assert outcome.code == 1
        views.append(outcome.view)
    assert [len(view["changes"]) for view in views] == [0, 2, 3]
    assert [view["changes_omitted"]["regressed"] for view in views] == [3, 1, 0]
    assert [view["counts"] for view in views] == [views[0]["counts"]] * 3


def test_odd_places_are_no_hindrance(tmp_path: Path) -> None:
    records: list[Record] = [scored("a")]
    write_run(tmp_path / "two words/é\n", records, {"acc": SHARE})
    outcome = gate(tmp_path, "compare", "two words/é\n", "two words/é\n")
    assert outcome.code == 0
    assert gate(tmp_path, "compare", "--", "two words/é\n", "-x").code == 2


def test_explain_says_of_every_rule_what_was_read_and_why_it_holds_also_of_a_pass(folder: Path) -> None:
    (folder / "gate.toml").write_text("[metrics.acc]\nmax_drop = 0.5\nmin = 0.50\n")
    for name, drop, verdict in (("same", "holds", "PASS"), ("bad", "holds", "PASS")):
        plain, explained = gate(folder, "compare", "b", name), gate(folder, "compare", "b", name, "--explain")
        assert (plain.code, explained.code) == (0, 0)
        assert explained.out.startswith(plain.out)
        assert verdict in explained.out
        assert f"{drop}: max-drop: acc over 3 pairs: 1.0 -> " in explained.text
        assert "(metrics.acc.max_drop)" in explained.text
        assert "a drop of 0.5 is allowed" in explained.text
        assert "inside its floor of 0.5" in explained.text
        assert "both keep" in explained.text
        assert "Checks: " not in plain.out
    (folder / "gate.toml").write_text("[metrics.acc]\nmax_drop = 0.1\n")
    explained = gate(folder, "compare", "b", "bad", "--explain", "--format", "text:r.txt", "--format", "json")
    assert explained.code == 1
    text = " ".join((folder / "r.txt").read_text().split())
    assert "broken: max-drop: acc over 3 pairs: 1.0 -> 0.8333333333333334 (metrics.acc.max_drop)" in text
    rules = {check["rule"]: check for check in explained.view["checks"]}
    assert rules["max-drop"]["outcome"] == "broken"
    assert (rules["max-drop"]["limit"], rules["max-drop"]["origin"]) == ("0.1", "metrics.acc.max_drop")
    assert rules["max-removed"]["outcome"] == "holds"


def test_explain_without_a_text_report_is_a_usage_error(folder: Path) -> None:
    outcome = gate(folder, "compare", "b", "same", "--explain", "--format", "json")
    assert (outcome.code, "--explain adds to the text report" in outcome.text) == (2, True)


WAIVER = (
    "[[waivers]]\nmetric = 'acc'\nrecord = 'r000'\nceiling = 0.6\nowner = 'ann'\nreason = 'known'\n"
    "expires = 2026-08-01\n"
)


@pytest.mark.parametrize(("today", "code"), [("2026-08-01", 0), ("2026-08-02", 1)])
def test_a_waiver_ends_with_its_day_and_the_report_never_prints_today(folder: Path, today: str, code: int) -> None:
    (folder / "gate.toml").write_text(WAIVER)
    outcome = gate(folder, "compare", "b", "bad", "--today", today, "--explain")
    assert outcome.code == code
    assert (today == "2026-08-01") == (today in outcome.out)
    assert "2026-08-01" in outcome.out


def test_by_default_today_is_the_day_of_the_clock(folder: Path) -> None:
    (folder / "gate.toml").write_text(WAIVER.replace("2026-08-01", "2001-01-01"))
    assert gate(folder, "compare", "b", "bad").code == 1
    (folder / "gate.toml").write_text(WAIVER.replace("2026-08-01", "9999-01-01"))
    assert gate(folder, "compare", "b", "bad").code == 0


@pytest.mark.parametrize("today", ["tomorrow", "2026-13-01", "2026-07-01T00:00:00", ""])
def test_a_day_that_is_none_is_a_usage_error(folder: Path, today: str) -> None:
    assert gate(folder, "compare", "b", "same", "--today", today).code == 2


REFERENCE = "[reference]\npath = 'pins/r'\n[reference.metrics.acc]\nmax_drop = 0.1\n[metrics.acc]\nmax_drop = 1\n"


def test_the_reference_stands_beside_the_policy_and_not_beside_the_caller(folder: Path) -> None:
    write_run(folder / "policy/pins/r", passing(3), notes="r")
    (folder / "policy/gate.toml").write_text(REFERENCE)
    outcome = gate(folder, "compare", "b", "bad", "-c", "policy/gate.toml", "--format", "json")
    assert (outcome.code, outcome.rules) == (1, ["reference-drop"])
    assert gate(folder, "compare", "b", "same", "-c", "policy/gate.toml").code == 0
    inside = gate(folder, "compare", "b", "same", "-c", "policy/gate.toml", "-o", "policy/pins/r/x.txt")
    assert (inside.code, "lies inside" in inside.text) == (2, True)
    (folder / "gate.toml").write_text(REFERENCE)
    outcome = gate(folder, "compare", "b", "bad")
    assert (outcome.code, "the pinned reference is not there: pins/r" in outcome.text) == (2, True)


def test_a_reference_that_is_no_sound_run_is_invalid(folder: Path) -> None:
    write_run(folder / "pins/r", passing(3))
    replace_bytes(folder / "pins/r", b'"r001"', b'"r000"')
    (folder / "gate.toml").write_text(REFERENCE)
    outcome = gate(folder, "compare", "b", "same", "--format", "json")
    assert (outcome.code, outcome.rules) == (3, ["invalid-run"])
    (folder / "pins/r/manifest.json").unlink()
    assert gate(folder, "compare", "b", "same").code == 3


def test_suites_of_a_policy_and_a_reference_of_suites(tmp_path: Path) -> None:
    for side, acc in (("b", 1), ("c", 0.5), ("pins/r", 1)):
        write_run(tmp_path / side / "qa/de", [scored("a", acc)])
        write_run(tmp_path / side / "qa/fr", [scored("a", acc)])
    (tmp_path / "gate.toml").write_text(f"{REFERENCE}[suites.'qa/fr'.records]\nmax_added = 0\n")
    outcome = gate(tmp_path, "compare", "b", "c", "--format", "json")
    assert (outcome.code, outcome.rules) == (1, ["reference-drop"])
    assert [finding["run"] for finding in outcome.view["findings"]] == ["qa/de", "qa/fr"]
    assert {check["run"] for check in outcome.view["checks"]} == {"qa/de", "qa/fr"}
    (tmp_path / "gate.toml").write_text("[suites.'qa/nl'.records]\nmax_added = 0\n")
    outcome = gate(tmp_path, "compare", "b", "c")
    assert (outcome.code, "select no run" in outcome.text) == (2, True)


def test_a_volatile_measure_that_is_no_number_makes_the_run_invalid(folder: Path) -> None:
    (folder / "gate.toml").write_text("[volatile.p95]\nmax = 10\n")
    outcome = gate(folder, "compare", "b", "same", "--format", "json")
    assert (outcome.code, outcome.rules) == (1, ["volatile-missing"])
    (folder / "same/volatile").mkdir()
    for text, code in (('{"p95": 10}', 0), ('{"p95": 10.1}', 1), ('{"p95": NaN}', 3), ("[]", 3)):
        (folder / "same/volatile/measures.json").write_text(text)
        assert gate(folder, "compare", "b", "same").code == code
