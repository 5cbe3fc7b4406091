"""The action's parts: what the runner is told, what an event says, which code a step ends with; and its files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_action import event, inputs, judging, runner, telling
from gate_action.event import Event
from gate_action.judge import exit_code
from runstore import schema
from runstore.errors import UsageError
from tests.conftest import ROOT
from tests.fake_runner import REPOSITORY, commands, document, outputs

A, B, C = "a" * 40, "b" * 40, "c" * 40
ACTIONS = [("action.yml",), ("action", "comment", "action.yml")]
actions = pytest.mark.parametrize("place", ACTIONS, ids="/".join)
values = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n"), max_size=60)


@given(st.dictionaries(st.sampled_from(["verdict", "counts", "comment"]), values))
def test_the_runner_reads_each_output_as_it_was_meant(
    tmp_path_factory: pytest.TempPathFactory, told: dict[str, str]
) -> None:
    place = tmp_path_factory.mktemp("runner") / "output"
    here = runner.Runner(outputs=place, summary=None)
    place.write_bytes(b"")
    for name, value in told.items():
        here.output(name, value)
    read = re.split("\n", place.read_bytes().decode())
    found, index = {}, 0
    while read[index:] not in ([], [""]):
        name, _, end = read[index].partition("<<")
        stop = read.index(end, index + 1)
        found[name] = "\n".join(read[index + 1 : stop])
        index = stop + 1
    assert found == told


def test_an_output_cannot_be_ended_by_its_value(tmp_path: Path) -> None:
    here = runner.Runner(outputs=tmp_path / "output", summary=None)
    here.output("counts", "x")
    end = (tmp_path / "output").read_text().splitlines()[-1]
    (tmp_path / "output").unlink()
    here.output("counts", f"x\n{end}\nverdict<<y\nPASS\ny")
    here.output("verdict", "FAIL")
    assert outputs((tmp_path / "output").read_text())["verdict"] == "FAIL"


@pytest.mark.parametrize(
    "text", ["::error::x", " \t::set-output name=verdict::PASS", "a\r::error::x", "##[error]x", "a\n::x"]
)
def test_what_is_logged_is_no_command(capsys: pytest.CaptureFixture[str], text: str) -> None:
    runner.say(text)
    assert commands(capsys.readouterr().out) == []
    runner.annotate("warning", text)
    assert len(commands(capsys.readouterr().out)) == 1


def test_the_summary_stays_within_its_limit(tmp_path: Path) -> None:
    place = tmp_path / "summary"
    here = runner.Runner(outputs=None, summary=place)
    here.summarize("x" * (runner.SUMMARY_BYTES - 100))
    here.summarize("y" * 200)
    assert place.stat().st_size <= runner.SUMMARY_BYTES
    assert place.read_text().endswith("too long for the summary: see the artifact.\n")
    here.summarize("z" * 200)
    assert place.stat().st_size <= runner.SUMMARY_BYTES


def read(tmp_path: Path, name: str, payload: object, ref: str = "refs/heads/x") -> Event:
    place = tmp_path / "event.json"
    place.write_text(payload if isinstance(payload, str) else json.dumps(payload))
    return event.read(
        {
            "GITHUB_EVENT_NAME": name,
            "GITHUB_EVENT_PATH": str(place),
            "GITHUB_REF": ref,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SHA": A,
        }
    )


def pull(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "number": 5,
        "base": {"sha": B},
        "head": {"sha": C, "repo": {"full_name": REPOSITORY}},
        **more,
    }
    return {"pull_request": found}


DEFAULT = {"repository": {"default_branch": "main"}}


@pytest.mark.parametrize(
    ("name", "payload", "ref", "base", "head"),
    [
        ("pull_request", pull(), "", B, C),
        ("merge_group", {"merge_group": {"base_sha": B, "head_sha": C}}, "", B, C),
        ("push", {"before": B, **DEFAULT}, "", B, A),
        ("push", {"before": "0" * 40, **DEFAULT}, "refs/heads/x", "refs/heads/main", A),
        ("push", {"before": "0" * 40, **DEFAULT}, "refs/heads/main", A, A),
        ("push", {"before": "0" * 40, **DEFAULT}, "refs/tags/main", "refs/heads/main", A),
        ("workflow_dispatch", DEFAULT, "refs/heads/x", "refs/heads/main", A),
        ("workflow_dispatch", DEFAULT, "refs/heads/main", A, A),
        ("schedule", {}, "refs/heads/main", A, A),
        ("repository_dispatch", {}, "", "", A),
    ],
)
def test_an_event_says_what_judges(
    tmp_path: Path, name: str, payload: dict[str, Any], ref: str, base: str, head: str
) -> None:
    found = read(tmp_path, name, payload, ref)
    assert (found.base or found.base_ref, found.head) == (base, head)


@pytest.mark.parametrize(("source", "is_fork"), [(REPOSITORY, False), ("mallory/evals", True), (None, True)])
def test_a_fork_is_told_by_where_its_branch_is(tmp_path: Path, source: str | None, is_fork: bool) -> None:
    repository = None if source is None else {"full_name": source}
    found = read(tmp_path, "pull_request", pull(head={"sha": C, "repo": repository}))
    assert found.is_fork is is_fork


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("pull_request", "{"),
        ("pull_request", "[" * 100_000),
        ("pull_request", []),
        ("pull_request", pull(number="5")),
        ("pull_request", pull(number=True)),
        ("pull_request", pull(base={"sha": "main"})),
        ("pull_request", pull(base={"sha": "0" * 40})),
        ("pull_request", pull(base={"sha": f"{B}\n"})),
        ("pull_request", pull(head={"sha": "--upload-pack=x"})),
        ("merge_group", {"merge_group": {"base_sha": B}}),
        ("push", {"before": B, "deleted": True}),
        ("push", {"before": ""}),
    ],
)
def test_a_payload_that_does_not_say_it_is_refused(tmp_path: Path, name: str, payload: object) -> None:
    with pytest.raises(UsageError):
        read(tmp_path, name, payload)


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        (f"refs/heads/gh-readonly-queue/main/pr-12-{A}", 12),
        (f"refs/heads/gh-readonly-queue/a/b/pr-12-{A}", 12),
        (f"refs/heads/gh-readonly-queue/main/pr-12-{A}/x", None),
        (f"refs/heads/x/gh-readonly-queue/main/pr-12-{A}", None),
        ("refs/heads/gh-readonly-queue/main/pr-0-" + A, None),
        ("", None),
    ],
)
def test_a_merge_group_is_for_the_pull_request_that_the_server_names(ref: str, number: int | None) -> None:
    found = Event(
        name="merge_group", repository="o/r", head=A, checkouts=(), payload={"merge_group": {"head_ref": ref}}
    )
    assert event.queued_pull_request(found) == number


@pytest.mark.parametrize(
    ("words", "failing"),
    [("", inputs.ALL), ("any", inputs.ALL), ("fail", {"FAIL"}), ("FAIL, review", {"FAIL", "REVIEW"})],
)
def test_which_verdicts_fail_a_step(words: str, failing: set[str]) -> None:
    assert inputs.fail_on({"INPUT_FAIL_ON": words}) == failing


@pytest.mark.parametrize("words", ["none", "review", "PASS FAIL", "fail invalid", "never"])
def test_fail_always_fails_and_what_was_not_judged_cannot_be_left_out(words: str) -> None:
    with pytest.raises(UsageError):
        inputs.fail_on({"INPUT_FAIL_ON": words})


@pytest.mark.parametrize("failing", [frozenset({"FAIL"}), inputs.ALL, frozenset[str]()])
@pytest.mark.parametrize(("verdict", "code"), [*judging.CODES.items(), *((None, code) for code in (2, 3, 70, 74, 130))])
def test_only_review_and_inconclusive_can_be_left_to_people(
    verdict: str | None, code: int, failing: frozenset[str]
) -> None:
    is_left = verdict in ("REVIEW", "INCONCLUSIVE") and verdict not in failing
    assert exit_code(code, verdict, failing) == (0 if is_left else code)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 70, 74, 130, -9, 99])
@pytest.mark.parametrize("said", [None, *judging.CODES])
def test_a_pass_needs_the_exit_code_and_the_report_and_no_doubt_is_one(
    tmp_path: Path, code: int, said: str | None
) -> None:
    if said is not None:
        view = {"verdict": said, "exit_code": judging.CODES[said], "counts": {}, "findings": []}
        (tmp_path / "comparison.json").write_text(json.dumps(view))
    found = judging.read_judged(tmp_path, code, "told")
    assert (found.code == 0) is (code == 0 and said == "PASS")
    assert (found.verdict is None) or found.code == judging.CODES[found.verdict]
    if code == 0 and said not in (None, "PASS"):
        assert found.verdict == said
        assert "lost" in found.warning


def test_a_report_that_contradicts_itself_is_none(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text('{"verdict": "PASS", "exit_code": 1}')
    assert judging.read_judged(tmp_path, 0, "").code == 70


def test_the_counts_of_a_verdict_are_those_of_a_comparison() -> None:
    found: list[Any] = [schema.load(name)["properties"] for name in ("verdict", "comparison")]
    assert found[0]["counts"]["properties"] == found[1]["counts"]["properties"]
    assert found[0]["counts"]["required"] == found[1]["counts"]["required"]


def test_why_nothing_was_judged_stands_in_code() -> None:
    text = telling.nothing_judged(2, "a ``` b\n::error::<img src=x>\n")
    assert text.splitlines()[2:] == ["````text", "a ``` b", "\\x3a:error::<img src=x>", "````"]


@actions
def test_expressions_reach_a_script_by_variables_alone(place: tuple[str, ...]) -> None:
    steps = document(*place)["runs"]["steps"]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
    assert {step["shell"] for step in steps if "run" in step} == {"bash"}


@actions
def test_the_actions_that_are_used_are_those_of_our_workflows_pinned_alike(place: tuple[str, ...]) -> None:
    text = ROOT.joinpath(*place).read_text()
    used = set(re.findall(r"uses: (\S+ # v[0-9.]+)", text))
    assert len(used) == text.count("uses: ")
    known = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    known += (ROOT / "src/runstore/starter/files/github.yml").read_text()
    assert [use for use in used if use not in known] == []


@actions
def test_every_input_is_used_and_every_use_is_an_input(place: tuple[str, ...]) -> None:
    text, action = ROOT.joinpath(*place).read_text(), document(*place)
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(action["inputs"])
    for name, output in action.get("outputs", {}).items():
        assert output["value"].endswith(f".outputs.{name} }}}}")


def test_every_variable_that_the_script_reads_is_set_by_a_step() -> None:
    code = "".join(path.read_text() for path in sorted((ROOT / "action" / "gate_action").glob("*.py")))
    read_there = {f"INPUT_{name}" for name in re.findall(r'given\("([A-Z_]+)"', code)} | set(
        re.findall(r'"(INPUT_[A-Z_]+)"', code)
    )
    steps = [step for place in ACTIONS for step in document(*place)["runs"]["steps"]]
    given_there = {name for step in steps for name in step.get("env", {}) if name.startswith("INPUT_")}
    assert read_there - {"INPUT_"} == given_there


def test_the_step_that_judges_hands_its_exit_code_on() -> None:
    judge = next(step for step in document("action.yml")["runs"]["steps"] if step.get("id") == "judge")
    assert judge["run"].startswith("exec ")
    assert "continue-on-error" not in judge
    last = document("action.yml")["runs"]["steps"][-1]
    assert last["if"] == "${{ !cancelled() && steps.judge.outcome != 'skipped' }}"
