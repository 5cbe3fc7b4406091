"""Backends that lie, or answer nonsense: `--verify` tells it, or the answer is a fault of the server.

A lying server is a small one whose state is changed behind the exporter's back.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runstore.exporters.tensorboard import events, framing
from runstore.exporters.wandb import log
from runstore.manifest import Identity
from tests import wandb_server as wandb_server_module
from tests.export_places import Place, first_of, opened
from tests.export_runs import write_whole_run
from tests.factories import passing, write_run
from tests.mlflow_servers import SmallMlflow
from tests.wandb_server import WandbServer


def _one_bit_off(place: Place) -> None:
    if isinstance(place.state, SmallMlflow):
        (run,) = place.state.living()
        point = next(one for one in run["points"] if one["key"] == "huge" and one["value"] == 0.1)
        point["value"] = 0.1 + 2**-56
    elif isinstance(place.state, WandbServer):
        next(line for line in place.state.only_run.lines.values() if line.get("huge") == 0.1)["huge"] = 0.1 + 2**-56
    else:
        _rewrite(place, lambda data: data.replace(b"0.1", b"0.10000000000000002", 1))


def _rewrite(place: Place, edit: Callable[[bytes], bytes]) -> None:
    """Change the first message of a log that the edit changes."""
    for file in [*place.folder.glob("out/*/*/*tfevents.0*"), *place.folder.glob("out/*/run-*.wandb")]:
        module = framing if "tfevents" in file.name else log
        messages = list(module.read(file.read_bytes()))
        place_of = next(at for at, one in enumerate(messages) if edit(one) != one)
        messages[place_of] = edit(messages[place_of])
        data = b"".join(map(framing.frame, messages)) if module is framing else log.write(messages)
        file.write_bytes(data)


def _one_missing(place: Place) -> None:
    if isinstance(place.state, SmallMlflow):
        place.state.living()[0]["points"].pop(5)
    else:
        lines = place.state.only_run.lines
        lines.pop(max(lines))


def _one_more(place: Place) -> None:
    if isinstance(place.state, SmallMlflow):
        (run,) = place.state.living()
        run["points"].append({**run["points"][5], "step": 77})
    else:
        place.state.only_run.lines[999] = {"huge": 1, "_step": 777}


def _another_metric(place: Place) -> None:
    if isinstance(place.state, SmallMlflow):
        (run,) = place.state.living()
        run["points"].append({"key": "evil", "value": 1, "timestamp": 0, "step": 0})
    else:
        place.state.only_run.lines[0]["evil"] = 1


def _another_param(place: Place) -> None:
    if isinstance(place.state, SmallMlflow):
        place.state.living()[0]["params"]["evil"] = "1"
    else:
        place.state.only_run.config["evil"] = {"value": 1}


def _another_figure(place: Place) -> None:
    if isinstance(place.state, WandbServer):
        place.state.only_run.summary["evil"] = 1
    else:
        _another_metric(place)


def _minus_zero(place: Place) -> None:
    if isinstance(place.state, SmallMlflow):
        (run,) = place.state.living()
        next(one for one in run["points"] if one["value"] == 0)["value"] = -0.0
    else:
        next(line for line in place.state.only_run.lines.values() if line.get("final/acc") == 0)["final/acc"] = -0.0


def _a_truncated_file(place: Place) -> None:
    files = place.state.files if isinstance(place.state, SmallMlflow) else place.state.only_run.files
    path = next(path for path in files if path.endswith("program.py"))
    files[path] = files[path][:-1]


def _a_file_of_the_same_size(place: Place) -> None:
    files = place.state.files if isinstance(place.state, SmallMlflow) else place.state.only_run.files
    path = next(path for path in files if path.endswith("program.py"))
    files[path] = files[path][:-1] + b"?"


LIES = (
    _one_bit_off, _one_missing, _one_more, _another_metric, _another_param, _another_figure, _minus_zero,
    _a_truncated_file, _a_file_of_the_same_size,
)  # fmt: skip


@pytest.mark.parametrize("kind", ["mlflow", "wandb"])
@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_is_caught(tmp_path: Path, kind: str, lie: Callable[[Place], None]) -> None:
    write_whole_run(tmp_path / "run")
    with opened(kind, tmp_path) as place:
        assert place.export("run", "--verify").code == 0
        lie(place)
        done = place.export("run", "--verify", "--dry-run")
    assert done.code == 1, done.text
    assert "different" in done.out


@pytest.mark.parametrize("kind", ["tensorboard", "wandb folder"])
def test_a_folder_in_which_anything_was_changed_is_caught(tmp_path: Path, kind: str) -> None:
    write_whole_run(tmp_path / "run")
    with opened(kind, tmp_path) as place:
        assert place.export("run").code == 0
        files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
        for file in files:
            good = file.read_bytes()
            for bad in (good[:-1], good + b"\x00", good[:-1] + bytes([good[-1] ^ 1])):
                file.write_bytes(bad)
                done = place.export("run", "--verify", "--dry-run")
                assert done.code in (1, 74), f"{file.name} {done.text}"
            file.write_bytes(good)
            file.unlink()
            assert place.export("run", "--verify", "--dry-run").code in (1, 74), file.name
            file.write_bytes(good)
        assert place.export("run", "--verify").code == 0


def test_a_zero_with_another_sign_is_caught_in_an_event_file(tmp_path: Path) -> None:
    write_run(tmp_path / "run", points=[("acc", 0, 0)])
    with opened("tensorboard", tmp_path) as place:
        assert place.export("run", "--verify").code == 0
        zero, minus = (events._scalar(number) for number in (0.0, -0.0))
        _rewrite(place, lambda data: data.replace(zero, minus))
        assert place.export("run", "--verify", "--dry-run").code == 1


@pytest.mark.parametrize(
    "address", ["https://[", "ftp://h/x", "http://u:p@h/x", "http://h:99999/", "/a b", "/\x00", "\n"]
)
def test_a_place_for_a_file_that_is_none_is_a_fault_of_the_server(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def places(server: WandbServer, query: str, variables: dict[str, Any]) -> object:
        files = [{"name": path, "uploadUrl": address} for path in variables["files"]]
        return {"createRunFiles": {"runID": "x", "uploadHeaders": ["X: y\r\nZ: z"], "files": files}}

    monkeypatch.setitem(wandb_server_module._OPERATIONS, "CreateRunFiles", places)
    write_run(tmp_path / "run", passing(2))
    with opened("wandb", tmp_path) as place:
        done = place.export("run", "--timeout", "2")
    assert done.code == 74, done.text
    assert "names a place" in done.err


_ODD: list[Any] = [
    None,
    True,
    -1,
    1e300,
    "",
    "x",
    "\x00",
    "https://[",
    "9" * 5000,
    [],
    {},
    [[]],
    [None],
    {"key": None},
    "NaN",
]


def _mutated(value: Any, chance: random.Random) -> Any:
    """A JSON value with one of its parts made another."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        name = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {one: member for one, member in value.items() if one != name}
        return {**value, name: _mutated(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        return [*value[:at], _mutated(value[at], chance), *value[at + 1 :]]
    if isinstance(value, str) and value[:1] == "{" and chance.random() < 0.85:  # a document in a text
        return json.dumps(_mutated(json.loads(value), chance))
    return chance.choice(_ODD)


@pytest.mark.parametrize("kind", ["mlflow", "wandb"])
@pytest.mark.parametrize("seed", first_of(range(6), 0))
def test_an_answer_that_makes_no_sense_is_a_fault_of_the_server(
    tmp_path: Path, kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    write_run(tmp_path / "run", passing(2), points=[("acc", 0.5, 0)], identity=Identity(params={"a": 1}))
    with opened(kind, tmp_path) as place:
        flags = ("--timeout", "0.25", "--verify")
        whole = json.dumps
        asked = iter(range(10**9))
        state = {"at": 0}

        def dumps(value: Any, *args: Any, **options: Any) -> str:
            is_answer = threading.current_thread() is not threading.main_thread()
            odd = is_answer and next(asked) == state["at"]
            return whole(_mutated(value, chance) if odd else value, *args, **options)

        monkeypatch.setattr(json, "dumps", dumps)
        for _ in range(15 if seed == 0 else 60):
            asked = iter(range(10**9))
            state["at"] = chance.randrange(16)
            done = place.export("run", *flags)
            assert done.code in (0, 1, 2, 74), done.err
            if isinstance(place.state, SmallMlflow):
                place.state.forget()
            else:
                place.state.runs.clear()
