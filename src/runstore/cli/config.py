"""`gate config`: what policy is in force and where it comes from, whether a file is one, and what it can say."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import click

from runstore import canonical, exact, schema
from runstore.canonical import JsonValue
from runstore.cli.locators import Places
from runstore.cli.policy_file import config_option, find_policy
from runstore.judgement import check_selections, check_suites
from runstore.policy import Policy
from runstore.policy.listing import Setting, Value, settings
from runstore.policy.reference import reference
from runstore.policy.words import sentences
from runstore.reports.text_safety import columns, one_line, safe_text
from runstore.store.reader import read_run

_FORMAT = 1
_VALUE_COLUMNS = 40


@click.group(name="config")
def command() -> None:
    """Look at the policy that a gate judges by."""


@command.command(name="show")
@config_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(config: Path | None, form: str) -> None:
    """Show every key in force, its value, and the line of the file it comes from, or that it is a default."""
    policy, file = find_policy(config)
    name = None if file is None else str(file)
    text = _as_json(policy, name) if form == "json" else _as_text(policy, name)
    # Whoever reads the JSON from a pipe gets its exact bytes; a terminal never sees a control character.
    click.echo(safe_text(text) if form == "text" or sys.stdout.isatty() else text.encode(), nl=False)


@command.command(name="check")
@click.argument("file", required=False, type=click.Path(readable=False, path_type=Path))
@click.option(
    "--run",
    "runs",
    metavar="RUN",
    multiple=True,
    type=click.Path(readable=False),
    help="A run, or a folder of runs, in which every rule must select something. Can be given several times.",
)
def check(file: Path | None, runs: tuple[str, ...]) -> None:
    """Check the policy in FILE, by default the one that is in force here, and say in words what it asks.

    \b
    gate config check gate.toml --run baselines/
    """
    policy, found = find_policy(file)
    if runs:
        _check_against(policy, runs)
    click.echo(f"{_title(policy, None if found is None else str(found))} asks:")
    for place, sentence in sentences(policy):
        click.echo(one_line(f"  {_source(policy, policy.places.get(place))}: {sentence}"))


@command.command(name="reference")
def show_reference() -> None:
    """Print every key that a policy can have, as Markdown."""
    click.echo(reference(schema.load("policy")), nl=False)


def _title(policy: Policy, file: str | None) -> str:
    return f"{policy.origin} (there is no policy file)" if file is None else one_line(file)


def _source(policy: Policy, line: int | None) -> str:
    """Where a key stands: `gate.toml:12`, the file alone if the line is not sure, or `default`."""
    origin = one_line(policy.origin)
    return "default" if line is None else f"{origin}:{line}" if line else origin


def _as_text(policy: Policy, file: str | None) -> str:
    rows = [(one_line(one.key), one_line(_toml(one.value)), _source(policy, one.line)) for one in settings(policy)]
    keys = max(columns(key) for key, _, _ in rows)
    values = min(_VALUE_COLUMNS, max(columns(value) for _, value, _ in rows))
    lines = [f"{_title(policy, file)}", ""]
    for key, value, source in rows:
        pads = " " * (keys - columns(key)), " " * max(0, values - columns(value))
        lines.append(f"{key}{pads[0]}  {value}{pads[1]}  {source}")
    return "\n".join(lines) + "\n"


def _toml(value: Value) -> str:
    """A value as it could stand in the file."""
    match value:
        case None:
            return "not set"
        case Decimal():
            return exact.text(value)
        case date():
            return value.isoformat()
        case tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{_quoted(tag)} = {_quoted(one)}' for tag, one in value.items())}}}"
        case int():
            return str(value)
    return _quoted(value)


def _quoted(text: str) -> str:
    return canonical.encode(text).decode()


def _as_json(policy: Policy, file: str | None) -> str:
    found: list[JsonValue] = [_setting(one) for one in settings(policy)]
    return canonical.encode_document({"format": _FORMAT, "file": file, "settings": found}).decode()


def _setting(setting: Setting) -> JsonValue:
    """`line` is there for what stands in the file, and null if it is not sure; limits are exact texts of decimals."""
    place: dict[str, JsonValue] = {} if setting.line is None else {"line": setting.line or None}
    source = "default" if setting.line is None else "file"
    return {"key": setting.key, "value": _json(setting.value), "source": source, **place}


def _json(value: Value) -> JsonValue:
    match value:
        case Decimal():
            return exact.text(value)
        case date():
            return value.isoformat()
        case tuple():
            return [_json(one) for one in value]
        case Mapping():
            return dict(value)
    return value


def _check_against(policy: Policy, texts: Sequence[str]) -> None:
    """Refuse a policy of which a rule selects nothing in the runs. Raises PolicyError."""
    with Places() as opener:
        runs = {path: read_run(source).manifest for text in texts for path, source in opener.runs(text)}
    metrics = {name for manifest in runs.values() for name in manifest.metrics}
    slices = {tag for manifest in runs.values() for tag in manifest.slices}
    for path in sorted({"", *runs}):
        check_selections(policy.for_run(path), metrics, slices)
    check_suites(policy, sorted(path for path in runs if path))
