"""The one error boundary: whatever happens in a command becomes an exit code and a message here, and nowhere else.

The codes are those of docs/adr/0003-exit-codes.md. Python's own habit of leaving a traceback with code 1 would let a
bug pass for a verdict.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import traceback

import click

from runstore import __version__
from runstore.cli.terminal import safe_text
from runstore.errors import InvalidDataError, RunstoreError, StorageError, UsageError

USAGE, INVALID, BUG, SYSTEM, INTERRUPTED = 2, 3, 70, 74, 130


def run_guarded(command: click.Command) -> int:
    """Run a command line and return its exit code."""
    code = _run(command)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        return _tell(f"cannot write to standard output: {error.strerror}", SYSTEM)
    return code


def _run(command: click.Command) -> int:
    try:
        result = command.main(prog_name="gate", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _tell("interrupted", INTERRUPTED)
    except click.ClickException as error:
        return _usage(error)
    except RunstoreError as error:
        return _tell(str(error), code_of(error))
    except BrokenPipeError:
        _forget_stdout()
        return SYSTEM
    except (OSError, MemoryError) as error:
        return _tell(_system_message(error), SYSTEM)
    except Exception:  # noqa: BLE001  # the one place that catches everything: a bug must not look like a verdict
        return _bug()


def code_of(error: RunstoreError) -> int:
    """The exit code of an error of ours."""
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, InvalidDataError):
        return INVALID
    return SYSTEM if isinstance(error, StorageError) else BUG


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    usage = f"{context.get_usage()}\n" if context is not None else ""
    return _tell(f"{error.format_message()}", USAGE, before=usage)


def _system_message(error: OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    name = f"{error.filename}: " if error.filename else ""
    advice = "\n  hint: free some space and run again; nothing was half written" if error.errno == errno.ENOSPC else ""
    return f"{name}{error.strerror or error}{advice}"


def _tell(message: str, code: int, before: str = "") -> int:
    try:
        sys.stderr.write(f"{safe_text(before)}gate: error: {safe_text(message)}\n")
    except OSError:
        pass  # nobody listens; the code says it
    return code


def _bug() -> int:
    report = "".join(traceback.format_exception(*sys.exc_info()))
    machine = f"runstore {__version__}, Python {platform.python_version()}, {platform.system()}"
    _tell("this is a bug in runstore. Nothing was judged. Please report it with the text below.", BUG)
    try:
        sys.stderr.write(f"--- report ---\n{machine}\n{safe_text(report)}--- end of report ---\n")
    except OSError:
        pass
    return BUG


def _forget_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at the end does not fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
