"""The lattice of verdicts: worst wins."""

from __future__ import annotations

from itertools import permutations

import pytest

from runstore.findings import EXPLANATIONS, Finding, Level, Rule, Verdict, verdict


@pytest.mark.parametrize(
    ("level", "word", "code"),
    [
        (Level.INVALID, Verdict.INVALID, 3),
        (Level.ERROR, Verdict.FAIL, 1),
        (Level.REVIEW, Verdict.REVIEW, 4),
        (Level.INCONCLUSIVE, Verdict.INCONCLUSIVE, 5),
        (Level.WARNING, Verdict.PASS, 0),
        (Level.NOTICE, Verdict.PASS, 0),
    ],
)
def test_a_level_leads_to_its_verdict_and_exit_code(level: Level, word: Verdict, code: int) -> None:
    assert verdict([level]) is word
    assert word.value == code


def test_no_finding_is_a_pass() -> None:
    assert verdict([]) is Verdict.PASS


def test_the_worst_wins_in_the_order_3_1_4_5_0() -> None:
    order = [Level.INVALID, Level.ERROR, Level.REVIEW, Level.INCONCLUSIVE, Level.WARNING, Level.NOTICE]
    for place, level in enumerate(order):
        for others in permutations(order[place:], min(3, len(order) - place)):
            assert verdict([*others, level]) is verdict([level])
    assert [verdict([level]).value for level in order] == [3, 1, 4, 5, 0, 0]


def test_every_rule_says_what_it_holds_and_has_a_slug_of_its_own() -> None:
    assert set(EXPLANATIONS) == set(Rule)
    slugs = [rule.value for rule in Rule]
    assert len(set(slugs)) == len(slugs)
    assert all(slug == slug.lower() and slug.replace("-", "").isalpha() for slug in slugs)


def test_a_finding_is_placed_in_a_suite_and_stays_what_it_is() -> None:
    finding = Finding(rule=Rule.MIN, level=Level.ERROR, message="m", metric="acc")
    assert finding.at("qa/de") == Finding(rule=Rule.MIN, level=Level.ERROR, message="m", metric="acc", run="qa/de")
