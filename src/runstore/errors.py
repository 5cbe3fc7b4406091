"""The exception tree. Each class is one row of the table of exit codes; `cli.boundary` maps class to code.

A message says what is wrong; `where` says the place (`records.jsonl:12 /scores/f1`); `hint` says what to do next.
A failed gate is not an error: it is a verdict, a value.
"""

from __future__ import annotations


class RunstoreError(Exception):
    """Base of every error this package raises on purpose."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{self.message}{advice}"


class UsageError(RunstoreError):
    """What was asked cannot be done as asked: a bad flag, a path or reference that does not exist (exit 2)."""


class PolicyError(UsageError):
    """`gate.toml` is not a policy (exit 2)."""


class RunExistsError(UsageError):
    """A run already stands at the place where one was to be written (exit 2)."""


class InvalidDataError(RunstoreError):
    """Data is not what it claims to be (exit 3)."""


class CanonicalError(InvalidDataError):
    """A value has no canonical form, or bytes are not in canonical form (exit 3)."""


class InvalidRunError(InvalidDataError):
    """A run breaks the law, its schema, its digests or its order (exit 3)."""


class SourceDataError(InvalidDataError):
    """A foreign file holds what an import was not told how to treat (exit 3)."""


class StorageError(RunstoreError):
    """The system failed us: disk full, permission, I/O (exit 74)."""
