"""`gate export` and `runstore.exporters.export`: exit codes, what is told, and what happens to the runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from runstore import schema
from runstore.errors import InvalidDataError, UsageError
from runstore.exporters import export
from runstore.exporters.contract import (
    Change,
    Difference,
    ExportError,
    Options,
    Plan,
    Receipt,
    Visit,
    plan_key,
)
from runstore.exporters.discovery import find_exporter, known_backends
from runstore.exporters.exporting import parents_first
from runstore.store.reader import Run, read_run
from tests.command_line import Outcome
from tests.export_runs import write_whole_run
from tests.factories import files_of, passing, write_run
from tests.repositories import Repository, gate


class Shelf:
    """A backend of another package: it keeps keys in memory, and fails as a run's name asks."""

    name = "shelf"
    kept: dict[str, Plan]
    seen: list[Visit]

    def __init__(self) -> None:
        self.kept, self.seen = {}, []

    def plan(self, run: Run, options: Options) -> Plan:
        conflict = Change(kind="param", name="a", deed="conflict", sent=None, reason="b is the same here")
        return Plan(
            backend="shelf",
            target=options.target or "top",
            run_id=run.manifest.run_id,
            digest=run.digest,
            key=plan_key("shelf", options.target or "top", run.digest),
            title=run.manifest.identity.name,
            status=run.manifest.status,
            previous=options.previous,
            changes=[conflict] if run.manifest.identity.name == "conflict" else [],
        )

    def push(self, plan: Plan, run: Run, visit: Visit) -> Receipt:
        self.seen.append(visit)
        match plan.title:
            case "down":
                visit.keep({"sent": 1})
                raise ExportError("cannot be reached", where="shelf", hint="export it again")
            case "keyless":
                raise UsageError("no key for shelf", hint="set SHELF_KEY")
        created = plan.key not in self.kept
        self.kept[plan.key] = plan
        return Receipt(remote_id=plan.key, url=None, requests=3, created=created)

    def verify(self, plan: Plan, run: Run, visit: Visit) -> Sequence[Difference]:
        if plan.title == "other":
            return [Difference(kind="metric", name="acc", planned="0.5", found="0.50000000000000011")]
        return [] if plan.key in self.kept else [Difference(kind="run", name=plan.title, planned="x", found=None)]


@pytest.fixture(name="shelf")
def _shelf(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The backend of an installed package that names it as an entry point."""
    package = ModuleType("shelf_of_tests")
    shelf = Shelf()
    setattr(package, "exporter", shelf)  # noqa: B010  # a module made here
    monkeypatch.setitem(sys.modules, package.__name__, package)
    place = tmp_path_factory.mktemp("packages")
    metadata = place / "shelf_of_tests-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-of-tests\nVersion: 1\n")
    lines = ["[runstore.exporters]", "shelf = shelf_of_tests:exporter", "broken = no_such_package:exporter"]
    (metadata / "entry_points.txt").write_text("\n".join([*lines, "tensorboard = shelf_of_tests:exporter", ""]))
    monkeypatch.syspath_prepend(place)
    return shelf


def test_a_backend_of_another_package_is_found_and_never_takes_the_name_of_ours(shelf: Shelf) -> None:
    assert find_exporter("shelf") is shelf
    assert find_exporter("tensorboard").name == "tensorboard"
    assert known_backends() == ["broken", "mlflow", "shelf", "tensorboard", "wandb"]
    with pytest.raises(UsageError, match=r"'broken' of no_such_package:exporter cannot be loaded"):
        find_exporter("broken")


def write_named(place: Path, name: str, parent: str | None = None) -> Path:
    return write_whole_run(place, name=name, records=2, steps=1, parent=parent)


def test_a_run_is_sent_and_read_back_and_stays_as_it_was(tmp_path: Path) -> None:
    before = files_of(write_whole_run(tmp_path / "run"))
    first = gate(tmp_path, "export", "run", "--to", "tensorboard", "--target", "tb", "--verify")
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("sent   run  to tensorboard at tb, as 'try one'\n")
    assert "read back: equal" in first.out
    again = gate(tmp_path, "export", "run", "--to", "tensorboard", "--target", "tb")
    assert again.out.startswith("there  run ")
    assert len(list((tmp_path / "tb").rglob("*tfevents*"))) == 1
    assert files_of(tmp_path / "run") == before


def test_the_same_run_is_one_run_even_with_the_ledger_lost(tmp_path: Path) -> None:
    write_whole_run(tmp_path / "run")
    for number in range(2):
        env = {"RUNSTORE_EXPORTS_DIR": str(tmp_path / f"ledger{number}")}
        assert gate(tmp_path, "export", "run", "--to", "tensorboard", "--target", "tb", env=env).code == 0
    assert len(list((tmp_path / "tb").rglob("*tfevents*"))) == 1


def test_a_changed_run_is_a_new_one_linked_to_the_old(tmp_path: Path) -> None:
    write_whole_run(tmp_path / "run")
    gate(tmp_path, "export", "run", "--to", "tensorboard", "--target", "tb")
    write_whole_run(tmp_path / "run", replace=True, shift=1)
    done = gate(tmp_path, "export", "run", "--to", "tensorboard", "--target", "tb", "--verify")
    assert (done.code, done.err) == (0, "")
    assert len(list((tmp_path / "tb").rglob("*tfevents.0*"))) == 2
    assert len(list((tmp_path / "tb").rglob("*tfevents.1*"))) == 1


def test_a_dry_run_tells_everything_and_writes_nothing(tmp_path: Path) -> None:
    write_whole_run(tmp_path / "run")
    done = gate(tmp_path, "export", "run", "--to", "tensorboard", "--dry-run")
    assert done.code == 0
    for line in (
        "    9 params, 2 tags, 1 note, 38 points, 3 files, 5 texts, 1 histogram",
        "    param       'large' = '9007199254740991'",
        "    renamed     metric 'final/acc' -> '_x66_inal/acc'  (a reserved form of name)",
        "    converted   metric 'huge' -> 'huge'  (10 shown with 24 bits, as all of TensorBoard's scalars; each has "
        "its exact double beside it)",
        "    dropped     artifact 'artifacts/program.py'  (TensorBoard shows no files; it stays in the run)",
    ):
        assert line in done.out.split("\n")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["run"]


def test_the_json_of_a_dry_run_holds_every_number_as_it_is(tmp_path: Path) -> None:
    write_whole_run(tmp_path / "run")
    done = gate(tmp_path, "export", "run", "--to", "tensorboard", "--dry-run", "--format", "json")
    assert list(schema.validate("export", done.view)) == []
    (run,) = done.view["runs"]
    assert (run["run"], run["receipt"], run["differences"], run["error"]) == ("run", None, None, None)
    points = {(point["name"], point["step"]): point["value"] for point in run["plan"]["points"]}
    assert (points["huge", 3], points["huge", 5], points["final/loss", 0]) == (5e-324, 2**53 - 1, 0.123456789012345678)


def test_the_json_of_an_export_is_as_the_schema_says(tmp_path: Path, shelf: Shelf) -> None:
    for name in ("fine", "down", "other", "keyless"):
        write_named(tmp_path / "runs" / name, name)
    done = gate(tmp_path, "export", "runs", "--to", "shelf", "--verify", "--format", "json")
    assert list(schema.validate("export", done.view)) == []
    told = {run["run"]: (run["receipt"], run["error"]) for run in done.view["runs"]}
    assert told["runs/fine"][0]["requests"] == 3
    assert told["runs/down"][1] == {"message": "cannot be reached", "where": "shelf", "hint": "export it again"}


def test_reading_back_without_sending_says_what_is_missing(tmp_path: Path, shelf: Shelf) -> None:
    write_named(tmp_path / "run", "fine")
    done = gate(tmp_path, "export", "run", "--to", "shelf", "--dry-run", "--verify")
    assert done.code == 1
    assert "different   run 'fine': planned x, found nothing" in done.out
    assert shelf.kept == {}


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["fine"], 0),
        (["other"], 1),
        (["keyless"], 2),
        (["conflict"], 2),
        (["down"], 74),
        (["fine", "down"], 74),
        (["down", "keyless"], 2),
        (["down", "keyless", "other"], 1),
        (["down", "other", "broken"], 3),
    ],
)
def test_the_exit_code_is_that_of_the_worst_and_nothing_stops_the_others(
    tmp_path: Path, shelf: Shelf, names: list[str], code: int
) -> None:
    for name in [*names, "zzz last"]:
        write_named(tmp_path / "runs" / name, name)
        if name == "broken":
            (tmp_path / "runs" / name / "summary.json").write_text("{}\n")
    done = gate(tmp_path, "export", "runs", "--to", "shelf", "--verify")
    assert done.code == code
    assert "sent   runs/zzz last" in done.out


def test_a_difference_is_told_digit_by_digit(tmp_path: Path, shelf: Shelf) -> None:
    write_named(tmp_path / "run", "other")
    done = gate(tmp_path, "export", "run", "--to", "shelf", "--verify")
    assert "different   metric 'acc': planned 0.5, found 0.50000000000000011" in done.out


def test_a_conflict_sends_nothing(tmp_path: Path, shelf: Shelf) -> None:
    write_named(tmp_path / "run", "conflict")
    done = gate(tmp_path, "export", "run", "--to", "shelf")
    assert (done.code, shelf.kept) == (2, {})
    assert "1 conflict, nothing was sent: param 'a': b is the same here" in done.text


def test_a_run_that_is_not_sound_is_never_sent(tmp_path: Path, shelf: Shelf) -> None:
    run = write_named(tmp_path / "run", "fine")
    records = (run / "records.jsonl").read_bytes()
    (run / "records.jsonl").write_bytes(records.replace(b"ann@", b"bob@"))
    done = gate(tmp_path, "export", "run", "--to", "shelf")
    assert (done.code, shelf.kept) == (3, {})
    assert "failed run run/records.jsonl: is not the file that the manifest lists" in done.text


def test_an_artifact_changed_since_the_run_was_verified_is_found(tmp_path: Path, shelf: Shelf) -> None:
    run = write_named(tmp_path / "run", "fine")
    assert gate(tmp_path, "export", "run", "--to", "shelf").code == 0
    program = run / "artifacts/program.py"
    program.write_bytes(program.read_bytes().replace(b"e", b"o"))
    assert gate(tmp_path, "export", "run", "--to", "shelf").code == 3


def test_what_an_unfinished_push_kept_is_given_to_the_next(tmp_path: Path, shelf: Shelf) -> None:
    write_named(tmp_path / "run", "down")
    for _ in range(2):
        assert gate(tmp_path, "export", "run", "--to", "shelf").code == 74
    assert [dict(visit.progress) for visit in shelf.seen] == [{}, {"sent": 1}]


def test_a_parent_goes_before_its_children_however_they_are_named(tmp_path: Path) -> None:
    parent = read_run(write_named(tmp_path / "z", "parent"))
    child = read_run(write_named(tmp_path / "a", "child", parent.manifest.run_id))
    grandchild = read_run(write_named(tmp_path / "0", "grandchild", child.manifest.run_id))
    other = read_run(write_named(tmp_path / "m", "other"))
    assert [run.manifest.identity.name for run in parents_first([grandchild, child, other, parent])] == [
        "parent", "child", "grandchild", "other",
    ]  # fmt: skip


def test_a_run_in_git_is_sent_as_it_stands_there(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")
    write_whole_run(repository.folder / "base")
    repository.commit()
    done = gate(repository.folder, "export", "HEAD:base", "--to", "tensorboard", "--target", str(tmp_path / "tb"))
    assert (done.code, done.err) == (0, "")
    gate(repository.folder, "export", "base", "--to", "tensorboard", "--target", str(tmp_path / "tb"))
    assert len(list((tmp_path / "tb").rglob("*tfevents*"))) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--to", "tensrboard"), "did you mean 'tensorboard'?"),
        (("--to", "x"), "known: mlflow, tensorboard, wandb"),
        ((), "Missing option '--to'"),
        (("--to", "tensorboard", "--timeout", "0"), "Invalid value for '--timeout'"),
        (("--to", "tensorboard", "--timeout", "nan"), "no number of seconds"),
        (("--to", "tensorboard", "--target", "file/below"), "is or lies in a file"),
        (("--to", "tensorboard", "--target", "run/manifest.json"), "the target lies in a run"),
        (("--to", "tensorboard", "--target", "\udcff"), "the target holds bytes that are no UTF-8"),
        (("--to", "tensorboard", "--redact", "a\udcff"), "the glob of --redact holds bytes that are no UTF-8"),
    ],
)
def test_what_is_asked_wrongly_exits_2(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    write_run(tmp_path / "run", passing(1))
    (tmp_path / "file").write_text("")
    done: Outcome = gate(tmp_path, "export", "run", *words)
    assert done.code == 2
    assert told in done.text


def test_names_of_a_run_do_not_steer_the_terminal(tmp_path: Path, shelf: Shelf) -> None:
    write_named(tmp_path / "run", "x\x1b[2J\n::error::y")
    done = gate(tmp_path, "export", "run", "--to", "shelf", "--dry-run")
    assert done.code == 0
    assert "\x1b" not in done.out
    assert not any(line.startswith("::") for line in done.out.split("\n"))


def test_from_python_the_same(tmp_path: Path) -> None:
    run = write_whole_run(tmp_path / "run")
    asked = {"to": "tensorboard", "target": str(tmp_path / "tb")}
    environment = {"RUNSTORE_EXPORTS_DIR": str(tmp_path / "ledger")}
    planned = export(run, **asked, dry_run=True, environment=environment)  # type: ignore[arg-type]
    assert planned.plan is not None
    assert planned.receipt is None
    sent = export(read_run(run), **asked, verify=True, environment=environment)  # type: ignore[arg-type]
    assert sent.receipt is not None
    assert (sent.receipt.created, sent.differences, sent.plan) == (True, [], planned.plan)
    with pytest.raises(UsageError):
        export(run, to="nowhere", environment=environment)
    (run / "summary.json").write_text("{}")
    with pytest.raises(InvalidDataError):
        export(run, **asked, environment=environment)  # type: ignore[arg-type]
