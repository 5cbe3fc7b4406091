"""The table of modes, and the one boundary where an error becomes an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from gate_action import runner
from gate_action.judge import failure
from gate_action.judging import CODES, USAGE
from runstore.errors import InvalidDataError

MODES = {"judge": "judge", "check": "verdict_check", "comment": "publish"}
"""Mode → its module, which has a function of that name. A module is loaded when its mode is asked for."""


def main(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a mode; the exit code of the step."""
    if len(words) != 1 or words[0] not in MODES:
        runner.annotate("error", f"one mode is needed: {', '.join(MODES)}")
        return USAGE
    try:
        code: int = getattr(import_module(f"gate_action.{MODES[words[0]]}"), words[0])(environ)
    except InvalidDataError as error:
        runner.annotate("error", str(error))
        return CODES["INVALID"]
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the boundary
        failed = failure(error)
        runner.annotate("error", failed.message)
        return failed.code
    return code
