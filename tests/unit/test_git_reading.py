"""Reading from git is reading the same bytes as from a folder, in whatever kind of clone, and running nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runstore.cli.locators import locate
from runstore.errors import InvalidRunError, UsageError
from runstore.git import process, work_tree
from runstore.git.place import GitPlace
from runstore.git.repository import Repository as Opened
from runstore.git.tree import GitSource, tree_of_place
from runstore.source import FolderSource
from runstore.store.reader import read_run
from runstore.verification import verify
from tests.factories import Record, files_of, passing, scored, unsynced, write_run
from tests.repositories import Repository, gate, git

RECORDS: list[Record] = [scored(f"r{number}", 0.5, output="é" * number) for number in range(20)]
COMPARE = ("compare", "HEAD:b", "c")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `repository` is a copy of."""
    made = Repository(tmp_path_factory.mktemp("template") / "repository")
    with unsynced():
        write_run(made.folder / "b", RECORDS, points=[("acc", 1, 2)])
        write_run(made.folder / "suite/one", RECORDS)
        write_run(made.folder / "suite/deep/two", passing(2))
    made.write("b/volatile/measures.json", '{"latency_s": 1}')
    made.write("suite/.hidden/manifest.json", "{}")
    made.write("suite/README.md", "a suite\n")
    made.commit()
    with unsynced():
        write_run(made.folder / "c", RECORDS, notes="again", points=[("acc", 1, 2)])
    return made.folder


@pytest.fixture
def repository(tmp_path: Path, template: Path) -> Repository:
    """A run `b`, a suite, and a run `c` that is not committed."""
    return Repository(shutil.copytree(template, tmp_path / "repository"))


@pytest.fixture
def opened(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], GitSource]]:
    """Call with what is typed; gives the source."""
    monkeypatch.chdir(repository.folder)
    made = Opened()

    def open_place(text: str) -> GitSource:
        place = locate(text)
        assert isinstance(place, GitPlace)
        return tree_of_place(made, place)

    yield open_place
    made.close()


def test_a_run_in_git_is_the_run_in_the_folder(opened: Callable[[str], GitSource], repository: Repository) -> None:
    here, there = FolderSource(repository.folder / "b"), opened("HEAD:b")
    assert there.sizes() == here.sizes()
    assert there.is_run
    for path in here.sizes():
        with here.open(path) as one, there.open(path) as other:
            assert one.read() == other.read()
    assert read_run(there).digest == read_run(here).digest
    assert verify(read_run(there)) is False
    assert read_run(there).volatile_measures() == {"latency_s": 1}
    assert there.label == "HEAD:b"


def test_a_suite_in_git_is_the_suite_in_the_folder(opened: Callable[[str], GitSource], repository: Repository) -> None:
    here, there = FolderSource(repository.folder / "suite"), opened("HEAD:suite")
    assert there.runs() == here.runs() == ["deep/two", "one"]
    assert not there.is_run
    assert there.child("one").sizes() == here.child("one").sizes()
    assert there.child("deep/two").label == "HEAD:suite/deep/two"
    assert there.child_if_run("deep") is None
    assert opened("HEAD:suite/deep").runs() == ["two"]


def test_streams_can_be_read_side_by_side_and_left_early(opened: Callable[[str], GitSource]) -> None:
    source = opened("HEAD:b")
    with source.open("records.jsonl") as one, source.open("records.jsonl") as other:
        first = one.read(10)
        assert other.read(10) == first
        rest = one.read(7)
    with source.open("records.jsonl") as file:
        assert file.read(17) == first + rest
        assert file.read(0) == b""
    with source.open("summary.json") as file:
        assert file.read(10**9).endswith(b"}\n")
        assert file.read(1) == b""


def test_an_object_that_is_gone_is_told_by_its_path(repository: Repository, opened: Callable[[str], GitSource]) -> None:
    source = opened("HEAD:b")
    oid = repository.git("rev-parse", "HEAD:b/records.jsonl")
    (repository.folder / ".git/objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(UsageError, match="its bytes are not in this clone") as refused:
        source.open("records.jsonl")
    assert refused.value.where == "HEAD:b/records.jsonl"
    with source.open("summary.json") as file:
        assert file.read(1) == b"{"
    assert gate(repository.folder, *COMPARE).code == 2


def test_a_damaged_object_is_no_pass(repository: Repository) -> None:
    oid = repository.git("rev-parse", "HEAD:b/records.jsonl")
    file = repository.folder / ".git/objects" / oid[:2] / oid[2:]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-40])
    outcome = gate(repository.folder, *COMPARE)
    assert (outcome.code, outcome.out) == (2, "")
    assert "HEAD:b/records.jsonl" in outcome.err


def test_links_and_submodules_are_refused_and_executables_are_files(
    repository: Repository, opened: Callable[[str], GitSource]
) -> None:
    (repository.folder / "b/summary.json").chmod(0o755)
    repository.commit("executable")
    assert opened("HEAD:b").sizes() == FolderSource(repository.folder / "b").sizes()
    oid = repository.git("rev-parse", "HEAD")
    for mode, target, path in (("120000", "HEAD:b/summary.json", "b/link"), ("160000", "HEAD", "b/sub")):
        repository.git("update-index", "--add", "--cacheinfo", f"{mode},{repository.git('rev-parse', target)},{path}")
        repository.git("commit", "-q", "-m", "special")
        made = opened(f"{repository.git('rev-parse', 'HEAD')}:b")
        with pytest.raises(InvalidRunError, match="neither a file nor a folder") as refused:
            made.sizes()
        assert refused.value.where.endswith(path[1:])
        repository.git("reset", "-q", "--soft", oid)
        repository.git("reset", "-q")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{oid},suite/sub")
    repository.git("commit", "-q", "-m", "sub")
    commit = repository.git("rev-parse", "HEAD")
    with pytest.raises(InvalidRunError, match="a link among runs"):
        opened(f"{commit}:suite").runs()
    for path in ("suite/sub", "suite/sub/b"):
        with pytest.raises(UsageError, match=r"submodule|no such folder") as told:
            opened(f"{commit}:{path}")
        assert "submodule" in str(told.value)


def test_a_file_is_no_folder(opened: Callable[[str], GitSource]) -> None:
    with pytest.raises(UsageError, match=r"HEAD:b/records\.jsonl: not a folder"):
        opened("HEAD:b/records.jsonl")
    with pytest.raises(UsageError, match="HEAD:nothing/here: no such folder at that commit"):
        opened("HEAD:nothing/here")


def test_a_pointer_of_lfs_is_named_for_what_it_is(repository: Repository) -> None:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    repository.write("b/records.jsonl", text)
    repository.commit("lfs")
    outcome = gate(repository.folder, *COMPARE)
    assert outcome.code == 2
    assert "HEAD:b/records.jsonl: a pointer of Git LFS: the file itself is not in git" in outcome.text


def test_the_number_of_git_processes_is_fixed(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        shutil.copytree(repository.folder / "c", repository.folder / f"runs/{name}")
    counts = []
    for runs in (3, 30):
        for number in range(runs):
            shutil.copytree(repository.folder / "b", repository.folder / f"many/r{number}", dirs_exist_ok=True)
            repository.write(f"many/r{number}/volatile/x", "1")
        repository.commit()
        counts.append(_processes(repository.folder, monkeypatch, "compare", "HEAD~1:b", "HEAD:b"))
        counts.append(_processes(repository.folder, monkeypatch, "compare", "HEAD:many", "many"))
    first, *others = counts
    assert first <= 9
    assert others[0] == others[2] <= 6
    assert others[1] == first


def _processes(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """How many processes of git a command starts."""
    started: list[object] = []
    real = subprocess.Popen.__init__

    def counted(self: object, *args: object, **options: object) -> None:
        started.append(args)
        real(self, *args, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", counted)
        assert gate(folder, *words).code == 0
    return len(started)


def test_no_process_is_left_behind(repository: Repository) -> None:
    for words in (COMPARE, ("compare", "HEAD:b", "HEAD:suite/one"), ("show", "HEAD:b"), ("compare", "HEAD:b", "nope")):
        gate(repository.folder, *words)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


def test_large_sharded_runs_are_read_by_several_processes_at_once(repository: Repository) -> None:
    text = "x" * 15_000
    records = [scored(f"r{number:06d}", 1, output=text) for number in range(2_400)]
    with unsynced():
        write_run(repository.folder / "big", records)
        write_run(repository.folder / "now", [*records[:-1], scored("r002399", 0, output=text)])
    repository.git("-c", "core.compression=1", "add", "big")
    repository.commit()
    assert len(list((repository.folder / "big").glob("records-*.jsonl"))) > 1
    told = [
        gate(repository.folder, "compare", place, "now", "--format", "json").view["changes"]
        for place in ("big", "HEAD:big")
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 1


@pytest.mark.parametrize("how", ["bare", "mirror", "worktree", "separate", "sha256", "packed"])
def test_every_kind_of_clone_is_read(repository: Repository, tmp_path: Path, how: str) -> None:
    run, env, folder = repository.folder / "c", {}, repository.folder
    if how in ("bare", "mirror"):
        git(tmp_path, "clone", "-q", f"--{how}", repository.folder, "bare.git")
        folder = tmp_path / "bare.git"
    elif how == "worktree":
        repository.git("worktree", "add", "-q", tmp_path / "tree", "HEAD")
        folder = tmp_path / "tree"
    elif how == "separate":
        (repository.folder / ".git").rename(tmp_path / "elsewhere")
        env = {"GIT_DIR": str(tmp_path / "elsewhere")}
    elif how == "sha256":
        made = Repository(tmp_path / "sha256", "--object-format=sha256")
        shutil.copytree(repository.folder / "b", made.folder / "b")
        made.commit()
        folder = made.folder
    elif how == "packed":
        repository.git("gc", "-q", "--aggressive")
    outcome = gate(folder, "compare", "HEAD:b", run, env=env)
    assert outcome.code == 0, outcome.text
    if how != "bare" and how != "mirror" and how != "sha256":
        return
    assert gate(folder, "compare", "HEAD~5:b", run, env=env).code == 2


def test_a_bare_repository_says_that_it_knows_no_change(repository: Repository, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", repository.folder, "bare.git")
    outcome = gate(tmp_path / "bare.git", "compare", "main:b", repository.folder / "c", "--format", "json")
    assert (outcome.code, outcome.rules) == (0, ["claims"])
    assert outcome.view["findings"][0]["level"] == "notice"
    assert outcome.view["findings"][0]["hint"] == "name it: main...BRANCH:b"


def test_a_bare_repository_within_a_work_tree_is_not_the_one_that_is_meant(repository: Repository) -> None:
    git(repository.folder, "clone", "-q", "--bare", repository.folder, "evals")
    outcome = gate(repository.folder / "evals", "compare", "HEAD:b", "../c")
    assert (outcome.code, "a bare repository lies in the way" in outcome.text) == (2, True), outcome.text
    outcome = gate(repository.folder / "evals", "compare", "HEAD:b", "../c", env={"GIT_DIR": "."})
    assert outcome.code == 0


def test_the_working_folder_may_be_below_the_root(repository: Repository) -> None:
    for words in (
        ("HEAD:b", "../../c"),
        ("HEAD:../../b", "../../c"),
        ("../../b", "../../c", "--against", "HEAD"),
        (repository.folder / "b", "../../c", "--against", "HEAD"),
        ("HEAD:./../deep/two", "HEAD:suite/deep/two"),
    ):
        outcome = gate(repository.folder / "suite/deep", "compare", *words)
        assert outcome.code == 0, outcome.text
    outcome = gate(repository.folder / "suite", "compare", "HEAD:../../b", "../c")
    assert (outcome.code, "leads out of the repository" in outcome.text) == (2, True)
    outcome = gate(repository.folder / "suite", "compare", "/elsewhere/b", "../c", "--against", "HEAD")
    assert (outcome.code, "does not lie in this repository" in outcome.text) == (2, True)


def test_a_partial_clone_says_what_to_fetch_and_fetches_nothing(repository: Repository, tmp_path: Path) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    clone = repository.clone(tmp_path / "clone", "--filter=blob:none", "--no-checkout")
    before = files_of(clone.folder)
    outcome = gate(clone.folder, "compare", "origin/main:b", repository.folder / "c")
    assert (outcome.code, outcome.out) == (2, "")
    assert "partial" in outcome.text
    assert "git fetch --refetch --no-filter" in outcome.text
    assert files_of(clone.folder) == before
    clone.git("fetch", "-q", "--refetch", "--no-filter")
    outcome = gate(clone.folder, "compare", "origin/main:b", repository.folder / "c", "--format", "json")
    assert outcome.code == 4, "no checkout: the baseline is deleted in the work tree"


def test_a_sparse_checkout_deletes_nothing(repository: Repository) -> None:
    repository.git("status")  # the copy has other times: what looks edited would be left there
    repository.git("sparse-checkout", "set", "--no-cone", "/suite/")
    assert not (repository.folder / "b").exists()
    assert gate(repository.folder, *COMPARE).code == 0
    shutil.rmtree(repository.folder / "suite/one")
    outcome = gate(repository.folder, "compare", "HEAD:suite", "HEAD:suite")
    assert outcome.code == 4


def test_replaced_objects_and_grafts_do_not_count(repository: Repository) -> None:
    good = repository.git("rev-parse", "HEAD")
    with unsynced():
        shutil.rmtree(repository.folder / "b")
        write_run(repository.folder / "b", [{**RECORDS[0], "scores": {"acc": 0}}, *RECORDS[1:]], points=[("acc", 1, 2)])
    weak = repository.commit("weak")
    words = ("compare", f"{good}:b", "c", "--format", "json")
    before = gate(repository.folder, *words).view["counts"]
    repository.git("replace", f"{good}^{{tree}}", f"{weak}^{{tree}}")
    assert gate(repository.folder, *words).view["counts"] == before
    repository.write(".git/info/grafts", f"{weak}\n")
    assert gate(repository.folder, "compare", f"{good}...{weak}:b", "c").code == 4


@pytest.mark.parametrize(
    "name",
    ["GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_NAMESPACE"],
)
def test_variables_that_redirect_git_are_dropped(repository: Repository, name: str) -> None:
    assert gate(repository.folder, *COMPARE, env={name: "/nowhere"}).code == 0
    assert name not in process.variables({name: "x"})


def test_settings_by_variables_are_dropped(repository: Repository) -> None:
    env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "nonsense"}
    assert gate(repository.folder, *COMPARE, env=env).code == 0
    assert process.variables({"GIT_DIR": "x", "PATH": "y", **env}).keys() & {"GIT_DIR", "PATH", *env} == {
        "GIT_DIR",
        "PATH",
    }


def test_nothing_of_the_repository_is_run(repository: Repository) -> None:
    script = repository.write("evil.sh", f"#!/bin/sh\ntouch {repository.folder}/ran\ncat\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "core.editor", "diff.external", "core.sshCommand", "core.askPass"):
        repository.git("config", key, str(script))
    for key in ("filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.x.textconv", "diff.x.command"):
        repository.git("config", key, str(script))
    hooks = repository.folder / ".git/hooks"
    hooks.mkdir()
    for name in ("post-index-change", "fsmonitor-watchman", "reference-transaction", "pre-auto-gc"):
        shutil.copy(script, hooks / name)
    repository.write(".gitattributes", "* filter=x diff=x\n")
    outcome = gate(repository.folder, *COMPARE, "--format", "json")
    assert (outcome.code, outcome.rules) == (4, ["gitattributes"])
    assert not (repository.folder / "ran").exists()


def test_git_that_is_not_installed_is_a_usage_error(repository: Repository, tmp_path: Path) -> None:
    evil = repository.write("git", f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    evil.chmod(0o755)
    for path in (str(tmp_path), "", ".", ":"):
        outcome = gate(repository.folder, *COMPARE, env={"PATH": path})
        assert (outcome.code, "git is not installed" in outcome.text) == (2, True)
    assert not (tmp_path / "ran").exists()
    assert gate(repository.folder, "compare", "b", "c", env={"PATH": ""}).code == 0


def test_a_folder_outside_any_repository_is_a_usage_error(tmp_path: Path) -> None:
    write_run(tmp_path / "c", passing(1))
    for words in (("main:b", "c"), ("b", "c", "--against", "main"), ("c", "main:b")):
        outcome = gate(tmp_path, "compare", *words, env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
        assert (outcome.code, "this is not a git repository" in outcome.text) == (2, True), outcome.text


def test_a_repository_of_another_user_is_explained() -> None:
    error = process.failure(b"fatal: detected dubious ownership in repository at '/x'\nTo add an exception ...")
    assert "another user owns it" in error.message
    assert "safe.directory" in error.hint
    assert "fatal: what" in process.failure(b"fatal: what").message
    assert "it said nothing" in process.failure(b"").message


@pytest.mark.parametrize("planted", ["refs/tags/origin/main", "refs/heads/origin/main", "refs/origin/main"])
def test_a_ref_that_shadows_the_one_that_is_meant_is_refused(
    repository: Repository, tmp_path: Path, planted: str
) -> None:
    clone = repository.clone(tmp_path / "clone")
    shutil.copytree(repository.folder / "c", clone.folder / "c")
    assert gate(clone.folder, "compare", "origin/main:b", "c").code == 0
    clone.git("update-ref", planted, "HEAD")
    for place in ("origin/main:b", "origin/main~0:b", "origin/main...HEAD:b"):
        outcome = gate(clone.folder, "compare", place, "c")
        assert (outcome.code, "is ambiguous" in outcome.text) == (2, True), outcome.text
    assert planted in outcome.text
    assert gate(clone.folder, "compare", "refs/remotes/origin/main:b", "c").code == 0


def test_a_ref_that_looks_like_a_commit_is_refused(repository: Repository) -> None:
    short = repository.git("rev-parse", "HEAD")[:8]
    assert gate(repository.folder, "compare", f"{short}:b", "c").code == 0
    repository.git("tag", short)
    outcome = gate(repository.folder, "compare", f"{short}:b", "c")
    assert (outcome.code, "is ambiguous" in outcome.text) == (2, True)


def test_several_merge_bases_are_refused(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "one")
    a = repository.commit("a")
    repository.git("checkout", "-q", "-b", "two", "HEAD~1")
    b = repository.commit("b")
    repository.git("merge", "-q", "-m", "x", a)
    repository.git("checkout", "-q", "one")
    repository.git("merge", "-q", "-m", "y", b)
    outcome = gate(repository.folder, "compare", "one...two:b", "c")
    assert (outcome.code, "there are 2 merge bases" in outcome.text) == (2, True)
    repository.git("checkout", "-q", "--orphan", "alone")
    repository.commit("alone")
    outcome = gate(repository.folder, "compare", "one...alone:b", "c")
    assert (outcome.code, "their histories share nothing" in outcome.text) == (2, True)


def test_a_folder_named_like_a_place_is_not_read_in_its_stead(repository: Repository) -> None:
    shutil.copytree(repository.folder / "c", repository.folder / "HEAD:b")
    outcome = gate(repository.folder, *COMPARE)
    assert (outcome.code, "is a path here, and reads as a ref" in outcome.text) == (2, True)
    assert gate(repository.folder, "compare", "./HEAD:b", "c").code == 0


def test_a_baseline_names_one_ref(repository: Repository) -> None:
    outcome = gate(repository.folder, *COMPARE, "--against", "HEAD")
    assert (outcome.code, "BASELINE names a ref, and so does --against" in outcome.text) == (2, True)
    for ref in ("", "-x", "a..b", "nope"):
        assert gate(repository.folder, "compare", "b", "c", f"--against={ref}").code == 2
    for text in ("HEAD:", "HEAD:."):
        assert "names no folder" in gate(repository.folder, "compare", text, "c").text
    outcome = gate(repository.folder, "compare", "./", "c", "--against", "HEAD")
    assert (outcome.code, "names no folder" in outcome.text) == (2, True)


def test_both_sides_can_be_read_from_git(repository: Repository) -> None:
    repository.commit("c")
    for words in (("HEAD:b", "HEAD:c"), ("b", "HEAD:c"), ("HEAD~1...HEAD:b", "HEAD:c")):
        assert gate(repository.folder, "compare", *words).code == 0


def test_other_commands_read_from_git_too(repository: Repository) -> None:
    for words in (
        ("show", "HEAD:b"),
        ("show", "HEAD:b", "--record", "r1"),
        ("validate", "HEAD:b", "HEAD:suite", "c"),
        ("selftest", "HEAD:b"),
        ("calibrate", "HEAD:b", "c"),
    ):
        outcome = gate(repository.folder, *words)
        assert outcome.code == 0, outcome.text
    repository.write("gate.toml", "[metrics.acc]\nmax_drop = 0.1\n")
    assert gate(repository.folder, "config", "check", "--run", "HEAD:suite").code == 0
    assert gate(repository.folder, "validate", "HEAD:nope").code == 2


def test_what_is_not_in_git_loads_nothing_of_it() -> None:
    code = (
        "import sys; from runstore.cli import compare; "
        "print([name for name in sys.modules if name in ('subprocess', 'runstore.git.process', 'runstore.trust')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("edit", ["nothing", "touch", "byte", "byte and its times"])
def test_files_that_the_index_knows_are_not_read_again_and_edited_ones_are(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    read: list[Path] = []
    real = work_tree._is_blob

    def noted(file: Path, size: int, oid: str) -> bool:
        read.append(file)
        return real(file, size, oid)

    monkeypatch.setattr(work_tree, "_LARGE_BYTES", 0)
    monkeypatch.setattr(work_tree, "_is_blob", noted)
    repository.git("status")
    time.sleep(0.02)
    repository.git("update-index", "--force-write-index")
    file = repository.folder / "b/records.jsonl"
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    if edit.startswith("byte"):
        file.write_bytes(file.read_bytes().replace(b"0.5", b"0.6", 1))
    if edit.endswith("times"):
        os.utime(file, ns=times)
    if edit == "touch":
        file.touch()
    code = gate(repository.folder, *COMPARE).code
    assert (code, [one.name for one in read][:1]) == {
        "nothing": (0, []),
        "touch": (0, ["records.jsonl"]),
    }.get(edit, (3, ["records.jsonl"]))
