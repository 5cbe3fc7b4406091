"""Building an acceptance: what was changed since it was planned is not written, and nothing is written half."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runstore import comparison
from runstore.accepting import acceptance
from runstore.accepting.acceptance import Acceptance, Side
from runstore.accepting.selection import Selection, Sieve
from runstore.errors import InvalidRunError
from runstore.policy import Policy
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from tests.factories import ACC, passing, scored, write_run


def side(place: Path, acc: int) -> Side:
    artifact = place.parent / "plot"
    artifact.write_bytes(b"%d" % acc)
    with RunWriter(place, metrics=ACC) as run:
        for name in "abc":
            run.append(scored(name, acc))
        run.log_metric("acc", acc)
        run.add_artifact(artifact, "plot.bin")
    return Side(run=read_run(place), folder=place)


def planned(folder: Path, selection: Selection) -> Acceptance:
    baseline, current = side(folder / "baseline", 0), side(folder / "current", 1)
    judged = comparison.compare(baseline.run, current.run, Policy())
    plan = acceptance.plan(baseline, current, judged, Sieve(selection), "why")
    assert isinstance(plan, Acceptance)
    return plan


def other_artifact(run: Path) -> None:
    (run / "artifacts/plot.bin").write_bytes(b"2")


def other_records(run: Path) -> None:
    path = run / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"x"'))


def another_run(run: Path) -> None:
    shutil.rmtree(run)
    write_run(run, passing(2))


PART = Selection(only=("a",))


@pytest.mark.parametrize(
    ("selection", "name", "change"),
    [
        (Selection(), "current", other_artifact),
        (Selection(), "current", other_records),
        (Selection(), "current", another_run),
        (PART, "current", other_records),
        (PART, "current", another_run),
        (PART, "baseline", other_artifact),
        (PART, "baseline", other_records),
        (PART, "baseline", another_run),
    ],
)
def test_a_run_that_is_changed_after_the_plan_is_not_accepted(
    tmp_path: Path, selection: Selection, name: str, change: Callable[[Path], None]
) -> None:
    plan = planned(tmp_path, selection)
    change(tmp_path / name)
    with pytest.raises((InvalidRunError, FileNotFoundError)):
        acceptance.build(plan, tmp_path / "made", "baseline")


@pytest.mark.parametrize("selection", [Selection(), PART], ids=["whole", "part"])
def test_what_nobody_touches_is_built(tmp_path: Path, selection: Selection) -> None:
    made = acceptance.build(planned(tmp_path, selection), tmp_path / "made", "the baseline")
    assert made.label == "the baseline"
    assert (tmp_path / "made/artifacts/plot.bin").read_bytes() == (b"0" if selection is PART else b"1")
