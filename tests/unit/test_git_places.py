"""What is typed for a place in git: refs, merge bases, paths; and what is a path on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from runstore.cli.locators import locate
from runstore.errors import UsageError
from runstore.git.place import GitPlace, Ref, normal, read_place, read_ref


@pytest.mark.parametrize(
    ("text", "ref", "fork", "path"),
    [
        ("main:baselines/qa", "main", None, "baselines/qa"),
        ("origin/main:a", "origin/main", None, "a"),
        ("main:./a", "main", None, "./a"),
        ("main:", "main", None, ""),
        ("main:a:b", "main", None, "a:b"),
        ("a...b:c", "b", "a", "c"),
        ("origin/main...HEAD:c", "HEAD", "origin/main", "c"),
        ("HEAD^{/fix: it}:a", "HEAD^{/fix: it}", None, "a"),
        ("main@{2026-01-01 12:00}:a", "main@{2026-01-01 12:00}", None, "a"),
        ("v1.0:a...b", "v1.0", None, "a...b"),
        ("C:a", "C", None, "a"),
    ],
)
def test_a_place_is_a_ref_and_a_path(text: str, ref: str, fork: str | None, path: str) -> None:
    assert read_place(text) == GitPlace(at=Ref(ref=ref, fork=fork), path=path)
    assert read_place(text).text == text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["a", "a/b", "./a:b", "../a:b", "/a:b", "C:\\a", "c:/a", "", ".", "HEAD^{/a:b}", "{a:b}", "~/a"]
)
def test_a_path_is_a_path(text: str) -> None:
    assert read_place(text) is None
    assert locate(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (":a", "no ref before the colon"),
        ("-x:a", "is no ref of git"),
        ("--upload-pack=x:a", "is no ref of git"),
        ("a\nb:c", "is no ref of git"),
        ("a\x00b:c", "is no ref of git"),
        ("a..b:c", "is a range of commits"),
        ("...b:c", "does not name two commits"),
        ("a...:c", "does not name two commits"),
        ("a...-b:c", "does not name two commits"),
        ("a....b:c", "does not name two commits"),
        ("a...b...c:d", "does not name two commits"),
    ],
)
def test_what_looks_like_a_place_and_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        read_place(text)
    assert refused.value.hint


@pytest.mark.parametrize("text", ["", "-", "--all", "-q", "\n"])
def test_an_option_is_no_ref(text: str) -> None:
    with pytest.raises(UsageError, match="is no ref of git"):
        read_ref(text)


@pytest.mark.parametrize(
    ("path", "prefix", "found"),
    [
        ("a/b", "", "a/b"),
        ("a/b", "x", "a/b"),
        ("./a", "x/y", "x/y/a"),
        ("../a", "x/y", "x/a"),
        ("../..", "x/y", ""),
        (".", "x", "x"),
        ("", "x", ""),
        ("a/", "", "a"),
        ("a//b/./c/../d", "", "a/b/d"),
        ("...", "", "..."),
    ],
)
def test_a_path_starts_at_the_root_and_with_a_dot_at_the_working_folder(path: str, prefix: str, found: str) -> None:
    assert normal(path, prefix) == found


@pytest.mark.parametrize(
    ("path", "prefix"), [("..", ""), ("../a", ""), ("a/../../b", ""), ("../../a", "x"), ("/a", "")]
)
def test_a_path_stays_in_the_repository(path: str, prefix: str) -> None:
    with pytest.raises(UsageError, match=r"leads out of|is no path in"):
        normal(path, prefix)


def test_what_could_be_both_is_refused_in_a_repository_and_a_path_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main:baselines").mkdir()
    monkeypatch.delenv("GIT_DIR", raising=False)
    assert locate("main:baselines") == Path("main:baselines")
    (tmp_path / ".git").mkdir()
    with pytest.raises(UsageError, match="is a path here, and reads as a ref") as refused:
        locate("main:baselines")
    assert "./main:baselines" in refused.value.hint
    assert locate("./main:baselines") == Path("main:baselines")
    assert locate("main:other") == GitPlace(at=Ref(ref="main"), path="other")
