"""The action through the events that start it: real repositories with a bare remote, the real gate, a fake runner."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runstore.manifest import Provenance
from tests.factories import Record, scored, unsynced, write_run
from tests.fake_runner import REPOSITORY, Runner, Step, commands
from tests.github_server import Failure, Server, serving
from tests.repositories import Repository, git

GOOD: list[Record] = [scored("r000", 0.9), scored("r001", 0.8)]
WEAK: list[Record] = [scored("r000", 0.5), scored("r001", 0.8)]
POLICY = "[metrics.acc]\nmax_drop = 0.01\n"
ZERO = "0" * 40
LABEL = "baseline-approved"
RIGHTS = f"/repos/{REPOSITORY}/collaborators/mona/permission"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server with a baseline and a policy on `main`, and `change` checked out at an author's."""
    folder = tmp_path_factory.mktemp("template")
    server = folder / "server" / REPOSITORY
    server.mkdir(parents=True)
    git(server, "init", "-q", "--bare", "--template=")
    author = Repository(folder / "author")
    author.git("remote", "add", "origin", f"file://{server}")
    author.write(".gitignore", "/runs/\n")
    author.write("gate.toml", POLICY)
    with unsynced():
        write_run(author.folder / "baselines/qa", GOOD)
    author.commit("baseline")
    author.git("push", "-q", "origin", "HEAD:main")
    author.git("checkout", "-q", "-b", "change")
    author.write("code.py", "x = 1\n")
    author.commit("change")
    author.git("push", "-q", "origin", "change")
    return folder


@pytest.fixture(scope="module")
def servers() -> Iterator[Server]:
    with serving() as server:
        yield server


@dataclass
class World:
    """An author, a server, and a runner that checks out what was pushed."""

    author: Repository
    folder: Path
    api: Server

    @property
    def main(self) -> str:
        return git(self.folder / "server" / REPOSITORY, "rev-parse", "main")

    @property
    def head(self) -> str:
        return self.author.git("rev-parse", "HEAD")

    def push(self) -> None:
        self.author.git("push", "-q", "-f", "origin", "HEAD:change")

    def runner(self, records: list[Record], *, commit: str = "", depth: int = 1) -> Runner:
        """A runner with the change as actions/checkout leaves it, and the run that its evaluation made."""
        place = self.folder / "checkout"
        shutil.rmtree(place, ignore_errors=True)
        made = Repository(place)
        made.git("remote", "add", "origin", f"file://{self.folder / 'nowhere'}")
        shallow = [f"--depth={depth}"] if depth else []
        wanted = commit or self.head
        made.git("fetch", "-q", "--no-tags", *shallow, f"file://{self.folder / 'server' / REPOSITORY}", wanted)
        made.git("checkout", "-q", "--detach", wanted)
        with unsynced():
            write_run(place / "runs/qa", records, provenance=Provenance(commit=wanted, dirty=False))
        return Runner(self.folder, place, self.api.url)

    def pull_request(self, action: str = "synchronize", *, fork: bool = False, **more: Any) -> dict[str, Any]:
        """The payload of a pull request from `change` to `main`."""
        source = "mallory/evals" if fork else REPOSITORY
        return {
            "action": action,
            "repository": {"full_name": REPOSITORY, "default_branch": "main"},
            "sender": {"login": "mona"},
            **{name: value for name, value in more.items() if name != "labels"},
            "pull_request": {
                "number": 5,
                "base": {"sha": self.main, "ref": "main", "repo": {"full_name": REPOSITORY}},
                "head": {"sha": self.head, "ref": "change", "repo": {"full_name": source}},
                "labels": [{"name": name} for name in more.get("labels", [])],
                "title": "::error::$(touch pwned)",
            },
        }

    def judged(self, records: list[Record], payload: dict[str, Any] | None = None, **inputs: str) -> Step:
        """A run of the event pull_request."""
        runner = self.runner(records)
        runner.event("pull_request", payload or self.pull_request(), self.head)
        return runner.run(baseline="baselines/qa", current="runs/qa", **inputs)


@pytest.fixture
def world(tmp_path: Path, template: Path, servers: Server) -> World:
    shutil.copytree(template / "server", tmp_path / "server")
    author = Repository(shutil.copytree(template / "author", tmp_path / "author"))
    author.git("remote", "set-url", "origin", f"file://{tmp_path / 'server' / REPOSITORY}")
    fresh = Server(url=servers.url)
    for name in ("comments", "answers", "files", "redirects", "failures", "requests", "on_create"):
        getattr(servers, name).clear()
    servers.author, servers.page_size, servers.next_id = fresh.author, fresh.page_size, fresh.next_id
    servers.answers[RIGHTS] = {"permission": "write", "role_name": "maintain"}
    return World(author, tmp_path, servers)


def verdict_file(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(step.outputs["verdict-file"]).read_bytes())
    return found


def test_a_pull_request_is_judged_by_its_base_which_is_fetched(world: World) -> None:
    step = world.judged(GOOD)
    assert (step.code, step.outputs["verdict"], step.outputs["exit-code"]) == (0, "PASS", "0"), step.log
    assert json.loads(step.outputs["counts"])["unchanged"] == 2
    assert Path(step.outputs["report-html"]).read_text().startswith("<!DOCTYPE html>")
    assert "PASS" in step.summary
    found = verdict_file(step)
    assert (found["against"], found["head"], found["run"]) == (world.main, world.head, {"attempt": 1, "id": 7})
    assert set(found["reports"]) == {path.name for path in Path(step.outputs["reports"]).iterdir()} - {"verdict.json"}
    runner = Runner(world.folder, world.folder)
    assert runner.run("check", verdict_file=step.outputs["verdict-file"]).code == 0
    step = world.judged(WEAK)
    assert (step.code, step.outputs["verdict"]) == (1, "FAIL")
    assert runner.run("check", verdict_file=step.outputs["verdict-file"]).code == 1
    assert step.summary.startswith(f"Commit `{world.head[:12]}`, `baselines/qa`, judged by what stands at")
    assert any("max-drop" in line for line in commands(step.log))


@pytest.mark.slow
def test_the_second_gate_of_a_job_has_a_folder_of_its_own(world: World) -> None:
    assert world.judged(GOOD).outputs["reports"] != world.judged(GOOD).outputs["reports"]


@pytest.mark.slow
def test_a_whole_clone_stays_whole(world: World) -> None:
    world.author.git("checkout", "-q", "main")
    world.author.write("other", "x")
    world.author.commit("main moves on")
    world.author.git("push", "-q", "origin", "HEAD:main")
    world.author.git("checkout", "-q", "change")
    runner = world.runner(GOOD, depth=0)
    runner.event("pull_request", world.pull_request(), world.head)
    step = runner.run(baseline="baselines/qa", current="runs/qa")
    assert (step.code, step.outputs["verdict"]) == (0, "PASS"), step.log
    assert git(runner.checkout, "rev-parse", "--is-shallow-repository") == "false"


def edit_baseline(world: World) -> None:
    shutil.rmtree(world.author.folder / "baselines/qa")
    with unsynced():
        write_run(world.author.folder / "baselines/qa", WEAK)
    world.author.commit("lower the bar")
    world.push()


def accepted(world: World, payload: dict[str, Any], **inputs: str) -> Step:
    """The run that CI makes is what the change claims to be its baseline."""
    return world.judged(WEAK, payload, claims_approved_label=LABEL, expect_commit="off", **inputs)


def test_a_lowered_baseline_is_review_until_a_maintainer_sets_the_label(world: World) -> None:
    edit_baseline(world)
    step = accepted(world, world.pull_request())
    assert (step.code, step.outputs["verdict"]) == (1, "FAIL")
    assert "claims" in step.summary
    assert "does not bear" in step.log
    step = accepted(world, world.pull_request("labeled", labels=[LABEL], label={"name": LABEL}))
    assert "approves what the change edits" in step.log, step.log
    assert (step.code, step.outputs["verdict"]) == (0, "PASS")
    step = accepted(world, world.pull_request("synchronize", labels=[LABEL]))
    assert "was set before this commit was pushed" in step.log


@pytest.mark.slow
def test_a_label_counts_by_who_set_it_and_not_if_the_server_does_not_tell(world: World) -> None:
    payload = world.pull_request("labeled", labels=[LABEL], label={"name": LABEL})
    world.api.answers[RIGHTS] = {"permission": "write", "role_name": "triage"}
    assert "mona set the label and is no maintainer" in accepted(world, payload).log
    del world.api.answers[RIGHTS]
    assert "did not tell" in accepted(world, payload).log
    other = world.pull_request("labeled", labels=["bug"], label={"name": "bug"})
    assert "does not bear" in accepted(world, other).log


@pytest.mark.slow
def test_a_label_approves_the_commit_of_the_event_and_no_other_checkout(world: World) -> None:
    payload = world.pull_request("labeled", labels=[LABEL], label={"name": LABEL})
    before = world.head
    edit_baseline(world)
    runner = world.runner(WEAK)
    runner.event("pull_request", payload, before)
    step = runner.run(baseline="baselines/qa", current="runs/qa", claims_approved_label=LABEL, expect_commit="off")
    assert "another commit is checked out" in step.log
    assert (step.code, step.outputs["verdict"]) == (1, "FAIL")


def timeline(world: World, *events: tuple[str, str], pushed: str, at: str = "") -> None:
    """What the server tells of earlier labels and pushes."""
    world.api.answers[f"/repos/{REPOSITORY}/issues/5/events"] = [
        {"event": kind, "label": {"name": LABEL}, "created_at": moment, "actor": {"login": "mona"}}
        for kind, moment in events
    ]
    world.api.answers[f"/repos/{REPOSITORY}/activity?ref=refs%2Fheads%2Fchange&per_page=1"] = [
        {"after": at or world.head, "timestamp": pushed, "activity_type": "push", "ref": "refs/heads/change"}
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("events", "pushed", "is_approved"),
    [
        ([("labeled", "2026-01-01T10:00:00Z")], "2026-01-01T09:00:00Z", True),
        ([("labeled", "2026-01-01T10:00:00Z")], "2026-01-01T11:00:00Z", False),
        ([("labeled", "2026-01-01T10:00:00Z")], "2026-01-01T10:00:00Z", False),
        ([("labeled", "2026-01-01T10:00:00Z"), ("unlabeled", "2026-01-01T10:30:00Z")], "2026-01-01T09:00:00Z", False),
        (
            [("labeled", "2026-01-01T10:00:00Z"), ("base_ref_changed", "2026-01-01T10:30:00Z")],
            "2026-01-01T09:00:00Z",
            False,
        ),
        ([], "2026-01-01T09:00:00Z", False),
        ([("labeled", "2026-01-01T10:00:00Z")], "yesterday", False),
    ],
)
def test_at_another_event_the_label_counts_only_if_it_is_newer_than_the_last_push(
    world: World, events: list[tuple[str, str]], pushed: str, is_approved: bool
) -> None:
    timeline(world, *events, pushed=pushed)
    step = accepted(world, world.pull_request("reopened", labels=[LABEL]))
    assert ("approves what the change edits" in step.log) is is_approved, step.log


@pytest.mark.slow
def test_a_push_that_went_elsewhere_is_no_evidence(world: World) -> None:
    timeline(world, ("labeled", "2026-01-01T10:00:00Z"), pushed="2026-01-01T09:00:00Z", at=world.main)
    assert "it cannot be told" in accepted(world, world.pull_request("reopened", labels=[LABEL])).log


def test_a_merge_group_is_judged_by_what_it_is_put_on_and_asks_for_the_label_of_its_pull_request(world: World) -> None:
    payload = {
        "action": "checks_requested",
        "merge_group": {
            "base_sha": world.main,
            "head_sha": world.head,
            "head_ref": f"refs/heads/gh-readonly-queue/main/pr-5-{world.main}",
        },
    }
    timeline(world, ("labeled", "2026-01-01T10:00:00Z"), pushed="2026-01-01T09:00:00Z")
    pull = {**world.pull_request(labels=[LABEL])["pull_request"]}
    world.api.answers[f"/repos/{REPOSITORY}/pulls/5"] = pull
    runner = world.runner(GOOD)
    runner.event("merge_group", payload, world.head)
    step = runner.run(baseline="baselines/qa", current="runs/qa", claims_approved_label=LABEL, comment="on")
    assert (step.code, step.outputs["verdict"]) == (0, "PASS")
    assert "approves what the change edits" in step.log, step.log
    assert verdict_file(step)["against"] == world.main
    assert (step.outputs["comment"], world.api.comments) == ("skipped", [])
    payload["merge_group"]["head_ref"] = "refs/heads/pr-5-x"  # type: ignore[index]
    runner.event("merge_group", payload, world.head)
    step = runner.run(baseline="baselines/qa", current="runs/qa", claims_approved_label=LABEL)
    assert "the queue does not name its pull request" in step.log


@pytest.mark.parametrize("before", [ZERO, pytest.param("main", marks=pytest.mark.slow)])
def test_a_push_is_judged_by_what_stood_there_before_and_a_new_branch_by_the_default_branch(
    world: World, before: str
) -> None:
    payload = {"before": world.main if before == "main" else ZERO, "after": world.head}
    repository = {"repository": {"default_branch": "main"}}
    runner = world.runner(WEAK)
    runner.event("push", {**payload, **repository}, world.head, GITHUB_REF="refs/heads/change")
    step = runner.run(baseline="baselines/qa", current="runs/qa")
    assert (step.code, step.outputs["verdict"]) == (1, "FAIL"), step.log
    assert verdict_file(step)["against"] == world.main


@pytest.mark.slow
@pytest.mark.parametrize("name", ["workflow_dispatch", "schedule"])
def test_a_run_by_hand_is_judged_by_the_default_branch_and_a_nightly_one_by_itself(world: World, name: str) -> None:
    runner = world.runner(GOOD)
    payload = {"repository": {"default_branch": "main"}}
    runner.event(name, payload, world.head, GITHUB_REF="refs/heads/change")
    step = runner.run(baseline="baselines/qa", current="runs/qa")
    assert (step.code, step.outputs["verdict"]) == (0, "PASS"), step.log
    assert verdict_file(step)["against"] == (world.main if name == "workflow_dispatch" else world.head)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pull_request_target", "issue_comment", "workflow_run", ""])
def test_another_event_must_say_what_judges(world: World, name: str) -> None:
    runner = world.runner(GOOD)
    runner.event(name, {}, world.head)
    step = runner.run(baseline="baselines/qa", current="runs/qa")
    assert (step.code, step.outputs["verdict"], step.outputs["exit-code"]) == (2, "", "2")
    assert "nothing says what judges" in step.summary
    assert verdict_file(step)["verdict"] is None
    step = runner.run(baseline="baselines/qa", current="runs/qa", against=world.main)
    assert (step.code, step.outputs["verdict"]) == (0, "PASS"), step.log


@pytest.mark.slow
def test_a_base_that_is_gone_is_usage_and_never_the_work_tree(world: World) -> None:
    runner = world.runner(GOOD)
    runner.event("push", {"before": "1" * 40, "after": world.head}, world.head)
    step = runner.run(baseline="baselines/qa", current="runs/qa")
    assert (step.code, step.outputs["verdict"]) == (2, "")
    assert "could not be fetched" in step.summary
    runner.event("push", {"before": world.main, "deleted": True}, world.head)
    assert runner.run(baseline="baselines/qa", current="runs/qa").code == 2


@pytest.mark.slow
def test_the_run_must_be_of_the_commit_that_is_checked_out(world: World) -> None:
    runner = world.runner(GOOD, commit=world.main)
    runner.event("pull_request", world.pull_request(), world.head)
    step = runner.run(baseline="baselines/qa", current="runs/qa")
    assert step.code == 2
    assert "the checkout stands at" in step.summary
    stale = world.runner(GOOD)
    shutil.rmtree(stale.checkout / "runs/qa")
    with unsynced():
        write_run(stale.checkout / "runs/qa", GOOD, provenance=Provenance(commit=world.main, dirty=False))
    stale.event("pull_request", world.pull_request(), world.head)
    step = stale.run(baseline="baselines/qa", current="runs/qa")
    assert (step.code, step.outputs["verdict"]) == (4, "REVIEW")
    step = stale.run(baseline="baselines/qa", current="runs/qa", fail_on="fail")
    assert (step.code, step.outputs["verdict"], step.outputs["exit-code"]) == (0, "REVIEW", "4")
    assert "[!WARNING]" in step.summary


@pytest.mark.slow
def test_a_damaged_run_is_told_everywhere(world: World) -> None:
    runner = world.runner(GOOD)
    (runner.checkout / "runs/qa/summary.json").write_bytes(b"{}")
    runner.event("pull_request", world.pull_request(), world.head)
    step = runner.run(baseline="baselines/qa", current="runs/qa", comment="on")
    assert (step.code, step.outputs["verdict"]) == (3, "INVALID")
    assert "INVALID" in step.summary
    assert "INVALID" in world.api.bodies()[0]


def test_what_could_not_be_judged_is_commented_too(world: World) -> None:
    step = world.judged(GOOD, comment="on", config="no.toml")
    assert (step.code, step.outputs["verdict"]) == (2, "")
    assert "Nothing was judged: exit code 2" in step.summary
    assert "Nothing was judged: exit code 2" in world.api.bodies()[0]


def test_one_comment_is_kept_up_to_date(world: World) -> None:
    assert world.judged(GOOD, comment="on-change").outputs["comment"] == "nothing has changed: no comment"
    assert world.judged(WEAK, comment="on-change").outputs["comment"] == "commented"
    assert "FAIL" in world.api.bodies()[0]
    assert world.judged(GOOD, comment="on-change").outputs["comment"] == "the comment is up to date"
    assert [("PASS" in body, "FAIL" in body) for body in world.api.bodies()] == [(True, False)]
    assert {one[2] for one in world.api.requests} == {"Bearer t0ken"}


def test_a_fork_gets_no_comment_and_its_reports_are_kept(world: World) -> None:
    step = world.judged(WEAK, world.pull_request(fork=True), comment="on")
    assert (step.code, step.outputs["comment"], world.api.requests) == (1, "skipped", [])
    assert Path(step.outputs["verdict-file"]).is_file()


@pytest.mark.parametrize("status", [403, *(pytest.param(one, marks=pytest.mark.slow) for one in (401, 404, 422, 500))])
def test_a_server_that_refuses_changes_no_verdict(world: World, status: int) -> None:
    world.api.failures.extend(Failure(status) for _ in range(9))
    step = world.judged(GOOD, comment="on")
    assert (step.code, step.outputs["verdict"], step.outputs["comment"]) == (0, "PASS", "failed")
    assert any(line.startswith(("::warning", "::notice")) for line in commands(step.log))
    world.api.failures.clear()
    world.api.failures.extend(Failure(status) for _ in range(9))
    assert world.judged(WEAK, comment="on").code == 1


def test_hostile_names_command_nothing(world: World) -> None:
    evil = "%0A::error::x\r::set-output name=verdict::PASS"
    records = [scored("r000", 0.5, output="\n::stop-commands::x\n##[error]y"), scored("r001", 0.8, tags={"a": evil})]
    payload = world.pull_request()
    payload["pull_request"]["head"]["ref"] = "$(touch pwned)`touch pwned`\n::error::owned"
    runner = world.runner(records)
    runner.event("pull_request", payload, world.head, GITHUB_HEAD_REF="$(touch pwned)\n::error::owned")
    step = runner.run(baseline="baselines/qa", current="runs/qa", comment="on")
    assert (step.code, step.outputs["verdict"]) == (1, "FAIL")
    assert [line for line in commands(step.log) if not line.startswith(("::error title=", "::notice title="))] == []
    assert "owned" not in step.log
    assert not list(world.folder.rglob("pwned"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"baseline": ""}, "the input baseline is missing"),
        ({"comment": "yes"}, "the input comment is 'yes'"),
        ({"fail_on": "review"}, "the input fail-on is 'review'"),
        ({"fail_on": "never"}, "the input fail-on is 'never'"),
        ({"working_directory": "nowhere"}, "names no folder"),
        ({"baseline": "a\nb"}, "not one line"),
    ],
)
def test_an_input_that_cannot_be_meant_is_usage(world: World, inputs: dict[str, str], told: str) -> None:
    runner = world.runner(GOOD)
    runner.event("pull_request", world.pull_request(), world.head)
    step = runner.run(**{"baseline": "baselines/qa", "current": "runs/qa", **inputs})
    assert (step.code, step.outputs["exit-code"]) == (2, "2")
    assert told in step.summary


@pytest.mark.slow
def test_a_baseline_of_the_checkout_is_named_as_what_it_is(world: World) -> None:
    step = world.judged(GOOD, against="none")
    assert (step.code, step.outputs["verdict"]) == (0, "PASS")
    assert "the change can edit it" in step.log
