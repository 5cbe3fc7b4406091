"""The waiver of a record: what may be answered, what is asked again, and how a policy file takes it."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.errors import UsageError
from runstore.policy import from_toml
from runstore.policy.model import Waiver
from runstore.reviewing import policy_text
from runstore.reviewing.policy_text import block, extended
from runstore.reviewing.waivers import Draft, Fall, Leave, begin, reply

TODAY = date(2026, 1, 31)
FALLS = (
    Fall(metric="acc", amount=Decimal("0.25"), width=Decimal(1)),
    Fall(metric="loss", amount=Decimal(3)),
)


def answered(*lines: str, falls: tuple[Fall, ...] = FALLS, last: Leave | None = None) -> Draft | Leave | str | None:
    draft = begin(falls, last)
    found: Draft | Leave | str | None = draft
    for line in lines:
        found = reply(draft, line, TODAY)
        if isinstance(found, Draft):
            draft = found
    return found


LEAVE = Leave(
    ceilings=(("acc", Decimal("0.25")), ("loss", Decimal("3.5"))),
    reason="a known bug",
    owner="ann",
    issue="#7",
    expires=date(2026, 2, 1),
)


def test_all_answers_make_a_leave() -> None:
    assert answered("", " 3.5 ", "a known bug", "ann", "#7", "2026-02-01") == LEAVE


def test_the_last_leave_is_proposed_again_but_for_its_reason() -> None:
    lines = ("", "3.5", "", "a known bug", "", "", "")
    assert answered(*lines, last=LEAVE) == LEAVE
    assert answered("", "3.5", "", last=LEAVE) == "it is empty: write it for whoever reads the policy in a year"


@pytest.mark.parametrize("issue", ["", "-"])
def test_an_issue_may_be_left_out(issue: str) -> None:
    found = answered("", "", "why", "ann", issue, "2026-02-01")
    assert isinstance(found, Leave)
    assert found.issue is None


@pytest.mark.parametrize("before", [(), ("",), ("", "", "why"), ("", "", "why", "ann", "-")])
def test_a_single_dot_gives_the_waiver_up(before: tuple[str, ...]) -> None:
    assert answered(*before, " . ") is None


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("0.2", "0.2 is too low: it got worse by 0.25"),
        ("-1", "-1 is too low: it got worse by 0.25"),
        ("1", "1 is as much as the whole range: such a waiver enforces nothing"),
        ("7", "7 is as much as the whole range: such a waiver enforces nothing"),
        ("a lot", "'a lot' is no number; it got worse by 0.25"),
        ("0,5", "'0,5' is no number; it got worse by 0.25"),
        ("nan", "'nan' is no plain number; it got worse by 0.25"),
        ("inf", "'inf' is no plain number; it got worse by 0.25"),
        ("1_0", "'1_0' is no plain number; it got worse by 0.25"),
        ("\u0663", "'\u0663' is no plain number; it got worse by 0.25"),
        ("1e999999", "'1e999999' is no plain number; it got worse by 0.25"),
    ],
)
def test_a_ceiling_that_makes_no_sense_is_asked_again(line: str, wrong: str) -> None:
    assert answered(line) == wrong


def test_a_fall_through_the_whole_range_can_still_be_waived() -> None:
    whole = Fall(metric="acc", amount=Decimal(1), width=Decimal(1))
    found = answered("", "why", "ann", "-", "2026-02-01", falls=(whole,))
    assert isinstance(found, Leave)
    assert found.ceilings == (("acc", Decimal(1)),)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("2026-01-31", "2026-01-31 is not in the future; today is 2026-01-31"),
        ("2020-01-31", "2020-01-31 is not in the future; today is 2026-01-31"),
        ("2027-02-02", "2027-02-02 is more than 366 days ahead"),
        ("tomorrow", "'tomorrow' is no day; write it as 2026-03-02"),
        ("2026-02-30", "'2026-02-30' is no day; write it as 2026-03-02"),
        ("20260201", "'20260201': write it as 2026-02-01"),
        ("", "'' is no day; write it as 2026-03-02"),
    ],
)
def test_a_day_that_is_none_or_past_or_too_far_is_asked_again(line: str, wrong: str) -> None:
    assert answered("", "", "why", "ann", "-", line) == wrong


@pytest.mark.parametrize("line", ["", "  ", "a\x1b[2Jb", "a\u202eb", "\udcff", "x" * 501])
def test_a_text_that_says_nothing_or_hides_something_is_asked_again(line: str) -> None:
    assert isinstance(answered("", "", line), str)
    assert isinstance(answered("", "", "why", line), str)


def waiver(record: str = "q-1", metric: str = "acc", **more: object) -> Waiver:
    found = {"ceiling": Decimal("0.5"), "owner": "ann", "reason": "why", "expires": date(2026, 2, 1), **more}
    return Waiver(metric=metric, record=record, **found)  # type: ignore[arg-type]  # a table of fields


FILES = [
    "",
    "# only a comment at its end\n[records]\nmax_removed = 0 # so\n",
    "[records]\nmax_removed = 0",
    "[records]\r\nmax_removed = 0\r\n# ours\r\n",
    '[metrics."a b"]\nmax_drop = 0.1\n\n[[waivers]]\nmetric = "x"\nrecord = "y"\nceiling = 1\nowner = "o"\n'
    'reason = "r"\nexpires = 2030-01-01\n',
    "[[slices]]\ntag = 'lang'\nmax_drop = 0.1\n[evidence]\nalpha = 0.05",
]


@pytest.mark.parametrize("content", FILES)
def test_waivers_come_behind_every_byte_that_was_there(content: str) -> None:
    new = extended(content, "gate.toml", [waiver("a"), waiver("b", repeat=2, issue="#1")])
    assert new.startswith(content)
    assert ("\r\n" in new) == ("\r\n" in content)
    assert new.count("\n") == new.count("\r\n") or "\r\n" not in new
    found = from_toml(new, "gate.toml")
    assert found is not None
    assert [(one.record, one.repeat, one.issue, one.ceiling) for one in found.waivers[-2:]] == [
        ("a", 1, None, Decimal("0.5")),
        ("b", 2, "#1", Decimal("0.5")),
    ]


def test_in_pyproject_they_come_into_the_table_of_the_tool() -> None:
    content = '[project]\nname = "x"\n\n[tool.gate.records]\nmax_removed = 0\n\n[tool.other]\nwaivers = 1\n'
    new = extended(content, "pyproject.toml", [waiver()], ("tool", "gate"))
    assert new == f"{content}\n{block([waiver()], ('tool', 'gate'))}"
    assert tomllib.loads(new)["tool"]["other"] == {"waivers": 1}


@pytest.mark.parametrize(
    ("content", "root"),
    [
        ("waivers = []\n[records]\nmax_removed = 0\n", ()),
        ('waivers = [{metric = "x", ceiling = 1, owner = "o", reason = "r", expires = 2030-01-01}]\n', ()),
        ("[tool]\ngate = {records = {max_removed = 0}}\n", ("tool", "gate")),
        ("[project]\nname = 'x'\n", ("tool", "gate")),
        (block([waiver()]), ()),
    ],
)
def test_a_file_that_would_not_say_so_is_refused(content: str, root: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="the waivers cannot be put at the end of f"):
        extended(content, "f", [waiver()], root)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[records]\nmax_removed = 0\n", "[records]\nmax_removed = 1\n", "it would say something else"),
        ("[records]\nmax_removed = 0\n", "", "it would change another table"),
        ("[tool.gate.records]\nmax_removed = 0\n[other]\na = 1\n", "[tool.gate.records]\nmax_removed = 0\n", "another"),
    ],
)
def test_what_is_read_again_must_be_what_was_there_and_the_waivers(old: str, new: str, problem: str) -> None:
    root = ("tool", "gate") if "tool" in old else ()
    assert problem in policy_text._problem(old, new + block([waiver()], root), "f", [waiver()], root)
    assert policy_text._problem(old, f"{old}{block([waiver()], root)}", "f", [waiver()], root) == ""


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_any_id_and_text_comes_back_and_stands_there_safe_to_print(record: str, metric: str, reason: str) -> None:
    try:
        for text in (record, metric, reason):
            text.encode()
    except UnicodeEncodeError:
        return
    if "*" in metric or not reason.strip():
        return
    made = waiver(record, metric, reason=reason)
    new = extended("[records]\nmax_removed = 0\n", "gate.toml", [made])
    found = from_toml(new, "gate.toml")
    assert found is not None
    assert [(one.record, one.metric, one.reason) for one in found.waivers] == [(record, metric, reason)]
    assert not set(new) & set("\x1b\x7f\x9b\u202e\u2028\r\t\x00")
