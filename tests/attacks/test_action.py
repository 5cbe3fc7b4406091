"""Row T23 of the table of attacks: a verdict lost on its way, and the artifact of a fork that lies about one."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gate_action import artifact
from runstore.canonical import encode_document
from runstore.errors import InvalidDataError
from tests.conftest import ROOT
from tests.factories import scored, unsynced, write_run
from tests.fake_runner import REPOSITORY, Runner, Step, commands, document
from tests.github_server import Server, serving
from tests.repositories import Repository, gate

HEAD, OTHER = "a" * 40, "b" * 40
FORK = "mallory/evals"
BASELINE = "baselines/qa"


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A comparison that passes and one that fails, as the gate wrote them; texts of the failing one are hostile."""
    folder = tmp_path_factory.mktemp("comparisons")
    evil = "</code><img src=x onerror=alert(1)> @octocat ![x](http://evil) ```\n::error::x"
    with unsynced():
        write_run(folder / "good", [scored("r0", 1), scored("r1", 1)])
        write_run(folder / "weak", [scored("r0", 0, output=evil), scored("r1", 1)])
    found = {}
    for name, current in (("PASS", "good"), ("FAIL", "weak")):
        gate(folder, "compare", "good", current, "--format", f"json:{name}.json")
        found[name] = (folder / f"{name}.json").read_bytes()
    return found


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def verdict(name: str | None, comparison: bytes | None, **more: Any) -> bytes:
    codes = {"PASS": 0, "FAIL": 1, "INVALID": 3, "REVIEW": 4, "INCONCLUSIVE": 5, None: 2}
    listed = {} if comparison is None else {"comparison.json": hashlib.sha256(comparison).hexdigest()}
    return encode_document(
        {
            "against": OTHER,
            "baseline": BASELINE,
            "counts": None,
            "exit_code": codes[name],
            "format": 1,
            "head": HEAD,
            "message": "",
            "reports": listed,
            "run": {"attempt": 1, "id": 7},
            "verdict": name,
            **more,
        }
    )


def zipped(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # a name that stands twice is what is asked for
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def told(name: str, comparisons: dict[str, bytes], **more: Any) -> bytes:
    """The artifact of an honest gate, but for what is said otherwise."""
    comparison = comparisons[name]
    return zipped(("verdict.json", verdict(name, comparison, **more)), ("comparison.json", comparison))


def pull(head: str = HEAD, number: int = 5, source: str = FORK) -> dict[str, Any]:
    return {
        "number": number,
        "head": {"sha": head, "ref": "evil", "repo": {"full_name": source}},
        "base": {"sha": OTHER, "repo": {"full_name": REPOSITORY}},
    }


def commented(tmp_path: Path, server: Server, data: bytes, conclusion: str = "failure", **more: Any) -> Step:
    """What the second workflow does with an artifact."""
    run = {
        "id": 7,
        "run_attempt": 1,
        "head_sha": HEAD,
        "event": "pull_request",
        "conclusion": conclusion,
        "name": "gate",
        "head_branch": "evil",
        "head_repository": {"full_name": FORK},
        "pull_requests": [],
        **more.pop("run", {}),
    }
    server.answers |= {
        f"/repos/{REPOSITORY}/actions/runs/7": run,
        f"/repos/{REPOSITORY}/actions/runs/7/artifacts": {"artifacts": [{"id": 9, "name": "gate-report"}]},
        f"/repos/{REPOSITORY}/pulls": more.pop("pulls", [pull()]),
    }
    server.files[f"/repos/{REPOSITORY}/actions/artifacts/9/zip"] = data
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    runner = Runner(tmp_path, work, server.url)
    runner.event("workflow_run", {"workflow_run": {**run, **more.pop("event", {})}}, OTHER)
    step = runner.run("comment", baseline=BASELINE, **more)
    assert list(work.iterdir()) == []
    return step


def test_T23_a_report_of_a_fork_is_rendered_anew_and_bound_to_its_commit(
    tmp_path: Path, server: Server, comparisons: dict[str, bytes]
) -> None:
    step = commented(tmp_path, server, told("FAIL", comparisons))
    assert (step.code, step.outputs["comment"]) == (0, "commented"), step.log
    body = server.bodies()[0]
    assert f"Commit `{HEAD[:12]}`: the run that judged it ended with **failure**" in body
    assert "FAIL" in body
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", body, flags=re.DOTALL)
    assert [word for word in ("<img", "@octocat", "](http://evil") if word in outside] == []
    assert commented(tmp_path, server, told("PASS", comparisons), "success").outputs["comment"] == (
        "the comment is up to date"
    )
    assert "PASS" in server.bodies()[0]
    tokens = {path: token for _, path, token in server.requests if path.startswith("/files/")}
    assert set(tokens.values()) == {""}


@pytest.mark.parametrize(
    ("more", "conclusion"),
    [
        ({}, "failure"),
        ({}, "cancelled"),
        ({"head": OTHER}, "success"),
        ({"run": {"attempt": 1, "id": 8}}, "success"),
        ({"run": {"attempt": 2, "id": 7}}, "success"),
        ({"baseline": "baselines/other"}, "success"),
    ],
)
def test_T23_an_artifact_cannot_claim_a_pass_that_the_server_does_not_confirm(
    tmp_path: Path, server: Server, comparisons: dict[str, bytes], more: dict[str, Any], conclusion: str
) -> None:
    step = commented(tmp_path, server, told("PASS", comparisons, **more), conclusion)
    assert step.code == 0
    body = server.bodies()[0]
    assert "The report of the run is not shown" in body
    assert "✅" not in body
    assert f"**{conclusion}**" in body


def test_T23_an_exit_code_that_was_swallowed_is_told(
    tmp_path: Path, server: Server, comparisons: dict[str, bytes]
) -> None:
    commented(tmp_path, server, told("FAIL", comparisons), "success")
    assert "a pipe needs `set -o pipefail`" in server.bodies()[0]


def forged(name: str, comparisons: dict[str, bytes]) -> bytes:
    """A comparison that fails, edited to pass; its digest fits."""
    view = json.loads(comparisons["FAIL"]) | {"verdict": name, "exit_code": 0}
    data = encode_document(view)
    return zipped(("verdict.json", verdict(name, data)), ("comparison.json", data))


def bomb() -> bytes:
    """A zip of some KiB whose member is larger than allowed, and whose directory says it is small."""
    data = zipped(("verdict.json", b" " * (2**20)))
    return data.replace(struct.pack("<I", 2**20), struct.pack("<I", 10))


def sound(comparisons: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """The members that an honest gate leaves of a pass."""
    data = comparisons["PASS"]
    return [("verdict.json", verdict("PASS", data)), ("comparison.json", data)]


HOSTILE: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "no zip": lambda _: b"<html>",
    "empty": lambda _: b"",
    "no verdict": lambda found: zipped(("comparison.json", found["PASS"])),
    "twice": lambda found: zipped(*sound(found), ("verdict.json", verdict("PASS", found["PASS"], counts=None))),
    "a comparison twice": lambda found: zipped(*sound(found), ("comparison.json", found["PASS"])),
    "a digest that differs": lambda found: zipped(
        ("verdict.json", verdict("PASS", found["PASS"], reports={"comparison.json": "0" * 64})), sound(found)[1]
    ),
    "too large": lambda _: zipped(("verdict.json", b" " * (2**17))),
    "bomb": lambda _: bomb(),
    "too many": lambda found: zipped(*sound(found), *((f"{number}", b"") for number in range(200))),
    "slip alone": lambda found: zipped(("../verdict.json", verdict("PASS", None)), ("/etc/x", b""), ("..\\x", b"")),
    "no json": lambda _: zipped(("verdict.json", b"{")),
    "deep": lambda _: zipped(("verdict.json", b"[" * 50_000)),
    "a list": lambda _: zipped(("verdict.json", b"[]")),
    "unknown key": lambda _: zipped(("verdict.json", verdict(None, None, pull_request=1))),
    "another version": lambda _: zipped(("verdict.json", verdict(None, None, format=2))),
    "codes that differ": lambda found: zipped(
        ("verdict.json", verdict("PASS", found["PASS"], exit_code=1)), ("comparison.json", found["PASS"])
    ),
    "two keys": lambda _: zipped(("verdict.json", verdict(None, None).replace(b"{", b'{"format":1,', 1))),
    "another comparison": lambda found: zipped(
        ("verdict.json", verdict("PASS", found["PASS"])), ("comparison.json", found["FAIL"])
    ),
    "a comparison that fails": lambda found: zipped(
        ("verdict.json", verdict("PASS", found["FAIL"])), ("comparison.json", found["FAIL"])
    ),
    "a forged comparison": lambda found: forged("PASS", found),
    "no comparison": lambda _: zipped(("verdict.json", verdict("PASS", None))),
    "long message": lambda _: zipped(("verdict.json", verdict(None, None, message="x" * 5000))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_T23_a_hostile_artifact_is_refused_and_nothing_of_it_is_shown(
    tmp_path: Path, server: Server, comparisons: dict[str, bytes], name: str
) -> None:
    before = set(tmp_path.parent.iterdir())
    step = commented(tmp_path, server, HOSTILE[name](comparisons), "success")
    assert (step.code, step.outputs["comment"]) == (0, "commented"), step.log
    assert "The report of the run is not shown" in server.bodies()[0]
    assert "✅" not in server.bodies()[0]
    assert set(tmp_path.parent.iterdir()) == before


def test_T23_members_that_nobody_asked_for_stay_in_the_zip(
    tmp_path: Path, server: Server, comparisons: dict[str, bytes]
) -> None:
    data = comparisons["FAIL"]
    extra = [(name, b"x") for name in ("../../evil", "/tmp/evil", "report.html", "action.yml", "sub/verdict.json")]
    step = commented(
        tmp_path, server, zipped(("verdict.json", verdict("FAIL", data)), ("comparison.json", data), *extra)
    )
    assert (step.code, "FAIL" in server.bodies()[0]) == (0, True)
    assert [path.name for path in tmp_path.rglob("*") if path.name in ("evil", "action.yml")] == []


def test_T23_what_was_not_judged_is_told_in_code(tmp_path: Path, server: Server) -> None:
    message = "no `x`\n</code>@octocat"
    step = commented(tmp_path, server, zipped(("verdict.json", verdict(None, None, message=message))))
    assert step.code == 0
    assert "```text\nno `x`\n</code>@octocat\n```" in server.bodies()[0]


@pytest.mark.parametrize(
    "more",
    [
        {"pulls": []},
        {"pulls": [pull(head=OTHER)]},
        {"pulls": [pull(), pull(number=6)]},
        {"pulls": [pull(source="eve/evals")]},
        {"run": {"event": "push"}},
        {"run": {"event": "workflow_dispatch"}},
        {"run": {"head_branch": ""}},
        {"run": {"head_repository": None}},
        {"event": {"head_sha": OTHER}},
        {"event": {"run_attempt": 2}},
    ],
)
def test_T23_without_exactly_one_pull_request_at_that_commit_there_is_no_comment(
    tmp_path: Path, server: Server, comparisons: dict[str, bytes], more: dict[str, Any]
) -> None:
    step = commented(tmp_path, server, told("PASS", comparisons), "success", **more)
    assert (step.code, step.outputs["comment"], server.comments) == (0, "skipped", [])


def test_T23_the_second_workflow_comments_on_a_workflow_run_only(tmp_path: Path, server: Server) -> None:
    runner = Runner(tmp_path, tmp_path, server.url)
    runner.event("pull_request_target", {}, HEAD)
    assert (runner.run("comment", baseline=BASELINE).code, server.requests) == (2, [])


def test_T23_a_member_that_says_it_is_small_is_not_read_past_the_limit() -> None:
    with pytest.raises(InvalidDataError):
        artifact.read(bomb())


@pytest.fixture
def red(tmp_path: Path) -> Runner:
    """A job whose run fails the gate."""
    made = Repository(tmp_path / "checkout")
    made.write(".gitignore", "/runs/\n")
    with unsynced():
        write_run(made.folder / "baselines/qa", [scored("r0", 1)])
        commit = made.commit("baseline")
        write_run(made.folder / "runs/qa", [scored("r0", 0)])
    runner = Runner(tmp_path, made.folder)
    runner.event("schedule", {}, commit)
    return runner


def inputs_of(step: str) -> str:
    """The command of a step of the action, as the runner starts it."""
    run: str = next(one["run"] for one in document("action.yml")["runs"]["steps"] if one.get("name") == step)
    return run


def test_T23_a_pipe_that_swallows_the_exit_code_of_the_step_changes_nothing(red: Runner, tmp_path: Path) -> None:
    python = tmp_path / "temp/runstore-venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    wrapper = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    python.unlink()
    python.write_text(wrapper)
    python.chmod(0o755)
    given = {
        "GITHUB_ACTION_PATH": str(ROOT),
        "INPUT_BASELINE": "baselines/qa",
        "INPUT_CURRENT": "runs/qa",
        "INPUT_EXPECT_COMMIT": "off",
    }
    assert red.script(inputs_of("Gate"), **given).code == 1
    assert red.script(inputs_of("Gate") + " | cat", **given).code == 1, "bash of the runner has pipefail"
    step = red.script(f"set +o pipefail; ({inputs_of('Gate')}) | cat", **given)
    assert (step.code, step.outputs["verdict"]) == (0, "FAIL")
    env = {"GITHUB_ACTION_PATH": str(ROOT)}
    assert red.script(inputs_of("Verdict"), INPUT_VERDICT_FILE=step.outputs["verdict-file"], **env).code == 1
    assert red.script(inputs_of("Verdict"), INPUT_VERDICT_FILE="", **env).code == 2
    assert commands(step.log)[0].startswith("::error title=gate%3A FAIL")


def test_T23_the_last_step_believes_no_file_that_is_not_whole(red: Runner) -> None:
    place = Path(red.run(baseline="baselines/qa", current="runs/qa", expect_commit="off").outputs["verdict-file"])
    data = place.read_bytes()
    assert red.run("check", verdict_file=str(place)).code == 1
    for damaged in (data[:-9], b"", data.replace(b'"exit_code": 1', b'"exit_code": 0'), b"{}"):
        place.write_bytes(damaged)
        assert red.run("check", verdict_file=str(place)).code == 3
    place.unlink()
    assert red.run("check", verdict_file=str(place)).code == 2


def test_T23_the_file_is_written_last_and_not_at_all_by_a_step_that_was_killed(red: Runner) -> None:
    step = red.run(baseline="baselines/qa", current="runs/qa", expect_commit="off")
    folder = Path(step.outputs["reports"])
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert newest.name == "verdict.json"
    shutil.rmtree(folder)


def test_T23_every_pipe_of_the_documentation_keeps_the_exit_code() -> None:
    piped = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(?:- run: |\$ |)gate compare [^#`]*[^|]\|[^|]", line) and "pipefail" not in line
    ]
    assert piped == []
