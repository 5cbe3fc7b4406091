"""The drivers in git's settings: lines for `.gitattributes` and settings of a clone, made, found and taken away again.

The settings are small lines of shell. The program is named by the interpreter that it was installed with; where that
is gone, `cat` and `git merge-file` do what git would do without us.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from runstore.errors import UsageError
from runstore.git import process

FILES = ("manifest.json", "records.jsonl", "records-*.jsonl", "series.jsonl", "summary.json")
"""The files of a run that have drivers, as patterns."""
MERGED, CONFLICT, NOT_OURS = 0, 3, 5
"""What the merge driver exits with; anything else means that it did nothing."""
OUTER_SIZE = 7
"""How long marks are where a person will see them."""
ATTRIBUTES_FILE = ".gitattributes"
_MARK = ": gate git install; "
_ATTRIBUTES = "diff=gate merge=gate"
_SPECIAL = re.compile(r"([\\*?\[])")
_PLAIN = re.compile(r"[^\s\"\\]+\Z")
_ASKED = ("diff", "merge")
_OURS = (b"gate", b"unspecified")


def attribute_lines(folder: str) -> list[str]:
    """The lines of `.gitattributes` for the runs below a folder of the repository, seen from its root."""
    place = f"/{_SPECIAL.sub(_escaped, folder)}/**" if folder else "/**"
    return [f"{_quoted(place)} -text", *(f"{_quoted(f'{place}/{name}')} {_ATTRIBUTES}" for name in FILES)]


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[1]}"


def _quoted(pattern: str) -> str:
    if _PLAIN.match(pattern):
        return pattern
    text = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{text}"'


def with_lines(content: bytes, wanted: Sequence[str]) -> bytes:
    """A `.gitattributes` with lines that it lacks at its end; all that is there stays."""
    there = {line.strip() for line in content.split(b"\n")}
    missing = [os.fsencode(line) for line in dict.fromkeys(wanted) if os.fsencode(line) not in there]
    end = b"" if not content or content.endswith(b"\n") else b"\n"
    return content + end + b"".join(line + b"\n" for line in missing) if missing else content


def without_lines(content: bytes) -> bytes:
    """A `.gitattributes` without the lines that name the drivers and nothing else; the rest keeps its bytes."""
    mark = f" {_ATTRIBUTES}".encode()
    return b"".join(line for line in content.splitlines(keepends=True) if not line.strip().endswith(mark))


def settings(interpreter: str) -> dict[str, str]:
    """Setting → value: the drivers as this interpreter would run them."""
    program = f"{shlex.quote(interpreter)} -P -m runstore.cli.main git"
    merge = (
        f"{program.replace('%', '%%')} merge -- %O %A %B %L %P %S %X %Y; "
        f"case $? in {MERGED}) exit 0;; {CONFLICT}) exit 1;; {NOT_OURS}) ;; "
        "*) echo 'gate: merged as plain text; if the tool has moved: gate git install' >&2;; esac; "
        "rm -f %A.gate; git merge-file -q -L ours -L base -L theirs --marker-size=%L %A %O %B; "
        "s=$?; [ $s -le 127 ] || s=1; exit $s"  # it says 255 of a binary file, and git gives up the merge above 128
    )
    return {
        "diff.gate.textconv": f'{_MARK}f() {{ {program} textconv -- "$1" 2>/dev/null || cat -- "$1"; }}; f',
        "diff.gate.xfuncname": "^((record|point|manifest|summary).*)$",
        "merge.gate.driver": f"{_MARK}{merge}",
        "merge.gate.name": "runs of gate, record by record",  # behind it: with a name alone git refuses to merge
    }


def current(names: Sequence[str]) -> dict[str, str]:
    """The settings of this clone that are set, by name."""
    found = {}
    for name in names:
        value = process.run("config", "--local", "--get-all", name, codes=(0, 1))
        if value:
            found[name] = os.fsdecode(value).removesuffix("\n")
    return found


def check_free(there: Mapping[str, str]) -> None:
    """Refuse drivers of the same name that somebody else has set. Raises UsageError."""
    for name in ("diff.gate.textconv", "merge.gate.driver"):
        if name in there and not there[name].startswith(_MARK):
            raise UsageError(
                f"{name} is set to something else in this clone", hint=f"see: git config {name}; unset it, or keep it"
            )


def check_unclaimed(root: Path, folder: str) -> None:
    """Refuse where attributes of the user's name other drivers for runs below a folder. Raises UsageError."""
    paths = [f"{folder}/run/{name}".lstrip("/").replace("*", "0001") for name in FILES]
    asked = os.fsencode("".join(f"{path}\0" for path in paths))
    answers = process.run("-C", str(root), "check-attr", "-z", "--stdin", *_ASKED, stdin=asked).split(b"\0")[:-1]
    for path, name, value in zip(answers[::3], answers[1::3], answers[2::3], strict=True):
        if value not in _OURS:
            raise UsageError(
                f"attributes say {os.fsdecode(name)}={os.fsdecode(value)} for {os.fsdecode(path)}",
                hint="see: git check-attr -a PATH; take that line out, or name other folders",
            )


def write(values: Mapping[str, str]) -> None:
    """Write settings of this clone. Raises GitError."""
    for name, value in values.items():
        process.run("config", "--local", "--replace-all", name, value)


def remove(names: Sequence[str]) -> None:
    """Take settings of this clone away. Raises GitError."""
    for name in reversed(names):
        process.run("config", "--local", "--unset-all", name)
