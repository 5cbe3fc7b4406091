"""`gate import SOURCE --output RUN`: parse the mapping and the decisions, import, say what was done."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from runstore import canonical, importers
from runstore.canonical import JsonValue
from runstore.cli.sizes import large_text_option
from runstore.cli.terminal import ProgressLine
from runstore.errors import CanonicalError, UsageError
from runstore.importers.decisions import ERROR, Decisions
from runstore.importers.field_path import FieldPath
from runstore.importers.importing import ImportRequest, import_run
from runstore.importers.mapping import FieldMap, IdSource, ScoreField, json_number
from runstore.importers.misfits import EXPLANATIONS, Kind
from runstore.importers.source_file import SourceFile
from runstore.manifest import DIRECTIONS, Dataset, Identity, MetricDeclaration, Provenance
from runstore.reports.text_safety import safe_text

_DECISION_HELP = {
    Kind.MISSING_SCORE: "A score that is absent, null, NaN or infinite. fail: the record counts as an error.",
    Kind.TEXT_SCORE: "A score that is text. number: read it if it is exactly a JSON number, else it is missing.",
    Kind.UNSAFE_SCORE: "A score that is an integer beyond ±(2^53-1).",
    Kind.OUT_OF_RANGE: "A score outside its --range.",
    Kind.TWIN_IDS: "An id that stands twice or more.",
    Kind.MISSING_ID: "A record without an id.",
    Kind.BAD_LINE: "A line that is not JSON, a CSV row of another width, an element that is no object.",
    Kind.BAD_VALUE: "A mapped field with a value a run cannot carry: it is left out with skip.",
}
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_CONTENTS = {"input": "input_", "output": "output_field", "target": "target"}
"""Field of a record → parameter of the command."""


def _decision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One `--on-...` flag for each kind that can be decided, from the table of kinds."""
    for kind, text in reversed(_DECISION_HELP.items()):
        explanation = EXPLANATIONS[kind]
        choice = click.Choice([ERROR, *explanation.choices])
        command = click.option(explanation.flag, kind.name, type=choice, default=ERROR, show_default=True, help=text)(
            command
        )
    return command


def _several(flag: str, name: str, metavar: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(flag, name, multiple=True, metavar=metavar, help=text)


@click.command(name="import")
@click.argument("source", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    metavar="RUN",
    help="Where to write.",
)
@click.option("--format", "form", type=click.Choice(list(importers.FORMATS)), help="Default: by the ending of SOURCE.")
@click.option("--records", metavar="PATH", help="Where in a JSON document the records stand, as a dotted path.")
@_several("--id", "ids", "FIELD", "Field that is the id; several are joined by /.")
@click.option("--id-from-input", is_flag=True, help="Derive the id from the content of the --input field.")
@_several("--score", "scores", "NAME[=FIELD]", "A score, and the field it stands in.")
@_several("--direction", "directions", "NAME=lower|higher", "Which way the score gets better. Default: higher.")
@_several("--range", "ranges", "NAME=LOW:HIGH", "Lowest and highest score there can be.")
@_several("--unit", "units", "NAME=TEXT", "Unit of a score.")
@_several("--tag", "tags", "NAME[=FIELD]", "A tag, and the field it stands in.")
@_several("--slice", "slices", "NAME", "A tag whose totals stand in the summary.")
@click.option("--input", "input_", metavar="FIELD", help="Field of what was asked.")
@click.option("--output-field", "output_field", metavar="FIELD", help="Field of what came back.")
@click.option("--target", metavar="FIELD", help="Field of what was expected.")
@_several("--metadata", "metadata", "NAME[=FIELD]", "A field to keep as metadata.")
@click.option("--status", metavar="FIELD", help="Field that says ok, error or skipped.")
@click.option("--repeat", metavar="FIELD", help="Field that is the number of the trial, from 1.")
@click.option("--project", default="default", show_default=True, help="Project of the run.")
@click.option("--suite", default="default", show_default=True, help="Suite of the run.")
@click.option("--name", default="run", show_default=True, help="Name of the run.")
@_several("--param", "params", "NAME=VALUE", "A parameter of the run; VALUE is a JSON scalar or else text.")
@_several("--dataset", "datasets", "NAME=DIGEST", "A data set that was asked about.")
@click.option("--commit", metavar="SHA", help="The commit that was evaluated, as a full id: $(git rev-parse HEAD).")
@click.option("--dirty", is_flag=True, help="What was evaluated had edits that are not in that commit.")
@_decision_options
@large_text_option
@click.option("--replace", is_flag=True, help="Replace the run that stands at RUN.")
def command(source: Path, output: Path, form: str | None, records: str | None, replace: bool, **flags: Any) -> None:
    """Make a run from the results in SOURCE: JSON, JSONL or CSV, plain or gzip (.gz).

    A FIELD is a dotted path: metrics.f1, choices.0.text. What does not fit is never guessed at: the import stops,
    lists all of it, and the --on-... flags decide. Booleans are read as 1 and 0, integer ids as text.

    \b
    gate import results.jsonl --id id --score f1=metrics.f1 -o runs/current
    gate import eval_results.json --score resolved -o runs/current      ({id: value} as it stands)
    """
    fields = _fields(flags)
    request = ImportRequest(
        source=SourceFile(source),
        output=output,
        format=form or importers.format_of(source),
        records=records,
        fields=fields,
        decisions=Decisions({kind: flags[kind.name] for kind in _DECISION_HELP if flags[kind.name] != ERROR}),
        identity=_identity(flags),
        metrics=_metrics(flags, fields),
        slices=_slices(flags["slices"], fields.tags),
        replace=replace,
        large_text=flags["large_text"],
        provenance=_provenance(flags["commit"], is_dirty=flags["dirty"]),
    )
    progress = ProgressLine("importing", 0)
    try:
        result = import_run(request, progress)
    finally:
        progress.close()
    for text in result.notes:
        click.echo(safe_text(f"note: {text}"), err=True)
    for text in result.warnings:
        click.echo(safe_text(f"warning: {text}"), err=True)
    click.echo(safe_text(f"imported {result.records:,} records to {output}"))


def _fields(flags: Mapping[str, Any]) -> FieldMap:
    ids = tuple(FieldPath.parse(text) for text in flags["ids"])
    if flags["id_from_input"] and (ids or flags["input_"] is None):
        raise UsageError("--id-from-input needs --input FIELD, and stands in place of --id")
    ranges = {name: _range(text) for name, text in _named("--range", flags["ranges"]).items()}
    scores = _named("--score", flags["scores"], bare=True)
    return FieldMap(
        id_source=IdSource.INPUT if flags["id_from_input"] else IdSource.FIELDS if ids else IdSource.UNSAID,
        ids=ids,
        scores={
            name: ScoreField(FieldPath.parse(field), whole=name in flags["scores"], range=ranges.get(name))
            for name, field in scores.items()
        },
        tags=_paths("--tag", flags["tags"]),
        metadata=_paths("--metadata", flags["metadata"]),
        contents={name: FieldPath.parse(flags[flag]) for name, flag in _CONTENTS.items() if flags[flag] is not None},
        status=_path(flags["status"]),
        repeat=_path(flags["repeat"]),
        text_numbers=flags[Kind.TEXT_SCORE.name] == "number",
    )


def _path(text: str | None) -> FieldPath | None:
    return None if text is None else FieldPath.parse(text)


def _paths(flag: str, texts: Sequence[str]) -> dict[str, FieldPath]:
    return {name: FieldPath.parse(field) for name, field in _named(flag, texts, bare=True).items()}


def _named(flag: str, texts: Sequence[str], *, bare: bool = False) -> dict[str, str]:
    """NAME → what stands after the first `=`; with `bare`, NAME alone means itself."""
    named: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not (equals or bare):
            raise UsageError(f"{flag} {text}: expected NAME=VALUE" if not bare else f"{flag} {text}: the name is empty")
        if name in named:
            raise UsageError(f"{flag} {name} is given twice")
        named[name] = value if equals else name
    return named


def _range(text: str) -> tuple[int | float, int | float]:
    low, _, high = (json_number(part) for part in text.partition(":"))
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise UsageError(f"--range {text}: expected LOW:HIGH, two numbers, the lower first")
    return low, high


def _metrics(flags: Mapping[str, Any], fields: FieldMap) -> dict[str, MetricDeclaration]:
    directions, units = _named("--direction", flags["directions"]), _named("--unit", flags["units"])
    _check_known("--direction", directions, fields.scores, "--score")
    _check_known("--unit", units, fields.scores, "--score")
    _check_known("--range", _named("--range", flags["ranges"]), fields.scores, "--score")
    for name, direction in directions.items():
        if direction not in DIRECTIONS:
            raise UsageError(f"--direction {name}={direction}: expected {' or '.join(DIRECTIONS)}")
    return {
        name: MetricDeclaration(
            direction="lower" if directions.get(name) == "lower" else "higher", unit=units.get(name), range=score.range
        )
        for name, score in fields.scores.items()
    }


def _slices(names: Sequence[str], tags: Mapping[str, FieldPath]) -> tuple[str, ...]:
    _check_known("--slice", names, tags, "--tag")
    return tuple(names)


def _check_known(flag: str, names: Iterable[str], known: Iterable[str], home: str) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{flag} {name}: no {home} has that name", hint=f"known: {', '.join(known) or 'none'}")


def _identity(flags: Mapping[str, Any]) -> Identity:
    datasets = _named("--dataset", flags["datasets"])
    return Identity(
        project=flags["project"],
        suite=flags["suite"],
        name=flags["name"],
        params={name: _scalar(name, text) for name, text in _named("--param", flags["params"]).items()},
        datasets=[Dataset(name=name, digest=digest) for name, digest in datasets.items()],
    )


def _provenance(commit: str | None, *, is_dirty: bool) -> Provenance:
    if commit is None:
        if is_dirty:
            raise UsageError("--dirty says how the work differed from a commit", hint="name it: --commit SHA")
        return Provenance()
    if not _COMMIT.match(commit):
        hint = 'a short id or a branch may mean another commit later: --commit "$(git rev-parse HEAD)"'
        raise UsageError(f"--commit {commit}: not the full id of a commit", hint=hint)
    return Provenance(commit=commit, dirty=is_dirty)


def _scalar(name: str, text: str) -> JsonValue:
    """The JSON scalar that a text is, or else the text."""
    try:
        value = canonical.parse_loose(text.encode(errors="surrogateescape"))
    except CanonicalError:
        return text
    if isinstance(value, dict | list):
        return text
    try:
        canonical.encode(value)
    except CanonicalError as error:
        raise UsageError(f"--param {name}={text}: {error.message}", hint='quote it as JSON text: "..."') from error
    return value
