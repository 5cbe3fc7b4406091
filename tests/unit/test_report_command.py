"""`gate report`: a saved comparison becomes the reports that `gate compare` would have written, or is refused."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runstore import canonical, reports
from runstore.cli import saved
from runstore.errors import InvalidDataError
from tests.factories import HIGHER, SHARE, Record, passing, replace_bytes, scored, write_run

Gate = Callable[..., tuple[int, str, str]]
View = dict[str, Any]
COMMAND = "##[error]owned ##vso[x] ##TeamCity[y] \\u0023 #\\##["
"""What `gate compare` escapes in its JSON report, and what looks like it."""


def before() -> list[Record]:
    return [*passing(6), scored("gone"), scored(COMMAND, output="yes", tags={"t": "a"})]


def after() -> list[Record]:
    return [scored("r000", 0.5), *passing(6)[1:], scored("new"), scored(COMMAND, 0.25, output="no", tags={"t": "a"})]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a baseline `b`, a current run `c` that is worse, and their comparison in every format."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNSTORE_CACHE_DIR", str(tmp_path / "cache"))
    write_run(tmp_path / "b", before(), slices=["t"])
    write_run(tmp_path / "c", after(), slices=["t"])
    return tmp_path


@pytest.fixture
def comparison(folder: Path, gate: Gate) -> View:
    """The view that `comparison.json` in the working folder holds."""
    assert gate("compare", "b", "c", "--format", "json:comparison.json")[0] == 1
    found: View = json.loads((folder / "comparison.json").read_bytes())
    return found


def write(folder: Path, view: object) -> Path:
    """A file that holds a value as reports are written."""
    place = folder / "edited.json"
    place.write_bytes(canonical.jcs_document(view))
    return place


@pytest.mark.parametrize("form", reports.FORMATS)
@pytest.mark.usefixtures("comparison")
def test_a_saved_comparison_is_rendered_to_the_bytes_that_compare_writes(folder: Path, gate: Gate, form: str) -> None:
    assert gate("compare", "b", "c", "--format", f"{form}:then")[0] == 1
    assert gate("report", "comparison.json", "--format", f"{form}:now") == (1, "", "")
    assert (folder / "now").read_bytes() == (folder / "then").read_bytes()
    assert gate("report", "comparison.json", "--format", form) == gate("compare", "b", "c", "--format", form)


@pytest.mark.usefixtures("comparison")
def test_text_is_the_default_and_explain_adds_to_it(gate: Gate) -> None:
    assert gate("report", "comparison.json") == gate("compare", "b", "c")
    assert gate("report", "comparison.json", "--explain") == gate("compare", "b", "c", "--explain")
    code, _, told = gate("report", "comparison.json", "--format", "json", "--explain")
    assert (code, "--explain adds to the text report" in told) == (2, True)


@pytest.mark.usefixtures("comparison")
def test_several_reports_are_written_at_once(folder: Path, gate: Gate) -> None:
    words = ["--format", "json:a.json", "--format", "markdown:a.md", "--format", "text"]
    assert gate("report", "comparison.json", *words) == gate("compare", "b", "c")
    assert (folder / "a.json").read_bytes() == (folder / "comparison.json").read_bytes()
    assert (folder / "a.md").is_file()


def test_a_report_from_standard_input_is_the_same(
    folder: Path, gate: Gate, comparison: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = gate("report", "comparison.json")
    stream = io.TextIOWrapper(io.BytesIO((folder / "comparison.json").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert gate("report", "-") == file
    assert gate("report", "-") == (
        3,
        "",
        "gate: error: standard input: the file is empty\n  hint: write it again with "
        "`gate compare BASELINE CURRENT --format json:FILE`, and leave it as it is\n",
    )


def test_commands_for_ci_that_the_report_escapes_are_read_back(folder: Path, comparison: View) -> None:
    text = (folder / "comparison.json").read_text()
    assert "##[" not in text
    assert "#\\u0023[" in text
    assert saved.load_view(folder / "comparison.json") == comparison
    assert COMMAND in [change["id"] for change in comparison["changes"]]
    assert saved.load_view(write(folder, comparison)) == comparison


def test_numbers_beyond_the_safe_integers_are_read_back(folder: Path, gate: Gate) -> None:
    wide = {"acc": HIGHER}
    for name, score in (("x", 9.5e16), ("y", 1.5e20)):
        write_run(folder / name, [scored("a", 2**52 + 0.5), scored("b", score / 1e10)], wide)
    view = json.loads((gate("compare", "x", "y", "--format", "json"))[1])
    for value in (2.0**53, 1e17, -2.5e19, 1e21, 5e-324):
        view["metrics"][0]["baseline"] = value
        place = write(folder, view)
        assert saved.load_view(place) == view
        assert gate("report", "edited.json", "--format", "json")[1].encode() == place.read_bytes()


def test_every_verdict_exits_as_compare_did_unless_zero_is_asked_for(folder: Path, gate: Gate) -> None:
    write_run(folder / "same", before(), slices=["t"], notes="another")
    write_run(folder / "bad", before(), slices=["t"])
    replace_bytes(folder / "bad", b'"r001"', b'"r000"')
    write_run(folder / "declared", before(), {"acc": HIGHER}, slices=["t"])
    write_run(folder / "killed", before(), slices=["t"], status="killed")
    pairs = {0: ("b", "same"), 1: ("b", "c"), 3: ("b", "bad"), 4: ("b", "declared"), 5: ("killed", "same")}
    for code, runs in pairs.items():
        assert gate("compare", *runs, "--format", "json:v.json")[0] == code
        assert gate("report", "v.json")[0] == code
        assert gate("report", "v.json", "--exit-zero")[0] == 0


def test_zero_is_not_the_code_of_a_report_that_was_not_written(folder: Path, gate: Gate, comparison: View) -> None:
    assert gate("report", "missing.json", "--exit-zero")[0] == 2
    write(folder, {**comparison, "verdict": "PASS", "exit_code": 0})
    assert gate("report", "edited.json", "--exit-zero")[0] == 3
    (folder / "in_the_way").mkdir()
    assert gate("report", "comparison.json", "--format", "html:in_the_way", "--exit-zero")[0] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.json"], "missing.json: no such file"),
        (["comparison.json/x"], "comparison.json/x: no such file"),
        (["b"], "b is a folder"),
        (["comparison.json", "-o", "comparison.json"], "comparison.json is read here"),
        (["comparison.json", "--format", "html:./b/../comparison.json"], "comparison.json is read here"),
        (["comparison.json", "--format", "html:x", "--format", "text:x"], "another report goes there"),
        (["comparison.json", "--format", "html", "--format", "text"], "only one report can go to stdout"),
        (["comparison.json", "--format", "html:x", "-o", "y"], "-o names the file of one report"),
        (["comparison.json", "--format", "htlm"], "did you mean 'html'?"),
        ([], "Missing argument 'COMPARISON.json'"),
    ],
)
@pytest.mark.usefixtures("comparison")
def test_what_cannot_be_done_as_asked_is_a_usage_error(
    folder: Path, gate: Gate, words: list[str], message: str
) -> None:
    held = (folder / "comparison.json").read_bytes()
    code, out, told = gate("report", *words)
    assert (code, out) == (2, "")
    assert message in told
    assert (folder / "comparison.json").read_bytes() == held


def test_a_file_that_is_too_large_is_not_read_to_its_end(
    folder: Path, gate: Gate, comparison: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (folder / "comparison.json").stat().st_size
    monkeypatch.setattr(saved, "MAX_BYTES", size)
    assert gate("report", "comparison.json")[0] == 1
    monkeypatch.setattr(saved, "MAX_BYTES", size - 1)
    code, out, told = gate("report", "comparison.json")
    assert (code, out) == (2, "")
    assert f"comparison.json is larger than {size - 1:,} bytes\n  hint: compare again with a smaller --limit" in told
    code, _, told = gate("report", "/dev/zero")
    assert (code, "/dev/zero is larger than" in told) == (2, True)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: data[:1000], "not JSON"),
        (lambda data: b"\xef\xbb\xbf" + data, "a byte order mark"),
        (lambda data: data.replace(b'"yes"', b'"\xff"'), "not UTF-8"),
        (lambda data: data.replace(b'"yes"', b'"\\ud800"'), "surrogate"),
        (lambda data: data.replace(b'"format": 1', b'"format": 1,\n  "format": 1'), "the key 'format' stands twice"),
        (lambda data: data.replace(b'"verdict": "FAIL"', b'"verdict":"FAIL"'), "comparison.json:"),
        (lambda data: data.replace(b"\n", b"\r\n"), "comparison.json:1: not as reports are written"),
        (lambda data: data[:-1], "not as reports are written"),
        (lambda data: data + b"\n", "not as reports are written"),
        (lambda data: data.replace(b"0.25", b"0.250"), "not as reports are written"),
        (lambda data: data.replace(b"0.25", b"NaN"), "NaN"),
        (lambda data: data.replace(b'"yes"', b"[" * 90 + b"]" * 90), "nested deeper than 64"),
        (lambda data: data.replace(b'"yes"', b"[" * 5000 + b"]" * 5000), "nested deeper than 64"),
        (lambda data: data.replace(b'"yes"', b"9" * 5000), "an integer of thousands of digits"),
        (lambda data: data.replace(b'"yes"', b"9007199254740993"), "not as reports are written"),
        (lambda data: b"[]\n", "not a comparison"),
        (lambda data: b"1\n", "not a comparison"),
        (lambda data: b"{}\n", "not a comparison: it lacks format, verdict or findings"),
        (lambda data: b"FAIL  2 rules broken\n", "not JSON"),
    ],
)
@pytest.mark.usefixtures("comparison")
def test_bytes_that_no_gate_wrote_are_refused(
    folder: Path, gate: Gate, edit: Callable[[bytes], bytes], message: str
) -> None:
    place = folder / "comparison.json"
    place.write_bytes(edit(place.read_bytes()))
    code, out, told = gate("report", "comparison.json", "--format", "html:never.html")
    assert (code, out) == (3, "")
    assert message in told
    assert told.startswith("gate: error: comparison.json")
    assert "\n  hint: " in told
    assert not (folder / "never.html").exists()


def change(name: str, *path: str | int) -> Callable[[View], None]:
    """An edit: remove a member of the view, named by its path."""

    def edit(view: Any) -> None:
        for step in path:
            view = view[step]
        del view[name]

    return edit


def put(value: object, *path: str | int) -> Callable[[View], None]:
    """An edit: another value at a path of the view."""

    def edit(view: Any) -> None:
        for step in path[:-1]:
            view = view[step]
        view[path[-1]] = value

    return edit


def both(*edits: Callable[[View], None]) -> Callable[[View], None]:
    def edit(view: View) -> None:
        for one in edits:
            one(view)

    return edit


def drop_findings(view: View) -> None:
    view["findings"] = [finding for finding in view["findings"] if finding["level"] == "notice"]


def softened(view: View) -> None:
    """Every error made a warning: the gate would have passed."""
    for finding in view["findings"]:
        finding["level"] = "warning" if finding["level"] == "error" else finding["level"]


green = both(put("PASS", "verdict"), put(0, "exit_code"))

EDITS = {
    "another format": (put(2, "format"), "/format: format 2 is unknown; this version reads format 1"),
    "a format that is no number": (put("1", "format"), '/format: format "1" is unknown'),
    "a true format": (put(True, "format"), "/format: format true is unknown"),
    "a verdict alone": (put("PASS", "verdict"), "/exit_code: the exit code of PASS is 0, not 1"),
    "an exit code alone": (put(0, "exit_code"), "/exit_code: the exit code of FAIL is 1, not 0"),
    "no exit code": (change("exit_code"), "/exit_code: the exit code of FAIL is 1, not null"),
    "verdict and exit code": (green, "/verdict: the findings lead to FAIL, and the verdict is PASS"),
    "a worse verdict": (
        both(put("INVALID", "verdict"), put(3, "exit_code")),
        "/verdict: the findings lead to FAIL, and the verdict is INVALID",
    ),
    "softer findings": (softened, "/verdict: the findings lead to PASS, and the verdict is FAIL"),
    "no findings": (both(drop_findings, green), "/outcome: broken, and no finding says so"),
    "a finding too many": (
        lambda view: view["findings"].append({**view["findings"][0], "metric": "nowhere", "rule": "min"}),
        "no check is broken or undecided that found this",
    ),
    "an unknown rule": (put("max-fun", "checks", 0, "rule"), "/checks/0/rule: unknown rule 'max-fun'"),
    "a verdict of no gate": (put("GREAT", "verdict"), "/verdict: 'GREAT' is not one of PASS, FAIL"),
    "a member too many": (put(1, "colour"), "/: unknown name 'colour'"),
    "a member too few": (change("policy"), "'policy' is missing"),
    "a change too few": (lambda view: view["changes"].pop(), "listed and 0 omitted are not the"),
    "an omitted change": (put(7, "changes_omitted", "added"), "/changes_omitted/added: 1 listed and 7 omitted"),
    "a count": (put(1, "counts", "regressed"), "/counts/common: 7, and its parts add up to 6"),
    "a count of the baseline": (put(9, "counts", "baseline"), "/counts/baseline: 9, and its parts add up to 8"),
    "a count of the current run": (put(9, "counts", "current"), "/counts/current: 9, and its parts add up to 8"),
    "no run": (put([], "runs"), "/runs: no run was compared"),
    "another run": (put("x", "runs", 0, "path"), "/run: no run '' was compared"),
    "a change of another run": (put("x", "changes", 1, "run"), "/changes/1/run: no run 'x' was compared"),
    "a run twice": (lambda view: view["runs"].append(view["runs"][0]), "/runs: a run stands there twice"),
    "a change of no class": (put("better", "changes", 2, "class"), "/changes/2/class: 'better' is not one of"),
    "a repeat of 0": (put(0, "changes", 2, "repeat"), "/changes/2/repeat: less than 1"),
    "a repeat that is true": (put(True, "changes", 1, "repeat"), "/changes/1/repeat: expected an integer"),
    "a score that is a text": (
        put("1", "changes", 0, "scores", 0, "current"),
        "/changes/0/scores/0/current: expected a number or null, found a string",
    ),
    "a field without a path": (change("path", "changes", 0, "fields", 0), "/changes/0/fields/0: 'path' is missing"),
    "the record of another id": (put("z", "changes", 0, "id"), "/changes/0/record: the record has another id"),
    "a record that is none": (
        put(5, "changes", 0, "record", "tags"),
        "/changes/0/record/tags: expected an object, found an integer",
    ),
    "a field that is no pointer": (
        put("x", "changes", 0, "fields", 0, "path"),
        "/changes/0/fields/0/path: no JSON pointer",
    ),
    "a field of no record": (put("/x", "changes", 0, "fields", 0, "path"), "/changes/0/fields/0/path: no JSON pointer"),
    "a value of no record": (
        put(1e17, "changes", 0, "fields", 0, "after"),
        "/changes/0/fields/0/after: 1e+17 has the canonical text",
    ),
    "columns of moves": (
        put([1], "metrics", 0, "moves", "pairs"),
        "/metrics/0/moves: before, after and pairs are not equally long",
    ),
    "too many moves": (
        put([1, 99], "metrics", 0, "moves", "pairs"),
        "/metrics/0/moves/pairs: more pairs moved than there are",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_comparison_that_was_edited_is_refused(folder: Path, gate: Gate, comparison: View, name: str) -> None:
    edit, message = EDITS[name]
    edit(comparison)
    write(folder, comparison)
    code, out, told = gate("report", "edited.json")
    assert (code, out) == (3, "")
    assert told.startswith("gate: error: edited.json /")
    assert message in told
    assert "\n  hint: " in told


def test_a_text_of_the_file_is_no_command_in_an_error(folder: Path, gate: Gate, comparison: View) -> None:
    comparison["verdict"] = "\n::error::\x1b[31mowned ##[error]"
    write(folder, comparison)
    _, _, told = gate("report", "edited.json")
    assert "owned" in told
    assert not any(line.lstrip().startswith("::") for line in told.splitlines())
    assert "\x1b" not in told
    assert "##[" not in told


def test_a_suite_with_every_kind_of_run_is_read_back(folder: Path, gate: Gate) -> None:
    for side, acc in (("old", 1), ("now", 0)):
        write_run(folder / side / "qa/de", [scored("a", acc)])
        write_run(folder / side / "qa/fr", passing(1), notes=side)
        write_run(folder / side / side, passing(1))
        write_run(folder / side / "train", [], {"loss": SHARE}, points=[("loss", 1, 0), ("loss", 0.5, 1)])
    replace_bytes(folder / "now/qa/fr", b'"r000"', b'""')
    policy = (
        "[[waivers]]\nmetric = 'acc'\nrecord = 'nobody'\nceiling = 1\nowner = 'a'\nreason = 'b'\nexpires = 2020-01-01\n"
    )
    (folder / "gate.toml").write_text(policy)
    assert gate("compare", "old", "now", "--format", "json:v.json")[0] == 3
    assert gate("report", "v.json") == gate("compare", "old", "now")


@pytest.mark.usefixtures("comparison")
def test_an_error_names_its_place_and_what_to_do(folder: Path) -> None:
    (folder / "comparison.json").write_bytes(b"{}\n")
    with pytest.raises(InvalidDataError) as caught:
        saved.load_view(folder / "comparison.json")
    assert caught.value.where == str(folder / "comparison.json")
    assert "gate compare BASELINE CURRENT --format json:FILE" in caught.value.hint


@pytest.mark.parametrize("form", reports.FORMATS)
def test_a_record_nested_as_deep_as_it_may_be_is_in_every_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Gate, form: str
) -> None:
    monkeypatch.chdir(tmp_path)
    deepest: Any = 1
    for _ in range(canonical.MAX_DEPTH - 1):
        deepest = [deepest]
    for name, score in (("b", 1), ("c", 0)):
        write_run(tmp_path / name, [{"id": "r", "scores": {"acc": score}, "output": deepest, "metadata": {"s": score}}])
    first = gate("compare", "b", "c", "--format", "json:comparison.json", "--format", form)
    assert first[0] == 1
    assert gate("report", "comparison.json", "--format", form) == first


@pytest.mark.parametrize("place", ["level", "rule", "run", "message", "repeat", "slice"])
@pytest.mark.parametrize("value", [{}, [], 1.5, True])
def test_a_finding_of_another_shape_is_refused(
    folder: Path, gate: Gate, comparison: View, place: str, value: object
) -> None:
    comparison["findings"][0][place] = value
    write(folder, comparison)
    assert gate("report", "edited.json")[0] == 3


@pytest.mark.parametrize("place", ["class", "id", "repeat", "run", "record", "fields", "scores"])
@pytest.mark.parametrize("value", [{}, [], 1.5, None])
def test_a_change_of_another_shape_is_refused(
    folder: Path, gate: Gate, comparison: View, place: str, value: object
) -> None:
    assert comparison["changes"][0]["fields"]
    comparison["changes"][0][place] = value
    write(folder, comparison)
    if (place, value) not in (("fields", []), ("scores", [])):
        assert gate("report", "edited.json")[0] == 3
