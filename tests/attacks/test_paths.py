"""Group F of the table of attacks: names that climb, that are devices, or that lead elsewhere."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.arena import SIDES, assert_refused, compare, two_runs
from tests.factories import edit_manifest, files_of, scored, write_run
from tests.repositories import gate

CLIMBS = [
    "../../etc/passwd",
    "artifacts/../../outside.txt",
    "/etc/passwd",
    "artifacts//etc/passwd",
    "C:\\Windows\\system.ini",
    "C:/Windows/system.ini",
    "\\\\?\\C:\\x",
    "artifacts\\..\\x",
    "artifacts/NUL",
    "artifacts/CON",
    "artifacts/con.txt",
    "artifacts/COM1",
    "artifacts/LPT1.log",
    "artifacts/dot.",
    "artifacts/space ",
    "artifacts/file.txt:stream",
    "artifacts/a\u0000b",
    "artifacts/a\nb",
    "artifacts/\u202etxt.exe",
    "~/x",
    "artifacts/.",
    "artifacts/..",
    "",
]


@pytest.mark.parametrize("path", CLIMBS)
@pytest.mark.parametrize("side", SIDES)
def test_F1_a_listed_path_that_is_not_portable_is_refused(tmp_path: Path, side: str, path: str) -> None:
    secret = tmp_path / "outside.txt"
    secret.write_bytes(b"secret")
    entry = {"sha256": hashlib.sha256(b"secret").hexdigest(), "size": 6}

    def damage(run: Path) -> None:
        def edit(manifest: dict[str, Any]) -> None:
            manifest["files"][path] = entry

        edit_manifest(run, edit)

    assert_refused(tmp_path, side, damage, "manifest.json /files")


@pytest.mark.parametrize("name", ["records.jsonl", "artifacts/a.txt", "extra"])
@pytest.mark.parametrize("side", SIDES)
def test_F1_a_link_within_a_run_is_refused_wherever_it_leads(tmp_path: Path, side: str, name: str) -> None:
    def damage(run: Path) -> None:
        path = run / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to("/etc/passwd" if name != "records.jsonl" else run.parent / "real.jsonl")

    (tmp_path / "real.jsonl").write_bytes(b"")
    assert_refused(tmp_path, side, damage, name, "neither a file nor a folder")


def test_F1_two_paths_that_one_file_system_takes_for_one_are_refused(tmp_path: Path) -> None:
    def damage(run: Path) -> None:
        (run / "artifacts").mkdir()
        for name in ("A.txt", "a.txt"):
            (run / "artifacts" / name).write_bytes(b"")
        empty = {"sha256": hashlib.sha256(b"").hexdigest(), "size": 0}

        def edit(manifest: dict[str, Any]) -> None:
            manifest["files"].update({"artifacts/A.txt": empty, "artifacts/a.txt": empty})

        edit_manifest(run, edit)

    assert_refused(tmp_path, "current", damage, "manifest.json", "differ only in case")


@pytest.mark.parametrize(
    "place", ["link", "current/report.html", "baseline/report.html", "current", "through/report.html"]
)
def test_F3_a_report_is_not_written_through_a_link_or_into_a_run(tmp_path: Path, place: str) -> None:
    two_runs(tmp_path)
    (tmp_path / "victim").write_bytes(b"before")
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "through").symlink_to("current")
    before = files_of(tmp_path)
    for words in (("--format", f"html:{place}"), ("--format", "html", "-o", place)):
        outcome = gate(tmp_path, "compare", "baseline", "current", *words)
        assert outcome.code == 2
        assert place.split("/", maxsplit=1)[0] in outcome.err
        assert "hint: " in outcome.err
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("place", ["link", "dangling"])
def test_F3_a_run_is_not_imported_through_a_link(tmp_path: Path, place: str) -> None:
    (tmp_path / "r.jsonl").write_text('{"id": "a"}\n')
    (tmp_path / "victim").mkdir()
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "dangling").symlink_to("nowhere")
    outcome = gate(tmp_path, "import", "r.jsonl", "--id", "id", "-o", place)
    assert outcome.code == 2
    assert place in outcome.err
    assert list((tmp_path / "victim").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


NAMES = ["../../escaped", "/tmp/escaped", "CON", "a/b", 'x" onload="alert(1)', "x y", "#top", "\u202eabc", "a" * 400]


def test_F4_an_id_is_never_a_file_name_nor_an_id_of_html(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline", [scored(name) for name in NAMES])
    write_run(tmp_path / "current", [scored(name, 0) for name in NAMES])
    (tmp_path / "reports").mkdir()
    before = files_of(tmp_path)
    outcome = compare(tmp_path, "--format", "html:reports/r.html", "--format", "markdown:reports/r.md", "--no-cache")
    assert outcome.code == 1
    assert outcome.view["counts"]["regressed"] == len(NAMES)
    page = (tmp_path / "reports/r.html").read_text()
    for attribute in re.findall(r"""\b(?:id|name|href|for|src|class)\s*=\s*["']([^"']*)["']""", page):
        assert not any(name in attribute for name in NAMES if len(name) > 3), attribute
    assert files_of(tmp_path).keys() - before.keys() == {"reports/r.html", "reports/r.md"}
