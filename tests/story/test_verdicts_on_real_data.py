"""The verdict on real results: a run passes against itself, and a limit is kept or broken by the least step there is.

A mutation takes some real records, damages them in one way, and asks by two policies: one whose limit is exactly what
the damage made, which must pass, and one that is a step past it, which must fail by that rule and no other. What the
limit has to be is worked out here in fractions, apart from the code that judges.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import pytest

from runstore.comparison import Comparison, compare
from runstore.findings import Level, Verdict
from runstore.manifest import MetricDeclaration
from runstore.policy import from_toml
from runstore.store.reader import Run, read_run
from runstore.verification import VerifiedRuns
from tests.command_line import Outcome, gate
from tests.factories import Point, Record, unsynced, write_run

TODAY = date(2030, 6, 15)
SWE = ("--score", "resolved", "--range", "resolved=0:1")
LM_EVAL = (
    *("--id", "id", "--score", "correct", "--range", "correct=0:1"),
    *("--tag", "category", "--tag", "difficulty", "--slice", "category", "--slice", "difficulty"),
)
MTEB = (
    *("--id", "id", "--score", "main_score=metrics.main_score", "--score", "accuracy=metrics.accuracy"),
    *("--on-missing-score", "skip", "--on-duplicate", "first"),
)
MATH = ("--id", "doc_id", "--score", "exact_match", "--tag", "level=doc.level", "--slice", "level")
HELM = ("--id", "instance_id", "--score", "references=stats.0.mean", "--score", "tokens=stats.2.mean")
TASKS = (
    "--records",
    "results",
    "--score",
    "acc=acc,none",
    "--score",
    "stderr=acc_stderr,none",
    "--direction",
    "stderr=lower",
)
GOOGLE = (
    *("--records", "benchmarks", "--id", "name", "--score", "real_time", "--score", "cpu_time"),
    *("--direction", "real_time=lower", "--direction", "cpu_time=lower", "--unit", "real_time=ns"),
    *("--on-missing-score", "skip", "--on-duplicate", "first"),
)
PYTEST = ("--records", "benchmarks", "--id", "fullname", "--score", "mean=stats.mean", "--direction", "mean=lower")
SOURCES: Mapping[str, Sequence[str]] = {
    "swebench_pro/*/eval_results.json": SWE,
    "lm_eval/samples/*/*.jsonl": LM_EVAL,
    "lm_eval/samples_math*.jsonl": MATH,
    "lm_eval/aggregates/*/*_eus_exams_eu_5-shot.json": TASKS,
    "mteb/model-*.jsonl.gz": MTEB,
    "every_eval_ever/*/per_instance_stats.json": HELM,
    "google_benchmark/*.json": GOOGLE,
    "pytest_benchmark/*.json": PYTEST,
}
"""Where results lie → how they are imported."""


def imported(folder: Path, source: Path, words: Sequence[str]) -> Path:
    """The run that `gate import` makes of a file."""
    run = folder / f"run-{len(list(folder.iterdir()))}"
    outcome = gate(folder, "import", source, "--output", run, *words)
    assert outcome.code == 0, outcome.err
    return run


@pytest.fixture(scope="module")
def runs(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Pattern → the runs made of its files."""
    folder = tmp_path_factory.mktemp("imported")
    found = {pattern: sorted(realdata.glob(pattern)) for pattern in SOURCES}
    assert all(found.values()), found
    return {pattern: [imported(folder, one, SOURCES[pattern]) for one in files] for pattern, files in found.items()}


def records_of(run: Path) -> list[Record]:
    return [json.loads(line) for line in (run / "records.jsonl").read_bytes().splitlines()]


# A run against itself


def rewritten(run: Path, place: Path) -> Path:
    """The records of a run in another order, written again."""
    manifest = read_run(run).manifest
    records = records_of(run)
    random.Random(run.name).shuffle(records)
    return write_run(
        place, records, manifest.metrics, identity=manifest.identity, slices=manifest.slices, tags=manifest.tags,
        notes="written again",
    )  # fmt: skip


def zeros(run: Path) -> str:
    """A policy that names every limit, each of them 0."""
    drops = "max_drop = 0\nmax_relative_drop = 0\n"
    records = ("regressed", "removed", "added", "errors", "skipped", "changed", "lost_scores")
    tags = read_run(run).manifest.slices
    return (
        f'[metrics."*"]\n{drops}[records]\n'
        + "".join(f"max_{name} = 0\n" for name in records)
        + "".join(f'[[slices]]\ntag = "{tag}"\n{drops}' for tag in tags)
    )


@pytest.mark.slow
def test_every_real_run_passes_against_itself_by_any_policy(runs: dict[str, list[Path]], tmp_path: Path) -> None:
    assert sum(map(len, runs.values())) >= 15
    for run in (one for found in runs.values() for one in found):
        again = rewritten(run, tmp_path / run.name)
        for policy in ("", zeros(run)):
            assert (verdict(tmp_path, run, run, policy), run) == ((0, "PASS", ["identical"]), run)
            assert (verdict(tmp_path, run, again, policy), run) == ((0, "PASS", []), run)


def verdict(folder: Path, baseline: Path, current: Path, policy: str) -> tuple[int, str, list[str]]:
    outcome = judged_by_process(folder, baseline, current, policy)
    return outcome.code, outcome.view["verdict"], outcome.rules


def judged_by_process(folder: Path, baseline: Path, current: Path, policy: str) -> Outcome:
    (folder / "gate.toml").unlink(missing_ok=True)
    if policy:
        (folder / "gate.toml").write_text(policy)
    return gate(folder, "compare", baseline, current, "--format", "json", "--today", TODAY.isoformat())


# Mutations

SIZES = (32, 40, 50, 64, 80, 100, 125, 128, 160, 200)
"""Numbers of records of which every mean is a finite decimal."""

ALLOWED = "[records]\nmax_regressed = 99999\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Specimen:
    """Some real records, written as a baseline."""

    run: Run
    place: Path
    records: Sequence[Record]
    figures: Mapping[str, int | float]
    metrics: Mapping[str, MetricDeclaration]
    slices: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A current run and the policy it is judged by."""

    records: Sequence[Record]
    policy: str
    figures: Mapping[str, int | float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutation:
    """What must pass and, a step further, what must not; `rule` is by which."""

    rule: str
    kept: Side
    broken: Side
    is_exact: bool = True


class Draw:
    """What a mutation is drawn from: a specimen, and chance that can be repeated."""

    def __init__(self, specimen: Specimen, chance: random.Random) -> None:
        self.specimen = specimen
        self.chance = chance

    def scored(self) -> tuple[str, list[int]]:
        """A metric, and the places of the records that have it; all if it is declared with a range."""
        name = self.chance.choice(sorted(self.specimen.metrics.keys() - self.specimen.figures.keys()))
        return name, [n for n, record in enumerate(self.specimen.records) if name in record.get("scores", {})]

    def places(self, among: Sequence[int] | None = None) -> list[int]:
        """One to five places of records."""
        among = range(len(self.specimen.records)) if among is None else among
        return self.chance.sample(list(among), min(len(among) - 1, self.chance.randint(1, 5)))

    def side(self, changed: Mapping[int, Record | None], policy: str, figures: Mapping[str, int | float] = {}) -> Side:
        """The specimen with records in place of others, or with none there."""
        records = [changed.get(n, record) for n, record in enumerate(self.specimen.records)]
        return Side(
            records=[record for record in records if record is not None],
            policy=policy,
            figures={**self.specimen.figures, **figures},
        )


def exact(value: int | float) -> Fraction:
    """The number that the shortest text of a score says."""
    return Fraction(repr(value))


def plain(value: Decimal) -> str:
    """A decimal as TOML reads it."""
    return f"{value:f}"


def brackets(value: Fraction) -> tuple[Decimal, Decimal, bool]:
    """The decimals on both sides: not below the value, and a unit of the last place less; and whether the first is it.

    A value that no decimal is gets 24 places.
    """
    places = next((k for k in range(60) if (value * 10**k).denominator == 1), None)
    digits = 24 if places is None else places
    above = -((-value.numerator * 10**digits) // value.denominator)
    return _shifted(above, digits), _shifted(above - 1, digits), places is not None


def _shifted(digits: int, places: int) -> Decimal:
    return Decimal((int(digits < 0), tuple(map(int, str(abs(digits)))), -places))


def key(name: str) -> str:
    return json.dumps(name)


def rescored(record: Record, name: str, value: int | float) -> Record:
    return {**record, "scores": {**record["scores"], name: value}}


def is_lower(draw: Draw, name: str) -> bool:
    return draw.specimen.metrics[name].direction == "lower"


def damaged(draw: Draw, name: str, places: Sequence[int]) -> tuple[int, int | float] | None:
    """A record and a worse score for it, within the range; None if every one is at its worst already."""
    sign = -1 if is_lower(draw, name) else 1
    declared = draw.specimen.metrics[name]
    low, high = declared.range or (-math.inf, math.inf)
    for place in draw.chance.sample(list(places), len(places)):
        old = draw.specimen.records[place]["scores"][name]
        if declared.range == (0, 1) and old in (0, 1):
            new: int | float = 1 - old
        else:
            step = draw.chance.choice((0.1, 0.25, 0.001, 1e-9, abs(old) or 1))
            least = math.nextafter(old, -math.inf * sign)
            new = draw.chance.choice((least, float(repr(old - sign * step))))
        if (new - old) * sign < 0 and low <= new <= high:
            return place, new
    return None


def mean_of(records: Sequence[Record], name: str, places: Sequence[int]) -> Fraction:
    return sum((exact(records[n]["scores"][name]) for n in places), Fraction(0)) / len(places)


def max_drop(draw: Draw, *, relative: bool = False) -> Mutation | None:
    """A mean fell by exactly the limit, and by the least step more: of the limit or of the score."""
    name, places = draw.scored()
    return _dropped(draw, name, places, places, f"[metrics.{key(name)}]\n", ALLOWED, relative=relative)


def max_relative_drop(draw: Draw) -> Mutation | None:
    """The same, as a share of the baseline."""
    return max_drop(draw, relative=True)


def slice_drop(draw: Draw) -> Mutation | None:
    """A mean fell in one slice only."""
    if not draw.specimen.slices:
        return None
    name, places = draw.scored()
    tag = draw.chance.choice(list(draw.specimen.slices))
    tagged = [n for n in places if tag in draw.specimen.records[n].get("tags", {})]
    if not tagged:
        return None
    value = draw.specimen.records[draw.chance.choice(tagged)]["tags"][tag]
    group = [n for n in tagged if draw.specimen.records[n]["tags"][tag] == value]
    where = draw.chance.choice((f"tag = {key(tag)}\n", f"where = {{{key(tag)} = {key(value)}}}\n"))
    head = f"{ALLOWED}[[slices]]\nmetric = {key(name)}\n{where}"
    return _dropped(draw, name, group, group, head, "", relative=draw.chance.random() < 0.3)


def reference_drop(draw: Draw) -> Mutation | None:
    """A mean fell since the pinned run, which here is the baseline; since the baseline it may."""
    name, places = draw.scored()
    head = f'[metrics.{key(name)}]\nmax_drop = 1e300\n{ALLOWED}[reference]\npath = "pinned"\n'
    found = _dropped(draw, name, places, places, f"{head}[reference.metrics.{key(name)}]\n", "", relative=False)
    return found and replace(found, rule="reference-drop")


def _dropped(
    draw: Draw, name: str, places: Sequence[int], among: Sequence[int], head: str, tail: str, *, relative: bool
) -> Mutation | None:
    records = draw.specimen.records
    if not among or (found := damaged(draw, name, among)) is None:
        return None
    place, new = found
    sign = -1 if is_lower(draw, name) else 1
    drop = (exact(records[place]["scores"][name]) - exact(new)) * sign / len(places)
    base = abs(mean_of(records, name, places))
    if relative and base == 0:
        return None
    limit, less, is_exact = brackets(drop / base if relative else drop)
    word = "max_relative_drop" if relative else "max_drop"

    def policy(value: Decimal) -> str:
        return f"{head}{word} = {plain(value)}\n{tail}"

    changed = {place: rescored(records[place], name, new)}
    kept = draw.side(changed, policy(limit))
    further = math.nextafter(new, -math.inf * sign)
    if is_exact and draw.specimen.metrics[name].range is None and draw.chance.random() < 0.5:
        broken = draw.side({place: rescored(records[place], name, further)}, policy(limit))
    else:
        broken = draw.side(changed, policy(less))
    return Mutation(rule=word.replace("_", "-"), kept=kept, broken=broken, is_exact=is_exact)


def bound(draw: Draw) -> Mutation | None:
    """The mean stands exactly on its floor or ceiling; and the least step beyond."""
    name, places = draw.scored()
    records = list(draw.specimen.records)
    place = draw.chance.choice(places)
    declared = draw.specimen.metrics[name]
    old = records[place]["scores"][name]
    if declared.range == (0, 1):
        new: int | float = 1 - old if old in (0, 1) else 0.5
    else:
        new = draw.chance.choice((old, math.nextafter(old, math.inf), old + 0.125))
    records[place] = rescored(records[place], name, new)
    which = draw.chance.choice(("min", "max"))
    mean = mean_of(records, name, places)
    above, below, is_exact = brackets(mean if which == "max" else -mean)
    limit, past = (above, below) if which == "max" else (-above, -below)
    head = f"[metrics.{key(name)}]\n{which} = "
    changed = {place: records[place]}
    kept = draw.side(changed, f"{head}{plain(limit)}\n{ALLOWED}")
    further = math.nextafter(new, math.inf if which == "max" else -math.inf)
    if is_exact and declared.range is None and draw.chance.random() < 0.5:
        broken = draw.side({place: rescored(records[place], name, further)}, kept.policy)
    else:
        broken = draw.side(changed, f"{head}{plain(past)}\n{ALLOWED}")
    return Mutation(rule=which, kept=kept, broken=broken, is_exact=is_exact)


def series_value(draw: Draw) -> Mutation | None:
    """A final figure is exactly as far down, or exactly where, its rule allows."""
    name = draw.chance.choice(sorted(draw.specimen.figures))
    old = draw.specimen.figures[name]
    sign = -1 if is_lower(draw, name) else 1
    new = draw.chance.choice((math.nextafter(old, -math.inf * sign), old * 0.5 if sign > 0 else old * 1.5))
    drop = (exact(old) - exact(new)) * sign
    kind = draw.chance.choice(("max_drop", "max_relative_drop", "min" if sign > 0 else "max"))
    if kind == "max_drop":
        above, below, is_exact = brackets(drop)
    elif kind == "max_relative_drop":
        above, below, is_exact = brackets(drop / abs(exact(old)))
    else:
        above, below, is_exact = brackets(-exact(new) * sign)
        above, below = -above * sign, -below * sign
    also = "max_drop = 1e300\n" if kind in ("min", "max") else ""
    head = f"[metrics.{key(name)}]\n{also}{kind} = "
    kept = draw.side({}, f"{head}{plain(above)}\n", {name: new})
    broken = draw.side({}, f"{head}{plain(below)}\n", {name: new})
    if is_exact and draw.chance.random() < 0.5:
        broken = draw.side({}, kept.policy, {name: math.nextafter(new, -math.inf * sign)})
    return Mutation(rule=kind.replace("_", "-"), kept=kept, broken=broken, is_exact=is_exact)


def waived_drop(draw: Draw) -> Mutation | None:
    """One record fell by exactly the ceiling of its waiver."""
    name, places = draw.scored()
    if (found := damaged(draw, name, places)) is None:
        return None
    place, new = found
    record = draw.specimen.records[place]
    ceiling, less, _ = brackets(abs(exact(record["scores"][name]) - exact(new)))
    head = f"[[waivers]]\nmetric = {key(name)}\nrecord = {key(record['id'])}\n"
    tail = 'owner = "ann"\nreason = "known"\nexpires = 2030-06-15\n'
    changed = {place: rescored(record, name, new)}
    sides = [draw.side(changed, f"{head}ceiling = {plain(value)}\n{tail}") for value in (ceiling, less)]
    return Mutation(rule="max-regressed", kept=sides[0], broken=sides[1])


def _counted(
    draw: Draw, rule: str, change: Callable[[int, Record], Record | None], places: Sequence[int], more: str = ""
) -> Mutation:
    """As many records as the limit allows; then one more of them, or one less that is allowed."""
    policy = "[records]\n{} = {}\n" + more
    word, count = rule.replace("-", "_"), len(places)
    changed = {n: change(n, draw.specimen.records[n]) for n in places}
    if draw.chance.random() < 0.5:
        sides = [draw.side(changed, policy.format(word, limit)) for limit in (count, count - 1)]
    else:
        fewer = dict(list(changed.items())[1:])
        sides = [draw.side(one, policy.format(word, count - 1)) for one in (fewer, changed)]
    return Mutation(rule=rule, kept=sides[0], broken=sides[1])


def max_regressed(draw: Draw) -> Mutation | None:
    """So many records got worse."""
    name, places = draw.scored()
    found: dict[int, int | float] = {}
    for place in draw.places(places):
        if worse := damaged(draw, name, [place]):
            found[place] = worse[1]
    if not found:
        return None
    return _counted(draw, "max-regressed", lambda n, record: rescored(record, name, found[n]), list(found))


def max_removed(draw: Draw) -> Mutation | None:
    """So many records went missing."""
    return _counted(draw, "max-removed", lambda n, record: None, draw.places())


def max_added(draw: Draw) -> Mutation | None:
    """So many records came: the current run is the whole, and the baseline had fewer."""
    extra = [{**record, "id": f"{record['id']} again"} for record in draw.specimen.records]
    places = draw.places()
    count = len(places)
    sides = []
    for limit, number in draw.chance.choice(
        (((count, count), (count - 1, count)), ((count, count), (count, count + 1)))
    ):
        side = draw.side({}, f"[records]\nmax_added = {limit}\n")
        sides.append(replace(side, records=[*side.records, *extra[:number]]))
    return Mutation(rule="max-added", kept=sides[0], broken=sides[1])


def max_errors(draw: Draw) -> Mutation | None:
    """So many records newly errored."""
    kept = draw.chance.random() < 0.3
    return _counted(draw, "max-errors", lambda n, record: _failed(record, "error", kept=kept), draw.places())


def max_skipped(draw: Draw) -> Mutation | None:
    """So many records are newly skipped."""
    return _counted(draw, "max-skipped", lambda n, record: _failed(record, "skipped", kept=False), draw.places())


def _failed(record: Record, status: str, *, kept: bool) -> Record:
    left = record if kept else {name: value for name, value in record.items() if name != "scores"}
    return {**left, "status": status}


def max_lost_scores(draw: Draw) -> Mutation | None:
    """So many scores are gone from records that are ok."""
    name, places = draw.scored()
    if len(places) < 2:
        return None

    def without(n: int, record: Record) -> Record:
        left = {other: value for other, value in record["scores"].items() if other != name}
        return {**record, "scores": left}

    return _counted(draw, "max-lost-scores", without, draw.places(places), "max_regressed = 99999\n")


def max_changed(draw: Draw) -> Mutation | None:
    """So many records differ in any field."""
    return _counted(draw, "max-changed", lambda n, record: {**record, "output": f"other {n}"}, draw.places())


KINDS: tuple[Callable[[Draw], Mutation | None], ...] = (
    max_drop,
    max_relative_drop,
    bound,
    slice_drop,
    series_value,
    reference_drop,
    waived_drop,
    max_regressed,
    max_removed,
    max_added,
    max_errors,
    max_skipped,
    max_lost_scores,
    max_changed,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """Real records of one kind, and what is declared of them."""

    records: Sequence[Record]
    metrics: Mapping[str, MetricDeclaration]
    slices: Sequence[str]


@pytest.fixture(scope="module")
def pools(runs: dict[str, list[Path]]) -> list[Pool]:
    """The records that all metrics of a run score."""
    found = []
    for run in (found[-1] for found in runs.values()):
        manifest = read_run(run).manifest
        records = [record for record in records_of(run) if record.get("scores")]
        named = {name for record in records for name in record["scores"]}
        metrics = {name: metric for name, metric in manifest.metrics.items() if name in named}
        if not manifest.slices:  # the first part of an id is the repository, the task or the benchmark
            records = [{**record, "tags": {"part": _part(record["id"])}} for record in records]
        found.append(Pool(records=records, metrics=metrics, slices=manifest.slices or ("part",)))
    return [pool for pool in found if len(pool.records) >= 10]


def _part(name: str) -> str:
    return name.replace("instance_", "")[:3]


@pytest.fixture(scope="module")
def figures(runs: dict[str, list[Path]]) -> dict[str, int | float]:
    """Final figures of a real model: its accuracies by task."""
    (run,) = (found[-1] for pattern, found in runs.items() if "aggregates" in pattern)
    tasks = records_of(run)
    return {f"{task['id']} {name}": value for task in tasks for name, value in task["scores"].items()}


def specimens(
    pools: Sequence[Pool], figures: Mapping[str, int | float], place: Path, number: int, chance: random.Random
) -> list[Specimen]:
    found = []
    for index in range(number):
        pool = pools[index % len(pools)]
        size = chance.choice([size for size in SIZES if size <= len(pool.records)] or [len(pool.records)])
        records = chance.sample(list(pool.records), size)
        few = dict(chance.sample(sorted(figures.items()), 3))
        declared = {name: MetricDeclaration(direction="lower" if "stderr" in name else "higher") for name in few}
        metrics = {**pool.metrics, **declared}
        named = {name for record in records for name in record["scores"]}
        metrics = {name: metric for name, metric in metrics.items() if name in named or name in few}
        run = write_run(
            place / f"baseline-{index}", records, metrics, points=_points(few), slices=pool.slices, notes="baseline"
        )
        found.append(
            Specimen(
                run=read_run(run),
                place=run,
                records=records,
                figures=few,
                metrics=metrics,
                slices=pool.slices,
            )
        )
    return found


def _points(figures: Mapping[str, int | float]) -> list[Point]:
    return [(name, value, None) for name, value in figures.items()]


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where there is one."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    with unsynced():
        yield folder
    shutil.rmtree(folder)


def mutations(
    number: int, seed: int, pools: Sequence[Pool], figures: Mapping[str, int | float], place: Path
) -> Iterator[tuple[str, Specimen, Mutation]]:
    """(Kind, specimen, mutation), kind after kind."""
    chance = random.Random(seed)
    bred = specimens(pools, figures, place, 60 if number > 1000 else 16, chance)
    made = 0
    while made < number:
        kind = KINDS[made % len(KINDS)]
        specimen = chance.choice(bred)
        if mutation := kind(Draw(specimen, chance)):
            made += 1
            yield kind.__name__, specimen, mutation


def written(specimen: Specimen, side: Side, place: Path) -> Path:
    return write_run(
        place, side.records, specimen.metrics, points=_points(side.figures), slices=specimen.slices, notes="current"
    )


def seen(result: Comparison) -> tuple[Verdict, list[str]]:
    """The verdict, and the rules by which something is wrong."""
    loud = [finding for finding in result.findings if finding.level not in (Level.NOTICE, Level.WARNING)]
    return result.verdict, [rule for rule, _ in groupby(finding.rule.value for finding in loud)]


def judged(specimen: Specimen, side: Side, place: Path, verified: VerifiedRuns) -> tuple[Verdict, list[str]]:
    policy = from_toml(side.policy, "gate.toml")
    assert policy is not None
    current = read_run(written(specimen, side, place))
    pinned = specimen.run if policy.reference else None
    found = seen(compare(specimen.run, current, policy, reference=pinned, today=TODAY, verified=verified, limit=5))
    shutil.rmtree(place)
    return found


def wrong(found: Sequence[tuple[str, Specimen, Mutation]], place: Path) -> tuple[list[str], list[str]]:
    """The false alarms, and what was not caught, in words."""
    alarms, missed = [], []
    verified = VerifiedRuns(None)
    for number, (kind, specimen, mutation) in enumerate(found):
        label = f"{number} {kind} on {specimen.place.name}"
        if (said := judged(specimen, mutation.kept, place / "c", verified)) != (Verdict.PASS, []):
            alarms.append(f"{label}: {said} by {mutation.kept.policy!r}")
        if (said := judged(specimen, mutation.broken, place / "c", verified)) != (Verdict.FAIL, [mutation.rule]):
            missed.append(f"{label}: {said} by {mutation.broken.policy!r}, not {mutation.rule}")
    return alarms, missed


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        pytest.param(300, 1, id="300"),
        # 10,000 places in parts, so that the workers share them.
        *(pytest.param(2_500, seed, id=f"2500 of 10000, {seed}", marks=pytest.mark.slow) for seed in range(2, 6)),
    ],
)
def test_a_limit_that_is_met_passes_and_one_step_past_it_fails(
    number: int, seed: int, pools: list[Pool], figures: dict[str, int | float], memory: Path
) -> None:
    found = list(mutations(number, seed, pools, figures, memory))
    assert wrong(found, memory) == ([], [])
    kinds = Counter(kind for kind, _, _ in found)
    assert len(kinds) == len(KINDS)
    assert min(kinds.values()) >= number // len(KINDS)
    assert sum(mutation.is_exact for _, _, mutation in found) > number * 3 // 4


@pytest.mark.slow
def test_the_command_line_says_the_same_of_mutations(
    pools: list[Pool], figures: dict[str, int | float], memory: Path
) -> None:
    for number, (kind, specimen, mutation) in enumerate(mutations(50, 3, pools, figures, memory)):
        folder = memory / f"case-{number}"
        folder.mkdir()
        shutil.copytree(specimen.place, folder / "pinned")
        for side, code in ((mutation.kept, 0), (mutation.broken, 1)):
            written(specimen, side, folder / "current")
            outcome = judged_by_process(folder, folder / "pinned", folder / "current", side.policy)
            assert (outcome.code, kind, outcome.text if outcome.code != code else "") == (code, kind, "")
            assert code == 0 or mutation.rule in outcome.rules
            shutil.rmtree(folder / "current")
