"""Which of the records that differ are accepted: ids and patterns, slices, improvements; nothing named is everything.

Of one kind any may fit (`--only a --only b`); of several kinds each must (`--slice lang=de --improved`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from runstore.change import ChangeClass

_GLOB = frozenset("*?[")
Tags = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What was asked for: ids or patterns of ids, (tag, value) pairs, and whether only improvements are wanted."""

    only: tuple[str, ...] = ()
    slices: tuple[tuple[str, str], ...] = ()
    improved: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether nothing was named: then the whole run is accepted, not its records alone."""
        return not (self.only or self.slices or self.improved)

    def words(self) -> list[str]:
        """The selection as it is recorded and shown, one part each."""
        return [
            *(f"only {pattern}" for pattern in self.only),
            *(f"slice {tag}={value}" for tag, value in self.slices),
            *(["improved"] if self.improved else []),
        ]


class Sieve:
    """Asks of each record whether it is selected, and remembers which parts of the selection have matched any."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._improved = selection.improved
        self._exact = frozenset(selection.only)
        self._patterns = [pattern for pattern in selection.only if _GLOB.intersection(pattern)]
        self._slices = selection.slices
        self.unmatched_only = dict.fromkeys(selection.only)
        """Ids and patterns, in their order, that no record has matched so far."""
        self.unmatched_slices = dict.fromkeys(selection.slices)
        """Slices that no record has matched so far."""

    @property
    def has_unmatched(self) -> bool:
        """Whether a part of the selection has matched nothing so far."""
        return bool(self.unmatched_only or self.unmatched_slices)

    @property
    def asks_for_tags(self) -> bool:
        """Whether the tags of a record matter."""
        return bool(self._slices)

    def takes(self, name: str, tags: tuple[Tags, ...], kind: ChangeClass | None) -> bool:
        """Whether a record is selected; `tags` are those that either run gives it, `kind` its class if it differs."""
        named = self._is_named(name)
        sliced = self._is_in_slice(tags)
        return named and sliced and (kind is ChangeClass.IMPROVED or not self._improved)

    def _is_named(self, name: str) -> bool:
        if not self._exact:
            return True
        found = [name] if name in self._exact else []
        found += [pattern for pattern in self._patterns if fnmatchcase(name, pattern)]
        for pattern in found:
            self.unmatched_only.pop(pattern, None)
        return bool(found)

    def _is_in_slice(self, tags: tuple[Tags, ...]) -> bool:
        found = [(tag, value) for tag, value in self._slices if any(side.get(tag) == value for side in tags)]
        for one in found:
            self.unmatched_slices.pop(one, None)
        return bool(found) or not self._slices
