"""Exporting: a run and a backend in, what came of it out. The page to read first.

A run is verified before anything is sent, planned, pushed within a budget of time, and read back if that is asked. What
was sent stays known in the ledger, so a push that was ended, even by force, goes on when it is repeated.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from runstore import verification
from runstore.canonical import JsonValue
from runstore.errors import RunstoreError, StorageError, UsageError
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import Budget, Difference, Exporter, Options, Plan, Receipt, Visit, WritesFolders
from runstore.exporters.discovery import find_exporter
from runstore.exporters.ledger import Ledger, Warn, default_folder, refuse_in_run
from runstore.exporters.live import left_by_mirror
from runstore.exporters.secrecy import Secrets
from runstore.store.durable import real_path
from runstore.store.reader import Run, read_run
from runstore.verification import VerifiedRuns

TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """What came of exporting one run.

    Without `receipt` nothing was sent (a dry run, or `error`); `differences` is None unless it was read back.
    """

    label: str
    plan: Plan | None = None
    receipt: Receipt | None = None
    differences: Sequence[Difference] | None = None
    error: RunstoreError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """What is to be done with each run: where to, how far (`dry_run`, `verify`), and within what."""

    exporter: Exporter
    options: Options
    budget: Budget
    ledger: Ledger
    verified: VerifiedRuns
    warn: Warn
    dry_run: bool = False
    verify: bool = False


def export(
    run: Run | Path | str,
    *,
    to: str,
    target: str | None = None,
    redact: Sequence[str] = (),
    records: bool = True,
    artifacts: bool = True,
    dry_run: bool = False,
    verify: bool = False,
    timeout_s: float = TIMEOUT_S,
    environment: Mapping[str, str] | None = None,
    warn: Warn = warnings.warn,
) -> Export:
    """Send a finished run to a backend (`mlflow`, `wandb`, `tensorboard`, or one of another package).

    `target` is where to, in the backend's own way; `redact` globs of names that never leave; `environment` where keys
    and addresses are looked up, the process's if it is None; `warn` is called with what a person should know. Raises
    InvalidDataError for a run that is not sound, UsageError for a wrong target or a missing SDK or key, ExportError if
    the backend failed: the run is unharmed, and the same call again goes on.
    """
    settings = os.environ if environment is None else environment
    errand = Errand(
        exporter=find_exporter(to),
        options=Options(target=target, redact=redact, records=records, artifacts=artifacts, environment=settings),
        budget=Deadline(timeout_s),
        ledger=Ledger(default_folder(settings), warn),
        verified=VerifiedRuns(None),
        warn=warn,
        dry_run=dry_run,
        verify=verify,
    )
    return export_run(run if isinstance(run, Run) else read_run(run), errand)


def export_run(run: Run, errand: Errand) -> Export:
    """Verify, plan, push and read back one run. Raises as `export` does."""
    _check(run, errand)
    plan = _plan(run, errand)
    if errand.dry_run and not errand.verify:
        return Export(label=run.label, plan=plan)
    known, secrets = _known_as(plan, errand), Secrets(errand.options.environment)

    def keep(progress: Mapping[str, JsonValue]) -> None:
        errand.ledger.keep(known, {name: secrets.hide_within(value) for name, value in progress.items()})

    def visit() -> Visit:
        return Visit(
            environment=errand.options.environment,
            budget=errand.budget,
            progress=errand.ledger.progress(known),
            keep=keep,
            warn=lambda text: errand.warn(secrets.hide(text)),
        )

    receipt = None
    with _told_safely(secrets):
        if not errand.dry_run:
            refuse_conflicts(plan)
            with errand.ledger.turn(known, errand.budget):
                receipt = _without_secrets(errand.exporter.push(plan, run, visit()), secrets)
                errand.ledger.finish(known, receipt)
        found = list(errand.exporter.verify(plan, run, visit())) if errand.verify else None
    if found is not None:
        found = [replace(one, found=None if one.found is None else secrets.hide(one.found)) for one in found]
    return Export(label=run.label, plan=plan, receipt=receipt, differences=found)


@contextmanager
def _told_safely(secrets: Secrets) -> Iterator[None]:
    """Take out of an error what a server may have put into it of what it was sent."""
    try:
        yield
    except RunstoreError as error:
        error.message, error.where, error.hint = map(secrets.hide, (error.message, error.where, error.hint))
        error.args = (error.message,)
        raise


def _without_secrets(receipt: Receipt, secrets: Secrets) -> Receipt:
    url = None if receipt.url is None else secrets.hide(receipt.url)
    return replace(receipt, remote_id=secrets.hide(receipt.remote_id), url=url)


def export_each(runs: Iterable[Run], errand: Errand, failed: Iterable[Export] = ()) -> Iterator[Export]:
    """Export runs one after the other, parents first; what fails is told in its `Export` and stops no other.

    `failed` are those that could not even be opened.
    """
    yield from failed
    for run in parents_first(list(runs)):
        try:
            yield export_run(run, errand)
        except RunstoreError as error:
            yield Export(label=run.label, error=error)
        except OSError as error:
            told = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            yield Export(label=run.label, error=StorageError(f"{told}{error.strerror or error}"))


def parents_first(runs: Sequence[Run]) -> list[Run]:
    """The runs in their order, but each after the run that it is nested in."""
    by_id = {run.manifest.run_id: run for run in reversed(runs)}
    done: dict[int, Run] = {}

    def put(run: Run) -> None:
        chain = [run]
        while (parent := by_id.get(chain[-1].manifest.identity.parent or "")) is not None and parent not in chain:
            chain.append(parent)
        for one in reversed(chain):
            done.setdefault(id(one), one)

    for run in runs:
        put(run)
    return list(done.values())


def refuse_conflicts(plan: Plan) -> None:
    """Refuse a plan in which two things would become one: neither is overwritten. Raises UsageError."""
    found = [change for change in plan.changes if change.deed == "conflict"]
    if found:
        told = "; ".join(f"{change.kind} {change.name!r}: {change.reason}" for change in found[:5])
        hint = "rename one of them, or leave one out with --redact; --dry-run shows all"
        many = "" if len(found) == 1 else "s"
        raise UsageError(f"{len(found)} conflict{many}, nothing was sent: {told}", hint=hint)


def _check(run: Run, errand: Errand) -> None:
    """Refuse a run that is not sound. One that was verified before is looked at where it could have changed since."""
    if run in errand.verified:
        verification.check_artifacts(run)
    else:
        errand.verified.remember(run, has_trials=verification.verify(run))


def _plan(run: Run, errand: Errand) -> Plan:
    """The plan, linked to the export of the same question before."""
    options = replace(errand.options, live=left_by_mirror(run, errand.exporter.name, errand.warn))
    plan = errand.exporter.plan(run, options)
    known = _known_as(plan, errand)
    previous = errand.ledger.previous(known.backend, known.target, known.run_id, known.digest)
    if previous is None or previous == plan.key:
        return plan
    return errand.exporter.plan(run, replace(options, previous=previous))


def _known_as(plan: Plan, errand: Errand) -> Plan:
    """The plan as the ledger knows it: a folder by its real path, which stays out of the plan itself.

    Raises UsageError for a folder within a run: a run is never written into.
    """
    exporter = errand.exporter
    places = exporter.folders(plan, errand.options.environment) if isinstance(exporter, WritesFolders) else None
    if places is None:
        return plan
    target, folder = map(real_path, places)
    refuse_in_run(folder, "the target")
    return replace(plan, target=str(target).encode(errors="backslashreplace").decode())
