"""The paper of a text report: how wide it is, whether it takes colour, and how lines are broken on it."""

from __future__ import annotations

from dataclasses import dataclass

from runstore.reports.text_safety import wrapped

_LEAST = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """What is written on. Everything given to it is safe text."""

    color: bool
    width: int

    def styled(self, text: str, style: str) -> str:
        """The text in a style of ECMA-48 (`31`: red), if there is colour."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.color and style and text else text

    def wrapped(self, text: str, indent: str) -> list[str]:
        """Text on as many lines as it takes; those that go on are indented more."""
        return wrapped(text, self.width, indent, f"{indent}  ")

    def headed(self, head: str, text: str, indent: str, style: str) -> list[str]:
        """`wrapped`, of text that begins with a word in a style."""
        first, *rest = self.wrapped(f"{head}{text}", indent)
        return [first.replace(head, self.styled(head, style), 1), *rest]


def paper(*, color: bool, width: int) -> Paper:
    """Paper of at least 40 columns: on less no table can be read."""
    return Paper(color=color, width=max(width, _LEAST))
