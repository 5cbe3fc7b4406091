"""The outline of a report: a view in; headline, findings in groups and measures out, the same for every format.

Nothing here is safe to print: texts of data come out as they went in, and each format makes them safe in its own way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from typing import TYPE_CHECKING, Literal, cast

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports.numbers import counted

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, ChangeClass, Check, Counts, Field, Finding, Level, Measure, Score, View

_CLAIMS = ("claims", "policy-edited", "gitattributes")
LEVELS: tuple[Level, ...] = ("invalid", "error", "review", "inconclusive", "warning", "notice")
"""The heaviest first."""
CLASSES: tuple[ChangeClass, ...] = ("regressed", "removed", "added", "improved", "changed")
"""Classes of change, the worst first."""
COMMON_CLASSES: tuple[Literal["regressed", "improved", "changed", "unchanged"], ...]
COMMON_CLASSES = ("regressed", "improved", "changed", "unchanged")
"""What becomes of records that both sides have."""
SLICES = 10
"""So many slices of a metric are shown; JSON has them all."""
_TELLING = ("status", "reason", "output", "target", "input", "tags")
"""Members of a record by what a change of them tells; the others come after."""
_WHERE_DROPS_ARE = ("max-drop", "max-relative-drop")
Interval = tuple[float, float]
MetricRows = tuple["Measure", list["Measure"], int]
"""A metric, its slices that are shown, and how many of them are not."""


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
    """What the change edits of its judges first, then the heaviest level; within a level, in the order of the rules."""

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

    def folded(self, most: int) -> Iterator[tuple[Group, int]]:
        """The groups, of each rule and level about `most`, and behind the last of them how many more there are.

        Which are left out depends on how far each is beyond its limit; those that are shown keep their order.
        """
        alike: dict[tuple[str, str], list[Group]] = {}
        for group in self.groups:
            alike.setdefault((group.head["level"], group.head["rule"]), []).append(group)
        kept = {
            # One more takes no more room than saying that there is one more.
            key: sorted(groups, key=_beyond, reverse=True)[: most if len(groups) > most + 1 else None]
            for key, groups in alike.items()
        }
        shown = {id(group) for groups in kept.values() for group in groups}
        left = {key: len(groups) for key, groups in kept.items()}
        for group in self.groups:
            key = group.head["level"], group.head["rule"]
            if id(group) in shown:
                left[key] -= 1
                yield group, 0 if left[key] else len(alike[key]) - len(kept[key])

    def ranked_metrics(self, most: int, rows: int) -> tuple[list[MetricRows], int]:
        """What `metrics_with_slices` gives, of at most `most` metrics on about `rows` rows; and how many are left out.

        All of them come in the order of the view. Of too many, those that broke a rule come first, then those that got
        worse in the most records, metrics of one run together.
        """
        whole = sum(measure["slice"] is None for measure in self.view["metrics"])
        fair = max(0, rows - min(whole, most)) // max(1, min(whole, most))
        found = list(self.metrics_with_slices(SLICES if len(self.view["metrics"]) <= rows else min(SLICES, fair)))
        if len(found) <= most:
            return found, 0
        weights = self._metric_weights()
        kept = sorted(found, key=lambda row: _metric_rank(row[0], weights))[:most]
        runs = {run: index for index, run in reversed(list(enumerate(row[0]["run"] for row in kept)))}
        return sorted(kept, key=lambda row: runs[row[0]["run"]]), len(found) - most

    def _metric_weights(self) -> dict[tuple[str, str], int]:
        """(Run, metric) → the heaviest level of a finding about it."""
        weights: dict[tuple[str, str], int] = {}
        for finding in self.view["findings"]:
            if finding["metric"] is not None:
                key = finding["run"], finding["metric"]
                weights[key] = min(LEVELS.index(finding["level"]), weights.get(key, len(LEVELS)))
        return weights

    def intervals(self) -> dict[MeasureKey, Interval]:
        """Measure → the interval of its difference, where a rule on a drop was held against the pairs."""
        return {
            (check["run"], check["metric"] or "", _slice_key(check)): (sure["interval"][0], sure["interval"][1])
            for check in self.view["checks"]
            if check["rule"] in _WHERE_DROPS_ARE and (sure := check["assessment"]) is not None
        }

    def directions(self) -> dict[tuple[str, str], str]:
        """(Run, metric) → `higher` or `lower`: which is better."""
        return {(measure["run"], measure["metric"]): measure["direction"] for measure in self.view["metrics"]}

    def identity(self) -> tuple[str, str]:
        """Project and suite that were compared; of a folder of runs what they have in common, else empty."""
        sides = [pair["baseline"] or pair["current"] for pair in self.view["runs"]]
        named = {(side["project"], side["suite"]) for side in sides if side is not None}
        projects, suites = {project for project, _ in named}, {suite for _, suite in named}
        return projects.pop() if len(projects) == 1 else "", suites.pop() if len(suites) == 1 else ""

    def metrics_with_slices(self, most: int = SLICES) -> Iterator[MetricRows]:
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


MeasureKey = tuple[str, str, tuple[str, str] | None]
"""Run, metric, slice."""


def measure_key(measure: Measure) -> MeasureKey:
    """What a measure is known by."""
    return measure["run"], measure["metric"], _slice_key(measure)


def _slice_key(owner: Measure | Check) -> tuple[str, str] | None:
    return None if owner["slice"] is None else (owner["slice"]["tag"], owner["slice"]["value"])


def _metric_rank(measure: Measure, weights: Mapping[tuple[str, str], int]) -> tuple[int, int, float]:
    """The order of metrics of which not all are shown: the least first."""
    weight = weights.get((measure["run"], measure["metric"]), len(LEVELS))
    share = (measure["regressed"] + measure["lost"]) / max(1, measure["n"])
    return weight, 0 if effect(measure) == "worse" else 1, -share


def _beyond(group: Group) -> tuple[float, float]:
    """How far a finding is beyond its limit: as a multiple of it, then by itself."""
    if group.records:
        return group.total, 0
    observed, limit = abs(_number(group.head["observed"])), abs(_number(group.head["limit"]))
    return observed / limit if limit else math.inf if observed else 0, observed


def _number(text: str | None) -> float:
    """The number that a text says; 0 if it is none."""
    try:
        value = float(text or 0)
    except ValueError:
        return 0
    return value if math.isfinite(value) else 0


def make(view: Mapping[str, JsonValue]) -> Outline:
    """The outline of a view."""
    shaped = cast("View", view)
    return Outline(view=shaped, groups=sorted(_grouped(shaped["findings"]), key=_weight))


def _weight(group: Group) -> tuple[bool, bool, int]:
    """A run that is none comes before all, then claims: who reads on must know by what the rest was judged."""
    level = group.head["level"]
    return level != "invalid", group.head["rule"] not in _CLAIMS, LEVELS.index(level)


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
    where = ""
    if outline.is_suite:
        faulty = len({group.head["run"] for group in outline.groups if group.head["level"] == "error"})
        where = f"; in {faulty:,} of {counted(len(outline.view['runs']), 'run')}"
    return f"{counted(len(rules), 'rule')} broken: {', '.join(rules)}{where}"


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


def telling_fields(change: Change) -> list[Field]:
    """`other_fields`, those first that tell most of why a record scores as it does."""
    return sorted(other_fields(change), key=_told)


def _told(field: Field) -> int:
    name = field["path"].split("/", 2)[1] if field["path"] else ""
    return _TELLING.index(name) if name in _TELLING else len(_TELLING)


def worst_scores(change: Change, directions: Mapping[tuple[str, str], str]) -> list[tuple[Score, str]]:
    """The scores of a record that differ, each with its effect (`worse`, `better` or none); the worse first."""
    found = [
        (score, _score_effect(score, directions.get((change["run"], score["metric"])))) for score in change["scores"]
    ]
    return sorted(found, key=lambda two: ("worse", "", "better").index(two[1]))


def _score_effect(score: Score, direction: str | None) -> str:
    if score["current"] is None:
        return "worse"
    if score["baseline"] is None or direction is None or score["baseline"] == score["current"]:
        return ""
    return "worse" if (score["current"] < score["baseline"]) == (direction == "higher") else "better"


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
