"""`docs/tracking.md` is true: its programs run one after the other in one folder, its commands pass, and a package that
is made as it says brings a backend.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from runstore.store.reader import read_run
from runstore.verification import verify
from tests.command_line import environment
from tests.repositories import gate

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tracking.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def python(folder: Path, *words: str | Path, path: Path | None = None) -> str:
    """What Python prints; it must end well, and without a warning."""
    env = environment(folder)
    if path is not None:
        env["PYTHONPATH"] += f":{path}"
    done = subprocess.run(
        [sys.executable, "-W", "error", *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_program_of_the_page_runs_and_makes_the_runs_that_it_names(tmp_path: Path) -> None:
    found = blocks("python")
    assert len(found) == 3
    for block in found:
        python(tmp_path, "-c", block)
    assert gate(tmp_path, "validate", "experiments").code == 0
    made = {str(path.parent.relative_to(tmp_path / "experiments")) for path in tmp_path.rglob("manifest.json")}
    assert made == {"demo/run", "demo/live", "p/r", "p/r.fold-0", "p/r.fold-1"}
    run = read_run(tmp_path / "experiments/p/r")
    verify(run)
    assert run.manifest.identity.params == {"lr": 0.1, "model.layers": 2, "seed.python": 7}
    assert (run.record_count, len(list(run.points())), run.manifest.tags) == (2, 4, {"team": "qa"})


def test_every_command_of_the_page_passes(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    lines = [line for block in blocks("console") for line in block.splitlines()]
    assert [line.split()[0] for line in lines] == ["python", "gate"]
    for command, *words in map(str.split, lines):
        if command == "python":
            python(tmp_path, *words)
        else:
            done = gate(tmp_path, *words)
            assert (done.code, done.out.splitlines()[0]) == (0, "PASS  everything asked was judged and holds")


SHELF = """
import json
from pathlib import Path
from runstore.exporters.contract import Plan, Receipt, plan_key

class Exporter:
    name = "shelf"

    def plan(self, run, options):
        target = options.target or "shelf"
        return Plan(
            backend="shelf", target=target, run_id=run.manifest.run_id, digest=run.digest,
            key=options.live.get("book") or plan_key("shelf", target, run.digest),
            title=run.manifest.identity.name, status=run.manifest.status,
        )

    def push(self, plan, run, visit):
        book = Path(plan.target, plan.key + ".json")
        created = not book.exists() or "digest" not in json.loads(book.read_text())
        book.parent.mkdir(exist_ok=True)
        book.write_text(json.dumps({"digest": plan.digest}))
        return Receipt(remote_id=plan.key, url=None, requests=1, created=created)

    def verify(self, plan, run, visit):
        return []

exporter = Exporter()

class Mirror:
    def __init__(self, options):
        self.target = options["target"]

    def identify(self, run):
        return {"book": "book-of-" + run.name}

    def open(self, run):
        Path(self.target).mkdir(exist_ok=True)
        self.book = Path(self.target, run.remote["book"] + ".json")
        self.book.write_text("{}")

    def points(self, points):
        self.book.write_text(json.dumps({"points": len(points)}))

    def _pass(self, *told):
        pass

    params = tags = note = dataset = artifact = records = close = _pass

open_mirror = Mirror
"""
"""A backend of somebody else: runs are books on a shelf."""


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with that package, installed as any is: its code, and what its wheel says of it."""
    points = tomllib.loads(blocks("toml")[0])["project"]["entry-points"]
    told = "".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in members.items())
        for group, members in points.items()
    )
    site = tmp_path / "site"
    info = site / "shelf_for_runs-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-for-runs\nVersion: 1\n")
    (info / "entry_points.txt").write_text(told)
    (site / "shelf_for_runs.py").write_text(SHELF)
    return site


def test_a_package_of_others_brings_a_backend_that_mirrors_and_exports(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = """
from runstore.tracking import create_tracker
with create_tracker("shelf", options={"target": "books"}).start_run(run_id="r") as run:
    run.log_metrics({"loss": 1}, 0)
"""
    python(tmp_path, "-c", program, path=shelf)
    assert [book.name for book in (tmp_path / "books").iterdir()] == ["book-of-r.json"]
    monkeypatch.syspath_prepend(shelf)
    run = "experiments/default/r"
    for word in ("sent", "there"):
        done = gate(tmp_path, "export", run, "--to", "shelf", "--target", "books", "--verify")
        assert (done.code, done.out.split()[0]) == (0, word), done.text
    books = {book.name: json.loads(book.read_text()) for book in (tmp_path / "books").iterdir()}
    assert books == {"book-of-r.json": {"digest": read_run(tmp_path / run).digest}}
    unknown = gate(tmp_path, "export", run, "--to", "shelv")
    assert (unknown.code, "did you mean 'shelf'?" in unknown.text) == (2, True), unknown.text
