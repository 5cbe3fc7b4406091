"""The outline of a report: a view in; headline, findings in groups, and what to do next out, the same for every format.

Nothing here is safe to print: texts of data come out as they went in, and each format makes them safe in its own way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from typing import TYPE_CHECKING, Literal, cast

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports.numbers import counted

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, ChangeClass, Counts, Field, Finding, Level, Measure, View

LEVELS: tuple[Level, ...] = ("invalid", "error", "review", "inconclusive", "warning", "notice")
"""The heaviest first."""
CLASSES: tuple[ChangeClass, ...] = ("regressed", "removed", "added", "improved", "changed")
"""Classes of change, the worst first."""
COMMON_CLASSES: tuple[Literal["regressed", "improved", "changed", "unchanged"], ...]
COMMON_CLASSES = ("regressed", "improved", "changed", "unchanged")
"""What becomes of records that both sides have."""
SLICES = 10
"""So many slices of a metric are shown; JSON has them all."""
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What one rule found in one run: a finding about the whole, and those about single records."""

    head: Finding
    records: list[Finding] = member(default_factory=list)

    @property
    def total(self) -> int:
        """How many records it is about: what the rule counted, or the findings about records if that is more."""
        observed = self.head["observed"] or ""
        counted_by_rule = int(observed) if self.records and observed.isascii() and observed.isdigit() else 0
        return max(counted_by_rule, len(self.records))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """A view and what every report says about it."""

    view: View
    groups: Sequence[Group]
    """The heaviest level first, in the order of the rules within a level."""

    @property
    def headline(self) -> str:
        """What the verdict means here, in a few words; holds no text of data."""
        return _HEADLINES[self.view["verdict"]](self)

    @property
    def judged(self) -> bool:
        """Whether anything was compared at all."""
        counts = self.view["counts"]
        return bool(counts["baseline"] or counts["current"] or self.view["metrics"])

    @property
    def is_suite(self) -> bool:
        """Whether folders of runs were compared, and not two runs."""
        return any(pair["path"] for pair in self.view["runs"])

    def rules(self, *levels: Level) -> list[str]:
        """The slugs of the rules with a finding of these levels, each once."""
        return list(dict.fromkeys(group.head["rule"] for group in self.groups if group.head["level"] in levels))

    def listed(self, kind: ChangeClass) -> list[Change]:
        """The records of a class that the view lists, the worst first."""
        return [change for change in self.view["changes"] if change["class"] == kind]

    def metrics_with_slices(self, most: int = SLICES) -> Iterator[tuple[Measure, list[Measure], int]]:
        """Each metric of each run, its slices, and how many of them are left out; none if nothing was compared.

        If there are more than `most`, these are the ones that got worst, the worst first.
        """
        slices: dict[tuple[str, str], list[Measure]] = {}
        for measure in self.view["metrics"]:
            if measure["slice"] is not None:
                slices.setdefault((measure["run"], measure["metric"]), []).append(measure)
        for measure in self.view["metrics"]:
            if measure["slice"] is None:
                has_slices = measure["kind"] == "records" and measure["n"] > 0
                found = slices.get((measure["run"], measure["metric"]), []) if has_slices else []
                shown = found if len(found) <= most else sorted(found, key=_rise)[:most]
                yield measure, shown, len(found) - len(shown)

    def steps(self) -> list[tuple[str, str]]:
        """What to do next: (why, command or line of `gate.toml`). The line may hold text of data: a metric's name."""
        return list(_steps(self))


def make(view: Mapping[str, JsonValue]) -> Outline:
    """The outline of a view."""
    shaped = cast("View", view)
    return Outline(view=shaped, groups=sorted(_grouped(shaped["findings"]), key=_weight))


def _weight(group: Group) -> int:
    return LEVELS.index(group.head["level"])


def _grouped(findings: Sequence[Finding]) -> list[Group]:
    """Findings about records go to the finding of the same run, rule and level about the whole."""
    groups: list[Group] = []
    by_rule: dict[tuple[str, str, str], Group] = {}
    for finding in findings:
        key = finding["run"], finding["rule"], finding["level"]
        # A head that is about a record, too, speaks for that record alone: a waiver, say.
        if finding["record"] is not None and key in by_rule and by_rule[key].head["record"] is None:
            by_rule[key].records.append(finding)
        else:
            groups.append(Group(head=finding))
            by_rule[key] = groups[-1]
    return groups


def _failed(outline: Outline) -> str:
    rules = outline.rules("error")
    return f"{counted(len(rules), 'rule')} broken: {', '.join(rules)}"


def _invalid(outline: Outline) -> str:
    if not outline.judged:
        return "a run is not what it claims to be; nothing was judged"
    faulty = len({group.head["run"] for group in outline.groups if group.head["level"] == "invalid"})
    what = "is not what it claims to be and was" if faulty == 1 else "are not what they claim to be and were"
    return f"{faulty:,} of {counted(len(outline.view['runs']), 'run')} {what} not judged"


def _review(outline: Outline) -> str:
    return f"a person must approve: {', '.join(outline.rules('review'))}"


def _inconclusive(outline: Outline) -> str:
    return f"could not judge: {', '.join(outline.rules('inconclusive'))}"


_HEADLINES = {
    "PASS": lambda _: "everything asked was judged and holds",
    "FAIL": _failed,
    "INVALID": _invalid,
    "REVIEW": _review,
    "INCONCLUSIVE": _inconclusive,
}


def _steps(outline: Outline) -> Iterator[tuple[str, str]]:
    view = outline.view
    if view["verdict"] == "INVALID":
        yield "see every fault of a run", "gate validate RUN"
    if view["changes"]:
        yield "see every record", "gate compare BASELINE CURRENT --format html:report.html"
    if view["verdict"] == "FAIL" and "max-regressed" in outline.rules("error"):
        yield "allow a small drop, in gate.toml", f"metrics.{_key(_worst_metric(view))}.max_drop = 0.01"
    if view["verdict"] == "REVIEW":
        yield "approve it", "make the current run the baseline, in a change of its own"


def _worst_metric(view: View) -> str:
    """The metric in which most records got worse."""
    whole = [measure for measure in view["metrics"] if measure["slice"] is None]
    return max(whole, key=lambda measure: measure["regressed"])["metric"] if whole else "*"


def _key(name: str) -> str:
    """A key of TOML: bare if it can be, else as a JSON string, which is also a basic string of TOML but for DEL."""
    return name if _BARE_KEY.match(name) else canonical.encode(name).decode().replace("\x7f", "\\u007f")


def special(counts: Counts) -> list[tuple[int, str]]:
    """Counts that are worth a word only if they are not 0, with their words."""
    counted_apart = [
        (counts["newly_errored"], "newly errored"),
        (counts["newly_skipped"], "newly skipped"),
        (counts["lost_scores"], "scores lost"),
    ]
    return [(number, words) for number, words in counted_apart if number]


def _rise(measure: Measure) -> float:
    """How much better a metric is; less than 0 if it is worse, the least if that is beyond every number."""
    if measure["delta"] is None:
        return -math.inf if measure["n"] else math.inf
    return measure["delta"] * (1 if measure["direction"] == "higher" else -1)


def effect(measure: Measure) -> str:
    """Whether the current run is `worse` or `better` in a metric; empty if it is neither or nothing was compared."""
    rise = (measure["delta"] or 0) * (1 if measure["direction"] == "higher" else -1)
    return "worse" if rise < 0 else "better" if rise > 0 else ""


def other_fields(change: Change) -> list[Field]:
    """The fields of a record that changed, without its scores."""
    return [field for field in change["fields"] if not f"{field['path']}/".startswith("/scores/")]


def sides(field: Field) -> tuple[str, str]:
    """The texts of a field before and after; empty where there was nothing."""
    before, after = field.get("before", ""), field.get("after", "")
    if isinstance(before, str) != isinstance(after, str) and "before" in field and "after" in field:
        return canonical.encode(before).decode(), canonical.encode(after).decode()  # 1 and "1" are not the same
    return value_text(before), value_text(after)


def value_text(value: JsonValue) -> str:
    """A value of a record as text: a string as it is, anything else as canonical JSON."""
    return value if isinstance(value, str) else canonical.encode(value).decode()


def record_name(identifier: str, repeat: int | None, run: str) -> str:
    """How a record is named: run, id, and which trial it is if it is not the first."""
    trial = f" (repeat {repeat})" if repeat is not None and repeat != 1 else ""
    return f"{run}: {identifier}{trial}" if run else f"{identifier}{trial}"
