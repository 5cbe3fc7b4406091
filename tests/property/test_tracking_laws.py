"""Laws of tracking: a run says what was logged last, whoever finishes it, in whatever folder, zone or process."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runstore.errors import RunstoreError
from runstore.store.reader import read_run
from runstore.tracking import TrackedRun, TrackingWarning, create_tracker, recover
from runstore.tracking.points import Points, holds
from runstore.verification import verify
from tests.command_line import environment
from tests.factories import files_of, unsynced
from tests.strategies import texts

names = st.sampled_from(["loss", "acc", "é/x", "pass@1"])
numbers = st.one_of(st.integers(-3, 3), st.floats(), st.sampled_from([math.nan, math.inf, 1e17, 1e300]))
steps = st.one_of(st.none(), st.integers(0, 4), st.just(2**53 - 1))
values = st.dictionaries(names, numbers, min_size=1, max_size=3)
params = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.one_of(texts, st.integers(0, 2), st.booleans(), st.none())
)
calls = st.lists(
    st.one_of(
        st.tuples(st.just("log_metrics"), values, steps),
        st.tuples(st.just("log_measures"), values),
        st.tuples(st.just("log_params"), params),
        st.tuples(st.just("add_tag"), st.sampled_from(["t", "u"]), texts),
        st.tuples(st.just("set_note"), texts),
        st.tuples(
            st.just("log_records"), st.lists(st.fixed_dictionaries({"id": st.sampled_from("abc"), "output": texts}))
        ),
        st.tuples(st.just("create_alert"), st.just("loss > 1")),
    ),
    max_size=12,
)
Calls = list[tuple[Any, ...]]
FEWER = settings(max_examples=settings().max_examples // 3)  # each writes two runs


def play(run: TrackedRun, made: Calls) -> None:
    """Log it all; a call that is refused is one that logs nothing, or what comes before it."""
    for method, *arguments in made:
        with suppress(RunstoreError):
            getattr(run, method)(*arguments)


def canonical_files(run: Path) -> Mapping[str, bytes]:
    return {path: data for path, data in files_of(run).items() if not path.startswith("volatile/")}


@pytest.mark.filterwarnings("ignore::runstore.tracking.TrackingWarning")
@FEWER
@given(calls)
def test_whatever_is_logged_makes_a_sound_run_and_recovering_makes_the_same(made: Calls) -> None:
    with tempfile.TemporaryDirectory() as folder, unsynced():
        runs = [create_tracker("local", root=Path(folder, side)).start_run(run_id="r") for side in ("one", "two")]
        for run in runs:
            play(run, made)
        runs[0].end_run("killed")
        runs[1].abandon()
        recover(runs[1].path)
        verify(read_run(runs[0].path))
        assert canonical_files(runs[0].path) == canonical_files(runs[1].path)


@pytest.mark.filterwarnings("ignore::runstore.tracking.TrackingWarning")
@FEWER
@given(calls, st.integers(0, 12))
def test_a_run_that_is_taken_up_again_says_the_same_but_for_its_attempt(made: Calls, cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder, unsynced():
        tracker = create_tracker("local", root=Path(folder, "one"))
        whole = tracker.start_run(run_id="r")
        play(whole, [call for call in made if call[0] != "create_alert"])
        whole.end_run()
        first = create_tracker("local", root=Path(folder, "two")).start_run(run_id="r")
        play(first, [call for call in made[:cut] if call[0] != "create_alert"])
        first.abandon()
        second = create_tracker("local", root=Path(folder, "two")).start_run(run_id="r", resume=True)
        play(second, [call for call in made[cut:] if call[0] != "create_alert"])
        second.end_run()
        one, two = (dict(canonical_files(run.path)) for run in (whole, second))
        assert b'"attempt": 2' in two.pop("manifest.json")
        one.pop("manifest.json")
        assert one == two


@given(st.lists(st.tuples(st.one_of(st.floats(), st.integers(-9, 9)), steps)))
def test_the_points_are_the_last_value_of_each_step_and_nothing_is_lost_without_a_count(
    logged: list[tuple[float, int | None]],
) -> None:
    found = Points()
    for value, step in logged:
        found.add("m", float(value), step)
    points = {point.step: point.value for point in found.settle()}
    with_step: dict[int | None, float] = {step: float(value) for value, step in logged if step is not None}
    loose = [float(value) for value, step in logged if step is None]
    if not with_step and len(loose) > 1:
        with_step = dict(enumerate(loose))
    elif loose:
        with_step[None] = loose[-1]
    assert points == {step: value for step, value in with_step.items() if holds(value)}
    lost = found.overwritten.get("m", 0)
    others = found.outcasts["m"].count if "m" in found.outcasts else 0
    assert len(points) + lost + others == len(logged)


SCRIPT = """
import random, sys
from pathlib import Path
from runstore.tracking import create_tracker
Path("weights").write_bytes(b"w" * 10)
with create_tracker("local", project="p", root=sys.argv[1], seeds={"python": 3}) as tracker:
    draw = random.Random(3)
    for name in {"b", "a", "c"}:
        tracker.log_params({name: name})
        tracker.add_tag(name, name)
        tracker.log_metrics({name + "_loss": ord(name)})
    for step in range(20):
        tracker.log_metrics({"loss": draw.random(), "nan": float("nan") if step == 3 else step}, step)
    metadata = {key: 1 for key in {"x", "y"}}
    tracker.log_records({"id": name, "scores": {"s": 1}, "metadata": metadata} for name in {"q", "r"})
    tracker.log_artifact("weights")
    tracker.create_alert("loss > 0.5", "high")
    tracker.log_metrics({"loss": 0.75}, 20)
    with tracker.start_run("inner", nested=True):
        tracker.log_metrics({"m": 1})
"""


def test_the_same_code_gives_the_same_bytes_in_any_folder_zone_and_order_of_sets(tmp_path: Path) -> None:
    found = []
    for number, (zone, seed) in enumerate((("UTC", "0"), ("Asia/Tokyo", "1"), ("America/Lima", "77"))):
        folder = tmp_path / f"place {number}"
        folder.mkdir()
        env = environment(folder, {"TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": "C"})
        subprocess.run([sys.executable, "-c", SCRIPT, "e" * (number + 1)], cwd=folder, env=env, check=True)
        found.append(canonical_files(folder / ("e" * (number + 1)) / "p"))
    runs = [{path: data for path, data in files.items() if "/volatile/" not in path} for files in found]
    assert runs[0] == runs[1] == runs[2]
    assert {os.path.dirname(path) for path in runs[0]} == {"run", "run/artifacts", "run.inner"}  # noqa: PTH120


def test_the_warning_is_a_warning_of_users() -> None:
    assert issubclass(TrackingWarning, UserWarning)
