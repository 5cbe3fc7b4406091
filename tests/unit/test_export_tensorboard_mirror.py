"""The live mirror in TensorBoard: an event file that grows, and one whole run at the end."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from runstore.errors import UsageError
from runstore.exporters.discovery import find_mirror
from runstore.exporters.tensorboard import events, exporter
from runstore.exporters.tensorboard.folder import LIVE_FILE
from runstore.exporters.tensorboard.mirror import LiveRun, open_mirror
from runstore.store.reader import read_run
from runstore.tracking.mirror import LivePoint, RunFacts
from tests.export_runs import options, visit, write_whole_run
from tests.factories import files_of


def facts(tmp_path: Path, *, is_resumed: bool = False) -> RunFacts:
    return RunFacts(project="p", suite="s", name="n", folder=tmp_path / "run", is_resumed=is_resumed)


def begun(tmp_path: Path, *, is_resumed: bool = False) -> LiveRun:
    mirror = open_mirror({"target": str(tmp_path / "tb")})
    mirror.open(facts(tmp_path, is_resumed=is_resumed))
    return mirror


def live_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "tb").rglob(LIVE_FILE))


def points(*values: tuple[str, float, int | None]) -> list[LivePoint]:
    return [LivePoint(name=name, value=value, step=step) for name, value, step in values]


def test_points_stand_in_the_file_as_soon_as_they_are_told(tmp_path: Path) -> None:
    mirror = begun(tmp_path)
    mirror.points(points(("loss", 0.1, 0), ("acc", 0.5, 0), ("loss", 0.05, 1)))
    mirror.points(points(("loss", math.inf, 2), ("final", 1.0, None)))
    (file,) = live_files(tmp_path)
    assert events.read(file.read_bytes()).scalars == {"loss": [(0, 0.1), (1, 0.05), (2, math.inf)], "acc": [(0, 0.5)]}


def test_nan_is_shown_as_nan(tmp_path: Path) -> None:
    begun(tmp_path).points(points(("loss", math.nan, 3)))
    ((step, value),) = events.read(live_files(tmp_path)[0].read_bytes()).scalars["loss"]
    assert step == 3
    assert math.isnan(value)


def test_at_the_end_the_finished_run_is_there_once_and_nothing_else(tmp_path: Path) -> None:
    mirror = begun(tmp_path)
    mirror.points(points(("huge", 1.0, 0)))
    write_whole_run(tmp_path / "run")
    mirror.close("completed", tmp_path / "run")
    run = read_run(tmp_path / "run")
    plan = exporter.plan(run, options(tmp_path / "tb"))
    assert list(exporter.verify(plan, run, visit())) == []
    assert [path.name for path in (tmp_path / "tb").rglob("*tfevents*")] == [plan.file]


def test_two_processes_do_not_write_to_one_file(tmp_path: Path) -> None:
    first = begun(tmp_path)
    with pytest.raises(UsageError, match="written to by another process"):
        begun(tmp_path, is_resumed=True)
    first.points(points(("loss", 0.1, 0)))


def killed(place: Path) -> Path:
    """What a killed mirror leaves below another place: its file, with a message that is cut off. Nobody holds it."""
    begun(place).points(points(("loss", 0.1, 0)))
    (file,) = live_files(place)
    left = place / "left" / file.relative_to(place)
    left.parent.mkdir(parents=True)
    left.write_bytes(file.read_bytes() + file.read_bytes()[:20])
    return left


def test_a_resumed_run_goes_on_behind_what_is_whole(tmp_path: Path) -> None:
    left = killed(tmp_path)
    mirror = LiveRun(str(tmp_path / "left/tb"))
    mirror.open(facts(tmp_path, is_resumed=True))
    mirror.points(points(("loss", 0.2, 1)))
    assert events.read(left.read_bytes()).scalars == {"loss": [(0, 0.1), (1, 0.2)]}


def test_a_run_that_begins_anew_leaves_what_a_killed_one_wrote(tmp_path: Path) -> None:
    left = killed(tmp_path)
    before = left.read_bytes()
    LiveRun(str(tmp_path / "left/tb")).open(facts(tmp_path))
    assert left.read_bytes() == before
    assert len(list((tmp_path / "left").rglob(LIVE_FILE))) == 2


def test_no_path_of_the_machine_stands_in_the_target(tmp_path: Path) -> None:
    begun(tmp_path)
    names = " ".join(files_of(tmp_path / "tb"))
    assert "pytest" not in names


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="knows no option 'color'"):
        open_mirror({"color": "red"})


@pytest.mark.parametrize("backend", ["mlflow", "tensorboard", "wandb"])
def test_every_backend_of_ours_has_a_mirror(backend: str) -> None:
    assert callable(find_mirror(backend))
    assert find_mirror("shelf") is None
