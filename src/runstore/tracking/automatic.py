"""`auto_track`: a function in, the same function out, each call of which is a run.

Its arguments are the params, as far as they are scalars; the numbers of a mapping that it returns are final figures,
and those of the mappings that it yields are points, with steps 0, 1, 2, … The signature and the kind of the function
stay: a coroutine function is one still, and so are generators of both kinds. A generator that is closed before its end
was killed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar, cast

from runstore.errors import InvalidDataError, UsageError
from runstore.tracking import results, values
from runstore.tracking.points import holds
from runstore.tracking.run import TrackedRun
from runstore.tracking.tracker import Activity, ExperimentTracker

Function = TypeVar("Function", bound=Callable[..., Any])
_SCALARS = (str, int, float, bool, type(None))
_LONGEST_TEXT = 1000


def auto_track(
    tracker: ExperimentTracker, run_name: str | None = None, *, params: bool = True
) -> Callable[[Function], Function]:
    """A decorator that makes each call of a function a run, nested in the one that is active, if one is.

    `run_name` is the name of the function if it is not given. With `params=False` the arguments are not logged.
    Raises UsageError for a function whose arguments have no names, unless they are not logged.
    """

    def decorate(function: Function) -> Function:
        tracked = _Tracked(tracker, function, run_name or _name_of(function), params=params)
        body = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
        for is_kind, wrap in _KINDS:
            if is_kind(function) or is_kind(body):
                return cast(Function, functools.wraps(function)(wrap(tracked)))
        return cast(Function, functools.wraps(function)(tracked.plain()))

    return decorate


class _Tracked:
    """A function whose calls are runs."""

    def __init__(self, tracker: ExperimentTracker, function: Callable[..., Any], name: str, *, params: bool) -> None:
        self._tracker = tracker
        self._function = function
        self._name = name
        self._signature = _signature_of(function) if params else None

    def _start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TrackedRun:
        run = self._tracker.start_run(self._name, nested=self._tracker.active_here() is not None)
        if self._signature is not None:
            try:
                run.log_params(self._params(self._signature, args, kwargs))
            except BaseException as error:
                run.leave(error)
                raise
        return run

    def _params(
        self, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Mapping[str, object]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given: dict[str, object] = {}
        for name, value in bound.arguments.items():
            is_rest = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
            given |= value if is_rest else {name: value}
        return {name: value for name, value in given.items() if _is_param(value)}

    def _log(self, run: TrackedRun, value: object, step: int | None = None) -> None:
        """Log what was returned, or yielded as number `step`."""
        if not self._tracker.config.auto_log_metrics:
            return
        if step is None and results.is_result(value):
            run.log_experiment_result(value)
        elif isinstance(value, Mapping):
            run.log_metrics(dict(filter(_is_metric, value.items())), step)

    def plain(self) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._start(args, kwargs) as run:
                value = self._function(*args, **kwargs)
                self._log(run, value)
                return value

        return call

    def coroutine(self) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            with self._start(args, kwargs) as run:
                value = await self._function(*args, **kwargs)
                self._log(run, value)
                return value

        return call

    def generator(self) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            run = copy_context().run(self._start, args, kwargs)
            with _ended(run):
                body, active, step = self._function(*args, **kwargs), Activity(run), 0
                advance: Callable[[], Any] = functools.partial(next, body)
                while True:
                    try:
                        with active:
                            value = advance()
                    except StopIteration as stop:
                        self._log(run, stop.value)
                        return stop.value
                    self._log(run, value, step)
                    step += 1
                    try:
                        advance = functools.partial(body.send, (yield value))
                    except GeneratorExit:
                        with active:
                            body.close()
                        raise
                    except BaseException as error:  # noqa: BLE001  # thrown in by the caller: it belongs to the body
                        advance = functools.partial(body.throw, error)

        return call

    def async_generator(self) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            run = copy_context().run(self._start, args, kwargs)
            with _ended(run):
                body, active, step = self._function(*args, **kwargs), Activity(run), 0
                advance: Callable[[], Any] = body.__anext__
                while True:
                    try:
                        with active:
                            value = await advance()
                    except StopAsyncIteration:
                        return
                    self._log(run, value, step)
                    step += 1
                    try:
                        advance = functools.partial(body.asend, (yield value))
                    except GeneratorExit:
                        with active:
                            await body.aclose()
                        raise
                    except BaseException as error:  # noqa: BLE001  # thrown in by the caller: it belongs to the body
                        advance = functools.partial(body.athrow, error)

        return call


_KINDS: tuple[tuple[Callable[[object], bool], Callable[[_Tracked], Callable[..., Any]]], ...] = (
    (inspect.isasyncgenfunction, _Tracked.async_generator),
    (inspect.iscoroutinefunction, _Tracked.coroutine),
    (inspect.isgeneratorfunction, _Tracked.generator),
)
"""Kinds of functions, and what wraps each; any other is a plain one."""


@contextmanager
def _ended(run: TrackedRun) -> Iterator[None]:
    """End the run of a generator with its body. One that is closed before its end was killed: it may lack values."""
    try:
        yield
    except BaseException as error:
        run.leave(error)
        raise
    run.leave(None)


def _name_of(function: Callable[..., Any]) -> str:
    """The name of a function; of a partial one, that of the whole; of an object that can be called, its class's."""
    inner = function.func if isinstance(function, functools.partial) else function
    return str(getattr(inner, "__name__", type(inner).__name__))


def _signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Raises UsageError for a function that has none, as some of C."""
    try:
        return inspect.signature(function)
    except ValueError as error:
        raise UsageError(f"the arguments have no names: {error}", hint="pass params=False to auto_track") from None


def _is_param(value: object) -> bool:
    if isinstance(value, float):
        return holds(value)
    return isinstance(value, _SCALARS) and not (isinstance(value, str) and len(value) > _LONGEST_TEXT)


def _is_metric(member: tuple[object, object]) -> bool:
    name, value = member
    if not isinstance(name, str) or not name or isinstance(value, str | bytes):
        return False
    try:
        values.number(name, value)
    except InvalidDataError:
        return False
    return True
