"""A bug of ours: exit 70, a report to paste that says where it was, and nothing in it that is the user's."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstore import __version__
from runstore.manifest import MetricDeclaration
from runstore.store.writer import RunWriter

if TYPE_CHECKING:
    from tests.faults.conftest import Gate

BUG, SYSTEM = 70, 74
SECRET = "patient 4711"

BROKEN = """
import sys
from runstore import comparison
from runstore.cli.main import main
def broken(*arguments, **options):
    {}
comparison.compare = broken
main()
"""


@pytest.fixture(autouse=True)
def runs(tmp_path: Path) -> None:
    for name in ("baseline", "current"):
        with RunWriter(tmp_path / name, metrics={"f1": MetricDeclaration()}) as run:
            run.append({"id": "q", "scores": {"f1": 1}})


def report_of(stderr: str) -> tuple[str, list[str]]:
    """What is said above the report, and the lines of the report."""
    found = re.fullmatch(r"(.*)--- report ---\n(.*)--- end of report ---\n", stderr, re.DOTALL)
    assert found, stderr
    return found[1], found[2].splitlines()


def test_a_bug_exits_70_with_a_report_to_paste(gate: Gate) -> None:
    done = gate("compare", "baseline", "current", program=("-c", BROKEN.format("1 / 0")))
    assert (done.returncode, done.stdout) == (BUG, "")
    said, report = report_of(done.stderr)
    assert said == (
        "gate: error: this is a bug in runstore; nothing was judged: ZeroDivisionError: division by zero\n"
        "  hint: report it with the text between the lines, which quotes no data and no folder of yours; if the line "
        "above holds nothing private, add it\n"
    )
    machine = f"{platform.system()} {platform.machine()}"
    assert report[:2] == [f"runstore {__version__}, Python {platform.python_version()}, {machine}", "ZeroDivisionError"]
    assert re.fullmatch(r"  runstore/cli/compare\.py:\d+ _compare: return comparison\.compare\(.*", report[-2])
    assert re.fullmatch(r"  <string>:6 broken: .*", report[-1])


@pytest.mark.parametrize(
    ("bug", "kinds"),
    [
        (f"{{}}[{SECRET!r}]", ["KeyError"]),
        (f"assert not {SECRET!r}, {SECRET!r}", ["AssertionError"]),
        (f"raise Exception({SECRET!r} * 1000)", ["Exception"]),
        ("broken()", ["RecursionError"]),
        ("exec(compile('1 / 0', '/private/alice/plan.py', 'exec'))", ["ZeroDivisionError"]),
        (
            f"\n    try: int({SECRET!r})\n    except ValueError as e: raise TypeError({SECRET!r}) from e",
            ["TypeError", "ValueError"],
        ),
        (
            f"\n    try: int({SECRET!r})\n    except ValueError: raise TypeError({SECRET!r})",
            ["TypeError", "ValueError"],
        ),
        (f"\n    try: int({SECRET!r})\n    except ValueError: raise TypeError({SECRET!r}) from None", ["TypeError"]),
    ],
    ids=["key", "assertion", "long", "recursion", "foreign-file", "cause", "context", "no-context"],
)
def test_a_report_names_neither_data_nor_folders(gate: Gate, tmp_path: Path, bug: str, kinds: list[str]) -> None:
    done = gate("compare", tmp_path / "baseline", tmp_path / "current", program=("-c", BROKEN.format(bug)))
    assert (done.returncode, done.stdout) == (BUG, "")
    said, report = report_of(done.stderr)
    text = "\n".join(report)
    assert len(said) < 1000
    assert SECRET not in text
    assert not re.search(r"(^|\s|:)/", text)
    assert tmp_path.name not in text
    assert str(Path.home()) not in text
    assert [line for line in report[1:] if not line.startswith("  ")] == kinds


def test_a_bug_in_the_spread_of_a_message_is_made_safe_for_a_terminal(gate: Gate) -> None:
    bug = r"raise Exception('\x1b]0;title\x07\n::error::forged')"
    done = gate("compare", "baseline", "current", program=("-c", BROKEN.format(bug)))
    assert done.returncode == BUG
    assert "\x1b" not in done.stderr
    assert not re.search(r"^\s*::", done.stderr, re.MULTILINE)


def test_out_of_memory_is_the_system_and_not_a_bug(gate: Gate) -> None:
    done = gate("compare", "baseline", "current", program=("-c", BROKEN.format("raise MemoryError")))
    assert (done.returncode, done.stdout, done.stderr) == (SYSTEM, "", "gate: error: out of memory\n")


@pytest.mark.parametrize("bug", ["raise BrokenPipeError(32, 'Broken pipe')", "raise OSError(5, 'Input/output error')"])
def test_a_failure_of_the_system_deep_inside_is_74_and_never_a_verdict(gate: Gate, bug: str) -> None:
    done = gate("compare", "baseline", "current", program=("-c", BROKEN.format(bug)))
    assert (done.returncode, done.stdout) == (SYSTEM, "")
    assert re.fullmatch(r"gate: error: (Broken pipe|Input/output error)\n", done.stderr)
