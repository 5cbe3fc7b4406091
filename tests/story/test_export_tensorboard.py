"""What is exported to TensorBoard, read with TensorBoard's own code: everything comes back equal by the plan.

Needs the extra `servers`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import pytest

from runstore.exporters.tensorboard import exporter
from runstore.exporters.tensorboard.events import shown
from runstore.exporters.tensorboard.model import TensorboardPlan
from runstore.store.reader import read_run
from tests.command_line import environment
from tests.export_runs import PARAMS, options, visit, whole_run, write_whole_run
from tests.factories import write_run

pytestmark = [pytest.mark.server, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TIMEOUT_S = 60


def pushed(tmp_path: Path) -> tuple[TensorboardPlan, Path]:
    run = whole_run(tmp_path / "run")
    plan = exporter.plan(run, options(tmp_path / "tb"))
    exporter.push(plan, run, visit())
    return plan, tmp_path / "tb" / plan.folder


def accumulated(folder: Path) -> Any:
    """TensorBoard's own reader of one run, with nothing thinned out."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = module.EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    accumulator.Reload()
    return accumulator


def arrays(accumulator: Any, tag: str) -> list[tuple[int, Any]]:
    module = pytest.importorskip("tensorboard.util.tensor_util")
    return [(event.step, module.make_ndarray(event.tensor_proto)) for event in accumulator.Tensors(tag)]


def test_every_scalar_comes_back_equal(tmp_path: Path) -> None:
    plan, folder = pushed(tmp_path)
    found = accumulated(folder)
    planned: dict[str, list[tuple[int, float]]] = {}
    for point in plan.points:
        planned.setdefault(point.name, []).append((point.step, point.value))
    assert set(found.PluginTagToContent("scalars")) == set(planned)
    exact = {tag: [(event.step, event.tensor_proto.double_val[0]) for event in found.Tensors(tag)] for tag in planned}
    assert exact == planned
    for tag, points in planned.items():
        assert [float(array) for _, array in arrays(found, tag)] == [shown(value) for _, value in points]


def test_texts_and_histograms_come_back_equal(tmp_path: Path) -> None:
    plan, folder = pushed(tmp_path)
    found = accumulated(folder)
    assert set(found.PluginTagToContent("text")) == set(plan.texts)
    assert {tag: arrays(found, tag)[0][1].item().decode() for tag in plan.texts} == plan.texts
    assert set(found.PluginTagToContent("histograms")) == set(plan.histograms)
    for tag, buckets in plan.histograms.items():
        assert [tuple(row) for row in arrays(found, tag)[0][1].tolist()] == list(buckets)


def test_hyperparameters_come_back_with_their_types(tmp_path: Path) -> None:
    _, folder = pushed(tmp_path)
    metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata")
    content = accumulated(folder).PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    found = {name: getattr(value, str(value.WhichOneof("kind"))) for name, value in start.hparams.items()}
    assert found == {**PARAMS, "none": 0}  # `null_value` is an enumeration whose one member is 0
    assert start.hparams["none"].WhichOneof("kind") == "null_value"
    end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
    assert end.status == 1


def test_a_link_to_the_run_before_is_read_with_the_run(tmp_path: Path) -> None:
    first, _ = pushed(tmp_path)
    run = read_run(write_whole_run(tmp_path / "run", replace=True, shift=1.0))
    plan = exporter.plan(run, options(tmp_path / "tb", previous=first.key))
    exporter.push(plan, run, visit())
    found = accumulated(tmp_path / "tb" / plan.folder)
    assert first.key in arrays(found, "runstore/previous")[0][1].item().decode()
    assert len(found.Tensors("huge")) == 12


@contextmanager
def served(folder: Path, *flags: str) -> Iterator[str]:
    """The address of a real TensorBoard that shows a folder."""
    pytest.importorskip("tensorboard")
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    words = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", str(port), "--samples_per_plugin=scalars=100000"]
    log = folder.parent / "tensorboard.log"
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *words, *flags],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**environment(folder.parent), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    except BaseException:
        print(log.read_text())
        raise
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # it and its data server, which no one else is among
        server.wait(TIMEOUT_S)


def fetched(address: str, path: str, **query: str) -> Any:
    with build_opener(ProxyHandler({})).open(f"{address}/data/{path}?{urlencode(query)}", timeout=TIMEOUT_S) as answer:
        return json.loads(answer.read())


def fetched_when_there(address: str, path: str, run: str) -> Mapping[str, Any]:
    """What TensorBoard says of all runs, as soon as it knows this one."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        try:
            found: Mapping[str, Any] = fetched(address, path)
        except (URLError, ConnectionError):
            found = {}
        if run in found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"TensorBoard does not show {run}")


@pytest.mark.parametrize("loading", ["true", "false"])
def test_tensorboard_itself_shows_the_run(tmp_path: Path, loading: str) -> None:
    """With both of its readers, the fast one (which passes over tensors of doubles) and the other."""
    plan, _ = pushed(tmp_path)
    other = read_run(write_run(tmp_path / "other"))
    exporter.push(exporter.plan(other, options(tmp_path / "tb")), other, visit())
    with served(tmp_path / "tb", f"--load_fast={loading}") as address:
        tags = fetched_when_there(address, "plugin/scalars/tags", plan.folder)
        assert set(tags[plan.folder]) == {point.name for point in plan.points}
        drawn = fetched(address, "plugin/scalars/scalars", run=plan.folder, tag="pass@1 é")
        assert [step for _, step, _ in drawn] == [step * 3 for step in range(12)]
        assert [value for _, _, value in drawn] == [shown(step / 7) for step in range(12)]
        histograms = fetched(address, "plugin/histograms/histograms", run=plan.folder, tag="records/scores/acc")
        assert sum(count for _, _, count in histograms[0][2]) == 38
        text = fetched(address, "plugin/text/text", run=plan.folder, tag="runstore/params")
        assert "<script>" not in text[0]["text"]
        assert "<table>" in text[0]["text"]
