"""The policy language, said twice: what reading accepts is what the published schema accepts; and its lines are right.

Documents are near-valid: one place of a valid one spoilt. What a schema cannot say is named here, message by message;
for anything else the two must agree.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import schema
from runstore.errors import PolicyError
from runstore.policy import Policy, from_toml
from runstore.policy.lines import lines_of
from runstore.policy.listing import settings
from runstore.policy.words import sentences
from tests.toml_text import Choose, dump

Document = dict[str, Any]
LIMITS: Document = {
    "max_drop": Decimal("0.01"),
    "max_relative_drop": Decimal("0.1"),
    "min": 0,
    "max": Decimal("1.5"),
    "level": "warn",
    "min_records": 10,
    "significance": "required",
    "test": "permutation",
    "cluster": "topic",
}
ANSWER_FOR: Document = {"owner": "ann", "reason": "known", "expires": date(2030, 1, 31), "issue": "#12"}
DOCUMENTS: dict[str, Document] = {
    "metrics": {
        "metrics": {
            "acc": {**LIMITS, "direction": "higher", "unit": "share", "range": [0, 1], "aggregate": "mean", "at": 3},
            "p*": {"aggregate": "p95", "max": 1},
            "k": {"aggregate": "2-of-3", "at": "best"},
            "loss": {"test": "mcnemar", "max_drop": 1},
        }
    },
    "slices": {
        "slices": [
            {"where": {"lang": "de"}, "metric": "acc*", **LIMITS},
            {"tag": "lang", "min": Decimal("0.5")},
        ]
    },
    "records": {
        "records": {
            "max_added": 0,
            "max_changed": 1,
            "max_errors": 2,
            "max_lost_scores": 3,
            "max_regressed": 4,
            "max_removed": 5,
            "max_skipped": 6,
        }
    },
    "comparability": {
        "comparability": {
            "must_match": ["project", "datasets.*", "params.a.b"],
            "may_differ": ["params.seed"],
            "must_differ": ["commit", "*x"],
        }
    },
    "evidence": {
        "evidence": {"alpha": Decimal("0.05"), "power": Decimal("0.8"), "correction": "none", "resamples": 1000}
    },
    "trust": {"trust": {"claims": "allow", "max_claimed": 5, "max_claimed_regressed": 2, "max_claimed_removed": 0}},
    "waivers": {
        "waivers": [
            {"metric": "acc", "ceiling": Decimal("0.5"), "record": "q*", "repeat": 2, **ANSWER_FOR},
            {"metric": "acc", "ceiling": 0, "slice": {"lang": "de"}, **ANSWER_FOR},
        ]
    },
    "quarantine": {
        "quarantine": {"max_records": 2, "records": [{"record": "a", **ANSWER_FOR}, {"record": "b", **ANSWER_FOR}]}
    },
    "reference": {
        "reference": {
            "path": "baselines/pinned",
            "metrics": {"acc": {"max_drop": 0, "max_relative_drop": 1, "level": "error"}},
        }
    },
    "volatile": {
        "volatile": {
            "latency_s": {
                "direction": "lower",
                "max_drop": 1,
                "max_relative_drop": Decimal("0.5"),
                "min": 0,
                "max": 9,
                "level": "warn",
            }
        }
    },
    "suites": {
        "suites": {
            "qa/*": {
                "metrics": {"acc": {"max_drop": 0}},
                "slices": [{"tag": "lang", "min": 1}],
                "records": {"max_added": 1},
            },
            "x": {"metrics": {}},
        }
    },
}
WHOLE: Document = {name: table for document in DOCUMENTS.values() for name, table in document.items()}

ONLY_THE_CODE_CAN_SAY = (
    "is not a finite number",
    "beyond what any score can reach",
    "expected a date",  # and not a string that looks like one
    "found date",  # where a string that looks like one would do
    "expected an integer, found Decimal",  # 1.0
    "expected a step",  # 1.0
    "is above max",
    "is not above alpha",
    "a range is two numbers, the lowest first",
    "repeats can never be reached",
    " stands in ",
    "the same rule stands twice",
    "the same is waived twice",
    "the same is quarantined twice",
    "in quarantine; max_records is",
    "is not a portable path",
    "the path is absolute",
)

NASTY: list[Any] = [
    *(True, "", " ", "x", "error", "required", "mcnemar", "p50", "p0", "p100", "pass@2", "pass^0", "3-of-2", "best"),
    *("a*", "commit", "params.", "/abs", "../up", "2030-01-31", "p50\n", "acc\n"),
    *(0, 1, -1, 99, 10**30, Decimal("0.5"), Decimal("1.0"), Decimal("-0.5"), Decimal("NaN"), Decimal("1e500")),
    *(date(2030, 1, 31), datetime(2030, 1, 31, 12, 0)),  # a TOML date-time may have no zone
    *([], ["commit"], ["x", "x"], [1, 0], [0, 1], [0, 1, 2], {}, {"lang": "de"}, {"a": "x", "b": "y"}, {"": "x"}),
    *([{}], [{"tag": "lang", "min": 1}] * 2, {"x": {"max_drop": 0}}),
]
NAMES = ["", "x", "metrics", "max_drop", "max_dropp", "tag", "where", "record", "slice", "repeat", "a.b", "é\n"]


def image(value: Any) -> Any:
    """A decoded TOML value as the JSON value that the schema speaks of."""
    match value:
        case Mapping():
            return {name: image(member) for name, member in value.items()}
        case list():
            return [image(one) for one in value]
        case Decimal():
            return float(value)
        case date():
            return value.isoformat()
    return value


def reading(text: str) -> Policy | str:
    """The policy, or the message with which the text is refused."""
    try:
        found = from_toml(text, "gate.toml")
    except PolicyError as error:
        return error.message
    assert found is not None
    return found


def check_agree(document: Document) -> None:
    text, _ = dump(document)
    assert tomllib.loads(text, parse_float=Decimal) is not None
    found = reading(text)
    if isinstance(found, str) and any(part in found for part in ONLY_THE_CODE_CAN_SAY):
        return
    violations = list(schema.validate("policy", image(document)))
    assert (not violations) == isinstance(found, Policy), (found if isinstance(found, str) else violations, text)
    if isinstance(found, Policy):  # what is a policy can be shown and told
        assert list(settings(found))
        assert list(sentences(found))


Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*place, key)
        yield from places(member, (*place, key))


Change = Callable[[Any, Any], None]


def put(value: Any) -> Change:
    return lambda parent, key: parent.__setitem__(key, copy.deepcopy(value))


def remove(parent: Any, key: Any) -> None:
    del parent[key]


def keep_alone(parent: Any, key: Any) -> None:
    kept = parent[key]
    parent.clear()
    if isinstance(parent, dict):
        parent[key] = kept
    else:
        parent.append(kept)


def twice(parent: Any, key: Any) -> None:
    if isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))


def renamed(name: str, *, keep: bool = False) -> Change:
    def change(parent: Any, key: Any) -> None:
        if isinstance(parent, dict):
            parent[name] = copy.deepcopy(parent[key]) if keep else parent.pop(key)

    return change


CHANGES = [
    *map(put, NASTY),
    remove,
    keep_alone,
    twice,
    *map(renamed, NAMES),
    *(renamed(name, keep=True) for name in NAMES),
]


def changed(document: Document, place: Place, change: Change) -> Document:
    """A copy in which `change` was done to the container and the key of a place."""
    made = copy.deepcopy(document)
    parent: Any = made
    for key in place[:-1]:
        parent = parent[key]
    change(parent, place[-1])
    return made


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documents_that_are_spoilt_are_policies(name: str) -> None:
    assert isinstance(reading(dump(DOCUMENTS[name])[0]), Policy)


def test_the_documents_that_are_spoilt_have_every_key_of_the_schema() -> None:
    text = dump(WHOLE)[0]
    keys = {str(key) for place in places(WHOLE) for key in place}
    defined = [schema.load("policy"), *schema.load("policy")["$defs"].values()]  # type: ignore[union-attr]
    named = {key for part in defined for key in part.get("properties", {})}
    assert sorted(named - keys) == []
    assert isinstance(reading(text), Policy)


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
def test_a_policy_near_a_valid_one_is_accepted_exactly_if_it_fits_the_schema(name: str, data: st.DataObject) -> None:
    document = DOCUMENTS[name]
    for _ in range(data.draw(st.integers(1, 2))):
        found = list(places(document))
        if found:
            document = changed(document, data.draw(st.sampled_from(found)), data.draw(st.sampled_from(CHANGES)))
    check_agree(document)


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_policy_with_one_place_spoilt_is_accepted_exactly_if_it_fits_the_schema(name: str) -> None:
    for place in places(DOCUMENTS[name]):
        for change in CHANGES:
            check_agree(changed(DOCUMENTS[name], place, change))


def chooser(seed: int) -> Choose:
    """A way of laying out a text for each seed; 0 is the plain one."""
    random = Random(seed)
    return lambda ways: random.randrange(ways) if seed else 0


seeds = st.integers(0, 2**32)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
scalars = st.one_of(
    st.booleans(),
    st.integers(-5, 5),
    st.decimals(-5, 5, places=2),
    st.text(st.sampled_from("ab\"'\\#[]{}=,\n\r\t é\x7f"), max_size=6),
    st.dates(),
)
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3))
    ),
    max_size=4,
)


@given(document=documents, seed=seeds, ending=st.sampled_from(["\n", "\r\n"]))
def test_the_line_of_every_key_is_the_one_it_was_written_on(document: Document, seed: int, ending: str) -> None:
    text, written = dump(document, chooser(seed))
    assert tomllib.loads(text, parse_float=Decimal) == document
    found = lines_of(text.replace("\n", ending))
    assert found == {path: line for path, line in written.items() if len(path) <= 8}


@given(seed=seeds, table=st.sampled_from([(), ("tool", "gate")]))
def test_a_policy_says_the_same_however_its_text_is_laid_out(seed: int, table: tuple[str, ...]) -> None:
    text, written = dump(WHOLE, chooser(seed), table)
    found, expected = from_toml(text, "gate.toml", table), from_toml(dump(WHOLE)[0], "gate.toml")
    assert found is not None
    assert expected is not None
    assert values_of(found) == values_of(expected)  # rules stand in the order of the text
    assert found.places == {".".join(path): line for path, line in written.items()}


def values_of(policy: Policy) -> dict[str, object]:
    return {setting.key: setting.value for setting in settings(policy)}
