"""What `gate init` puts into a repository: which files there are, as path and bytes. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_FILES = resources.files(__package__) / "files"
COMMON: Mapping[str, str] = MappingProxyType(
    {
        "gate.toml": "gate.toml",
        ".gitattributes": "gitattributes",
        ".gitignore": "gitignore",
        "evals/results.jsonl": "results.jsonl",
        "evals/evaluate.sh": "evaluate.sh",
        "baselines/example/manifest.json": "baseline/manifest.json",
        "baselines/example/records.jsonl": "baseline/records.jsonl",
        "baselines/example/summary.json": "baseline/summary.json",
    }
)
"""Path in the repository → the template."""
WORKFLOWS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"github": (".github/workflows/gate.yml", "github.yml"), "gitlab": (".gitlab-ci.yml", "gitlab.yml")}
)
"""CI server → path of its workflow in the repository, and the template."""
EXECUTABLE = frozenset({"evals/evaluate.sh"})
"""The files to be run."""
WHOLE = ("baselines/example",)
"""Folders that are written whole or not at all."""


def files(server: str | None, version: str) -> dict[str, bytes]:
    """Path → content of each file, with the workflow of a CI server, which installs this version of runstore."""
    found = {path: _template(name) for path, name in COMMON.items()}
    if server is not None:
        path, name = WORKFLOWS[server]
        found[path] = _template(name).replace(b"VERSION", version.encode())
    return found


def _template(name: str) -> bytes:
    return _FILES.joinpath(name).read_bytes()


def missing_lines(content: bytes, wanted: bytes) -> list[str]:
    """The lines of a template, without its comments, that a file which was there before does not have."""
    present = {line.strip() for line in content.splitlines()}
    lines = [line.strip() for line in wanted.splitlines() if line.strip() and not line.startswith(b"#")]
    return [line.decode() for line in lines if line not in present]
