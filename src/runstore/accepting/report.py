"""What an acceptance has done, or would do, in a few lines for the terminal, not yet made safe to print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runstore.accepting.acceptance import Acceptance
from runstore.change import ChangeClass
from runstore.comparison import Comparison
from runstore.findings import Level
from runstore.manifest import Provenance

_SILENT = (Level.WARNING, Level.NOTICE)


def lines(label: str, accepted: Acceptance, reason: str, judged: Comparison | None) -> Iterator[str]:
    """What became of the baseline called `label`.

    `judged` is the comparison of the new baseline with the current run; None if nothing was written.
    """
    if accepted.changes_nothing:
        yield f"unchanged   {label}: it has all of that already"
    else:
        what = "the whole run, " if accepted.is_whole else ""
        yield f"{'accepted' if judged else 'would take':<11} {label}: {what}{_differing(accepted.counts)}"
    if any(accepted.left.values()):
        yield f"left        {_differing(accepted.left)}"
    if accepted.leaves_series:
        yield "left        the series: they come in only with the whole run"
    if not accepted.changes_nothing:
        yield f"made from   {_source(accepted.current.run.manifest.provenance)}"
        yield f"reason      {reason}"
    yield from (f"note        {note}" for note in accepted.notes)
    if judged:
        yield f"gate        {_verdict(judged)}"


def _differing(counts: Mapping[ChangeClass, int]) -> str:
    """How many records differ, by class."""
    total = sum(counts.values())
    if not total:
        return "no record differs"
    parts = ", ".join(f"{counts[kind]:,} {kind.value}" for kind in ChangeClass if counts.get(kind))
    return f"{total:,} record{'' if total == 1 else 's'} ({parts})"


def _source(origin: Provenance) -> str:
    if origin.commit is None:
        return "no commit that the run names"
    return f"commit {origin.commit}{', with changes that were not committed' if origin.dirty else ''}"


def _verdict(judged: Comparison) -> str:
    """The verdict on the current run beside its new baseline."""
    heavy = dict.fromkeys(finding.rule.value for finding in judged.findings if finding.level not in _SILENT)
    because = f": {', '.join(heavy)}" if heavy else ""
    return f"now says {judged.verdict.name} of that run{because}"
