"""Laws of exporting: names stay apart and come back, whatever they hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.exporters.names import PLAIN, Rule, escape, names_file, rename_all, unescape

# What the escapes themselves are made of is drawn often: names that look like escapes are where such schemes break.
PIECES = st.sampled_from([
    "_x40_", "_x5f_", "_x_", f"_xh{'0' * 32}_", "zx40_", "_x", "zx", "x", "_", "40_", "@", "/", "..", "é", "a",
])  # fmt: skip
NAMES = st.lists(PIECES | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=8).map("".join)
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
RULES = st.sampled_from([
    Rule(),
    Rule(allowed=LETTERS),
    Rule(longest=50),
    Rule(allowed=LETTERS, longest=40, mark="zx", reserved=re.compile(r"\A[_0-9]")),
    Rule(reserved=re.compile(r"(?:(?<=/)|\A)\.{1,2}(?=/|\Z)|\A/|/(?=/|\Z)"), longest=250),
])  # fmt: skip


@given(st.lists(NAMES, unique=True), RULES)
def test_no_two_names_become_one(names: list[str], rule: Rule) -> None:
    assert len({rule.name(name) for name in names}) == len(names)


@given(NAMES, st.sampled_from(["_x", "zx", "xz"]))
def test_a_name_comes_back(name: str, mark: str) -> None:
    assert unescape(escape(name, LETTERS, mark=mark), mark=mark) == name
    assert unescape(escape(name, PLAIN, mark=mark), mark=mark) == name


@given(NAMES, RULES)
def test_a_name_holds_what_is_allowed_only_and_is_no_longer_than_allowed(name: str, rule: Rule) -> None:
    sent = rule.name(name)
    assert sent
    assert all(one in rule.allowed if isinstance(rule.allowed, frozenset) else rule.allowed.match(one) for one in sent)
    assert rule.longest is None or len(sent) <= rule.longest
    assert rule.reserved is None or not rule.reserved.search(sent)


@given(st.lists(NAMES, unique=True), RULES)
def test_every_renamed_name_is_told_and_stands_in_the_attached_file(names: list[str], rule: Rule) -> None:
    renamed, changes = rename_all("metric", names, rule)
    told = {change.name: change.sent for change in changes}
    assert told == {name: sent for name, sent in renamed.items() if name != sent}
    file = names_file(changes)
    assert (file is None) == (not changes)


@given(NAMES.filter(lambda name: len(name) > 5))
def test_a_shortened_name_does_not_pretend_to_be_whole(name: str) -> None:
    sent = escape(name * 10, LETTERS, 42)
    if len(escape(name * 10, LETTERS)) > 42:
        with pytest.raises(ValueError, match=r"names\.json"):
            unescape(sent)
    else:
        assert unescape(sent) == name * 10
