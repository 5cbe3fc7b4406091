"""The plan of a TensorBoard run: what will stand in its event file and beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runstore.canonical import JsonValue
from runstore.exporters.contract import Plan

Bucket = tuple[float, float, float]
"""Left edge, right edge, count. The last bucket holds its right edge, too."""
Param = str | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorboardPlan(Plan):
    """A plan for TensorBoard. `points` are its scalars, named by their tags."""

    folder: str
    """Of the run, below the target; `/` between its two parts."""
    live: str = ""
    """The folder below the target in which a live mirror showed this run, if one did."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Tag → Markdown."""
    histograms: Mapping[str, Sequence[Bucket]] = field(default_factory=dict)
    """Tag → its buckets, from left to right."""
    hyperparameters: Mapping[str, Param] = field(default_factory=dict)
    redact: Sequence[str] = ()
    """Globs of fields that are left out of the records beside the event file."""

    @property
    def file(self) -> str:
        """The name of the event file: one for each key, with no clock and no host in it."""
        return f"events.out.tfevents.0.runstore-{self.key}"

    @property
    def link_file(self) -> str | None:
        """The name of the event file that names the run before, if there is one.

        It is a file of its own: the event file has the same bytes whatever is known of runs before.
        """
        return None if self.previous is None else f"events.out.tfevents.1.runstore-{self.key}-after-{self.previous}"

    def counts(self) -> dict[str, int]:
        """How many of each kind are sent."""
        return {**Plan.counts(self), "texts": len(self.texts), "histograms": len(self.histograms)}

    def more(self) -> dict[str, JsonValue]:
        """Texts, histograms (tag → buckets), hyperparameters with their types, and the files and their folder."""
        files: list[JsonValue] = [self.file, *([self.link_file] if self.link_file else [])]
        histograms: dict[str, JsonValue] = {
            tag: [list(bucket) for bucket in buckets] for tag, buckets in self.histograms.items()
        }
        return {
            "folder": self.folder,
            "events": files,
            "hyperparameters": dict(self.hyperparameters),
            "texts": dict(self.texts),
            "histograms": histograms,
        }
