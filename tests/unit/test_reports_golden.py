"""Golden reports: small runs through the real pipeline, every format compared byte for byte, nothing scrubbed.

A case is a function below and a folder `tests/golden/NAME`. After a change that is meant, write the files anew with
`RUNSTORE_UPDATE_GOLDEN=1 pytest tests/unit/test_reports_golden.py` and read the difference before you commit it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from runstore import canonical, comparison, composition, reports, schema, view
from runstore.canonical import JsonValue
from runstore.comparison import Comparison
from runstore.errors import InvalidDataError
from runstore.manifest import Identity, MetricDeclaration, Provenance
from runstore.policy import Policy, from_toml
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from runstore.suites import compare_suites
from runstore.verification import VerifiedRuns

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FILES = {
    "text": "text.txt",
    "json": "view.json",
    "markdown": "report.md",
    "html": "report.html",
    "github": "annotations.txt",
    "junit": "report.junit.xml",
    "sarif": "report.sarif.json",
    "gitlab": "report.gitlab.json",
    "csv": "report.csv",
    "tap": "report.tap",
}
EXPLANATION = "explanation.txt"
Record = dict[str, JsonValue]

ACCURACY = {"acc": MetricDeclaration(direction="higher", range=(0, 1))}
METRICS = {**ACCURACY, "latency": MetricDeclaration(direction="lower", unit="ms")}
LANGUAGES = (
    ("de", "Was ist die Hauptstadt von Deutschland?", "Berlin"),
    ("fr", "Quelle est la capitale de la France ?", "Paris"),
    ("ja", "日本の首都はどこですか。", "東京"),
)


def answers(count: int = 12) -> list[Record]:
    """Records of a small quiz in three languages, all right."""
    found: list[Record] = []
    for number in range(count):
        language, question, capital = LANGUAGES[number % 3]
        found.append(
            {
                "id": f"{language}/{number:03d}",
                "input": question,
                "output": f"The answer is {capital}. Everybody knows it who has ever looked at a map of the country.",
                "scores": {"acc": 1, "latency": 100 + 3.5 * number},
                "tags": {"lang": language},
                "target": capital,
            }
        )
    return found


def wrong(record: Record, answer: str) -> Record:
    """The record with another answer, scored 0."""
    output = str(record["output"]).replace(str(record["target"]), answer)
    return {**record, "output": output, "scores": {"acc": 0, "latency": 107.25}}


def write(
    place: Path,
    records: Sequence[Record],
    metrics: Mapping[str, MetricDeclaration] = METRICS,
    points: Mapping[str, Sequence[float]] | None = None,
    identity: Identity = Identity(project="qa", suite="capitals", name="quiz"),  # noqa: B008  # frozen
    commit: str = "1" * 40,
) -> Path:
    with RunWriter(
        place, identity=identity, metrics=metrics, slices=["lang"], provenance=Provenance(commit=commit)
    ) as run:
        for record in records:
            run.append(record)
        for name, values in (points or {}).items():
            for step, value in enumerate(values):
                run.log_metric(name, value, step=step)
    return place


def compared(baseline: Path, current: Path, policy: Policy | None = None) -> Comparison:
    """What `gate compare` makes of two run folders, named by their last segment."""
    try:
        before, after = (read_run(FolderSource(place, place.name)) for place in (baseline, current))
        return comparison.compare(before, after, policy or Policy())
    except InvalidDataError as error:
        return composition.invalid(error, policy or Policy())


def policy_of(text: str) -> Policy:
    policy = from_toml(text, "gate.toml")
    assert policy is not None
    return policy


def identical(folder: Path) -> Comparison:
    place = write(folder / "baseline", answers())
    return compared(place, place)


def regressions(folder: Path) -> Comparison:
    before = answers(24)
    after = [wrong(record, "Lyon") if index % 4 == 1 else record for index, record in enumerate(before)]
    after[2] = {**after[2], "output": "Edo, ich meine Tokio"}
    timeout: Record = {"type": "Timeout", "message": "no answer within 30 s"}
    after[6] = {name: after[6][name] for name in ("id", "input", "tags", "target")} | {
        "status": "error",
        "reason": timeout,
    }
    return compared(write(folder / "baseline", before), write(folder / "current", after, commit="2" * 40))


def removed_and_added(folder: Path) -> Comparison:
    before = answers()
    after = [
        *before[:4],
        *before[6:],
        {**before[4], "id": "fr/004-renamed"},
        {**before[5], "id": "ja/005", "repeat": 2},
    ]
    return compared(write(folder / "baseline", before), write(folder / "current", after))


def declaration(folder: Path) -> Comparison:
    changed = {**METRICS, "latency": MetricDeclaration(direction="lower", unit="s")}
    return compared(write(folder / "baseline", answers()), write(folder / "current", answers(), changed))


def inconclusive(folder: Path) -> Comparison:
    other = [{**record, "id": f"other-{record['id']}"} for record in answers(3)]
    policy = policy_of("[metrics.acc]\nmax_drop = 0.05\n[records]\nmax_removed = 99\n")
    return compared(write(folder / "baseline", answers(3)), write(folder / "current", other), policy)


def invalid(folder: Path) -> Comparison:
    current = write(folder / "current", answers())
    records = current / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"acc":1', b'"acc":0', 1))
    return compared(write(folder / "baseline", answers()), current)


def empty_current(folder: Path) -> Comparison:
    return compared(write(folder / "baseline", answers(3)), write(folder / "current", []))


def suite(folder: Path) -> Comparison:
    before, after = answers(6), answers(6)
    after[1] = wrong(after[1], "Lyon")
    loss = {"loss": MetricDeclaration(direction="lower")}
    for side, records, points in (("baseline", before, [0.9, 0.5]), ("current", after, [0.9, 0.50000001])):
        write(folder / side / "qa" / "capitals", records)
        write(folder / side / "qa" / "rivers", before)
        write(folder / side / "train", [], loss, {"loss": points}, Identity(project="qa", suite="train", name="tiny"))
        write(folder / side / f"only-{side}", before)
    broken = write(folder / "current" / "broken", before)
    write(folder / "baseline" / "broken", before)
    (broken / "summary.json").unlink()
    old, new = (FolderSource(folder / side, side) for side in ("baseline", "current"))
    return compare_suites(old, new, Policy(), verified=VerifiedRuns(None), limit=100)


def policy_limits(folder: Path) -> Comparison:
    before = answers()
    after = [wrong(before[0], "Bonn"), *before[1:]]
    policy = policy_of(
        "[metrics.acc]\nmax_drop = 0.05\nmin = 0.95\nlevel = 'warn'\n"
        "[metrics.'lat*']\nmax_relative_drop = 0.001\n[records]\nmax_regressed = 5\n"
    )
    return compared(write(folder / "baseline", before), write(folder / "current", after), policy)


def slices_and_leave(folder: Path) -> Comparison:
    """Slices with limits, more of them than a report lists, a waiver that is used and one that is not, a reference."""
    before: list[Record] = [
        {**record, "tags": {"lang": f"{index % 12:02d}"}} for index, record in enumerate(answers(48))
    ]
    after = [wrong(record, "Bonn") if index in (4, 16, 30) else record for index, record in enumerate(before)]
    leave = "owner = 'ann'\nreason = 'a new model'\nexpires = 2026-08-01\nissue = '#12'\n"
    policy = policy_of(
        "[metrics.acc]\nmax_drop = 0.05\nmin = 0.9\n[metrics.latency]\nmax_drop = 10\n"
        "[[slices]]\ntag = 'lang'\nmetric = 'acc'\nmax_drop = 0.3\nmin_records = 3\n"
        "[[slices]]\nwhere = {lang = 'it'}\nmax_drop = 0\n"
        f"[[waivers]]\nmetric = 'acc'\nceiling = 0.1\n{leave}"
        f"[[waivers]]\nmetric = 'latency'\nceiling = 1\nrecord = 'de/000'\n{leave}"
        "[reference]\npath = 'pinned'\n[reference.metrics.acc]\nmax_drop = 0.2\n"
    )
    places = [write(folder / "baseline", before), write(folder / "current", after)]
    runs = [read_run(FolderSource(place, place.name)) for place in places]
    return comparison.compare(runs[0], runs[1], policy, reference=runs[0], today=date(2026, 7, 1))


HOSTILE = (
    "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "` `` ``` | a | b |\n\n# @everyone ![x](https://example.org/x.png) <details>",
    "::error file=x::y\n  ::stop-commands::t\n##[error]z ##vso[task.complete]",
    "\x00\x1b[31mred\x1b]0;title\x07 \u202egnp.exe\u2066 \u200bx\ufeff \u2028line\u2029 \x85",
    "مرحبا שלום 你好 👩‍👩‍👧 é e\u0301 ﷽ \U000e0041",
)


def hostile(folder: Path) -> Comparison:
    before: list[Record] = []
    after: list[Record] = []
    metrics = {f"{text}#{index}": MetricDeclaration(unit=text) for index, text in enumerate(HOSTILE)}
    for index, text in enumerate(HOSTILE):
        score: JsonValue = {f"{text}#{index}": 0.3}
        record: Record = {"id": text, "input": text, "output": text, "scores": score, "tags": {"lang": text}}
        before.append(record)
        after.append(
            {**record, "output": f"{text}{text}", "metadata": {text: text}, "scores": {f"{text}#{index}": 0.1}}
        )
    identity = Identity(project=HOSTILE[0], suite=HOSTILE[0], name=HOSTILE[0])
    places = [
        write(folder / side, records, metrics, identity=identity)
        for side, records in (("baseline", before), ("current", after))
    ]
    return compared(places[0], places[1])


def one_record(folder: Path) -> Comparison:
    before = answers(1)
    return compared(write(folder / "baseline", before), write(folder / "current", [wrong(before[0], "Bonn")]))


def empty_both(folder: Path) -> Comparison:
    return compared(write(folder / "baseline", []), write(folder / "current", [], commit="2" * 40))


def graded(number: int, worse: float = 0.0) -> Record:
    """An answer with a score between 0 and 1 that no two neighbours share."""
    [record] = answers(1)
    language = LANGUAGES[number % 3][0]
    grade = (number * 37 % 64) / 64
    return {
        **record,
        "id": f"{language}/{number:03d}",
        "scores": {
            "acc": min(1, max(0, grade - worse)),
            "f1": 0.75 + grade / 8 - worse / 16,
            "latency": 100 + 3.5 * number + 64 * worse,
        },
        "tags": {"lang": language},
    }


EVIDENCE = """
[evidence]
alpha = 0.05
[metrics.acc]
max_drop = 0.02
min = 0.3
significance = "required"
[metrics.f1]
max_drop = 0.05
min = 0.5
significance = "required"
[metrics.latency]
max_drop = 2
max = 1000
significance = "required"
[[slices]]
tag = "lang"
metric = "acc"
max_drop = 0.04
significance = "required"
[records]
max_regressed = 99
"""
GRADED = {**METRICS, "f1": MetricDeclaration(direction="higher", range=(0, 1))}


def evidence(folder: Path) -> Comparison:
    """Drops that tests show, one that stays within its limit; intervals about floors, and slices tested together."""
    before = [graded(number) for number in range(48)]
    after = [graded(number, (number * 11 % 16) / 64 - 1 / 32) for number in range(48)]
    places = write(folder / "baseline", before, GRADED), write(folder / "current", after, GRADED)
    return compared(places[0], places[1], policy_of(EVIDENCE))


def too_few(folder: Path) -> Comparison:
    """Pairs that could not have shown the drop that was asked about."""
    before = [graded(number) for number in range(9)]
    after = [graded(number, (number * 5 % 8) / 16 - 7 / 32) for number in range(9)]
    places = write(folder / "baseline", before, GRADED), write(folder / "current", after, GRADED)
    return compared(places[0], places[1], policy_of(EVIDENCE))


def curves(folder: Path) -> Comparison:
    """A training run: no records, curves of which one is longer, one is noisy and one is there on one side only."""
    metrics = {
        "loss": MetricDeclaration(direction="lower", aggregate="min"),
        "eval/acc": MetricDeclaration(direction="higher", range=(0, 1), aggregate="max"),
        "lr": MetricDeclaration(direction="lower"),
        "final": MetricDeclaration(direction="higher"),
    }
    before = {
        "loss": [4 / (step + 1) for step in range(32)],
        "eval/acc": [step / 64 + step % 4 / 16 for step in range(16)],
        "lr": [2.0**-step for step in range(12)],
        "final": [0.75],
    }
    after = {
        "loss": [4.5 / (step + 1) + 0.03125 for step in range(40)],
        "eval/acc": [step / 64 + step % 3 / 16 for step in range(16)],
        "final": [0.8125],
    }
    identity = Identity(project="qa", suite="train", name="tiny", params={"lr": 0.001, "seed": 7})
    places = (
        write(folder / "baseline", [], metrics, before, identity),
        write(folder / "current", [], metrics, after, identity, "2" * 40),
    )
    return compared(
        places[0], places[1], policy_of("[metrics.loss]\nmax_relative_drop = 0.05\n[metrics.'e*']\nmin = 0.2\n")
    )


def many_suites(folder: Path) -> Comparison:
    """Thirty runs, of which some got worse, one could not be read and one is gone."""
    before = answers(3)
    for number in range(30):
        path, after = f"suite-{number % 5}/run-{number:02d}", list(before)
        if number % 7 == 3:
            after[number % 3] = wrong(after[number % 3], "Lyon")
        write(folder / "baseline" / path, before)
        if number != 17:
            write(folder / "current" / path, after, commit="2" * 40)
    (folder / "current" / "suite-1/run-21" / "summary.json").unlink()
    old, new = (FolderSource(folder / side, side) for side in ("baseline", "current"))
    return compare_suites(old, new, Policy(), verified=VerifiedRuns(None), limit=5)


CASES: dict[str, Callable[[Path], Comparison]] = {
    "pass-identical": identical,
    "fail-regressions": regressions,
    "fail-removed-and-added": removed_and_added,
    "fail-policy-limits": policy_limits,
    "fail-empty-current": empty_current,
    "review-declaration": declaration,
    "inconclusive-nothing-in-common": inconclusive,
    "invalid-digest": invalid,
    "suite-of-many-runs": suite,
    "hostile-text": hostile,
    "fail-slices-and-leave": slices_and_leave,
    "fail-one-record": one_record,
    "fail-empty-both": empty_both,
    "fail-evidence": evidence,
    "inconclusive-too-few": too_few,
    "fail-curves": curves,
    "suite-of-thirty-runs": many_suites,
}


@pytest.mark.parametrize("name", CASES)
def test_every_format_of_a_comparison_is_what_it_was(name: str, tmp_path: Path) -> None:
    shown = view.to_json(CASES[name](tmp_path))
    found = rendered(shown)
    if os.environ.get("RUNSTORE_UPDATE_GOLDEN"):
        for file, text in found.items():
            (GOLDEN / name).mkdir(parents=True, exist_ok=True)
            (GOLDEN / name / file).write_bytes(text.encode())
    assert found == {file: (GOLDEN / name / file).read_bytes().decode() for file in found}


def rendered(view: Mapping[str, JsonValue]) -> dict[str, str]:
    """File → report, in every format, and the explanation."""
    texts = {file: reports.load(form).render(view) for form, file in FILES.items()}
    return {**texts, EXPLANATION: reports.load_explanation().render(view)}


def test_every_format_has_its_golden_file() -> None:
    assert list(FILES) == list(reports.FORMATS)


def test_every_golden_folder_has_its_case() -> None:
    assert sorted(place.name for place in GOLDEN.iterdir()) == sorted(CASES)


def saved(name: str) -> dict[str, JsonValue]:
    value: dict[str, JsonValue] = json.loads((GOLDEN / name / "view.json").read_bytes())
    return value


@pytest.mark.parametrize("name", CASES)
def test_a_saved_comparison_renders_to_the_same_bytes(name: str) -> None:
    found = rendered(saved(name))
    assert found == {file: (GOLDEN / name / file).read_bytes().decode() for file in found}


@pytest.mark.parametrize("name", CASES)
def test_a_view_is_what_its_schema_says(name: str) -> None:
    assert list(schema.validate("comparison", saved(name))) == []


@pytest.mark.parametrize("name", CASES)
def test_colour_adds_nothing_but_colour(name: str) -> None:
    for text in (reports.load("text"), reports.load_explanation()):
        colored = text.render(saved(name), color=True)
        assert "\x1b[" in colored
        assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == text.render(saved(name))


@pytest.mark.parametrize("name", [name for name in CASES if name != "hostile-text"])
def test_a_json_report_is_the_view_in_canonical_form(name: str) -> None:
    report = reports.load("json").render(saved(name)).encode()
    assert canonical.decode_document(report) == saved(name)


def test_a_json_report_says_the_same_where_it_must_escape_a_command() -> None:
    assert json.loads(reports.load("json").render(saved("hostile-text"))) == saved("hostile-text")
