"""What broke the exporters when they were attacked through runs, ledgers and places: each test is one way in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runstore.exporters import discovery
from runstore.manifest import Dataset, Identity
from runstore.store.reader import read_run
from tests import command_line
from tests.command_line import Outcome
from tests.export_places import BACKENDS, Place, each_backend, first_of, opened
from tests.export_runs import write_whole_run
from tests.factories import HIGHER, SHARE, files_of, passing, scored, unsynced, write_run
from tests.repositories import Repository, gate

ODD_NAMES = [
    "acc", "ACC", "Acc", "pass@1", "pass_x40_1", "_x5f_x40_", "caf\u00e9", "cafe\u0301", "\u202eevil\u2069",
    "a\nb", "a\rb", "\x1b[31mred", "\x00", "\x7f", "::error::x", "##[error]", "' = '", "a" * 10_000,
    "a" * 10_001, " ", ".", "..", "/", "a//b", "../../etc/passwd", "runstore/records", "runstore/params.json",
    "records", "runstore", "_step", "_wandb", "mlflow.runName", "final/acc", "records/mean/acc",
    "_hparams_/session_start_info", "acc/mean_of_records", "step", "id", "texts", "%s%n", "\U0001f600",
    "\ufeff", "\ufdd0", "NaN", "null", "true", "0", "-1", "{}", "[]", "`|<script>", "\u2028", "\x85",
]  # fmt: skip
NUMBERS = [1e308, -1e308, 1.7976931348623157e308, 5e-324, -5e-324, 0.0, 2**53 - 1, -(2**53 - 1), 1.0, 1e21, 1e-7, 0.1]


def write_odd_run(place: Path) -> Path:
    """A run that is allowed, and in which everything is odd."""
    identity = Identity(
        project="\u00e9 odd/..",
        name="\u202e\n\x1b[2J" + "n" * 10_000,
        suite="s" * 6000,
        params={
            **{name: name for name in ODD_NAMES},
            "a": None,
            "b": True,
            "c": 1e308,
            "d": 2**53 - 1,
            "e": 0.5,
            "f": False,
        },
        datasets=[Dataset(name=name, digest="d" * 100) for name in ODD_NAMES],
    )
    metrics = {**dict.fromkeys(ODD_NAMES, HIGHER), "acc": SHARE}
    # As a series and a score the mean of one would take the name of another: that is a conflict, told, at W&B.
    series = [name for name in ODD_NAMES if name not in ("acc", "acc/mean_of_records")]
    odd = {"\n": "\x1b[31m", "deep": [[[{"x": [None, True, 1e308]}]]], "": "an empty name"}
    with unsynced():
        return write_run(
            place,
            [
                scored(
                    f"\u202e{n}\x1b",
                    0.5,
                    input=odd,
                    output="\u2028" * 5000,
                    tags={name[:50]: name for name in ODD_NAMES[-9:]},
                )
                for n in range(5)
            ],
            metrics,
            points=[
                *(
                    (name, number, step * (2**53 - 1) // len(NUMBERS))
                    for name in series
                    for step, number in enumerate(NUMBERS)
                ),
                *((name, -0.25, None) for name in series[:9]),
            ],
            identity=identity,
            tags={name: name for name in ODD_NAMES},
            notes="\x1b[2J\u202e" + "n" * 20_000,
        )


def assert_shown_safely(done: Outcome) -> None:
    """No control character, and no line that a name or value began."""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", done.out + done.err)
    assert not re.search(r"(?m)^\s*::|##\[", done.out + done.err)
    known = "sent|there|plan|failed|warning|hint|read|key|previous|status|param|tag|note|points|file|renamed|converted|"
    known += (
        "truncated|dropped|redacted|attached|conflict|different|dataset|link|config|figure|label|group|folder|event|"
    )
    known += "hyperparameter|text|histogram|[0-9,]+ |http|out/|WANDB"
    strange = [line for line in (done.out + done.err).split("\n") if line and not re.match(rf"\s*(?:{known})", line)]
    assert strange == []


@each_backend
def test_a_run_of_odd_names_and_numbers_comes_back_equal_and_shows_nothing_raw(tmp_path: Path, kind: str) -> None:
    write_odd_run(tmp_path / "run")
    before = files_of(tmp_path / "run")
    with opened(kind, tmp_path) as place:
        for words in (["--dry-run"], ["--verify"], []):
            done = place.export("run", *words)
            assert (done.code, done.err) == (0, ""), done.text[:2000]
            assert_shown_safely(done)
        assert place.count == 1
    assert files_of(tmp_path / "run") == before


@each_backend
def test_the_names_of_a_backend_lead_back_to_those_of_the_run(tmp_path: Path, kind: str) -> None:
    run = read_run(write_odd_run(tmp_path / "run"))
    with opened(kind, tmp_path) as place:
        view = place.export("run", "--dry-run", "--format", "json").view
    plan = view["runs"][0]["plan"]
    params = len(run.manifest.identity.params)
    assert (len(plan["params"]), plan["counts"]["params"]) == (params, params)
    renamed = [(one["kind"], one["sent"]) for one in plan["changes"] if one["deed"] == "renamed"]
    assert len(renamed) == len(set(renamed))


@each_backend
@pytest.mark.parametrize("empty", ["nothing", "no points", "no records"])
def test_a_run_with_little_in_it_is_a_run(tmp_path: Path, kind: str, empty: str) -> None:
    points = [("acc", 0.5, 0)] if empty == "no records" else []
    write_run(tmp_path / "run", passing(2) if empty == "no points" else [], points=points)
    with opened(kind, tmp_path) as place:
        done = place.export("run", "--verify")
        assert (done.code, done.err, place.count) == (0, "", 1), done.text


@pytest.mark.parametrize("kind", first_of(BACKENDS, "mlflow"))
def test_texts_of_five_megabytes_do_not_make_a_table_of_them(tmp_path: Path, kind: str) -> None:
    records = [scored(f"r{number}", 1, output="x" * 5_000_000) for number in range(4)]
    write_run(tmp_path / "run", records)
    with opened(kind, tmp_path) as place:
        done = place.export("run", "--verify", "--format", "json")
        assert done.code == 0, done.text[:500]
        told = done.view["runs"][0]["plan"]
    assert max((one["size"] or 0 for one in told["attachments"]), default=0) < 1_000_000


@each_backend
@pytest.mark.parametrize("glob", ["*", "[!z]*"])
def test_everything_can_be_redacted(tmp_path: Path, kind: str, glob: str) -> None:
    write_whole_run(tmp_path / "run")
    with opened(kind, tmp_path) as place:
        done = place.export("run", "--redact", glob, "--verify", "--format", "json")
        assert done.code == 0, done.text
        plan = done.view["runs"][0]["plan"]
    assert (plan["params"], plan["note"]) == ({}, None)
    assert "ann@example.com" not in json.dumps(plan)
    assert "squad" not in json.dumps({**plan, "changes": []})


@pytest.mark.parametrize("seconds", ["0.01", "1e-9", "1e300", "inf"])
@each_backend
def test_any_time_is_kept_or_told(tmp_path: Path, kind: str, seconds: str) -> None:
    write_whole_run(tmp_path / "run")
    with opened(kind, tmp_path) as place:
        done = place.export("run", "--timeout", seconds)
        assert done.code in ((0, 74) if seconds == "0.01" else (74,) if seconds == "1e-9" else (0,)), done.text
        if done.code:
            assert "hint" in done.err
        assert place.export("run", "--verify").code == 0
        assert place.count == 1


@pytest.mark.parametrize("kind", first_of(BACKENDS, "tensorboard"))
@pytest.mark.parametrize(
    "damage", ["garbage", "empty", "deep", "newer", "wrong", "folder", "loop", "hostile", "file for folder", "no home"]
)
def test_no_ledger_and_no_damaged_one_keeps_a_run_from_being_sent_once(tmp_path: Path, kind: str, damage: str) -> None:
    write_whole_run(tmp_path / "run")
    ledger = tmp_path / "ledger"
    env = {"HOME": ""} if damage == "no home" else {"RUNSTORE_EXPORTS_DIR": str(ledger)}
    with opened(kind, tmp_path) as found:
        place = Place(found.folder, found.words, {**found.env, **env}, found.state)
        assert place.export("run").code == 0
        _damage(ledger, damage)
        done = place.export("run", "--verify")
        assert (done.code, place.count) == (0, 1), done.text
        write_whole_run(tmp_path / "run", replace=True, shift=1)
        changed = place.export("run", "--verify")
        assert (changed.code, place.count) == (0, 2), done.text
    assert ("warning: the ledger" in done.err) is (damage != "no home")
    outside = {path.name for path in tmp_path.iterdir()} - {".cache", ".local"}
    assert outside <= {"run", "out", "ledger", "evil"}
    assert not (tmp_path / "evil").exists()


def _damage(ledger: Path, damage: str) -> None:
    for file in ledger.glob("*.json") if ledger.is_dir() else []:
        good = json.loads(file.read_bytes())
        made = {
            "garbage": b"\xff\x00{",
            "empty": b"",
            "deep": b"[" * 200_000,
            "newer": json.dumps({**good, "format": 99}).encode(),
            "wrong": json.dumps({**good, "exports": [{"key": 1, "digest": None}]}).encode(),
            "hostile": json.dumps(
                {**good, "exports": [{**one, "key": "/../../../../evil"} for one in good["exports"]]}
            ).encode(),
        }
        file.unlink()
        if damage == "folder":
            file.mkdir()
        elif damage == "loop":
            file.symlink_to(file)
        elif damage in made:
            file.write_bytes(made[damage])
    if damage == "file for folder":
        for file in ledger.iterdir():
            file.unlink()
        ledger.rmdir()
        ledger.write_text("a file")


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
@pytest.mark.parametrize(
    "target", ["run", "run/below", "link", "link/below", "run/volatile/x", "other/x", "in/../run/x"]
)
def test_nothing_is_ever_written_into_a_run(tmp_path: Path, kind: str, target: str) -> None:
    for name in ("run", "other"):
        write_whole_run(tmp_path / name, name=name)
    (tmp_path / "link").symlink_to("run")
    (tmp_path / "in").mkdir()
    before = [files_of(tmp_path / name) for name in ("run", "other", "in")]
    for flags in ([], ["--dry-run"]):
        done = gate(tmp_path, "export", "run", "--to", kind, "--target", f"./{target}", *flags)
        assert done.code == 2, done.text
        assert "the target lies in a run" in done.err
    assert [files_of(tmp_path / name) for name in ("run", "other", "in")] == before


@pytest.mark.parametrize("name", ["RUNSTORE_EXPORTS_DIR", "RUNSTORE_CACHE_DIR"])
def test_what_is_remembered_of_exports_is_never_written_into_a_run(tmp_path: Path, name: str) -> None:
    write_whole_run(tmp_path / "run")
    before = files_of(tmp_path / "run")
    env = {name: str(tmp_path / "run/remembered")}
    done = gate(tmp_path, "export", "run", "--to", "tensorboard", "--target", "out", env=env)
    assert done.code == 2, done.text
    assert files_of(tmp_path / "run") == before


@pytest.mark.parametrize("kind", ["tensorboard", "wandb folder"])
def test_a_target_may_be_a_link_and_is_one_place_by_either_name(tmp_path: Path, kind: str) -> None:
    write_whole_run(tmp_path / "run")
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    with opened(kind, tmp_path) as place:
        assert place.export("run", "--verify").code == 0
        write_whole_run(tmp_path / "run", replace=True, shift=1)
        words = [*place.words[:-1], "./link"]
        done = gate(tmp_path, "export", "run", *words, "--verify", "--format", "json")
        assert done.code == 0, done.text
        assert done.view["runs"][0]["plan"]["previous"]
        assert place.count == 2


def test_a_home_that_nobody_knows_is_told_and_makes_no_folder(tmp_path: Path) -> None:
    write_whole_run(tmp_path / "run")
    before = sorted(path.name for path in tmp_path.iterdir())
    for target, env in (("~/out", {"HOME": ""}), ("~nobody/out", {})):
        done = gate(tmp_path, "export", "run", "--to", "wandb", "--target", target, env=env)
        assert (done.code, "hint" in done.err) == (2, True), done.text
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == before


@each_backend
def test_a_run_of_git_is_sent_and_one_that_is_not_sound_or_not_finished_is_not(tmp_path: Path, kind: str) -> None:
    repository = Repository(tmp_path / "repo")
    write_whole_run(repository.folder / "base")
    repository.commit()
    write_whole_run(repository.folder / "bad", name="bad")
    (repository.folder / "bad/records.jsonl").write_bytes(b"{}\n")
    (repository.folder / "torn").mkdir()
    (repository.folder / "torn/manifest.json").write_bytes(b'{"format":1')
    with opened(kind, repository.folder) as place:
        assert place.export("HEAD:base", "--verify").code == 0
        assert place.export("base").out.startswith("there")
        for name in ("bad", "torn", "HEAD:none", "none"):
            done = place.export(name)
            assert done.code == (2 if "none" in name else 3), done.text
            assert "hint" in done.err or "manifest" in done.err
        assert place.count == 1


def test_folders_whose_names_are_no_text_are_told(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    write_run(tmp_path / "good", passing(1))
    (tmp_path / "good").rename(f"{odd}-run")
    Path(odd).mkdir()
    for form in ("json", "text"):
        words = (f"{odd}-run", "--to", "tensorboard", "--target", "out", "--verify", "--format", form)
        done = command_line.gate(Path(odd), "export", *words)
        assert done.code == 0, done.text
        assert "\\udcff" in done.out


_EXPORT = "import sys; from runstore.cli.main import main; sys.stdin.readline(); main()"


@pytest.mark.parametrize("kind", first_of(BACKENDS, "tensorboard"))
def test_four_jobs_at_once_make_one_whole_run(tmp_path: Path, kind: str) -> None:
    write_whole_run(tmp_path / "run", steps=200)
    with opened(kind, tmp_path) as place:
        jobs = [
            subprocess.Popen(
                [sys.executable, "-c", _EXPORT, "export", "run", *place.words],
                cwd=tmp_path,
                env=command_line.environment(tmp_path, place.env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        for job in jobs:
            assert job.stdin
            job.stdin.write("\n")
            job.stdin.flush()
        told = [job.communicate() for job in jobs]
        assert [job.returncode for job in jobs] == [0] * 4, told
        assert place.export("run", "--verify").code == 0
        assert place.count == 1


@each_backend
def test_a_changed_run_is_a_new_one_linked_to_the_old(tmp_path: Path, kind: str) -> None:
    write_whole_run(tmp_path / "run")
    with opened(kind, tmp_path) as place:
        first = place.export("run", "--format", "json").view["runs"][0]["plan"]["key"]
        write_whole_run(tmp_path / "run", replace=True, shift=1)
        done = place.export("run", "--verify", "--format", "json")
        assert done.code == 0, done.text
        assert done.view["runs"][0]["plan"]["previous"] == first
        assert place.count == 2


@pytest.mark.slow
@each_backend
def test_many_points_are_sent_whole(tmp_path: Path, kind: str) -> None:
    count = 200_000
    with unsynced():
        write_run(tmp_path / "run", points=(("acc", step / count, step) for step in range(count)))
    with opened(kind, tmp_path) as place:
        done = place.export("run", "--timeout", "600")
        assert (done.code, done.err) == (0, ""), done.text
        assert place.count == 1
        assert f"{count:,} points" in done.out


def test_every_backend_of_ours_is_attacked_here() -> None:
    assert {kind.partition(" ")[0] for kind in BACKENDS} == {*discovery.BACKENDS}
