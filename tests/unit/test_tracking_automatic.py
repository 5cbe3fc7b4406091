"""`auto_track`: functions of every kind stay what they are, and each call is a run."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runstore.errors import UsageError
from runstore.manifest import Manifest
from runstore.store.reader import read_run
from runstore.tracking import ExperimentTracker, auto_track, create_tracker
from tests.factories import unsynced

PLACE = Path("experiments/default")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with unsynced():
        yield


@pytest.fixture
def tracker() -> ExperimentTracker:
    return create_tracker("local")


def manifest(name: str) -> Manifest:
    return read_run(PLACE / name).manifest


def points(name: str) -> list[tuple[str, int | None, float]]:
    return [(point.name, point.step, point.value) for point in read_run(PLACE / name).points()]


def plain(lr: float, *, epochs: int = 2, data: object = None) -> dict[str, Any]:
    """What it does."""
    return {"acc": lr * epochs, "note": "text", "data": data}


async def coroutine(lr: float, *, epochs: int = 2) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"acc": lr * epochs}


def generator(lr: float, *, epochs: int = 2) -> Iterator[dict[str, Any]]:
    for epoch in range(epochs):
        yield {"acc": lr * epoch}


async def async_generator(lr: float, *, epochs: int = 2) -> AsyncIterator[dict[str, Any]]:
    for epoch in range(epochs):
        await asyncio.sleep(0)
        yield {"acc": lr * epoch}


async def collected(values: AsyncIterator[Any]) -> list[Any]:
    return [value async for value in values]


KINDS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any], Callable[[Any], bool]]] = {
    "plain": (plain, lambda value: value, inspect.isfunction),
    "coroutine": (coroutine, asyncio.run, inspect.iscoroutinefunction),
    "generator": (generator, list, inspect.isgeneratorfunction),
    "async_generator": (async_generator, lambda made: asyncio.run(collected(made)), inspect.isasyncgenfunction),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_function_keeps_its_kind_signature_name_and_result(tracker: ExperimentTracker, name: str) -> None:
    function, use, is_kind = KINDS[name]
    tracked = auto_track(tracker)(function)
    assert is_kind(tracked)
    assert is_kind(function)
    assert inspect.signature(tracked) == inspect.signature(function)
    assert (tracked.__name__, tracked.__doc__) == (function.__name__, function.__doc__)
    assert use(tracked(0.5, epochs=3)) == use(function(0.5, epochs=3))
    made = manifest(name)
    assert (made.status, dict(made.identity.params)) == ("completed", {"lr": 0.5, "epochs": 3} | _unset(name))
    steps: list[int | None] = [0, 1, 2] if "generator" in name else [None]
    assert [step for _, step, _ in points(name)] == steps


def _unset(name: str) -> dict[str, None]:
    return {"data": None} if name == "plain" else {}


@pytest.mark.parametrize("name", KINDS)
def test_an_exception_fails_the_run_and_goes_on(tracker: ExperimentTracker, name: str) -> None:
    function, use, _ = KINDS[name]
    with pytest.raises(TypeError):
        use(auto_track(tracker)(function)("no number", epochs="none"))
    assert manifest(name).status == "failed"


def test_wrong_arguments_are_the_error_that_they_were(tracker: ExperimentTracker) -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'lr'"):
        auto_track(tracker)(plain)()  # type: ignore[call-arg]  # that is what is wrong
    assert manifest("plain").status == "failed"


def test_with_auto_log_metrics_off_only_what_the_body_logs_is_there() -> None:
    tracker = create_tracker("local", auto_log_metrics=False)

    @auto_track(tracker, "named", params=False)
    def body(lr: float) -> dict[str, float]:
        tracker.log_metrics({"loss": lr})
        return {"acc": 1}

    assert body(0.5) == {"acc": 1}
    assert (points("named"), manifest("named").identity.params) == ([("loss", None, 0.5)], {})


def test_the_result_of_an_experiment_is_logged_as_one(tracker: ExperimentTracker) -> None:
    @auto_track(tracker)
    def evaluate() -> dict[str, Any]:
        return {"success_rate": 0.5, "total_count": 2, "model_name": "m", "error_rate": 0.5}

    evaluate()
    assert manifest("evaluate").identity.params == {"model_name": "m"}
    assert manifest("evaluate").metrics["error_rate"].direction == "lower"


def test_a_call_within_a_run_is_nested_and_recursion_is_too(tracker: ExperimentTracker) -> None:
    @auto_track(tracker)
    def down(depth: int) -> None:
        if depth:
            down(depth - 1)

    with tracker:
        down(1)
    assert manifest("run.down").identity.parent == manifest("run").run_id
    assert manifest("run.down.down").identity.parent == manifest("run.down").run_id


def test_a_generator_takes_what_is_sent_and_thrown_and_gives_what_it_returns(tracker: ExperimentTracker) -> None:
    @auto_track(tracker)
    def talk() -> Any:
        got: list[object] = []
        while len(got) < 2:
            try:
                got.append((yield len(got)))
            except KeyError as error:
                got.append(error.args)
        return got

    made = talk()
    assert (next(made), made.send("x"), next(iter([]), "-")) == (0, 1, "-")
    with pytest.raises(StopIteration) as stop:
        made.throw(KeyError("k"))
    assert stop.value.value == ["x", ("k",)]
    assert manifest("talk").status == "completed"


def test_a_generator_that_is_left_early_was_killed(tracker: ExperimentTracker) -> None:
    closed = []

    @auto_track(tracker)
    def count() -> Iterator[dict[str, int]]:
        try:
            for number in range(10):
                yield {"n": number}
        finally:
            closed.append(True)

    made = count()
    next(made)
    made.close()  # type: ignore[attr-defined]  # a generator
    assert (closed, manifest("count").status, points("count")) == ([True], "killed", [("n", 0, 0)])


def test_generators_in_turns_and_the_code_between_them_log_each_to_its_own_run(tracker: ExperimentTracker) -> None:
    @auto_track(tracker)
    def turns(name: str) -> Iterator[None]:
        for step in range(2):
            tracker.log_metrics({name: step}, step)
            yield

    with tracker:
        for step, _ in enumerate(zip(turns("a"), turns("b"), strict=True)):
            tracker.log_metrics({"outer": step}, step)
    assert points("run.turns") == [("a", 0, 0), ("a", 1, 1)]
    assert points("run.turns-2") == [("b", 0, 0), ("b", 1, 1)]
    assert points("run") == [("outer", 0, 0), ("outer", 1, 1)]


def test_async_functions_at_once_log_each_to_its_own_run(tracker: ExperimentTracker) -> None:
    @auto_track(tracker)
    async def work(number: int) -> None:
        await asyncio.sleep(0)
        tracker.log_metrics({"number": number})

    @auto_track(tracker)
    async def values(number: int) -> AsyncIterator[None]:
        await asyncio.sleep(0)
        tracker.log_metrics({"number": number})
        yield

    async def main() -> None:
        await asyncio.gather(*map(work, range(3)), *(collected(values(number)) for number in range(3)))

    asyncio.run(main())
    for function in ("work", "values"):
        found = {path.name: points(path.name) for path in PLACE.glob(f"{function}*")}
        assert len(found) == 3
        assert {name: manifest(name).identity.params["number"] for name in found} == {
            name: value for name, [(_, _, value)] in found.items()
        }


def test_an_object_that_is_called_is_of_the_kind_of_its_call(tracker: ExperimentTracker) -> None:
    class Model:
        async def __call__(self, lr: float) -> dict[str, float]:
            await asyncio.sleep(0)
            return {"loss": lr}

    fit = auto_track(tracker, "fit")(Model())
    assert inspect.iscoroutinefunction(fit)
    assert asyncio.run(fit(0.5)) == {"loss": 0.5}
    assert [(point.name, point.value) for point in read_run(PLACE / "fit").points()] == [("loss", 0.5)]


def test_a_function_without_names_of_arguments_is_refused_with_the_way_out(tracker: ExperimentTracker) -> None:
    with pytest.raises(UsageError, match="no names") as refused:
        auto_track(tracker)(max)
    assert "params=False" in refused.value.hint
    assert auto_track(tracker, params=False)(max)(1, 2) == 2
