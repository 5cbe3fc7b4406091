"""`python -m runstore.cli.hook fmt|validate FILE...`: what pre-commit calls: changed files in, a command on their runs.

pre-commit hands over the files of a commit. Each stands for the run that it lies in: the nearest folder above it with a
manifest and something that a manifest lists. A file that lies in no run is somebody else's `manifest.json`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

_COMMANDS = ("fmt", "validate")
_USAGE = 2
_MANIFEST = "manifest.json"
_BESIDE = ("summary.json", "records.jsonl", "records-*.jsonl", "series.jsonl")


def runs_of(files: Sequence[str]) -> list[Path]:
    """The folders of the runs that the files lie in, each once, in the order of their paths."""
    return sorted({folder for file in files if (folder := _run_of(Path(file))) is not None})


def _run_of(file: Path) -> Path | None:
    return next((folder for folder in file.parents if _is_run(folder)), None)


def _is_run(folder: Path) -> bool:
    return (folder / _MANIFEST).is_file() and any(next(folder.glob(name), None) for name in _BESIDE)


def main(words: Sequence[str]) -> int:
    """Become the command, on the runs; 0 if there are none."""
    if not words or words[0] not in _COMMANDS:
        sys.stderr.write(f"gate: error: a hook is one of {', '.join(_COMMANDS)}\n")
        return _USAGE
    runs = [str(folder.absolute()) if folder == Path() else f"./{folder}" for folder in runs_of(words[1:])]
    if runs:
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-I", "-m", "runstore.cli.main", words[0], "--", *runs])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
