"""The one error boundary: whatever happens in a command becomes an exit code and a message here, and nowhere else.

The codes are those of docs/adr/0003-exit-codes.md. Python's own habit of leaving a traceback with code 1 would let a
bug pass for a verdict; so would click's, of exiting with 1 when a pipe breaks, so its `main` is not used.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

import click

from runstore import __version__
from runstore.errors import InvalidDataError, RunstoreError, StorageError, UsageError
from runstore.reports.text_safety import safe_text

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

USAGE, INVALID, BUG, SYSTEM, INTERRUPTED = 2, 3, 70, 74, 130

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_MESSAGE_CHARACTERS = 500
_PROGRAM = "gate"
_COMPLETION = "_GATE_COMPLETE"  # the variable by which click's completion scripts ask


def run_guarded(command: click.Command) -> int:
    """Run a command line and return its exit code.

    A shell that asks for completions is answered with code 2: nothing was judged, and no variable makes a pass.
    """
    if os.environ.get(_COMPLETION):
        with suppress(SystemExit, KeyError, ValueError):  # the shell's variables may be missing or no numbers
            command.main(prog_name=_PROGRAM, complete_var=_COMPLETION)
        return USAGE
    try:
        _guard_streams()
    except OSError:
        return SYSTEM  # there is no stream to tell it on
    code = _run(command)
    try:
        sys.stdout.flush()
    except StorageError as error:
        return _tell(str(error), SYSTEM)
    return code


class _Standard(io.FileIO):
    """Standard output or error. A reader who has left is no error: what nobody reads is not written.

    Any other failure of standard output is told once, as a StorageError, and the rest is dropped, so that the
    interpreter's own flush at the end does not fail again; there is nobody to tell of a failure of standard error.
    """

    _lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write some bytes and say how many; waits for a pipe that another program has set not to block."""
        try:
            while not self._lost:
                written: int | None = super().write(data)
                if written is not None:
                    return written
                select.select((), (self,), ())
        except OSError as error:
            self._lost = True
            if self.fileno() == _STDOUT and not isinstance(error, BrokenPipeError):
                raise StorageError(f"cannot write to standard output: {error.strerror}") from error
        return memoryview(data).nbytes


def _guard_streams() -> None:
    """Put guarded streams in place of the interpreter's own; those that a test or a caller has put there are theirs."""
    for number in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file would get its number, and what is printed would land there
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _guarded(_STDOUT, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _guarded(_STDERR, sys.stderr)


def _guarded(number: int, stream: TextIO | None) -> TextIO:
    """In UTF-8 whatever the locale, so that a report has the same bytes everywhere; a terminal keeps its encoding."""
    raw = _Standard(number, "wb", closefd=False)
    encoding = stream.encoding if stream is not None and raw.isatty() else "utf-8"
    lines = raw.isatty() or number == _STDERR
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", newline="\n", line_buffering=lines
    )


def _run(command: click.Command) -> int:
    try:
        return _invoked(command)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _tell("interrupted", INTERRUPTED, before="\n" if sys.stderr.isatty() else "")
    except click.ClickException as error:
        return _usage(error)
    except RunstoreError as error:
        return _tell(str(error), code_of(error))
    except (OSError, MemoryError) as error:
        return _tell(_system_message(error), SYSTEM)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # the one place that catches all: a bug is no verdict
        return _bug(error)


def _invoked(command: click.Command) -> int:
    with command.make_context(_PROGRAM, sys.argv[1:]) as context:
        result = command.invoke(context)
    return result if isinstance(result, int) else 0


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
    name = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    advice = "\n  hint: free some space and run again; nothing was half written" if error.errno == errno.ENOSPC else ""
    return f"{name}{error.strerror or error}{advice}"


def _tell(message: str, code: int, before: str = "") -> int:
    sys.stderr.write(f"{safe_text(before)}gate: error: {safe_text(message)}\n")
    return code


def _bug(error: BaseException) -> int:
    """Tell of a bug of ours. The message may quote the user's data, so it stands outside the report to paste."""
    kind = type(error).__name__
    report = "\n".join(_report(error))
    return _tell(
        f"this is a bug in runstore; nothing was judged: {kind}: {str(error)[:_MESSAGE_CHARACTERS]}\n"
        "  hint: report it with the text between the lines, which quotes no data and no folder of yours; if the line "
        f"above holds nothing private, add it\n--- report ---\n{report}\n--- end of report ---",
        BUG,
    )


def _report(error: BaseException) -> Iterator[str]:
    system = os.uname()
    python = ".".join(map(str, sys.version_info[:3]))
    yield f"runstore {__version__}, Python {python}, {system.sysname} {system.machine}"
    link: BaseException | None = error
    while link is not None:
        yield type(link).__name__
        for frame in traceback.extract_tb(link.__traceback__):
            yield f"  {_without_folders(frame.filename)}:{frame.lineno} {frame.name}: {frame.line}"
        for note in getattr(link, "__notes__", ()):
            yield f"  {note}"
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _without_folders(filename: str) -> str:
    """The path of a source file from where it was imported from, which says nothing of the machine."""
    for folder in sorted(sys.path, key=len, reverse=True):
        if folder and filename.startswith(folder + os.sep):
            return filename[len(folder) + 1 :]
    return os.path.basename(filename)  # noqa: PTH119  # it may be no path at all, but "<string>"
