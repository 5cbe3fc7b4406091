"""Portable paths: what one system takes for a name and another for a device, a stream or a climb is refused."""

from __future__ import annotations

import pytest

from runstore import paths
from runstore.errors import InvalidRunError


@pytest.mark.parametrize(
    "path",
    [
        "records.jsonl",
        "artifacts/model card.md",
        "artifacts/a-b_c+d=e@f,g.txt",
        "artifacts/.hidden",
        "artifacts/größe/データ.bin",
        "a" * 255,
        "/".join(["a" * 127] * 8),
        "CONSOLE",
        "COM10",
        "nulls",
    ],
)
def test_a_portable_path_is_given_back(path: str) -> None:
    assert paths.check(path) == path


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "empty or too long"),
        ("/etc/passwd", "climb"),
        ("../../etc/passwd", "climb"),
        ("artifacts/../../x", "climb"),
        ("a//b", "empty segment"),
        ("a/./b", "climb"),
        ("a/", "empty segment"),
        ("C:\\Windows", "not portable"),
        ("C:/Windows", "not portable"),
        ("\\\\?\\C:\\x", "not portable"),
        ("a\\b", "not portable"),
        ("a:b", "not portable"),
        ("a\x00b", "not portable"),
        ("a\nb", "not portable"),
        ("a*b", "not portable"),
        ("~root", "not portable"),
        ("$HOME", "not portable"),
        ("NUL", "device"),
        ("nul", "device"),
        ("a/CON.txt", "device"),
        ("com1", "device"),
        ("LPT9.tar.gz", "device"),
        ("a.", "dot at the end"),
        (" a", "space at an end"),
        ("a ", "space at an end"),
        ("a" * 256, "segment too long"),
        ("é" * 128, "segment too long"),
        ("/".join(["a" * 127] * 9), "too long"),
        ("e\u0301", "not NFC"),
        ("a\u202eb", "not a letter"),
        ("a\u200bb", "not a letter"),
        ("😀", "not a letter"),
        ("\ud800", "not a letter"),
    ],
)
def test_any_other_path_is_refused(path: str, problem: str) -> None:
    with pytest.raises(InvalidRunError, match=problem) as refused:
        paths.check(path)
    assert "docs/format.md" in refused.value.hint


def test_paths_that_differ_only_in_case_are_refused() -> None:
    paths.check_distinct(["a/b", "a/c", "b"])
    for twins in (["a/B", "a/b"], ["straße", "STRASSE"]):
        with pytest.raises(InvalidRunError, match="differ only in case"):
            paths.check_distinct(twins)
