"""The table of docs/tracking.md that says what leaves the machine, held against what really goes to each backend.

A run is tracked in which each kind of thing bears a word of its own. Then it is exported, and the words are looked for
in all that the backend has got.
"""

from __future__ import annotations

import getpass
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from runstore.exporters import export
from runstore.manifest import MetricDeclaration
from runstore.store.reader import read_run
from runstore.tracking import ExperimentTracker, TrackingConfig, capture
from tests.factories import unsynced
from tests.mlflow_servers import small_mlflow
from tests.repositories import Repository
from tests.wandb_server import ENTITY, wandb_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tracking.md"
HEAD = ["MLflow", "W&B", "TensorBoard"]
BACKENDS = ["mlflow", "wandb", "tensorboard"]
WORDS: Mapping[str, list[str]] = {
    "project, experiment and name": ["zqproject", "zqexperiment", "zqname"],
    "run id, digest, status, number of records": ["RUN ID", "DIGEST"],
    "run id of the parent": ["PARENT"],
    "params": ["zqparam", "zqsetting"],
    "tags": ["zqtag", "zqlabel"],
    "notes": ["zqnote"],
    "data sets: name, digest, version": ["zqdataset", "zqdigest", "zqversion"],
    "points and final figures of a metric, means of scores": ["zqmetric", "zqscore", "0.7071"],
    "records: input, output, target, metadata, tags": ["zqid", "zqinput", "zqoutput", "zqtarget", "zqmeta", "zqslice"],
    "artifacts, source code among them": ["zqartifact", "zqbytes", "zqcode"],
    "commit and dirty flag": ["COMMIT"],
    "descriptions of data sets, alerts, and all else of `origin`": ["zqdescription", "zqalert", "zqkind"],
    "units and ranges of metrics": ["zqunit", "12345.5"],
    "fingerprint of the environment": ["FINGERPRINT"],
    "list of packages (`volatile/environment.json`)": ["orjson", "jsonschema"],
    "clock, host name, process id (`volatile/tracking.json`)": ["HOST", "CLOCK"],
    "measures (`volatile/measures.json`)": ["zqmeasure", "98765.25"],
    "user, home, working folder, path of the run, command line, variables": [
        "USER",
        "HOME",
        "FOLDER",
        "PROGRAM",
        "ENV",
    ],
}
"""Row of the table → the words of its things. Those in capitals are looked up in the run and the machine."""
CLOCK = 1234567890.125
KEEPING_BACK: Mapping[str, dict[str, object]] = {
    "`--redact NAME`": {"redact": ["zq*"]},
    "`--redact notes`": {"redact": ["notes"]},
    "`--no-records`, `--redact FIELD`": {"records": False},
    "`--no-artifacts`": {"artifacts": False},
}


def table() -> dict[str, list[str]]:
    """Row → its other cells, as the page has them."""
    text = PAGE.read_text(encoding="utf-8")
    lines = text[text.index("| of a run | MLflow |") :].split("\n\n")[0].splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[2:5]] == HEAD
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:])
    return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The run, and what the words in capitals stand for."""
    folder = tmp_path_factory.mktemp("zqfolder")
    with pytest.MonkeyPatch.context() as patch, unsynced():
        code = Repository(folder / "code")
        code.write("train.py", "print('zqcode')\n")
        commit = code.commit()
        patch.chdir(code.folder)
        patch.setenv("ZQ_VARIABLE", "zqvariable")
        patch.setenv("HOME", str(folder / "zqhome"))
        patch.setenv("LOGNAME", "zquser")
        patch.setattr(sys, "argv", [str(folder / "zqprogram.py")])
        path = log(folder)
        fingerprint = capture.fingerprint(capture.environment())
        run = read_run(path)
        assert (run.manifest.provenance.environment, run.manifest.provenance.commit) == (fingerprint, commit)
        capitals = {
            "RUN ID": run.manifest.run_id,
            "DIGEST": run.digest,
            "PARENT": run.manifest.identity.parent or "",
            "COMMIT": commit,
            "FINGERPRINT": fingerprint,
            "HOST": platform.node(),
            "CLOCK": str(int(CLOCK)),
            "USER": getpass.getuser(),
            "HOME": "zqhome",
            "FOLDER": "zqfolder",
            "PROGRAM": Path(sys.argv[0]).name,
            "ENV": "zqvariable",
        }
        yield path, capitals


def log(folder: Path) -> Path:
    artifact = folder / "zqsource.txt"
    artifact.write_text("zqbytes")
    config = TrackingConfig(
        project="zqproject", experiment_name="zqexperiment", log_git=True, log_code=True, log_environment=True
    )
    tracker = ExperimentTracker(config, root=folder / "experiments", clock=lambda: CLOCK)
    with tracker.start_run("zqouter"), tracker.start_run("zqname", nested=True) as run:
        run.log_params({"zqparam": "zqsetting"})
        run.add_tag("zqtag", "zqlabel")
        run.set_note("zqnote")
        run.log_dataset("zqdataset", digest="zqdigest", version="zqversion", description="zqdescription")
        run.declare_metric("zqmetric", MetricDeclaration(unit="zqunit", range=(0, 12345.5)))
        run.create_alert("zqmetric > 0.5", "zqalert")
        run.log_metrics({"zqmetric": 0.7071}, 0)
        run.log_measures({"zqmeasure": 98765.25})
        run.log_records([{
            "id": "zqid", "input": "zqinput", "output": "zqoutput", "target": "zqtarget",
            "metadata": {"zqkey": "zqmeta"}, "tags": {"zqside": "zqslice"}, "scores": {"zqscore": 1},
        }])  # fmt: skip
        run.log_artifact(artifact, "zqartifact.txt", type="zqkind")
    return run.path


def got(backend: str, run: Path, place: Path, **asked: object) -> str:
    """All that a backend has got of an export, as one text."""
    place.mkdir(exist_ok=True)
    env = {"RUNSTORE_EXPORTS_DIR": str(place / "ledger")}
    with receiving(backend, place, env) as (target, everything):
        done = export(run, to=backend, target=target, environment=env, warn=lambda text: None, **asked)  # type: ignore[arg-type]
        assert done.receipt is not None
        assert done.receipt.created
        return everything()


@contextmanager
def receiving(backend: str, place: Path, env: dict[str, str]) -> Iterator[tuple[str, Callable[[], str]]]:
    """A target, and what it has got."""
    if backend == "tensorboard":
        yield (
            str(place / "logs"),
            lambda: "".join(
                f"{file.relative_to(place)}\n{file.read_bytes().decode(errors='replace')}"
                for file in sorted((place / "logs").rglob("*"))
                if file.is_file()
            ),
        )
    elif backend == "mlflow":
        with small_mlflow() as (address, app):
            yield address, lambda: f"{app.runs!r}{app.experiments!r}{app.files!r}{app.seen!r}{app.headers!r}"
    else:
        with wandb_server() as server:
            env.update(server.environment)
            yield (
                f"{ENTITY}/zqproject",
                lambda: "".join(
                    f"{one.path}{one.headers!r}{one.body.decode(errors='replace')}" for one in server.requests
                ),
            )


Tracked = tuple[Path, dict[str, str]]


def test_the_table_has_a_row_for_each_kind_of_thing() -> None:
    assert list(table()) == list(WORDS)
    assert {cell for row in table().values() for cell in row[:3]} == {"sent", "–"}
    assert {row[3] for row in table().values()} == {"", *KEEPING_BACK}


@pytest.mark.parametrize(("column", "backend"), list(enumerate(BACKENDS)), ids=BACKENDS)
def test_what_the_table_says_is_sent_and_nothing_else_is(
    tracked: Tracked, tmp_path: Path, column: int, backend: str
) -> None:
    run, capitals = tracked
    traffic = got(backend, run, tmp_path / backend)
    found = {}
    for row, words in WORDS.items():
        there = [capitals.get(word, word) in traffic for word in words]
        found[row] = "sent" if all(there) else "–" if not any(there) else f"in part: {there}"
    assert found == {row: cells[column] for row, cells in table().items()}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("flag", list(KEEPING_BACK))
def test_what_is_kept_back_does_not_leave(tracked: Tracked, tmp_path: Path, backend: str, flag: str) -> None:
    run, _ = tracked
    traffic = got(backend, run, tmp_path / backend, **KEEPING_BACK[flag])
    rows = [row for row, cells in table().items() if cells[3] == flag]
    assert rows
    assert [word for row in rows for word in WORDS[row] if word in traffic] == []
