"""Group C of the table of attacks, as far as it needs no fault injection: that stands in tests/faults."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.attacks.arena import two_runs
from tests.command_line import environment

_BROKEN = """
import sys
from runstore import {module}
def fails(*given, **named):
    raise {error}
{module}.{name} = fails
sys.argv = ["gate", "compare", "baseline", "current"]
from runstore.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("module", "name"),
    [("comparison", "differences"), ("comparison", "judge"), ("view", "to_json"), ("policy", "from_toml")],
)
@pytest.mark.parametrize(
    "error", ["RuntimeError('\\x1b[31m::error::oops')", "AssertionError()", "RecursionError()", "KeyError('x')"]
)
def test_C4_a_bug_of_ours_is_70_with_a_report_and_never_a_verdict(
    tmp_path: Path, module: str, name: str, error: str
) -> None:
    two_runs(tmp_path)
    (tmp_path / "gate.toml").write_text("[metrics.acc]\nmax_drop = 0\n")
    done = subprocess.run(
        [sys.executable, "-c", _BROKEN.format(module=module, name=name, error=error)],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        check=False,
    )
    err = done.stderr.decode()
    assert done.returncode == 70
    assert done.stdout == b""
    assert "this is a bug in runstore" in err
    assert "--- report ---" in err
    assert "\x1b" not in err
    assert not any(line.lstrip().startswith("::") for line in err.splitlines())


@pytest.mark.parametrize("error", ["MemoryError()", "OSError(5, 'Input/output error', 'disk')"])
def test_C2_a_failing_system_is_74_and_never_a_verdict(tmp_path: Path, error: str) -> None:
    two_runs(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _BROKEN.format(module="comparison", name="differences", error=error)],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (74, b"")
    assert b"Traceback" not in done.stderr
