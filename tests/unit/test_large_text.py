"""Large texts in a record: what is taken out, what a record may say of it, and what people are told."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import canonical, large_text, record
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.fields import differences
from runstore.large_text import MAX_BYTES, PREVIEW_BYTES, Reference
from tests.factories import Record

LONG = "abcdefghij" * 100
SHA = hashlib.sha256(LONG.encode()).hexdigest()
NAMED = {"sha256": SHA, "size": 1000}
WITH_TEXT: Record = {"id": "a", "output": LONG[:512], "texts": {"/output": NAMED}}

characters = st.sampled_from(["a", "é", "あ", "😀", "\n", "\x00", "\r\n", '"', "\\"])
long_texts = st.lists(characters, min_size=1, max_size=30).map(lambda parts: "".join(parts) * 60)
names = st.sampled_from(["", "a", "a/b", "~1", "~", "0", "é"])
values = st.recursive(
    st.one_of(long_texts, st.sampled_from(["x", 1, None, True])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
records = st.fixed_dictionaries({"id": st.just("a")}, optional=dict.fromkeys(("input", "output", "target"), values))


@given(text=st.lists(characters, max_size=700).map("".join))
def test_a_preview_is_as_many_whole_characters_as_its_bytes_hold(text: str) -> None:
    beginning = large_text.preview(text.encode()).decode()
    assert text.startswith(beginning)
    assert len(beginning.encode()) <= PREVIEW_BYTES
    following = text[len(beginning) : len(beginning) + 1]
    assert not following or len((beginning + following).encode()) > PREVIEW_BYTES


@given(value=records, limit=st.sampled_from([512, 600, 2000]))
def test_what_is_taken_out_of_a_record_can_be_put_back(value: Record, limit: int) -> None:
    parted = large_text.part(value, limit)
    line = record.write(parted.record, {})
    read = record.read(line, {})
    named = large_text.references(read)
    whole = {pointer: parted.texts[one.sha256].decode() for pointer, one in named.items()}
    assert large_text.replaced(read, whole) == value
    assert set(parted.texts) == {one.sha256 for one in named.values()}
    assert all(len(text) > limit for text in parted.texts.values())
    assert all(large_text.reference_of(text).sha256 == sha256 for sha256, text in parted.texts.items())


@given(value=records)
def test_taking_out_twice_is_taking_out_once(value: Record) -> None:
    once = large_text.part(value, 512).record
    assert large_text.part(once, 512) == large_text.Parted(record=once, texts={})


@given(value=records)
def test_a_record_and_the_same_with_its_texts_taken_out_have_no_field_that_differs(value: Record) -> None:
    named = large_text.part(value, 600).record
    for one, other in ((value, named), (named, value), (named, named)):
        assert list(differences(*large_text.told_pair(one, other))) == []


def test_the_record_that_was_given_is_left_as_it_is() -> None:
    value: Record = {"id": "a", "output": {"x": [LONG]}}
    parted = large_text.part(value, 512)
    assert value == {"id": "a", "output": {"x": [LONG]}}
    assert parted.record == {
        "id": "a",
        "output": {"x": [LONG[:512]]},
        "texts": {"/output/x/0": NAMED},
    }


@pytest.mark.parametrize("field", ["input", "metadata", "output", "reason", "target"])
def test_texts_within_these_fields_are_taken_out(field: str) -> None:
    value: Record = {"id": "a", field: {"message": LONG, "type": "T"}}
    assert large_text.references(large_text.part(value, 512).record) == {
        f"/{field}/message": Reference(sha256=SHA, size=1000)
    }


def test_ids_tags_and_names_are_never_taken_out() -> None:
    value: Record = {"id": LONG, "tags": {LONG: LONG}, "metadata": {LONG: 1}}
    assert large_text.part(value, 512).record == value


def test_a_text_at_the_limit_stays() -> None:
    assert large_text.part({"id": "a", "output": LONG}, 1000).texts == {}
    assert large_text.part({"id": "a", "output": LONG}, 999).texts == {SHA: LONG.encode()}


def test_a_text_that_is_too_large_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidRunError, match=rf"^/output/0: a text of {MAX_BYTES + 1} bytes; .*\n  hint: keep it as"):
        large_text.part({"id": "a", "output": ["x" * (MAX_BYTES + 1)]}, 512)


def test_a_lone_surrogate_and_what_is_no_json_are_left_to_whoever_writes_the_record() -> None:
    deep: Any = LONG
    for _ in range(100):
        deep = [deep]
    for value in ("\ud800" * 1000, object(), deep):
        given_record: Record = {"id": "a", "output": value}
        assert large_text.part(given_record, 512).record == given_record


def spoilt(**changes: Any) -> Record:
    return {**WITH_TEXT, **changes}


@pytest.mark.parametrize(
    ("value", "where", "message"),
    [
        (spoilt(texts={}), "/texts", "no text is named"),
        (spoilt(texts=[]), "/texts", "expected an object"),
        (spoilt(texts={"/output": 1}), "/texts/~1output", "expected an object"),
        (spoilt(texts={"/output": {"sha256": SHA}}), "/texts/~1output", "'size' is missing"),
        (spoilt(texts={"/output": {**NAMED, "path": "x"}}), "/texts/~1output/path", "unknown name 'path'"),
        (spoilt(texts={"/output": {**NAMED, "sha256": SHA.upper()}}), "/texts/~1output/sha256", "64 hexadecimal"),
        (spoilt(texts={"/output": {**NAMED, "sha256": "../" * 20}}), "/texts/~1output/sha256", "64 hexadecimal"),
        (spoilt(texts={"/output": {**NAMED, "sha256": f"{SHA}\n"}}), "/texts/~1output/sha256", "64 hexadecimal"),
        (spoilt(texts={"/output": {**NAMED, "size": 512}}), "/texts/~1output/size", "512 is less than 513"),
        (spoilt(texts={"/output": {**NAMED, "size": True}}), "/texts/~1output/size", "expected an integer"),
        (spoilt(texts={"/output": {**NAMED, "size": MAX_BYTES + 1}}), "/texts/~1output/size", "at most"),
        (spoilt(texts={"output": NAMED}), "/texts/output", "no JSON pointer"),
        (spoilt(texts={"": NAMED}), "/texts/", "no JSON pointer"),
        (spoilt(texts={"/id": NAMED}, id=LONG[:512]), "/texts/~1id", "no JSON pointer"),
        (spoilt(texts={"/target": NAMED}), "/texts/~1target", "no JSON pointer"),
        (spoilt(output=[LONG[:512]], texts={"/output/00": NAMED}), "/texts/~1output~100", "no JSON pointer"),
        (spoilt(output=[LONG[:512]], texts={"/output/-": NAMED}), "/texts/~1output~1-", "no JSON pointer"),
        (spoilt(output=[LONG[:512]], texts={f"/output/{'9' * 5000}": NAMED}), "", "no JSON pointer"),
        (spoilt(output={"~": LONG[:512]}, texts={"/output/~": NAMED}), "/texts/~1output~1~0", "no JSON pointer"),
        (spoilt(output=[1]), "/texts/~1output", "expected a text at that place, found an array"),
        (spoilt(output=LONG[:508]), "/texts/~1output", "has 508 bytes"),
        (spoilt(output=LONG[:513]), "/texts/~1output", "has 513 bytes"),
    ],
)
def test_a_record_whose_texts_do_not_fit_it_is_refused(value: Record, where: str, message: str) -> None:
    for act in (lambda: record.read(canonical.encode(value), {}), lambda: record.write(value, {})):
        with pytest.raises(InvalidDataError) as caught:
            act()
        assert message in caught.value.message
        assert caught.value.where.startswith(where)


def test_no_field_sorts_before_the_id_and_the_texts_come_last() -> None:
    assert sorted(record.FIELDS)[0] == "id"
    assert sorted(record.FIELDS)[-1] == "texts"


def test_people_are_told_that_a_text_is_cut() -> None:
    assert large_text.told(WITH_TEXT) == {"id": "a", "output": f"{LONG[:512]}… [cut: 1000 bytes, sha256 {SHA}]"}


def test_texts_that_differ_beyond_the_beginning_differ_where_they_stand() -> None:
    one = large_text.part({"id": "a", "output": LONG}, 512).record
    other = large_text.part({"id": "a", "output": f"{LONG}!"}, 512).record
    assert [change.path for change in differences(*large_text.told_pair(one, other))] == ["/output"]


def test_a_whole_text_and_the_name_of_another_one_differ() -> None:
    named = large_text.part({"id": "a", "output": LONG}, 512).record
    for other in (f"{LONG}!", LONG[:-1] + "!", LONG[:512], 1):
        found = list(differences(*large_text.told_pair({"id": "a", "output": other}, named)))
        assert [change.path for change in found] == ["/output"]


@pytest.mark.parametrize("text", ["", "x", "../../etc/passwd", SHA.upper(), f"{SHA}\n", f"{SHA[:63]}/"])
def test_only_a_digest_becomes_the_name_of_a_file(text: str) -> None:
    with pytest.raises(InvalidRunError, match="is no SHA-256"):
        large_text.path_of(text)
