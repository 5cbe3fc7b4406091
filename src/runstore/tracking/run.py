"""One run that is tracked: calls in, entries of its journal out, and a run of the store at its end.

Every call has written what it was told when it returns. Calls may come from any thread of the process that began the
run; in a process that was forked off they are refused.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runstore import canonical
from runstore.errors import InvalidDataError, RunstoreError, StorageError, UsageError
from runstore.manifest import RUN_STATUSES, Dataset, MetricDeclaration, RunStatus
from runstore.tracking import capture, files, finishing, results, tables, values
from runstore.tracking.alerts import Alert, Alerts, Callback, alert_entry
from runstore.tracking.capture import Capture
from runstore.tracking.config import TrackingConfig
from runstore.tracking.ending import SignalGuard, status_of
from runstore.tracking.finishing import Finished
from runstore.tracking.journal import Entry, Journal
from runstore.tracking.samples import Samples
from runstore.tracking.soundness import check_declared
from runstore.tracking.story import Story, changed_param, check_open, check_room, declare_entry
from runstore.tracking.tables import Columns

Tell = Callable[..., None]
"""Method of a mirror and its arguments, for every mirror of the run."""


class TrackingWarning(UserWarning):
    """Something about a run that harms nothing and that a person should know."""


class TrackedRun:
    """A run that has begun. As a context manager it ends with its block: completed, failed or killed."""

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        story: Story,
        config: TrackingConfig,
        *,
        tell: Tell,
        clock: Callable[[], float],
        at_end: Callable[[TrackedRun], None],
    ) -> None:
        """Made by `ExperimentTracker.start_run`."""
        self.path = folder
        """Where the run stands, now in its working form and then finished."""
        self._journal = journal
        self._place = journal.path.parent  # absolute: the program may change its folder
        self._story = story
        self._config = config
        self._tell = tell
        self._clock = clock
        self._at_end = at_end
        self._owner = os.getpid()
        self._alerts = Alerts()
        self._ranges = {name: declared.range for name, declared in story.metrics.items() if declared.range}
        self._used = set(story.points.curves)
        self._samples = Samples(journal, story, self._ranges, tell)
        self._finished: Finished | None = None
        self._guard = SignalGuard()
        self._capture = Capture(self._log, git=config.log_git, environment=config.log_environment)

    # What a run is asked about.

    @property
    def run_id(self) -> str:
        """The id that the identity gives as it now is; it is fixed when the run ends, or a nested run begins."""
        return self._story.full_identity.run_id

    @property
    def finished(self) -> Finished | None:
        """What the run came to; None while it goes on."""
        return self._finished

    @property
    def is_ours(self) -> bool:
        """Whether it goes on and this process writes it."""
        return self._finished is None and self._journal.is_open and self._owner == os.getpid()

    # What is logged.

    def _log(self, *entries: Entry) -> None:
        """Write entries and take them into the story. Raises StorageError, UsageError."""
        with self._journal.lock:
            check_room(self._story, entries)
            self._journal.append(*map(canonical.encode, entries))
            for entry in entries:
                self._story.apply(entry)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log what was asked for: settings by name. The same value again is nothing.

        A mapping within is flattened with `.`. Raises UsageError for another value of a name, and for a new name after
        a nested run has begun; InvalidDataError for what has no JSON form.
        """
        with self._journal.lock:
            if new := changed_param(self._story, dict(values.params(params))):
                self._log({"op": "params", "values": new})
                self._tell("params", new)

    def log_dataset(
        self,
        name: str,
        path: str | os.PathLike[str] | None = None,
        *,
        digest: str | None = None,
        version: str | None = None,
        description: str | None = None,
    ) -> None:
        """Log a data set that is asked about: by a file or folder, which is digested, or by a digest.

        Raises UsageError as `log_params` does, and if not exactly one of the two is given.
        """
        if (path is None) == (digest is None):
            raise UsageError("a data set has a path or a digest", hint="pass exactly one of the two")
        found = files.digest_of(Path(path)) if path is not None else values.name(digest, "a digest")
        dataset = Dataset(name=values.name(name, "the name of a data set"), digest=found, version=version)
        with self._journal.lock:
            known = self._story.datasets.get(name)
            if known == dataset:
                return
            if known is not None:
                raise UsageError(
                    f"the data set {name!r:.80} is {known.digest!r:.80}, and is to become {found!r:.80}",
                    hint="data sets say what was asked and never change; give the other one another name",
                )
            check_open(self._story, f"the data set {name!r:.80}")
            given = {"digest": found, "version": version, "description": description}
            told: Entry = {key: values.text(value, f"the {key}") for key, value in given.items() if value is not None}
            self._log({"op": "dataset", "name": name, **told})
            self._tell("dataset", dataset)

    def declare_metric(self, name: str, declaration: MetricDeclaration) -> None:
        """Say which direction, unit, range and aggregate a metric has, before its first value.

        Raises UsageError if the metric has values or another declaration already.
        """
        with self._journal.lock:
            known = None if name in self._story.told_by_name else self._story.metrics.get(name)
            if known == declaration:
                return
            if known is not None or name in self._story.metrics:
                why = "is declared otherwise" if known else "has values already"
                raise UsageError(f"the metric {name!r:.80} {why}", hint="declare it once, before its first value")
            check_declared({values.name(name, "the name of a metric"): declaration})
            self._log(declare_entry(name, declaration))
            if declaration.range:
                self._ranges[name] = declaration.range

    def log_metrics(self, metrics: Mapping[str, object], step: int | None = None) -> None:
        """Log values of metrics, at a step from 0.

        Without a step a value is the final figure; logged so again and again it is a curve. Of two values at one step
        the later holds. NaN and infinities are kept as such, and no figure comes of them. Raises InvalidDataError for
        what is no number, and outside a declared range; StorageError if it cannot be written: then
        nothing of the call is there.
        """
        numbers = values.numbers(metrics)
        if not numbers:
            return
        entry: Entry = {"op": "metrics", "values": values.numbers_text(numbers)}
        if step is not None:
            step = entry["step"] = values.step(step)
        with self._journal.lock:
            new = self._check_metrics(numbers)
            events = self._alerts.events(numbers, step)
            alerts = [alert_entry(event) for _, event in events]
            self._journal.append(*map(canonical.encode, (entry, *alerts)))
            for name in new:
                self._story.declaration(name)
            self._used.update(new)
            self._alerts.settle(numbers)
            for one in alerts:
                self._story.apply(one)
            self._tell("points", numbers, step)
        for alert, event in events:
            if alert.callback is not None:
                alert.callback(event)

    def _check_metrics(self, numbers: Mapping[str, int | float]) -> list[str]:
        """Refuse a name that is none and a value outside its range; the names that are new."""
        for name in self._ranges.keys() & numbers.keys() if self._ranges else ():
            low, high = self._ranges[name]
            if math.isfinite(numbers[name]) and not low <= numbers[name] <= high:
                raise InvalidDataError(
                    f"{numbers[name]!r} is outside the declared range [{low!r}, {high!r}]", where=f"metric {name!r}"
                )
        new = [values.name(name, "the name of a metric") for name in numbers if name not in self._used]
        if new:
            check_room(self._story, (), (name for name in new if name not in self._story.metrics))
        return new

    def log_measures(self, measures: Mapping[str, object]) -> None:
        """Log what the clock or the bill says (seconds, tokens per second, cost): it goes to `volatile/measures.json`.

        A later value takes the place of an earlier one. Raises InvalidDataError for what is no number.
        """
        numbers: Entry = {}
        for name, value in values.numbers(measures).items():
            numbers[values.name(name, "the name of a measure")] = values.number_text(value)
        if numbers:
            self._log({"op": "measures", "values": numbers})

    def log_records(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Log per-sample results: records of docs/format.md, section 3, any number, in any order.

        The same record again is nothing. Raises InvalidRunError, naming the record, for one that is none, and for
        another record under the same id and repeat; those before it are logged.
        """
        self._samples.log(records)

    def log_table(
        self,
        table: object,
        *,
        columns: Sequence[str] | None = None,
        id: str = "id",  # noqa: A002  # the name that people write
        scores: Sequence[str] = (),
        tags: Sequence[str] = (),
        input: str | None = None,  # noqa: A002
        output: str | None = None,
        target: str | None = None,
    ) -> None:
        """Log per-sample results from a table: rows that are mappings, or sequences under `columns`, or a data frame.

        The names say which column is which field of a record; the others become `metadata`. Raises as `log_records`.
        """
        named = Columns(id=id, scores=scores, tags=tags, input=input, output=output, target=target)
        self.log_records(tables.record(row, named) for row in tables.rows(table, columns))

    def log_artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002  # the name that people write
    ) -> None:
        """Copy a file into the run as `artifacts/NAME`; by the same name again it takes the place of the first.

        Raises UsageError if there is no such file, InvalidRunError if the name is no portable path.
        """
        source = Path(path)
        files.check_source(source)
        with self._journal.lock:
            wanted = files.check_name(values.name(source.name if name is None else name, "the name"), self._story)
            if not self._config.log_artifacts:
                self._log({"op": "left_out", "why": "log_artifacts is off", "count": 1})
                return
            self._keep(source, wanted, type)

    def _keep(self, source: Path, name: str, kind: str | None) -> None:
        told: Entry = {} if kind is None else {"kind": values.text(kind, "the type")}

        def log(sha256: str, size: int) -> None:
            self._log({"op": "artifact", "name": name, "sha256": sha256, "size": size, **told})

        self._journal.check_open()
        try:
            files.keep(source, self._place, name, log)
        except OSError as error:
            raise StorageError(f"cannot keep the artifact: {error.strerror}", where=str(error.filename)) from error
        self._tell("artifact", self.path / files.FOLDER / name, name)

    def log_artifacts(self, folder: str | os.PathLike[str], prefix: str = "") -> None:
        """Copy every file below a folder, by its path from there behind `prefix/`. Raises as `log_artifact`."""
        found = list(files.below(Path(folder)))
        kept = [(path, name) for path, name in found if ".git" not in name.split("/")]
        for path, name in kept:
            self.log_artifact(path, f"{prefix.rstrip('/')}/{name}".lstrip("/"))
        if len(kept) < len(found):
            self._log({"op": "left_out", "why": "files of git", "count": len(found) - len(kept)})

    def log_code(self) -> None:
        """Keep the source files as artifacts `code/…`: what git tracks here, and the main script; at most 16 MiB."""
        kept, left_out = capture.within_limit(capture.code_files())
        with self._journal.lock:
            for path, name in kept:
                try:
                    self._keep(path, files.check_name(f"code/{name}", self._story), "code")
                except InvalidDataError:  # a name that is not portable
                    left_out += 1
            if left_out:
                self._log({"op": "left_out", "why": "code beyond 16 MiB, or not portable", "count": left_out})

    def log_experiment_result(self, result: object, prefix: str = "") -> None:
        """Log the result of an experiment, an object or a mapping, by the names of `results`, each behind `prefix`."""
        found = results.facts(result, prefix)
        with self._journal.lock:
            self.log_params(found.params)
            for name in found.metrics:
                if name not in self._story.metrics:
                    self._log(declare_entry(name, results.METRICS[name.removeprefix(prefix)]))
            self.log_metrics(found.metrics)
            self.log_measures(found.measures)

    def add_tag(self, name: str, value: str = "") -> None:
        """Tag the run; a later value takes the place of an earlier one."""
        values.name(name, "the name of a tag")
        with self._journal.lock:
            self._log({"op": "tag", "name": name, "value": values.text(value, f"the tag {name!r:.80}")})
            self._tell("tags", {name: value})

    def set_note(self, text: str) -> None:
        """Say something about the run, in Markdown; a later note takes the place of an earlier one."""
        with self._journal.lock:
            self._log({"op": "note", "text": values.text(text, "a note")})
            self._tell("note", text)

    def create_alert(self, condition: str, message: str = "", callback: Callback | None = None) -> None:
        """Watch a metric from now on: `METRIC OPERATOR NUMBER`, as in `val_loss > 2.0`.

        When it begins to hold, or the value is no number, that is recorded in the run, and `callback` is called with
        the event after the metric is written; what it raises reaches the caller of `log_metrics`. Raises UsageError.
        """
        alert = Alert(condition, values.text(message, "a message"), callback)
        with self._journal.lock:
            self._alerts.add(alert)

    # Nesting and the end.

    def fix_identity(self) -> str:
        """The run id, which from now on changes no more: a nested run is to be linked to it."""
        with self._journal.lock:
            if not self._story.is_fixed:
                self._log({"op": "child"})
            return self.run_id

    def end_run(self, status: RunStatus = "completed") -> Finished:
        """Finish the run: it stands in its place as a run of the store, whole. Ending it again is nothing.

        Raises StorageError if the system fails; what was logged is kept, and it can be ended again or recovered.
        """
        if status not in RUN_STATUSES:
            raise UsageError(f"{status!r:.40} is no status of a run", hint=f"it is one of {', '.join(RUN_STATUSES)}")
        self._capture.wait()
        with self._journal.lock:
            if self._finished is not None:
                return self._finished
            self._log({"op": "end", "status": status, "at": round(self._clock(), 3)})
            told = self.path if self.path.absolute() == self._place else self._place  # as people know it
            self._finished = replace(finishing.finish(told), path=self.path)
            self._journal.close()
        self._at_end(self)
        self._warn(self._finished)
        return self._finished

    def _warn(self, finished: Finished) -> None:
        if self._capture.failure is not None:
            self._say(f"{self.path}: not captured: {self._capture.failure}")
        if finished.not_numbers:
            named = ", ".join(finished.not_numbers)
            self._say(f"{self.path}: the last value is not a number, so the run cannot pass: {named}")
        if finished.unlogged:
            count = len(finished.unlogged)
            self._say(f"{self.path}: {count} files in it were not logged; volatile/unlogged/ keeps them")

    @staticmethod
    def _say(text: str) -> None:
        warnings.warn(text, TrackingWarning, stacklevel=4)

    def leave(self, error: BaseException | None) -> None:
        """End the run as its block ended. If that fails after an exception, the exception keeps its way."""
        if not self.is_ours:
            return
        try:
            self.end_run(status_of(error))
        except RunstoreError as failure:
            self.abandon()
            if error is None:
                raise
            error.add_note(f"and its run could not be finished: {failure}")

    def abandon(self) -> None:
        """Let go of the run as it is, unfinished; `gate recover` finishes it."""
        with self._journal.lock, suppress(OSError):
            self._journal.close()

    def __enter__(self) -> Self:
        self._guard.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.leave(error)
        finally:
            self._guard.end(error)
