"""Damages to the files: runs that are not what they claim to be. No policy allows one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runstore import canonical
from runstore.findings import Rule
from runstore.selftest.lab import Case, Expectation, Found, Lab, Skipped
from runstore.selftest.specimen import sealed
from runstore.shards import SINGLE

Files = dict[str, bytes]
Edit = Callable[[Lab, Files], Files | None]
_SUMMARY = "summary.json"


def _lines(files: Mapping[str, bytes]) -> list[bytes]:
    return files[SINGLE].splitlines(keepends=True)


def _with_records(lab: Lab, files: Files, data: bytes) -> Files:
    return sealed({**files, SINGLE: data}, lab.specimen.manifest)


def _with_score(score: bytes) -> Edit:
    """Put a text in the place of the first score of the first record that has one."""

    def edit(lab: Lab, files: Files) -> Files | None:
        index = next((index for index, row in enumerate(lab.specimen.rows) if row.scores), None)
        if index is None:
            return None
        fields = lab.specimen.record(index)
        name = min(lab.specimen.rows[index].scores)
        marker = "score-goes-here"
        fields["scores"] = {name: marker}
        lines = _lines(files)
        lines[index] = canonical.encode(fields).replace(canonical.encode(marker), score) + b"\n"
        return _with_records(lab, files, b"".join(lines))

    return edit


def _out_of_range(lab: Lab, files: Files) -> Files | None:
    rows, declared = lab.specimen.rows, lab.specimen.manifest.metrics
    for index, row in enumerate(rows):
        for name in row.scores:
            bounds = declared[name].range
            if bounds is not None:
                fields = {**lab.specimen.record(index), "scores": {**row.scores, name: _beyond(bounds[1])}}
                lines = _lines(files)
                lines[index] = canonical.encode(fields) + b"\n"
                return _with_records(lab, files, b"".join(lines))
    return None


def _beyond(bound: int | float) -> int | float:
    return int(bound) + 1 if abs(bound) < 2**53 - 2 else bound * 1.5


def _undeclared(lab: Lab, files: Files) -> Files | None:
    for index, row in enumerate(lab.specimen.rows):
        if row.scores:
            renamed = {f"{name}-renamed": score for name, score in row.scores.items()}
            lines = _lines(files)
            lines[index] = canonical.encode({**lab.specimen.record(index), "scores": renamed}) + b"\n"
            return _with_records(lab, files, b"".join(lines))
    return None


def _twin(lab: Lab, files: Files) -> Files | None:
    lines = _lines(files)
    return _with_records(lab, files, b"".join([lines[0], *lines])) if lines else None


def _unsorted(lab: Lab, files: Files) -> Files | None:
    lines = _lines(files)
    return _with_records(lab, files, b"".join([*lines[1:], lines[0]])) if len(lines) > 1 else None


def _spaced(lab: Lab, files: Files) -> Files | None:
    lines = _lines(files)
    return _with_records(lab, files, b" " + files[SINGLE]) if lines else None


def _cut(lab: Lab, files: Files) -> Files | None:
    return _with_records(lab, files, files[SINGLE][:-9]) if files[SINGLE] else None


def _cut_whole(lab: Lab, files: Files) -> Files | None:
    lines = _lines(files)
    return _with_records(lab, files, b"".join(lines[:-1])) if lines else None


def _emptied(lab: Lab, files: Files) -> Files | None:
    return _with_records(lab, files, b"") if files[SINGLE] else None


def _unlisted_bytes(_: Lab, files: Files) -> Files | None:
    """One byte of the records differs, the size fits, and the manifest still has the digest of before."""
    data = bytearray(files[SINGLE])
    if not data:
        return None
    place = data.index(b'"id":"') + len(b'"id":"')
    data[place] = ord("a") if data[place] != ord("a") else ord("b")
    return {**files, SINGLE: bytes(data)}


def _summary_edited(lab: Lab, files: Files) -> Files | None:
    document = canonical.decode_document(files[_SUMMARY])
    assert isinstance(document, dict)
    metrics = document["metrics"]
    assert isinstance(metrics, dict)
    if not metrics:
        return None
    name = min(metrics)
    totals = metrics[name]
    assert isinstance(totals, dict)
    better = lab.best(name)
    edited = {**document, "metrics": {**metrics, name: {**totals, "mean": better}}}
    data = canonical.encode_document(edited)
    return sealed({**files, _SUMMARY: data}, lab.specimen.manifest) if data != files[_SUMMARY] else None


def _summary_missing(_: Lab, files: Files) -> Files | None:
    return {path: data for path, data in files.items() if path != _SUMMARY}


def _extra_file(_: Lab, files: Files) -> Files | None:
    return {**files, "records-0001.jsonl": b""}


def _other_format(_: Lab, files: Files) -> Files | None:
    old = b'"format": 1,'
    return {**files, "manifest.json": files["manifest.json"].replace(old, b'"format": 2,', 1)}


def _foreign_run_id(lab: Lab, files: Files) -> Files | None:
    run_id = lab.specimen.manifest.run_id.encode()
    return {**files, "manifest.json": files["manifest.json"].replace(run_id, run_id[::-1], 1)}


_NEEDS_RECORDS = "the baseline has no records"
_NEEDS_SCORES = "no record has a score"

EDITS: dict[str, tuple[str, Edit, str]] = {
    "nan-score": ("a score is NaN", _with_score(b"NaN"), _NEEDS_SCORES),
    "null-score": ("a score is null", _with_score(b"null"), _NEEDS_SCORES),
    "infinite-score": ("a score is 1e999", _with_score(b"1e999"), _NEEDS_SCORES),
    "text-score": ("a score is a string", _with_score(b'"0.99"'), _NEEDS_SCORES),
    "score-out-of-range": ("a score is outside the declared range", _out_of_range, "no metric declares a range"),
    "undeclared-metric": ("a metric is renamed in one record only", _undeclared, _NEEDS_SCORES),
    "twin-id": ("a record stands twice", _twin, _NEEDS_RECORDS),
    "unsorted": ("the first record stands last", _unsorted, "the baseline has fewer than two records"),
    "not-canonical": ("a line begins with a space", _spaced, _NEEDS_RECORDS),
    "truncated-line": ("the last line is cut off", _cut, _NEEDS_RECORDS),
    "truncated-file": ("the last record is gone, and the summary still counts it", _cut_whole, _NEEDS_RECORDS),
    "emptied-file": ("the records file is empty, and the summary is not", _emptied, _NEEDS_RECORDS),
    "wrong-digest": ("a byte differs from what the manifest's digest is of", _unlisted_bytes, _NEEDS_RECORDS),
    "edited-summary": ("the summary says a better mean", _summary_edited, "no mean of records can be better"),
    "no-summary": ("the summary is missing", _summary_missing, ""),
    "extra-file": ("a file that the manifest does not list", _extra_file, ""),
    "other-format": ("the run says that it has another format", _other_format, ""),
    "foreign-run-id": (
        "the run id is not that of the identity",
        _foreign_run_id,
        "the run id is a palindrome",
    ),
}
"""Name → (what is done, how, why it may be that it cannot be done)."""


def damages(lab: Lab) -> Found:
    """Every damage to the files."""
    sound = lab.specimen.copy()
    for name, (what, edit, why) in EDITS.items():
        files = edit(lab, dict(sound))
        if files is None or files == sound:
            yield Skipped(name=name, why=why)
        else:
            yield Case(name=name, what=what, expected=Expectation.RED, files=files, rule=Rule.INVALID_RUN)
