"""Group T of the table of attacks where git carries it: what judges stands at a trusted ref, in a real repository."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runstore.manifest import Provenance
from tests.command_line import Outcome
from tests.factories import Record, edit_manifest, passing, replace_bytes, rewrite, scored, unsynced, write_run
from tests.repositories import Repository, gate

GOOD: list[Record] = [scored("r000", 0.9), scored("r001", 0.8), scored("r002", 0.7)]
WEAK: list[Record] = [scored("r000", 0.5), *GOOD[1:]]
POLICY = "[metrics.acc]\nmax_drop = 0.01\n"
LAX = "[metrics.acc]\nmax_drop = 0.5\n"


def put(repository: Repository, path: str, records: list[Record], **options: object) -> None:
    shutil.rmtree(repository.folder / path, ignore_errors=True)
    with unsynced():
        write_run(repository.folder / path, records, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `repository` is a copy of."""
    made = Repository(tmp_path_factory.mktemp("template") / "repository")
    made.write(".gitignore", "/runs/\n")
    put(made, "baselines/qa", GOOD)
    made.write("gate.toml", POLICY)
    made.commit("baseline")
    made.git("checkout", "-q", "-b", "change")
    put(made, "runs/good", GOOD, notes="again")
    put(made, "runs/weak", WEAK)
    return made.folder


@pytest.fixture
def repository(tmp_path: Path, template: Path) -> Repository:
    """`main` has a good baseline and a policy; `change` is checked out; runs are not committed."""
    return Repository(shutil.copytree(template, tmp_path / "repository"))


def compare(repository: Repository, *words: str, current: str = "runs/good", ref: str = "main") -> Outcome:
    return gate(repository.folder, "compare", f"{ref}:baselines/qa", current, "--format", "json", *words)


def messages(outcome: Outcome, rule: str) -> str:
    return "\n".join(finding["message"] for finding in outcome.view["findings"] if finding["rule"] == rule)


def test_a_change_that_edits_nothing_is_judged_by_the_trusted_ref(repository: Repository) -> None:
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (0, [])
    assert outcome.view["policy"] == "main:gate.toml"
    outcome = compare(repository, current="runs/weak")
    assert (outcome.code, outcome.rules) == (1, ["max-drop"])
    repository.commit("nothing")
    assert compare(repository).code == 0


@pytest.mark.parametrize("is_committed", [True, False])
def test_T1_a_lowered_baseline_is_judged_by_the_old_one(repository: Repository, is_committed: bool) -> None:
    put(repository, "baselines/qa", WEAK)
    if is_committed:
        repository.commit("lower the bar")
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (4, ["claims"])
    place = "HEAD" if is_committed else "the work tree"
    assert messages(outcome, "claims").startswith(
        f"the change edits 1 record of the baseline: 1 regressed (in {place})"
    )
    assert outcome.view["findings"][1]["record"] == "r000"
    assert "scores/acc 0.9 -> 0.5" in outcome.view["findings"][1]["message"]
    outcome = compare(repository, current="runs/weak")
    assert (outcome.code, outcome.rules) == (1, ["claims", "max-drop"])


def test_T1_a_byte_of_the_work_tree_counts(repository: Repository) -> None:
    file = repository.folder / "baselines/qa/records.jsonl"
    file.write_bytes(file.read_bytes().replace(b"0.9", b"0.8"))
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (3, ["claims"])
    assert "is not the file that the manifest lists" in messages(outcome, "claims")


def test_T1_an_edit_that_the_work_tree_hides_is_seen(repository: Repository) -> None:
    put(repository, "baselines/qa", WEAK)
    repository.commit("lower the bar")
    repository.git("checkout", "main", "--", "baselines")
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (4, ["claims"])
    assert "(in HEAD)" in messages(outcome, "claims")


@pytest.mark.parametrize("is_committed", [True, False])
@pytest.mark.parametrize("folder", ["runs", "baselines", "elsewhere/deep"])
def test_T1_an_edit_is_seen_from_a_folder_below_the_top(
    repository: Repository, folder: str, is_committed: bool
) -> None:
    repository.git("checkout", "-q", "main")
    repository.write("other", "main has moved on")
    repository.commit("other")
    repository.git("checkout", "-q", "change")
    (repository.folder / folder).mkdir(parents=True, exist_ok=True)
    put(repository, "baselines/qa", WEAK)
    repository.write("gate.toml", LAX)
    if is_committed:
        repository.commit("lower the bar")
        repository.git("checkout", "main", "--", "baselines", "gate.toml")
    current = repository.folder / "runs/good"
    outcome = gate(repository.folder / folder, "compare", "main:baselines/qa", current, "--format", "json")
    assert (outcome.code, outcome.rules) == (4, ["claims", "policy-edited"])


@pytest.mark.parametrize("words", [("main:baselines/qa",), ("baselines/qa", "--against", "main")])
@pytest.mark.parametrize("is_committed", [True, False])
def test_T2_a_deleted_baseline_is_no_first_run(
    repository: Repository, words: tuple[str, ...], is_committed: bool
) -> None:
    shutil.rmtree(repository.folder / "baselines")
    if is_committed:
        repository.commit("delete")
    outcome = gate(repository.folder, "compare", *words[:1], "runs/good", *words[1:], "--format", "json")
    assert (outcome.code, outcome.rules) == (4, ["claims"])
    assert "the change deletes the baseline" in messages(outcome, "claims")
    assert outcome.view["counts"]["common"] == 3


def test_T2_a_baseline_that_became_a_link_is_deleted(repository: Repository) -> None:
    put(repository, "baselines/weak", WEAK)
    shutil.rmtree(repository.folder / "baselines/qa")
    (repository.folder / "baselines/qa").symlink_to("weak")
    for commit in (False, True):
        if commit:
            repository.commit("link")
        outcome = compare(repository)
        assert (outcome.code, outcome.rules) == (4, ["claims"])
        assert "the change deletes the baseline" in messages(outcome, "claims")


@pytest.mark.parametrize("name", ["records.jsonl", "summary.json", "manifest.json"])
def test_T3_a_baseline_that_was_emptied_is_refused_where_it_is_trusted_and_where_it_is_claimed(
    repository: Repository, name: str
) -> None:
    (repository.folder / "baselines/qa" / name).write_bytes(b"")
    commit = repository.commit("emptied")
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (3, ["claims"])
    outcome = compare(repository, ref=commit)
    assert (outcome.code, outcome.rules) == (3, ["invalid-run"])


@pytest.mark.parametrize("is_committed", [True, False])
def test_T4_a_loosened_policy_is_not_the_one_that_judges_and_is_listed_first(
    repository: Repository, is_committed: bool
) -> None:
    repository.write("gate.toml", LAX)
    if is_committed:
        repository.commit("loosen")
    outcome = compare(repository, current="runs/weak")
    assert (outcome.code, outcome.rules) == (1, ["policy-edited", "max-drop"])
    assert "metrics.acc.max_drop changes: 0.01 -> 0.5" in messages(outcome, "policy-edited")
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (4, ["policy-edited"])


def test_T4_a_policy_that_is_deleted_shadowed_or_broken_is_told(repository: Repository) -> None:
    (repository.folder / "gate.toml").unlink()
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (4, ["policy-edited"])
    assert "gate.toml is gone, and nothing stands in its place" in messages(outcome, "policy-edited")
    repository.write("pyproject.toml", "[tool.gate.metrics.acc]\nmax_drop = 0.5\n")
    outcome = compare(repository)
    assert outcome.code == 4
    assert "the policy would stand in pyproject.toml" in messages(outcome, "policy-edited")
    repository.write("gate.toml", "[metric]\n")
    repository.commit("break")
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (1, ["policy-edited"])
    assert "cannot be read" in messages(outcome, "policy-edited")


def test_T4_a_policy_nearer_to_the_working_folder_is_an_edit_and_is_not_used(repository: Repository) -> None:
    repository.write("evals/gate.toml", LAX)
    words = ("compare", "main:baselines/qa", "../runs/weak", "--format", "json")
    for commit in (False, True):
        if commit:
            repository.commit("shadow")
        outcome = gate(repository.folder / "evals", *words)
        assert (outcome.code, outcome.rules) == (1, ["policy-edited", "max-drop"])
        assert "the policy would stand in evals/gate.toml" in messages(outcome, "policy-edited")


def test_T4_what_asks_the_same_is_no_edit(repository: Repository) -> None:
    repository.write("gate.toml", f"# a comment\n{POLICY}")
    repository.write("pyproject.toml", "[project]\nname = 'x'\n")
    repository.commit("words")
    assert compare(repository).code == 0


def test_T4_a_policy_on_disk_is_never_read_for_a_baseline_in_git(repository: Repository, tmp_path: Path) -> None:
    repository.write("lax.toml", LAX)
    (tmp_path / "lax.toml").write_text(LAX)
    for config, message in (
        ("lax.toml", "main:lax.toml: no such policy"),
        ("./lax.toml", "main:lax.toml: no such policy"),
        (str(tmp_path / "lax.toml"), "does not lie in this repository"),
        ("change:lax.toml", "the policy is read at main, too"),
    ):
        outcome = compare(repository, "-c", config, current="runs/weak")
        assert (outcome.code, message in outcome.text) == (2, True), outcome.text
    repository.write("policies/named.toml", POLICY)
    commit = repository.commit("named")
    repository.write("policies/named.toml", LAX)
    outcome = compare(repository, "-c", "policies/named.toml", current="runs/weak", ref=commit)
    assert (outcome.code, outcome.rules) == (1, ["policy-edited", "max-drop"])
    (repository.folder / "policies/named.toml").unlink()
    repository.commit("gone")
    outcome = compare(repository, "-c", "policies/named.toml", ref=commit)
    assert (outcome.code, outcome.rules) == (4, ["policy-edited"])


def test_T4_the_pinned_reference_is_read_at_the_ref_and_an_edit_of_it_is_told(repository: Repository) -> None:
    put(repository, "baselines/pinned", [scored("r000", 0.95), *GOOD[1:]])
    repository.write(
        "gate.toml", f"{POLICY}[reference]\npath='baselines/pinned'\n[reference.metrics.acc]\nmax_drop=0\n"
    )
    commit = repository.commit("pin")
    put(repository, "baselines/pinned", WEAK)
    for is_committed in (False, True):
        if is_committed:
            repository.commit("lower the pin")
        outcome = compare(repository, ref=commit)
        assert (outcome.code, outcome.rules) == (1, ["claims", "reference-drop"])
        assert "the change edits the pinned reference baselines/pinned" in messages(outcome, "claims")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (".gitattributes", "baselines/** linguist-generated=true"),
        (".gitattributes", "*.jsonl -diff"),
        (".gitattributes", "*.jsonl binary"),
        (".gitattributes", "* merge=ours"),
        (".gitattributes", "/baselines/qa/*\tfilter=x"),
        (".gitattributes", '"baselines/qa/records.jsonl" -diff'),
        (".gitattributes", "[attr]quiet -diff"),
        (".gitattributes", "gate.toml -diff"),
        ("baselines/.gitattributes", "qa/records.jsonl diff=nothing"),
    ],
)
def test_T6_a_gitattributes_that_could_fold_the_diff_is_told(repository: Repository, file: str, line: str) -> None:
    repository.write(file, f"*.png binary\n{line}\n")
    for commit in (False, True):
        if commit:
            repository.commit("fold")
        outcome = compare(repository)
        assert (outcome.code, outcome.rules) == (4, ["gitattributes"])
        assert line.split()[0] in messages(outcome, "gitattributes")
    assert compare(repository, "--claims-approved").code == 0


@pytest.mark.parametrize(
    "line", ["*.png binary", "docs/** linguist-generated", "*.jsonl text eol=lf", "# *.jsonl -diff"]
)
def test_T6_a_gitattributes_that_folds_nothing_of_it_is_no_finding(repository: Repository, line: str) -> None:
    repository.write(".gitattributes", f"{line}\n")
    repository.commit("attributes")
    assert (compare(repository).code, compare(repository).rules) == (0, [])


def test_T6_attributes_change_none_of_the_bytes_that_are_read(repository: Repository) -> None:
    repository.write(".gitattributes", "*.jsonl text eol=crlf working-tree-encoding=UTF-16\n* ident filter=spoil\n")
    repository.git("config", "filter.spoil.smudge", "sed s/0.9/0.1/")
    repository.git("config", "filter.spoil.clean", "sed s/0.1/0.9/")
    outcome = compare(repository, current="runs/weak")
    assert (outcome.code, outcome.rules) == (1, ["gitattributes", "max-drop"])


def test_T7_a_shallow_clone_without_the_ref_says_how_to_fetch_it(repository: Repository, tmp_path: Path) -> None:
    repository.commit("two")
    clone = repository.clone(tmp_path / "clone", "--depth=1", "--branch=change", "--single-branch")
    shutil.copytree(repository.folder / "runs", clone.folder / "runs")
    outcome = compare(clone, ref="origin/main")
    assert (outcome.code, outcome.out) == (2, "")
    command = "git fetch --depth=1 origin +refs/heads/main:refs/remotes/origin/main"
    assert f"origin/main: no such commit in this clone hint: {command}" in outcome.text.replace("  ", " ")
    clone.git(*command.split()[1:])
    assert compare(clone, ref="origin/main").code == 0


def test_T7_a_shallow_clone_without_the_merge_base_says_how_to_fetch_it(repository: Repository, tmp_path: Path) -> None:
    repository.commit("two")
    clone = repository.clone(tmp_path / "clone", "--depth=1", "--no-single-branch", "--branch=change")
    shutil.copytree(repository.folder / "runs", clone.folder / "runs")
    outcome = compare(clone, ref="origin/main...HEAD")
    assert (outcome.code, "git fetch --unshallow origin" in outcome.text) == (2, True), outcome.text
    clone.git("fetch", "-q", "--unshallow", "origin")
    assert compare(clone, ref="origin/main...HEAD").code == 0


def test_T7_an_older_merge_base_is_not_taken_where_a_shallow_clone_hides_the_right_one(repository: Repository) -> None:
    old = repository.git("rev-parse", "main")
    put(repository, "baselines/qa", [scored("r000", 0.95), *GOOD[1:]])
    fork = repository.commit("stronger: both sides start here")
    tips, cuts = [], []
    for side in ("left", "right"):
        repository.git("checkout", "-q", "-b", f"{side}-old", old)
        repository.commit(f"{side}, on the old base")
        repository.git("checkout", "-q", "-b", side, fork)
        cuts.append(repository.commit(side))
        repository.git("merge", "-q", "-m", "merge", f"{side}-old")
        tips.append(repository.git("rev-parse", "HEAD"))
    assert repository.git("merge-base", *tips) == fork
    assert compare(repository, ref="left...right").code == 1
    repository.git("remote", "add", "origin", f"file://{repository.folder}")
    repository.write(".git/shallow", "".join(f"{cut}\n" for cut in cuts))
    assert repository.git("merge-base", *tips) == old
    outcome = compare(repository, ref="left...right")
    assert (outcome.code, "git fetch --unshallow origin" in outcome.text) == (2, True), outcome.text


def test_T7_a_ref_that_is_not_there_never_falls_back_to_the_work_tree(repository: Repository) -> None:
    for ref in ("nope", "origin/main", "0" * 40, "main~7", "main^{/nothing like it}"):
        outcome = compare(repository, ref=ref)
        assert (outcome.code, outcome.out, "no such commit" in outcome.text) == (2, "", True), outcome.text
    outcome = gate(repository.folder, "compare", "main:baselines/other", "runs/good")
    assert (outcome.code, "main:baselines/other: no such folder at that commit" in outcome.text) == (2, True)


def test_T8_a_change_on_an_old_base_is_judged_by_the_tip(repository: Repository) -> None:
    repository.git("checkout", "-q", "main")
    put(repository, "baselines/qa", WEAK)
    repository.commit("an old weak baseline")
    repository.git("checkout", "-q", "-B", "change")
    repository.commit("work")
    repository.git("checkout", "-q", "main")
    put(repository, "baselines/qa", GOOD, notes="the new strong one")
    repository.commit("stronger")
    repository.git("checkout", "-q", "change")
    outcome = compare(repository, current="runs/weak")
    assert (outcome.code, outcome.rules) == (1, ["max-drop"]), outcome.text
    outcome = compare(repository, current="runs/weak", ref="main...change")
    assert (outcome.code, outcome.rules) == (0, ["identical"])
    repository.git("rebase", "-q", "main")
    assert compare(repository, current="runs/weak").code == 1
    assert compare(repository, current="runs/weak", ref="main...change").code == 1


def test_T8_a_merge_that_brings_the_old_baseline_back_is_a_claim(repository: Repository) -> None:
    repository.commit("work")
    repository.git("checkout", "-q", "main")
    put(repository, "baselines/qa", [scored("r000", 0.95), *GOOD[1:]])
    repository.commit("stronger")
    repository.git("checkout", "-q", "change")
    repository.git("merge", "-q", "-s", "ours", "-m", "merge", "main")
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (1, ["claims", "max-drop"])


def test_T9_a_copy_of_the_baseline_does_not_fit_the_commit_that_is_expected(repository: Repository) -> None:
    commit = repository.commit("work")
    shutil.copytree(repository.folder / "baselines/qa", repository.folder / "runs/copy")
    outcome = compare(repository, current="runs/copy")
    assert (outcome.code, outcome.rules) == (0, ["identical"])
    outcome = compare(repository, "--expect-commit", commit, current="runs/copy")
    assert (outcome.code, outcome.rules) == (4, ["provenance", "identical"])


def test_T10_a_run_of_another_commit_is_stale(repository: Repository) -> None:
    old, new = repository.commit("one"), repository.commit("two")
    for commit, dirty, code in (
        (new, False, 0),
        (old, False, 4),
        (new, True, 4),
        (new, None, 4),
        (None, None, 4),
        (new[:12], False, 4),
        ("", False, 4),
    ):
        put(repository, "runs/now", GOOD, notes="again", provenance=Provenance(commit=commit, dirty=dirty))
        for expected in (new, new.upper(), new[:7]):
            outcome = compare(repository, "--expect-commit", expected, current="runs/now")
            assert (outcome.code, outcome.rules) == (code, ["provenance"] if code else []), outcome.text
    outcome = gate(repository.folder, "compare", "baselines/qa", "runs/now", "--expect-commit", new)
    assert outcome.code == 4


@pytest.mark.parametrize("text", ["", "HEAD", "main", "abc123", "-x", "g" * 40, "0" * 65])
def test_T10_what_is_no_commit_is_a_usage_error(repository: Repository, text: str) -> None:
    outcome = compare(repository, f"--expect-commit={text}")
    assert (outcome.code, "is no commit" in outcome.text) == (2, True)


def test_T14_T15_a_claimed_baseline_must_be_a_run(repository: Repository) -> None:
    replace_bytes(repository.folder / "baselines/qa", b'"acc":0.9', b'"acc":0.1')
    repository.commit("records without their summary")
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (3, ["claims"])
    assert "the records say" in messages(outcome, "claims")


def test_T17_a_baseline_of_an_unknown_format_is_refused_at_the_ref(repository: Repository) -> None:
    edit_manifest(repository.folder / "baselines/qa", lambda manifest: manifest.update(format=99))
    commit = repository.commit("format")
    assert compare(repository, ref=commit).code == 3
    assert (compare(repository).code, compare(repository).rules) == (3, ["claims"])


def test_T12_a_claimed_direction_is_told(repository: Repository) -> None:
    edit_manifest(
        repository.folder / "baselines/qa", lambda manifest: manifest["metrics"]["acc"].update(direction="lower")
    )
    repository.commit("upside down")
    outcome = compare(repository, current="runs/weak")
    assert (outcome.code, outcome.rules) == (1, ["claims", "max-drop"])
    assert 'metrics/acc/direction of the manifest: "higher" -> "lower"' in messages(outcome, "claims")
    outcome = compare(repository, "--claims-approved", current="runs/weak")
    assert outcome.code == 1
    assert "the metrics that are claimed are not those that this run declares" in messages(outcome, "claims")


def test_T21_the_documentation_says_that_the_workflow_is_beyond_the_gate() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "ci.md").read_text(encoding="utf-8")
    assert "CODEOWNERS" in page
    assert "only the server can enforce" in page


@pytest.mark.parametrize(
    "name", ["CLAIMS_APPROVED", "GATE_CLAIMS_APPROVED", "RUNSTORE_CLAIMS_APPROVED", "GATE_AGAINST"]
)
def test_T22_no_variable_approves_claims(repository: Repository, name: str) -> None:
    put(repository, "baselines/qa", WEAK)
    repository.commit("lower")
    outcome = gate(repository.folder, "compare", "main:baselines/qa", "runs/good", env={name: "1", "CI": "true"})
    assert outcome.code == 4


def test_claims_that_are_approved_are_held_against_the_run(repository: Repository) -> None:
    put(repository, "baselines/qa", WEAK)
    repository.commit("accept")
    outcome = compare(repository, "--claims-approved", current="runs/weak")
    assert (outcome.code, outcome.rules) == (0, ["claims", "identical"])
    assert {finding["level"] for finding in outcome.view["findings"]} == {"notice"}
    outcome = compare(repository, "--claims-approved", current="runs/good")
    assert (outcome.code, outcome.rules) == (1, ["claims"])
    assert "1 record claimed that this run did not produce: r000" in messages(outcome, "claims")


def test_what_is_not_claimed_is_judged_although_the_claims_are_approved(repository: Repository) -> None:
    put(repository, "baselines/qa", WEAK)
    repository.commit("accept one")
    put(repository, "runs/worse", [WEAK[0], scored("r001", 0.1), WEAK[2]])
    outcome = compare(repository, "--claims-approved", current="runs/worse")
    assert (outcome.code, outcome.rules) == (1, ["claims", "max-drop"])
    assert {finding["level"] for finding in outcome.view["findings"]} == {"notice", "error"}


def test_approval_is_only_for_what_is_committed(repository: Repository) -> None:
    put(repository, "baselines/qa", WEAK)
    outcome = compare(repository, "--claims-approved", current="runs/weak")
    assert (outcome.code, outcome.rules) == (1, ["claims", "max-drop"])
    outcome = compare(repository, "--claims-approved")
    assert outcome.code == 4
    assert "commit it or take it back" in outcome.view["findings"][0]["hint"]


def test_approval_of_a_policy_lets_the_old_one_judge(repository: Repository) -> None:
    repository.write("gate.toml", LAX)
    repository.commit("loosen")
    assert compare(repository, "--claims-approved", current="runs/weak").code == 1
    outcome = compare(repository, "--claims-approved")
    assert (outcome.code, outcome.rules) == (0, ["policy-edited"])


def test_only_the_trusted_policy_says_what_may_be_claimed(repository: Repository) -> None:
    put(repository, "baselines/qa", WEAK)
    repository.write("gate.toml", f"{POLICY}[trust]\nclaims = 'allow'\n")
    commit = repository.commit("allow oneself")
    outcome = compare(repository, current="runs/weak")
    assert (outcome.code, outcome.rules) == (1, ["claims", "policy-edited", "max-drop"])
    put(repository, "baselines/qa", [scored("r000", 0.4), *WEAK[1:]])
    put(repository, "runs/weaker", [scored("r000", 0.4), *WEAK[1:]])
    repository.commit("allowed")
    outcome = compare(repository, current="runs/weaker", ref=commit)
    assert (outcome.code, outcome.rules) == (0, ["claims", "identical"])


@pytest.mark.parametrize(
    ("limit", "records", "code"),
    [
        ("max_claimed = 1", WEAK, 0),
        ("max_claimed = 0", WEAK, 1),
        ("max_claimed_regressed = 0", WEAK, 1),
        ("max_claimed_removed = 0", WEAK, 0),
        ("max_claimed_removed = 0", GOOD[1:], 1),
        ("max_claimed_removed = 1", GOOD[1:], 0),
        ("max_claimed_regressed = 0", [*GOOD, scored("r003")], 0),
        ("max_claimed = 0", [*GOOD, scored("r003")], 1),
    ],
)
def test_claims_have_limits(repository: Repository, limit: str, records: list[Record], code: int) -> None:
    repository.write("gate.toml", f"[trust]\n{limit}\n")
    commit = repository.commit("limit")
    put(repository, "baselines/qa", records)
    put(repository, "runs/now", records)
    repository.commit("accept")
    outcome = compare(repository, "--claims-approved", current="runs/now", ref=commit)
    assert (outcome.code, outcome.rules) == (code, ["claims", "identical"])


def test_claims_of_series_and_artifacts_must_be_what_the_run_produced(repository: Repository) -> None:
    for place, value in (("baselines/qa", 1), ("runs/a", 0.5), ("runs/b", 0.7)):
        put(repository, place, GOOD, points=[("acc", value, None)])
    commit = repository.commit("series")
    shutil.rmtree(repository.folder / "baselines/qa")
    shutil.copytree(repository.folder / "runs/a", repository.folder / "baselines/qa")
    repository.commit("accept")
    assert (compare(repository, ref=commit, current="runs/a").code) == 1
    outcome = compare(repository, "--claims-approved", ref=commit, current="runs/a")
    assert (outcome.code, outcome.rules) == (0, ["claims", "identical"])
    outcome = compare(repository, "--claims-approved", ref=commit, current="runs/b")
    assert outcome.code == 1
    assert "series.jsonl is claimed, and is not what this run produced" in messages(outcome, "claims")


def test_claims_of_a_suite_are_told_run_by_run(repository: Repository) -> None:
    for name in ("one", "two", "three"):
        put(repository, f"suites/{name}", GOOD)
        put(repository, f"runs/all/{name}", GOOD)
    repository.write("suites/README.md", "what these are\n")
    commit = repository.commit("suites")
    put(repository, "suites/two", WEAK)
    shutil.rmtree(repository.folder / "suites/three")
    put(repository, "suites/four", GOOD)
    repository.write("suites/README.md", "other words\n")
    repository.commit("edit")
    words = ("compare", f"{commit}:suites", "runs/all", "--format", "json")
    outcome = gate(repository.folder, *words)
    assert (outcome.code, outcome.rules[0]) == (4, "claims")
    told = {(one["run"], one["message"]) for one in outcome.view["findings"] if one["rule"] == "claims"}
    assert {(run, message) for run, message in told if message.startswith("the change")} == {
        ("four", "the change adds a baseline of 3 records (in HEAD)"),
        ("three", "the change deletes the baseline (in HEAD)"),
        ("two", "the change edits 1 record of the baseline: 1 regressed (in HEAD)"),
    }
    outcome = gate(repository.folder, *words, "--claims-approved")
    assert outcome.code == 1
    assert "for which there is no current run" in messages(outcome, "claims")


def test_a_branch_that_is_only_behind_claims_nothing(repository: Repository) -> None:
    repository.commit("work")
    repository.git("checkout", "-q", "main")
    put(repository, "baselines/qa", GOOD, notes="accepted by another change")
    repository.write("gate.toml", f"{POLICY}[records]\nmax_added = 5\n")
    repository.write(".gitattributes", "*.jsonl -diff\n")
    repository.commit("others")
    repository.git("checkout", "-q", "change")
    outcome = compare(repository)
    assert (outcome.code, outcome.rules) == (0, [])


def test_a_fork_is_judged_by_the_remote_that_is_named(repository: Repository, tmp_path: Path) -> None:
    fork = repository.clone(tmp_path / "fork")
    fork.git("checkout", "-q", "main")
    put(fork, "baselines/qa", WEAK)
    fork.commit("weak main of a fork")
    fork.git("checkout", "-q", "-b", "change-of-fork")
    fork.git("remote", "add", "upstream", f"file://{repository.folder}")
    fork.git("fetch", "-q", "upstream")
    put(fork, "runs/weak", WEAK)
    assert compare(fork, current="runs/weak", ref="main").code == 0
    outcome = compare(fork, current="runs/weak", ref="upstream/main")
    assert (outcome.code, outcome.rules) == (1, ["claims", "max-drop"])


def test_a_merge_commit_of_a_change_is_judged_like_the_change(repository: Repository) -> None:
    put(repository, "baselines/qa", WEAK)
    repository.commit("lower")
    repository.git("checkout", "-q", "--detach", "main")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "change")
    assert (compare(repository).code, compare(repository).rules) == (4, ["claims"])


def test_a_saved_report_of_claims_lists_them_first(repository: Repository) -> None:
    put(repository, "baselines/qa", WEAK)
    repository.commit("lower")
    outcome = gate(repository.folder, "compare", "main:baselines/qa", "runs/good")
    assert outcome.out.startswith("REVIEW  a person must approve: claims")
    assert "r000" in outcome.out
    outcome = compare(repository, "-o", "runs/view.json")
    view = json.loads((repository.folder / "runs/view.json").read_text())
    assert view["findings"][0]["rule"] == "claims"
    assert view["checks"][0]["rule"] == "claims"


def test_no_report_is_written_into_the_baseline_of_the_work_tree(repository: Repository) -> None:
    outcome = compare(repository, "-o", "baselines/qa/report.json")
    assert (outcome.code, "lies inside" in outcome.text) == (2, True)


def test_approval_without_a_baseline_in_git_is_a_usage_error(repository: Repository) -> None:
    outcome = gate(repository.folder, "compare", "baselines/qa", "runs/good", "--claims-approved")
    assert (outcome.code, "--claims-approved is about a baseline in git" in outcome.text) == (2, True)


def test_an_empty_baseline_at_the_ref_is_never_a_pass(repository: Repository) -> None:
    put(repository, "baselines/qa", [])
    commit = repository.commit("empty")
    outcome = compare(repository, ref=commit)
    assert outcome.code == 5
    rewrite(repository.folder / "runs/good", "records.jsonl", lambda data: data[: data.find(b"\n") + 1])
    assert compare(repository).code == 3


def test_passing_is_for_the_same_records_and_no_fewer(repository: Repository) -> None:
    put(repository, "runs/few", GOOD[:1])
    put(repository, "runs/others", passing(3))
    assert compare(repository, current="runs/few").code == 1
    assert compare(repository, current="runs/others").code == 0
