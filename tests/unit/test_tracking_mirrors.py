"""Live mirrors: what they are told, and that nothing they do or fail to do reaches the run or each other."""

from __future__ import annotations

import json
import os
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runstore.errors import UsageError
from runstore.store.reader import read_run
from runstore.tracking import (
    LivePoint,
    Mirror,
    MultiTracker,
    TrackingConfig,
    TrackingWarning,
    create_tracker,
    creation,
    multi,
)
from runstore.verification import verify
from tests.factories import unsynced

PLACE = Path("experiments/default/run")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with unsynced():
        yield


class Recording:
    """A mirror that keeps what it was told, and can be told to fail or to wait."""

    def __init__(self, fails: tuple[str, ...] = (), gate: threading.Event | None = None) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.batches = 0
        self._fails, self._gate = fails, gate

    def _told(self, method: str, value: Any) -> None:
        if self._gate is not None:
            self._gate.wait(30)
        if method in self._fails:
            raise ConnectionError(f"{method} refused")
        self.calls.append((method, value))

    def open(self, run: Any) -> None:
        self._told("open", (run.project, run.suite, run.name, run.folder))

    def params(self, values: Mapping[str, Any]) -> None:
        self._told("params", dict(values))

    def points(self, points: Any) -> None:
        self.batches += 1
        for point in points:
            self._told("point", (point.name, point.value, point.step))

    def tags(self, values: Mapping[str, str]) -> None:
        self._told("tags", dict(values))

    def note(self, text: str) -> None:
        self._told("note", text)

    def dataset(self, dataset: Any) -> None:
        self._told("dataset", dataset.name)

    def artifact(self, path: Path, name: str) -> None:
        self._told("artifact", (name, path.read_bytes()))

    def records(self, records: Any) -> None:
        self._told("records", [record["id"] for record in records])

    def close(self, status: Any, folder: Path) -> None:
        verify(read_run(folder))  # the end is told when the run is whole
        self._told("close", status)


def _itself(mirror: Recording, _options: Mapping[str, str]) -> Mirror:
    return mirror


def tracker(**mirrors: Recording) -> MultiTracker:
    return MultiTracker(
        TrackingConfig(tags={"t": "1"}, seeds={"s": 7}),
        mirrors={name: partial(_itself, mirror) for name, mirror in mirrors.items()},
        timeout_s=5,
    )


def log_all(active: MultiTracker) -> None:
    Path("a.bin").write_bytes(b"bytes")
    active.log_params({"lr": 0.1})
    active.log_params({"lr": 0.1})
    active.log_dataset("d", digest="x")
    for step in range(3):
        active.log_metrics({"loss": step}, step)
    active.log_metrics({"final": 1})
    active.log_records([{"id": "a"}, {"id": "b"}])
    active.log_artifact("a.bin")
    active.add_tag("u", "2")
    active.set_note("note")


TOLD = [
    ("open", ("default", "default", "run", PLACE)),
    ("params", {"seed.s": 7}),
    ("tags", {"t": "1"}),
    ("params", {"lr": 0.1}),
    ("dataset", "d"),
    *(("point", ("loss", step, step)) for step in range(3)),
    ("point", ("final", 1, None)),
    ("records", ["a", "b"]),
    ("artifact", ("a.bin", b"bytes")),
    ("tags", {"u": "2"}),
    ("note", "note"),
    ("close", "completed"),
]


def report() -> Any:
    return json.loads((PLACE / "volatile/mirrors.json").read_bytes())


def test_a_mirror_is_told_everything_in_order_and_the_end_when_the_run_is_whole() -> None:
    one, two = Recording(), Recording()
    with tracker(one=one, two=two) as active:
        log_all(active)
    assert one.calls == two.calls == TOLD
    assert report() == {name: {"complete": True, "error": None, "missing": 0} for name in ("one", "two")}


@pytest.mark.parametrize(
    ("fails", "missing"), [(("open",), 1), (("point",), 1), (("open", "params", "tags", "point"), 11), (("close",), 1)]
)
def test_a_mirror_that_fails_harms_neither_the_run_nor_the_others(fails: tuple[str, ...], missing: int) -> None:
    good, bad = Recording(), Recording(fails)
    warned = pytest.warns(TrackingWarning, match=r"bad: .*refused; the run itself is whole, and an export catches up")
    with warned, tracker(good=good, bad=bad) as active:
        log_all(active)
    assert good.calls == TOLD
    made = read_run(PLACE)
    verify(made)
    assert (made.manifest.status, made.record_count, len(list(made.points()))) == ("completed", 2, 4)
    told = report()
    assert told["good"]["complete"]
    assert (told["bad"]["complete"], "refused" in told["bad"]["error"]) == (False, True)
    assert told["bad"]["missing"] >= missing or "close" in fails


def test_a_mirror_that_hangs_costs_the_end_of_the_run_its_time_limit_and_no_more() -> None:
    gate = threading.Event()
    bad = Recording(gate=gate)
    active = MultiTracker(mirrors={"bad": lambda _: bad}, timeout_s=0.3, queue_calls=50)
    run = active.start_run()
    before = time.monotonic()
    for step in range(200):
        run.log_metrics({"m": step}, step)
    logged = time.monotonic() - before
    with pytest.warns(TrackingWarning, match=r"bad: \d+ calls are not mirrored: its queue of 50 calls was full"):
        run.end_run()
    assert logged < 5
    assert report()["bad"]["missing"] >= 149
    assert len(list(read_run(PLACE).points())) == 200
    gate.set()


def test_points_that_wait_are_told_together() -> None:
    gate = threading.Event()
    slow = Recording(gate=gate)
    with tracker(slow=slow) as active:
        for step in range(500):
            active.log_metrics({"m": step}, step)
        gate.set()
    assert [call[1] for call in slow.calls if call[0] == "point"] == [("m", step, step) for step in range(500)]
    assert slow.batches <= 3


def test_what_a_mirror_is_not_told_is_what_the_run_refused() -> None:
    one = Recording()
    with tracker(one=one) as active:
        active.log_params({"a": 1})
        with pytest.raises(UsageError):
            active.log_params({"a": 2})
        with pytest.raises(UsageError):
            active.log_artifact("gone")
    assert [call for call in one.calls if call[0] in ("params", "artifact")] == [
        ("params", {"seed.s": 7}),
        ("params", {"a": 1}),
    ]


def test_values_that_are_no_numbers_reach_the_mirror_as_they_are() -> None:
    seen: list[LivePoint] = []

    class Points(Recording):
        def points(self, points: Any) -> None:
            seen.extend(points)

    with warnings.catch_warnings(), tracker(one=Points()) as active:
        warnings.simplefilter("ignore", TrackingWarning)
        active.log_metrics({"m": float("inf"), "n": 1}, 0)
        active.log_metrics({"m": 1}, 1)
    assert [(point.name, point.value, point.step) for point in seen] == [
        ("m", float("inf"), 0),
        ("n", 1, 0),
        ("m", 1, 1),
    ]


def test_each_run_has_a_mirror_of_its_own_and_what_is_missing_is_told_at_creation() -> None:
    made: list[Recording] = []

    def opener(options: Mapping[str, str]) -> Mirror:
        if options.get("key") != "k":
            raise UsageError("no key", hint="set KEY")
        made.append(Recording())
        return made[-1]

    with pytest.raises(UsageError, match="no key"):
        MultiTracker(mirrors={"one": opener})
    active = MultiTracker(mirrors={"one": opener}, options={"one": {"key": "k"}})
    for name in ("a", "b"):
        with active.start_run(name):
            active.log_params({"name": name})
    assert [mirror.calls[0][1][2] for mirror in made] == ["a", "b"]


def test_a_backend_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site"
    (package / "there-1.dist-info").mkdir(parents=True)
    (package / "there-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: there\nVersion: 1\n")
    (package / "there-1.dist-info/entry_points.txt").write_text(
        f"[{multi.GROUP}]\nthere = there_mirror:open_mirror\nbroken = there_mirror:gone.x\nlost = no_such_module:f\n"
    )
    (package / "there_mirror.py").write_text("def open_mirror(options):\n    raise LookupError(dict(options))\n")
    monkeypatch.syspath_prepend(package)
    with pytest.raises(LookupError, match="'address': 'a'"):
        create_tracker("there", options={"address": "a"})
    with pytest.raises(LookupError, match="'x': 'y'"):
        create_tracker("multi", backends={"local": {}, "there": {"x": "y"}})
    with pytest.raises(UsageError, match="cannot be loaded"):
        create_tracker("lost")


@pytest.mark.parametrize(("backend", "missing"), [("mlflow", "MLFLOW_TRACKING_URI"), ("wandb", "WANDB_API_KEY")])
def test_a_backend_without_address_or_key_is_one_clear_error_at_creation(
    backend: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "WANDB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(Path.cwd()))
    with pytest.raises(UsageError) as refused:
        create_tracker(backend)
    assert missing in refused.value.hint
    assert not Path("experiments").exists()


def test_tensorboard_needs_nothing_and_grows_beside_the_run() -> None:
    with create_tracker("tensorboard", options={"target": "logs"}) as active:
        active.log_metrics({"loss": 0.5}, 0)
    told = report()["tensorboard"]
    assert told.pop("remote")["folder"].startswith("default/run-live-")
    assert told == {"complete": True, "error": None, "missing": 0}
    assert list(Path("logs").rglob("events.out.tfevents.*"))


class Known(Recording):
    """A mirror that says by what its run will be known."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.asked = 0
        self.seen: list[Any] = []
        self._answer = answer

    def identify(self, run: Any) -> Any:
        self.asked += 1
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def open(self, run: Any) -> None:
        self.seen.append((dict(run.remote), run.is_resumed, [(one.name, one.value, one.step) for one in run.points]))


def test_what_a_run_is_known_by_is_noted_before_anything_is_sent_and_stays_when_it_is_resumed() -> None:
    first, second = Known({"id": "x"}), Known({"id": "another"})
    run = tracker(one=first).start_run(run_id="run")
    assert json.loads((PLACE / "journal.jsonl").read_bytes().splitlines()[-1])["remote"] == {"id": "x"}
    for value, step in ((2, 1), (1, 0), (3, 1)):
        run.log_metrics({"m": value}, step)
    run.log_metrics({"m": 9})
    run.abandon()
    tracker(one=second).start_run(run_id="run", resume=True).end_run()
    assert (first.seen, first.asked) == ([({"id": "x"}, False, [])], 1)
    assert (second.seen, second.asked) == ([({"id": "x"}, True, [("m", 1, 0), ("m", 3, 1)])], 0)
    assert report() == {"one": {"complete": True, "error": None, "missing": 0, "remote": {"id": "x"}}}


@pytest.mark.parametrize("answer", [LookupError("no"), {"id": 2**60}, None, "x"])
def test_a_mirror_that_cannot_say_by_what_its_run_is_known_costs_nothing_but_that(answer: Any) -> None:
    mirror = Known(answer)
    with tracker(one=mirror) as active:
        active.log_metrics({"m": 1}, 0)
    assert mirror.seen == [({}, False, [])]
    assert report() == {"one": {"complete": True, "error": None, "missing": 0}}


def test_multi_without_backends_is_refused() -> None:
    with pytest.raises(UsageError, match="which backends"):
        create_tracker("multi")
    assert creation.BACKENDS == ("mlflow", "wandb", "tensorboard")
