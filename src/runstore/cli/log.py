"""`gate log [METRIC] [BASELINE]`: the commits of a baseline in, a metric's history out."""

from __future__ import annotations

import sys
from typing import Any

import click

from runstore.cli.past import Past, document, ref_of
from runstore.cli.terminal import columns, wants_color
from runstore.errors import UsageError
from runstore.history import drawing, reading, tables, text
from runstore.history.states import Group
from runstore.history.timeline import History
from runstore.reports.text.paper import paper


class _SliceType(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """`TAG=VALUE`."""

    name = "slice"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Group:
        """Tag and value of a flag's text."""
        tag, equals, found = str(value).partition("=")
        if not tag or not equals:
            self.fail(f"{value!r} is not TAG=VALUE", param, ctx)
        return tag, found


@click.command(name="log")
@click.argument("metric", required=False)
@click.argument("baseline", required=False)
@click.option("--slice", "group", type=_SliceType(), metavar="TAG=VALUE", help="Only records with this tag.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "svg"]), default="table", show_default=True
)
@click.option("--ref", metavar="REF", help="Look at the history of this ref.  [default: HEAD]")
@click.option("-n", "most", type=click.IntRange(1), metavar="N", help="Only the last N commits.")
def command(
    metric: str | None, baseline: str | None, group: Group | None, form: str, ref: str | None, most: int | None
) -> None:
    """Show how METRIC changed with the commits that changed BASELINE, newest first.

    Without METRIC all metrics are shown, a line each. BASELINE is a folder of the repository, or REF:path; it can be
    left out if there is only one. One word alone is a BASELINE if a run stands there, else a METRIC. What was merged
    counts as one change, that of the merge. Nothing is checked out.

    \b
    gate log
    gate log accuracy baselines/qa
    gate log accuracy baselines/qa --slice lang=de --format svg > accuracy.svg
    """
    past = Past(ref_of(baseline if baseline is not None else _place(metric), ref))
    try:
        if baseline is None and metric is not None and _is_baseline(past, metric):
            metric, baseline = None, metric
        found = reading.history(past.baseline(baseline), metric, group, most)
    finally:
        past.close()
    _check(found, metric)
    click.echo(_rendered(found, metric, form), nl=False)


def _place(word: str | None) -> str | None:
    """A word that names a ref and a path, if it does."""
    return word if word is not None and ":" in word else None


def _is_baseline(past: Past, word: str) -> bool:
    return _place(word) is not None or past.holds(word) or not past.runs


def _check(found: History, metric: str | None) -> None:
    """Refuse a metric or a slice that no commit has. Raises UsageError."""
    group = f" for {found.group[0]}={found.group[1]}" if found.group else ""
    among = f" of the last {len(found.rows)}" if found.end == "more" else ""
    if metric is not None and metric not in found.declared:
        hint = "`gate log BASELINE` shows what there is"
        raise UsageError(f"no commit{among} has a value of {metric!r}{group}", hint=hint)
    if found.group and not found.declared:
        raise UsageError(f"no commit{among} has scores{group}", hint="slices are the tags that the manifest declares")


def _rendered(found: History, metric: str | None, form: str) -> str:
    if form == "json":
        return document(tables.to_json(found, metric))
    if form == "csv":
        return tables.to_csv(found)
    if form == "svg":
        return drawing.draw(found)
    sheet = paper(color=wants_color(sys.stdout), width=columns())
    return text.of_all(found, sheet) if metric is None else text.of_metric(found, metric, sheet)
