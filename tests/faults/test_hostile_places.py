"""Places that are not what they should be: unreadable, special, looping, oddly named. The right code, never a hang."""

from __future__ import annotations

import ctypes
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runstore.manifest import MetricDeclaration
from runstore.store.writer import RunWriter

if TYPE_CHECKING:
    from tests.faults.conftest import Gate, Tree

pytestmark = pytest.mark.slow

PASS, FAIL, USAGE, INVALID, SYSTEM = 0, 1, 2, 3, 74
IMPORT = ("import", "results.jsonl", "--score", "f1", "-o")
READERS = {
    "compare": ("compare", "baseline", "current"),
    "compare the other way": ("compare", "current", "baseline"),
    "validate": ("validate", "current"),
    "show": ("show", "current"),
    "fmt": ("fmt", "current"),
    "fmt --check": ("fmt", "--check", "current"),
}


def write_run(place: Path) -> None:
    with RunWriter(place, metrics={"f1": MetricDeclaration()}) as run:
        run.append({"id": "q", "scores": {"f1": 1}})
        run.log_metric("f1", 1)
        run.add_artifact(Path(__file__), "a.py")
        run.add_volatile("clock", 1)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """The working folder, with two equal runs `baseline` and `current`, and `results.jsonl`."""
    for name in ("baseline", "current"):
        write_run(tmp_path / name)
    (tmp_path / "results.jsonl").write_text('{"id":"q","f1":1}\n')
    return tmp_path


def without_privilege() -> None:
    """Have root obey permissions, as everybody else: drop CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH at the next exec."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; fails, and is not needed, for others


readers = pytest.mark.parametrize("argv", READERS.values(), ids=READERS)


def denied(folder: Path, gate: Gate, argv: tuple[str, ...], name: str) -> None:
    place = folder / "current" / name
    place.chmod(0)
    done = gate(*argv, before=without_privilege)
    place.chmod(stat.S_IRWXU)
    assert done.returncode == SYSTEM, done.stderr
    assert done.stderr.startswith("gate: error: current")
    assert done.stderr.endswith(": Permission denied\n")
    assert "PASS" not in done.stdout


@pytest.mark.parametrize("name", ["manifest.json", "records.jsonl", "artifacts"])
@readers
def test_what_may_not_be_read_is_74_and_named(folder: Path, gate: Gate, argv: tuple[str, ...], name: str) -> None:
    if (argv[0], name) == ("show", "records.jsonl"):
        pytest.skip("show reads no records")
    denied(folder, gate, argv, name)


@readers
def test_a_run_folder_that_may_not_be_read_is_74(folder: Path, gate: Gate, argv: tuple[str, ...]) -> None:
    denied(folder, gate, argv, "")


def test_a_source_that_may_not_be_read_is_74(folder: Path, gate: Gate) -> None:
    (folder / "results.jsonl").chmod(0)
    done = gate(*IMPORT, "new", before=without_privilege)
    assert (done.returncode, done.stderr) == (SYSTEM, "gate: error: results.jsonl: Permission denied\n")
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    "argv",
    [(*IMPORT, "locked/run"), (*IMPORT, "locked/deeper/run"), ("compare", "baseline", "current", "-o", "locked/r.txt")],
    ids=["run", "deeper-run", "report"],
)
def test_a_folder_that_may_not_be_written_is_74(folder: Path, gate: Gate, argv: tuple[str, ...]) -> None:
    (folder / "locked").mkdir(0o555)
    done = gate(*argv, before=without_privilege)
    assert done.returncode == SYSTEM
    assert re.fullmatch(r"gate: error: locked(/deeper)?: Permission denied\n", done.stderr)
    assert list((folder / "locked").iterdir()) == []


def test_a_cache_that_may_not_be_written_changes_nothing(folder: Path, gate: Gate) -> None:
    (folder / "locked").mkdir(0o555)
    done = gate(
        "compare", "baseline", "current", before=without_privilege, variables={"RUNSTORE_CACHE_DIR": "locked/c"}
    )
    assert (done.returncode, done.stderr) == (PASS, "")


def make_fifo(place: Path) -> None:
    os.mkfifo(place)


def make_device(place: Path) -> None:
    try:
        os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))  # /dev/null
    except PermissionError:
        pytest.skip("not permitted to make a device")


def make_folder(place: Path) -> None:
    place.mkdir()


def make_loop(place: Path) -> None:
    place.symlink_to(place.name)


def make_link(place: Path) -> None:
    place.symlink_to("/dev/null")


SPECIAL = [make_fifo, make_device, make_folder, make_loop, make_link]
special = pytest.mark.parametrize("make", SPECIAL, ids=lambda make: make.__name__.removeprefix("make_"))


@special
@pytest.mark.parametrize("name", ["manifest.json", "summary.json", "records.jsonl", "series.jsonl", "artifacts/a.py"])
def test_a_file_of_a_run_that_is_no_file_makes_the_run_invalid(
    folder: Path, gate: Gate, name: str, make: Callable[[Path], None]
) -> None:
    (folder / "current" / name).unlink()
    make(folder / "current" / name)
    done = gate("compare", "baseline", "current")
    assert (done.returncode, "current" in done.stdout, done.stderr) == (INVALID, True, "")


@pytest.mark.parametrize("name", ["manifest.json", "records.jsonl"])
@readers
def test_a_pipe_in_a_run_hangs_no_command(folder: Path, gate: Gate, argv: tuple[str, ...], name: str) -> None:
    (folder / "current" / name).unlink()
    os.mkfifo(folder / "current" / name)
    assert gate(*argv).returncode == INVALID


@special
def test_a_volatile_file_that_is_no_file_disturbs_nobody(
    folder: Path, gate: Gate, make: Callable[[Path], None]
) -> None:
    (folder / "current/volatile/clock.json").unlink()
    make(folder / "current/volatile/clock.json")
    for argv in READERS.values():
        assert gate(*argv).returncode == PASS, argv


def test_a_loose_run_with_a_pipe_in_volatile_is_formatted_or_refused(folder: Path, gate: Gate) -> None:
    (folder / "current/records.jsonl").write_text('{"id": "q", "scores": {"f1": 1}}\n')
    os.mkfifo(folder / "current/volatile/odd")
    done = gate("fmt", "current", timeout_s=3)
    assert done.returncode in (PASS, INVALID), done.stderr
    assert gate("validate", "current").returncode == done.returncode


@special
@pytest.mark.parametrize(
    "argv",
    [
        ("compare", "baseline", "place"),
        ("compare", "place", "current"),
        ("validate", "place"),
        ("show", "place"),
        ("fmt", "place"),
        ("compare", "baseline", "current", "--config", "place"),
        ("compare", "baseline", "current", "--format", "json:place"),
        (*IMPORT, "place"),
    ],
    ids=" ".join,
)
def test_a_place_on_the_command_line_that_is_something_else_is_2_and_left_alone(
    folder: Path, gate: Gate, argv: tuple[str, ...], make: Callable[[Path], None], request: pytest.FixtureRequest
) -> None:
    place = folder / "place"
    make(place)
    before = os.lstat(place)
    if argv[0] == "import" and make is make_folder:
        (place / "file").touch()
    done = gate(*argv)
    assert done.returncode == (INVALID if argv[0] == "show" and make is make_folder else USAGE), done.stderr
    assert "place" in done.stderr
    assert (os.lstat(place).st_ino, os.lstat(place).st_rdev) == (before.st_ino, before.st_rdev)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("make", [make_loop, make_folder])
def test_a_source_that_is_no_file_is_2(folder: Path, gate: Gate, make: Callable[[Path], None]) -> None:
    make(folder / "place")
    assert gate("import", "place", "--format", "jsonl", "--score", "f1", "-o", "new").returncode == USAGE


@pytest.mark.parametrize("target", ["elsewhere.txt", "absent.txt", "current/manifest.json"])
def test_a_report_is_not_written_through_a_symbolic_link(folder: Path, gate: Gate, target: str) -> None:
    (folder / "elsewhere.txt").write_text("theirs\n")
    (folder / "report").symlink_to(target)
    before = (folder / "current/manifest.json").read_bytes()
    done = gate("compare", "baseline", "current", "--format", "html:report")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert (folder / "report").is_symlink()
    assert (folder / "elsewhere.txt").read_text() == "theirs\n"
    assert not (folder / "absent.txt").exists()
    assert (folder / "current/manifest.json").read_bytes() == before


@pytest.mark.parametrize("place", ["current/r", "baseline/r", "current/volatile/r", "link/r", "x/../current/new/r"])
def test_a_report_is_not_written_into_what_is_compared(
    folder: Path, gate: Gate, tree: Callable[[Path], Tree | None], place: str
) -> None:
    (folder / "link").symlink_to("current")
    before = tree(folder)
    done = gate("compare", "baseline", "current", "--format", f"json:{place}")
    assert (done.returncode, tree(folder)) == (USAGE, before)


@pytest.mark.parametrize("place", [".", "..", "current/..", "/", "results.jsonl/run", "results.jsonl"])
def test_a_run_is_not_written_where_no_folder_can_be(
    folder: Path, gate: Gate, tree: Callable[[Path], Tree | None], place: str
) -> None:
    before = tree(folder)
    for replace in ((), ("--replace",)):
        assert (gate(*IMPORT, place, *replace).returncode, tree(folder)) == (USAGE, before)


ODD = {
    "space": "a run",
    "line feed": "a\nrun",
    "return": "a\rrun",
    "escape": "a\x1b[31mrun",
    "unicode": "läufe-試驗-\u202eevil",
    "not UTF-8": os.fsdecode(b"run-\xff\xfe"),
    "dash": "-run",
    "longest": "r" * 255,
    "deep": "/".join(["d" * 200] * 15) + "/run",
}


@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
def test_an_oddly_named_run_is_written_and_compared_and_its_name_is_never_printed_raw(
    folder: Path, gate: Gate, name: str
) -> None:
    assert gate(*IMPORT, f"./{name}").returncode == PASS
    (folder / "results.jsonl").write_text('{"id":"q","f1":0}\n')
    assert gate(*IMPORT, f"./{name}", "--replace").returncode == PASS
    assert gate("validate", f"./{name}").returncode == PASS
    forms = [part for form in ("json", "markdown", "html") for part in ("--format", f"{form}:report.{form}")]
    done = gate("compare", "baseline", f"./{name}", "--format", "text", *forms)
    assert (done.returncode, done.stderr) == (FAIL, "")
    reports = [path.read_text() for path in sorted(folder.glob("report.*"))]
    assert len(reports) == 3
    for raw in ("\x1b", "\r", "\u202e", "a\nrun"):
        assert raw not in "".join([done.stdout, *reports])


@pytest.mark.parametrize("name", ["r" * 256, "/".join(["d" * 200] * 21)], ids=["name", "path"])
def test_a_path_longer_than_the_system_has_is_an_error_that_names_it(folder: Path, gate: Gate, name: str) -> None:
    for argv in (("compare", "baseline", name), ("validate", name), (*IMPORT, name), ("import", name, "-o", "new")):
        done = gate(*argv)
        assert done.returncode in (USAGE, SYSTEM)
        assert name[:200] in done.stderr


@pytest.mark.parametrize("argv", [(*IMPORT, "loop/run"), ("compare", "baseline", "current", "-o", "loop/report")])
def test_a_place_below_a_loop_of_links_is_no_bug(folder: Path, gate: Gate, argv: tuple[str, ...]) -> None:
    make_loop(folder / "loop")
    assert gate(*argv).returncode in (USAGE, SYSTEM)


def test_only_a_run_is_replaced(folder: Path, gate: Gate, tree: Callable[[Path], Tree | None]) -> None:
    (folder / "thesis").mkdir()
    (folder / "thesis/chapter.tex").touch()
    before = tree(folder)
    assert (gate(*IMPORT, "thesis", "--replace").returncode, tree(folder)) == (USAGE, before)
