"""`gate review` in a real pseudo-terminal: what people see, the keys they press, and what then stands on disk."""

from __future__ import annotations

import json
import os
import signal
import termios
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runstore.accepting.refusals import CI_VARIABLES
from runstore.manifest import Provenance
from tests.command_line import gate as process
from tests.factories import Record, files_of, scored, unsynced, write_run
from tests.repositories import Repository, gate
from tests.terminal import Terminal

STEP = "accept this? [y,n,w,o,u,A,d,q,?] "
END = "write this? [y,u,q,?] "
REASON = "for the reviewer: "
REVIEW = ("review", "current", "baseline")
SOON = str((datetime.now(UTC) + timedelta(days=90)).date())
BASELINE = [scored("a", 1, output="within 14 days", tags={"lang": "de"}), scored("b", 1), scored("c", 1)]
CURRENT = [scored("a", 0, output="within 30 days", tags={"lang": "de"}), scored("b", 0.5), scored("c", 0.75)]


def runs(folder: Path, baseline: Sequence[Record] = BASELINE, current: Sequence[Record] = CURRENT) -> Path:
    with unsynced():
        write_run(folder / "baseline", baseline)
        write_run(folder / "current", current)
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return files_of(folder)


def ids(folder: Path, run: str = "baseline") -> dict[str, Any]:
    lines = (folder / run / "records.jsonl").read_bytes().splitlines()
    return {record["id"]: record["scores"]["acc"] for record in map(json.loads, lines)}


def test_one_of_three_is_accepted_and_two_are_skipped(tmp_path: Path) -> None:
    runs(tmp_path)
    with Terminal(tmp_path, *REVIEW) as terminal:
        page = terminal.answer(STEP, "y")
        assert page == (
            "\n1/3 regressed\n  a\n  tags: lang=de\n  acc: 1 -> 0 (-1)\n  /output: within 14 days -> within 30 days\n"
            + STEP
        )
        assert "accepted\n\n2/3 regressed\n  b\n  acc: 1 -> 0.5 (-0.5)\n" in terminal.answer(STEP, "n")
        assert "skipped\n\n3/3 regressed\n  c\n" in terminal.answer(STEP, "s")
        summary = terminal.answer(END, "y")
        assert summary.endswith(
            "skipped\n\naccepted    1 record\n  - a\nwaived      0 records\nskipped     2 records\n" + END
        )
        terminal.answer(REASON, "the law has changed\n")
        assert terminal.end() == 0
        assert terminal.mode == terminal.mode_before
        assert terminal.shown.endswith(
            "the law has changed\n"
            "accepted    baseline: 1 record (1 regressed)\n"
            "left        2 records (2 regressed)\n"
            "made from   no commit that the run names\n"
            "reason      the law has changed\n"
            "gate        now says FAIL of that run: max-regressed\n"
            "review      git diff --stat -- baseline\n"
            "commit      git add -- baseline && git commit\n"
        )
    assert ids(tmp_path) == {"a": 0, "b": 1, "c": 1}
    entry = json.loads((tmp_path / "baseline/manifest.json").read_bytes())["origin"]["accepted"]
    assert [(one["reason"], one["records"], one["selection"]) for one in entry] == [
        ("the law has changed", {"regressed": 1}, ["reviewed one by one: 1 of 3 that differ"])
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline", "current"]


def test_a_waiver_with_an_end_excuses_the_record_from_then_on_and_a_past_day_is_asked_again(tmp_path: Path) -> None:
    runs(tmp_path)
    policy = b"# ours\n[comparability]  # why\nmust_match = ['suite']\n\n# the end, without a line feed"
    (tmp_path / "gate.toml").write_bytes(policy)
    with Terminal(tmp_path, *REVIEW) as terminal:
        terminal.answer(STEP, "w")
        terminal.answer("acc: how much worse may it be? [1] ", "0.5\n")
        assert "0.5 is too low: it got worse by 1\n" in terminal.answer("[1] ", "\n")
        terminal.answer("(a single dot: no waiver) ", "the expected answer is out of date\n")
        terminal.answer("who answers for it? ", "ann\n")
        terminal.answer("issue, or - for none? ", "#12\n")
        terminal.answer("YYYY-MM-DD? ", "2020-01-31\n")
        assert "2020-01-31 is not in the future; today is 2" in terminal.answer("YYYY-MM-DD? ", f"{SOON}\n")
        assert "waived\n\n2/3 regressed" in terminal.answer(STEP, "w")
        for question, line in (("[0.5] ", ""), ("no waiver) ", "flaky"), ("[ann] ", ""), ("[#12] ", "-"), ("] ", "")):
            terminal.answer(question, f"{line}\n")
        terminal.answer(STEP, "y")
        terminal.answer(END, "y")
        terminal.answer(REASON, "agreed\n")
        assert terminal.end() == 0
        assert "gate        now says PASS of that run\nwaived      gate.toml: 2 waivers more\n" in terminal.shown
        assert terminal.shown.endswith("commit      git add -- baseline gate.toml && git commit\n")
    assert (tmp_path / "gate.toml").read_bytes() == policy + (
        f'\n\n[[waivers]]\nmetric = "acc"\nrecord = "a"\nceiling = 1\nowner = "ann"\n'
        f'reason = "the expected answer is out of date"\nissue = "#12"\nexpires = {SOON}\n'
        f'\n[[waivers]]\nmetric = "acc"\nrecord = "b"\nceiling = 0.5\nowner = "ann"\n'
        f'reason = "flaky"\nexpires = {SOON}\n'
    ).encode()
    assert ids(tmp_path) == {"a": 1, "b": 1, "c": 0.75}
    compared = gate(tmp_path, "compare", "baseline", "current")
    assert compared.code == 0
    assert f"waived up to 1 until {SOON} by ann: the expected answer is out of date (#12)" in compared.text


def test_one_goes_back_and_chooses_again(tmp_path: Path) -> None:
    runs(tmp_path)
    with Terminal(tmp_path, *REVIEW, "--reason", "why") as terminal:
        assert "there is nothing to undo: this is the first\n" in terminal.answer(STEP, "u") + terminal.answer(
            STEP, "y"
        )
        terminal.answer(STEP, "A")
        assert "accepted    3 records\n  - a\n  - b\n  - c\n" in terminal.answer(END, "u")
        assert "undone: 2 choices\n\n2/3 regressed\n  b\n" in terminal.answer(STEP, "u")
        assert "undone\n\n1/3 regressed\n  a\n" in terminal.answer(STEP, "n")
        terminal.answer(STEP, "n")
        terminal.answer(STEP, "y")
        assert "accepted    1 record\n  - c\n" in terminal.answer(END, "y")
        assert terminal.end() == 0
    assert ids(tmp_path) == {"a": 1, "b": 1, "c": 0.75}


def left_by_quitting(terminal: Terminal) -> int:
    terminal.answer(STEP, "q")
    terminal.answer("throw away 1 choice? [y,n] ", "n")
    terminal.answer(STEP, "q")
    terminal.answer("throw away 1 choice? [y,n] ", "y")
    return 130


def left_at_the_end(terminal: Terminal) -> int:
    terminal.answer(STEP, "d")
    terminal.answer(END, "q")
    terminal.answer("throw away 1 choice? [y,n] ", "y")
    return 130


def interrupted(terminal: Terminal) -> int:
    terminal.answer(STEP, "\x03")
    return 130


def interrupted_in_a_line(terminal: Terminal) -> int:
    terminal.answer(STEP, "w")
    terminal.answer("[0.5] ", "0.5\x03")
    return 130


def ended(terminal: Terminal) -> int:
    terminal.answer(STEP, "\x04")
    return 130


def ended_at_the_reason(terminal: Terminal) -> int:
    terminal.answer(STEP, "d")
    terminal.answer(END, "y")
    terminal.answer(REASON, "\x04")
    return 130


def terminated(terminal: Terminal) -> int:
    terminal.see(STEP)
    os.kill(terminal.process.pid, signal.SIGTERM)
    return 130


@pytest.mark.parametrize(
    "leave",
    [
        left_by_quitting,
        interrupted,
        ended,
        *(
            pytest.param(leave, marks=pytest.mark.slow)
            for leave in (left_at_the_end, interrupted_in_a_line, ended_at_the_reason, terminated)
        ),
    ],
    ids=lambda leave: str(leave.__name__),
)
def test_leaving_writes_nothing_and_leaves_the_terminal_as_it_was(
    tmp_path: Path, leave: Callable[[Terminal], int]
) -> None:
    before = everything(runs(tmp_path))
    with Terminal(tmp_path, *REVIEW) as terminal:
        terminal.answer(STEP, "y")
        assert leave(terminal) == terminal.end()
        assert terminal.shown.endswith("\nnothing was written\n")
        assert terminal.mode == terminal.mode_before
        assert terminal.mode[3] & termios.ECHO
    assert everything(tmp_path) == before


def test_a_new_size_of_the_window_is_taken_up_at_once_and_forty_columns_are_enough(tmp_path: Path) -> None:
    long = " ".join(f"word{number}" for number in range(40))
    runs(tmp_path, [scored("a", 1, output=long)], [scored("a", 0, output=long.replace("word20", "other"))])
    with Terminal(tmp_path, *REVIEW, env={"TERM": "dumb"}) as terminal:
        wide = terminal.see(STEP)
        assert max(map(len, wide.splitlines())) > 60
        terminal.resize(40, 10)
        narrow = terminal.see(STEP)
        assert "1/1 regressed\n  a\n  acc: 1 -> 0 (-1)\n" in narrow
        terminal.answer("", "?")
        narrow += terminal.answer(STEP, "o")
        narrow += terminal.answer("8/24 lines; q: back, else more ", " ")
        narrow += terminal.answer("else more ", "q")
        narrow += terminal.answer(STEP, "d")
        assert "\n-   word0 word1 word2 word3 word4 word5\n- word6 word7" in narrow
        assert max(map(len, narrow.splitlines())) <= 40
        assert terminal.end() == 0


HOSTILE = "x\x1b[2J\x1b]0;owned\x07\r\naccepted\u202eevil\u2066\x9b31m\x00"


@pytest.mark.parametrize("tool", [(), pytest.param(("--tool", "cat"), marks=pytest.mark.slow)], ids=["page", "tool"])
def test_hostile_texts_never_reach_the_screen_as_they_are(tmp_path: Path, tool: tuple[str, ...]) -> None:
    record = scored(HOSTILE, 1, output=HOSTILE, input=HOSTILE, tags={HOSTILE: HOSTILE})
    changed = {**record, "scores": {"acc": 0}, "output": f"{HOSTILE}!", "metadata": {HOSTILE: HOSTILE}}
    runs(tmp_path, [record, scored("b", 1)], [changed, scored("b", 0, output=HOSTILE)])
    with Terminal(tmp_path, *REVIEW, *tool) as terminal:
        terminal.answer(STEP, "o")
        terminal.answer(STEP, "w")
        for question, line in (("[1] ", ""), ("no waiver) ", "why"), ("answers for it? ", "ann"), ("none? ", "")):
            terminal.answer(question, f"{line}\n")
        terminal.answer("YYYY-MM-DD? ", f"{SOON}\n")
        terminal.answer(STEP, "o")
        terminal.answer(STEP, "A")
        terminal.answer(END, "y")
        terminal.answer(REASON, "why\n")
        assert terminal.end() == 0
        raw = set(terminal.shown) & set("\x1b\x07\r\u202e\u2066\x9b\x00")
        assert (raw, r"x\x1b[2J\x1b]0;owned\x07\r\naccepted\u202eevil" in terminal.shown) == (set(), True)
    assert gate(tmp_path, "compare", "baseline", "current").code == 0


def test_an_arrow_key_accepts_nothing(tmp_path: Path) -> None:
    before = everything(runs(tmp_path))
    with Terminal(tmp_path, *REVIEW) as terminal:
        for keys in ("\x1b[A", "\x1bOA", "\x1b[1;5A", "\x1by", "\n", "\x7f", "ä"):
            terminal.answer(STEP, keys)
            terminal.see(": press one of y n w o u A d q ?\n")
        terminal.answer(STEP, "d")
        assert terminal.end() == 0
        assert terminal.shown.endswith("skipped: 3\nnothing was chosen, and nothing was written\n")
    assert everything(tmp_path) == before


def test_two_hundred_changes_are_accepted_with_a_few_keys(tmp_path: Path) -> None:
    old = [scored(f"r{number:03d}", 1) for number in range(200)] + [scored("gone", 1)]
    new = [scored(f"r{number:03d}", 0 if number < 150 else 0.5) for number in range(199)]
    runs(tmp_path, old, [*new, scored("r199", 1, output="x"), scored("z", 1)])
    with Terminal(tmp_path, *REVIEW, "--reason", "a new model") as terminal:
        assert "1/202 regressed\n" in terminal.answer(STEP, "n")
        assert "2/202 regressed\n" in terminal.answer(STEP, "A")
        assert "accepted: 198 regressed\n\n200/202 removed\n  gone\n" in terminal.answer(STEP, "A")
        assert "201/202 added\n  z\n  acc: none -> 1\n" in terminal.answer(STEP, "y")
        assert "202/202 changed\n" in terminal.answer(STEP, "y")
        assert "accepted    201 records\n" in terminal.answer(END, "y")
        assert terminal.end() == 0
        assert "gate        now says FAIL of that run: max-regressed\n" in terminal.shown
    now = ids(tmp_path)
    assert now == {**ids(tmp_path, "current"), "r000": 1}


@pytest.mark.parametrize(
    ("env", "said"),
    [({name: "true"}, f"this is CI ({name} is set)") for name in CI_VARIABLES[:3]] + [({}, "this is no terminal")],
)
def test_without_a_person_at_a_terminal_it_refuses_and_says_what_to_use(
    tmp_path: Path, env: Mapping[str, str], said: str
) -> None:
    before = everything(runs(tmp_path))
    refused = gate(tmp_path, *REVIEW, env=env)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.text
    assert "`gate accept --only ID` accepts records without asking" in refused.text
    assert everything(tmp_path) == before


def test_answers_from_a_pipe_are_no_answers(tmp_path: Path) -> None:
    before = everything(runs(tmp_path))
    assert process(tmp_path, *REVIEW, stdin=b"y\ny\ny\nd\ny\nwhy\n").code == 2
    assert everything(tmp_path) == before


@pytest.mark.slow
def test_in_a_terminal_of_ci_it_refuses_too(tmp_path: Path) -> None:
    with Terminal(runs(tmp_path), *REVIEW, env={"CI": "true"}) as terminal:
        assert terminal.end() == 2
        assert "this is CI" in terminal.shown


def make_stale(repository: Repository) -> str:
    made = repository.commit("first")
    write_run(repository.folder / "current", CURRENT, provenance=Provenance(commit=made))
    repository.write("prompt.txt", "other")
    repository.commit("second")
    return "; since then "


def make_foreign(repository: Repository) -> str:
    write_run(repository.folder / "current", [scored("other")])
    return "the gate cannot compare the two runs"


def make_broken(repository: Repository) -> str:
    write_run(repository.folder / "current", CURRENT)
    repository.write("current/records.jsonl", "{}\n")
    return "records.jsonl"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (make_stale, 4),
        pytest.param(make_foreign, 5, marks=pytest.mark.slow),
        pytest.param(make_broken, 3, marks=pytest.mark.slow),
    ],
)
def test_what_is_not_accepted_is_not_reviewed(tmp_path: Path, make: Callable[[Repository], str], code: int) -> None:
    repository = Repository(tmp_path)
    write_run(tmp_path / "baseline", BASELINE)
    said = make(repository)
    with Terminal(tmp_path, *REVIEW) as terminal:
        assert terminal.end() == code
        assert said in terminal.shown
        assert STEP not in terminal.shown


def changed_policy(folder: Path) -> str:
    (folder / "gate.toml").write_text("[records]\nmax_added = 0\n")
    return "gate.toml was changed meanwhile"


def changed_baseline(folder: Path) -> str:
    assert gate(folder, "accept", "current", "baseline", "--only", "c", "--reason", "somebody else").code == 0
    return "baseline was changed meanwhile"


def changed_current(folder: Path) -> str:
    path = folder / "current/records.jsonl"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.4"))
    return "the file was changed after the run was written"


@pytest.mark.parametrize(
    "change",
    [changed_policy, *(pytest.param(one, marks=pytest.mark.slow) for one in (changed_baseline, changed_current))],
)
def test_what_was_changed_meanwhile_is_not_overwritten_and_the_waiver_is_not_lost(
    tmp_path: Path, change: Callable[[Path], str]
) -> None:
    runs(tmp_path)
    with Terminal(tmp_path, *REVIEW, "--reason", "why") as terminal:
        waive(terminal, "[1] ")
        terminal.answer(STEP, "y")
        terminal.answer(STEP, "n")
        terminal.see(END)
        said = change(tmp_path)
        before = everything(tmp_path)
        terminal.send("y")
        assert terminal.end() in (2, 3)
        assert said in terminal.shown
        assert f"not written to gate.toml:\n\n[[waivers]]\n{block('a')}" in terminal.shown
    assert everything(tmp_path) == before


def waive(terminal: Terminal, question: str) -> None:
    terminal.answer(STEP, "w")
    for asked, line in ((question, ""), ("no waiver) ", "flaky"), ("answers for it? ", "ann"), ("none? ", "")):
        terminal.answer(asked, f"{line}\n")
    terminal.answer("YYYY-MM-DD? ", f"{SOON}\n")


def block(record: str) -> str:
    return f'metric = "acc"\nrecord = "{record}"\nceiling = 1\nowner = "ann"\nreason = "flaky"\nexpires = {SOON}\n'


def test_a_policy_that_takes_no_waiver_at_its_end_is_left_alone_and_the_block_is_printed(tmp_path: Path) -> None:
    runs(tmp_path)
    policy = "waivers = []\n[records]\nmax_removed = 0\n"
    (tmp_path / "gate.toml").write_text(policy)
    with Terminal(tmp_path, *REVIEW, "--reason", "why") as terminal:
        waive(terminal, "[1] ")
        terminal.answer(STEP, "y")
        terminal.answer(STEP, "n")
        terminal.answer(END, "y")
        assert terminal.end() == 2
        assert f"not written to gate.toml:\n\n[[waivers]]\n{block('a')}" in terminal.shown
        assert "the waivers cannot be put at the end of gate.toml" in terminal.shown
    assert (tmp_path / "gate.toml").read_text() == policy
    assert ids(tmp_path) == {"a": 1, "b": 0.5, "c": 1}


def test_in_a_repository_the_baseline_is_found_and_a_new_policy_stands_at_the_root(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    (tmp_path / "evals").mkdir()
    write_run(tmp_path / "evals/baselines/qa", BASELINE)
    write_run(tmp_path / "evals/current", CURRENT)
    repository.commit()
    with Terminal(tmp_path / "evals", "review", "current") as terminal:
        waive(terminal, "[1] ")
        terminal.answer(STEP, "d")
        terminal.answer(END, "y")
        assert terminal.end() == 0
        assert terminal.shown.endswith(
            "gate        now says FAIL of that run: max-regressed\nwaived      ../gate.toml: 1 waiver more\n"
            "review      git diff --stat -- ../gate.toml\ncommit      git add -- ../gate.toml && git commit\n"
        )
    assert (tmp_path / "gate.toml").read_text() == f"[[waivers]]\n{block('a')}"
    assert repository.git("status", "--porcelain") == "?? gate.toml"


def test_the_runs_of_a_suite_are_walked_through_together(tmp_path: Path) -> None:
    for name, score in (("en", 0), ("de", 0.5)):
        write_run(tmp_path / "baseline" / name, [scored("a", 1), scored("b", 1)])
        write_run(tmp_path / "current" / name, [scored("a", score), scored("b", 1, output="x")])
    with Terminal(tmp_path, *REVIEW, "--reason", "why") as terminal:
        assert "1/4 regressed\n  de: a\n" in terminal.answer(STEP, "n")
        assert "2/4 regressed\n  en: a\n" in terminal.answer(STEP, "y")
        assert "3/4 changed\n  de: b\n" in terminal.answer(STEP, "y")
        assert "4/4 changed\n  en: b\n" in terminal.answer(STEP, "y")
        terminal.answer(END, "y")
        assert terminal.end() == 0
        assert "accepted    baseline/de: 1 record (1 changed)\n" in terminal.shown
        assert "accepted    baseline/en: 2 records (1 regressed, 1 changed)\n" in terminal.shown
    assert gate(tmp_path, "compare", "baseline/en", "current/en").code == 0
    assert gate(tmp_path, "compare", "baseline/de", "current/de").code == 1


@pytest.mark.system
def test_killed_between_the_baseline_and_the_policy_the_gate_is_stricter_and_the_next_review_asks_the_rest(
    tmp_path: Path,
) -> None:
    runs(tmp_path)
    # Two renames are those of the baseline, the second of which becomes an exchange; the third is that of the policy.
    under = ("strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=rename", "-e", "inject=rename:signal=KILL:when=3")
    no_other = {"PYTHONDONTWRITEBYTECODE": "1"}
    with Terminal(tmp_path, *REVIEW, "--reason", "why", under=under, env=no_other) as terminal:
        waive(terminal, "[1] ")
        terminal.answer(STEP, "y")
        terminal.answer(STEP, "y")
        terminal.answer(END, "y")
        assert terminal.end() == -signal.SIGKILL
        assert terminal.mode == terminal.mode_before
    assert ids(tmp_path) == {"a": 1, "b": 0.5, "c": 0.75}
    assert not (tmp_path / "gate.toml").exists()
    assert gate(tmp_path, "compare", "baseline", "current").code == 1
    with Terminal(tmp_path, *REVIEW, "--reason", "why") as terminal:
        assert "\n1/1 regressed\n  a\n" in terminal.see(STEP)
        terminal.send("u")
        waive(terminal, "[1] ")
        terminal.answer(END, "y")
        assert terminal.end() == 0
    assert gate(tmp_path, "compare", "baseline", "current").code == 0


def test_a_process_that_was_stopped_goes_on_where_it_stood(tmp_path: Path) -> None:
    runs(tmp_path)
    with Terminal(tmp_path, *REVIEW) as terminal:
        terminal.answer(STEP, "y")
        terminal.see(STEP)
        os.kill(terminal.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED)
        termios.tcsetattr(terminal.theirs, termios.TCSANOW, terminal.mode_before)  # as a shell does
        os.kill(terminal.process.pid, signal.SIGCONT)
        assert "\n2/3 regressed\n  b\n" in terminal.answer(STEP, "d")
        assert "accepted    1 record\n" in terminal.answer(END, "q")
        terminal.answer("[y,n] ", "y")
        assert terminal.end() == 130
        assert terminal.mode == terminal.mode_before


def test_a_tool_is_given_two_files_and_nothing_of_the_data_in_its_command(tmp_path: Path) -> None:
    name = "$(touch owned); `touch owned` ../../owned"
    runs(tmp_path, [scored(name, 1, output="old")], [scored(name, 0, output="new")])
    tool = tmp_path / "my tool"
    tool.write_text('#!/bin/sh\nfor word; do echo "<${word##*/}>"; done; cat "$2" "$3"; exit 1\n')
    tool.chmod(0o755)
    with Terminal(tmp_path, *REVIEW, env={"GATE_DIFF": f"'{tool}' --wait"}) as terminal:
        terminal.answer(STEP, "o")
        opened = terminal.answer(STEP, "d")
        assert opened.startswith("\n<--wait>\n<baseline.txt>\n<current.txt>\nid:\n  $(touch owned); `touch")
        assert "output:\n  old\n" in opened
        assert "output:\n  new\n" in opened
        assert terminal.end() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline", "current", "my tool"]


@pytest.mark.slow
def test_a_pager_pages_and_one_that_is_not_there_is_said(tmp_path: Path) -> None:
    runs(tmp_path)
    with Terminal(tmp_path, *REVIEW, env={"PAGER": "sed -e s/^/paged:/"}) as terminal:
        terminal.answer(STEP, "o")
        assert "paged:id: " in terminal.answer(STEP, "q")
        assert terminal.end() == 130
    with Terminal(tmp_path, *REVIEW, env={"PAGER": "no-such-pager -x"}) as terminal:
        terminal.answer(STEP, "o")
        assert "cannot run 'no-such-pager': No such file" in terminal.answer(STEP, "q")
        assert terminal.end() == 130
    with Terminal(tmp_path, *REVIEW, "--tool", "'half") as terminal:
        assert terminal.end() == 2
        assert "--tool or GATE_DIFF is no command: No closing quotation" in terminal.shown


@pytest.mark.slow
def test_only_what_is_asked_for_is_walked_through(tmp_path: Path) -> None:
    runs(tmp_path)
    with Terminal(tmp_path, *REVIEW, "--only", "[bc]", "--reason", "why") as terminal:
        assert "1/2 regressed\n  b\n" in terminal.answer(STEP, "A")
        terminal.answer(END, "y")
        assert terminal.end() == 0
    assert ids(tmp_path) == {"a": 1, "b": 0.5, "c": 0.75}
    with Terminal(tmp_path, *REVIEW, "--only", "nothing") as terminal:
        assert terminal.end() == 2
    with Terminal(tmp_path, *REVIEW, "--only", "b") as terminal:
        assert terminal.end() == 0
        assert terminal.shown == "nothing to review: no record differs that was asked for\n"


def test_when_the_terminal_goes_away_nothing_is_written(tmp_path: Path) -> None:
    before = everything(runs(tmp_path))
    with Terminal(tmp_path, *REVIEW) as terminal:
        terminal.answer(STEP, "y")
        terminal.see(STEP)
        terminal.hang_up()
        assert terminal.process.wait(60) in (74, 130)
    assert everything(tmp_path) == before
