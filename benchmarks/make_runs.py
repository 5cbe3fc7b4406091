"""Makes what the benchmarks measure: pairs of runs, and source data to import. The same arguments give the same bytes.

    python benchmarks/make_runs.py pair --records 100000 --changed 1 OUTPUT    # baseline/, current/, expected.json
    python benchmarks/make_runs.py source --records 100000 OUTPUT.jsonl        # to import: foreign names, shuffled

A record takes about 1.2 KB and is a pure function of the seed and its number: no state, so it can be made anywhere and
in any order. `expected.json` holds the counts that a comparison must find.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import second_writer

VOCABULARY = """
    river stone window answer market paper light garden question number evidence naïve Zürich theory model because
    although measure sample winter bridge engine value without café history letter music proof result several surface
    temperature water method reason figure table chapter between another simple early during against system
"""
WORDS = VOCABULARY.split()
LANGUAGES = ("de", "en", "es", "fr", "ja", "zh")
TOPICS = ("biology", "chemistry", "history", "law", "mathematics", "medicine", "music", "physics")
SOURCES = ("archive", "exam", "forum", "handbook")
METRICS = {
    "exact_match": {"direction": "higher", "range": [0, 1]},
    "f1": {"direction": "higher", "range": [0, 1]},
}
SLICES = ("lang", "topic")
PASSAGES = 4096

Record = dict[str, Any]


class Draw:
    """Numbers drawn from a digest of seed, purpose and index: the same on every platform and version of Python."""

    __slots__ = ("_rest",)

    def __init__(self, seed: int, purpose: str, index: int) -> None:
        digest = hashlib.blake2b(b"%d %s %d" % (seed, purpose.encode(), index), digest_size=64).digest()
        self._rest = int.from_bytes(digest, "little")

    def below(self, bound: int) -> int:
        self._rest, drawn = divmod(self._rest, bound)
        return drawn


def make_passages(seed: int, words: int) -> list[str]:
    """Pieces of text to put records together from, each of `words` words, some with what JSON must escape."""
    found = []
    for index in range(PASSAGES):
        draw, picked = Draw(seed, f"passage {words}", index), []
        for at in range(words):
            if at % 8 == 7:
                draw = Draw(seed, f"passage {words} from {at}", index)
            picked.append(WORDS[draw.below(len(WORDS))])
        end = (".\n", '."', ". ", "? ")[draw.below(4)]
        found.append(" ".join(picked).capitalize() + end)
    return found


class Records:
    """Record number `index` of a run, before and after its change."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._passages = make_passages(seed, 25)

    def _text(self, draw: Draw, passages: int) -> str:
        return "".join([self._passages[draw.below(PASSAGES)] for _ in range(passages)]).strip()

    def before(self, index: int, record_id: str = "") -> Record:
        draw = Draw(self._seed, "record", index)
        f1 = draw.below(10**6)
        return {
            "id": record_id or f"item-{index:08d}",
            "input": self._text(draw, 3),
            "metadata": {
                "attempts": 1 + draw.below(4),
                "difficulty": draw.below(100) / 100,
                "reviewed": draw.below(2) == 1,
                "source": SOURCES[draw.below(len(SOURCES))],
                "tokens": 100 + draw.below(900),
            },
            "output": self._text(draw, 2),
            "scores": {"exact_match": f1 * 2 // 10**6, "f1": round_score(f1, draw.below(5))},
            "tags": {"lang": LANGUAGES[draw.below(len(LANGUAGES))], "topic": TOPICS[draw.below(len(TOPICS))]},
            "target": self._text(draw, 1)[:60],
        }

    def after(self, index: int) -> tuple[Record, str]:
        """The record of the other run where it differs, and the class of the change."""
        record, draw = self.before(index), Draw(self._seed, "change", index)
        kind = draw.below(3)  # score only, output and score, output only
        if kind > 0:
            record["output"] = self._text(draw, 2) + " Revised."
        return record, move(record["scores"], draw) if kind < 2 else "changed"


def round_score(millionths: int, digits: int) -> float:
    """A score of two to six digits, kept off 0 and 1 so that it can move either way."""
    places = 10 ** (4 - digits)
    return max(10_000, min(990_000, millionths // places * places)) / 10**6


def move(scores: dict[str, Any], draw: Draw) -> str:
    """Move both scores one way. One record in four flips its exact match too."""
    better, step = draw.below(2) == 1, 1 + draw.below(9_999)
    scores["f1"] = (round(scores["f1"] * 10**6) + (step if better else -step)) / 10**6
    if draw.below(4) == 0 and scores["exact_match"] == (not better):
        scores["exact_match"] = int(better)
    return "improved" if better else "regressed"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which records of `count` change, go, and get a new neighbour."""

    count: int
    changed: frozenset[int]
    removed: frozenset[int]
    added: frozenset[int]


def make_plan(seed: int, count: int, *, percent: float, removed: int, added: int) -> Plan:
    """Exactly the shares asked for, at random places; what is removed is not also changed."""
    changes = round(count * percent / 100)
    if changes + removed > count or added > count:
        raise SystemExit(f"{count} records cannot give {changes} changed, {removed} removed and {added} added")
    places = random.Random(f"{seed} places").sample(range(count), changes + removed)
    return Plan(
        count=count,
        changed=frozenset(places[:changes]),
        removed=frozenset(places[changes:]),
        added=frozenset(random.Random(f"{seed} added").sample(range(count), added)),
    )


def baseline_records(records: Records, plan: Plan) -> Iterator[Record]:
    return (records.before(index) for index in range(plan.count))


def current_records(records: Records, plan: Plan, counts: Counter[str]) -> Iterator[Record]:
    """The records of the other run, in order; what became of them is added up in `counts`."""
    for index in range(plan.count):
        if index in plan.removed:
            counts["removed"] += 1
        elif index in plan.changed:
            record, kind = records.after(index)
            counts[kind] += 1
            yield record
        else:
            counts["unchanged"] += 1
            yield records.before(index)
        if index in plan.added:
            counts["added"] += 1
            yield records.before(plan.count + index, f"item-{index:08d}-new")


def facts(seed: int, count: int) -> dict[str, Any]:
    """The manifest's share that both runs have."""
    dataset = {"digest": hashlib.sha256(b"%d %d" % (seed, count)).hexdigest(), "name": "synthetic"}
    identity = {"datasets": [dataset], "name": "synthetic", "params": {"seed": seed}, "project": "benchmarks"}
    return {
        "identity": {**identity, "suite": "compare"},
        "metrics": METRICS,
        "provenance": {},
        "slices": list(SLICES),
        "status": "completed",
        "tags": {},
    }


def write_with_runstore(folder: Path, manifest: dict[str, Any], records: Iterator[Record]) -> None:
    from runstore import Dataset, Identity, MetricDeclaration, RunWriter  # noqa: PLC0415  # the other writer needs none

    identity = dict(manifest["identity"])
    identity["datasets"] = [Dataset(**dataset) for dataset in identity["datasets"]]
    metrics = {
        name: MetricDeclaration(direction=declared["direction"], range=tuple(declared["range"]))
        for name, declared in manifest["metrics"].items()
    }
    with RunWriter(folder, identity=Identity(**identity), metrics=metrics, slices=manifest["slices"]) as writer:
        for record in records:
            writer.append(record)


WRITERS = {"runstore": write_with_runstore, "second": second_writer.write_run}


def make_pair(
    folder: Path,
    *,
    count: int,
    percent: float,
    removed: int = 0,
    added: int = 0,
    seed: int = 0,
    writer: str = "runstore",
) -> None:
    """Write `folder`/baseline, current and expected.json. Raises FileExistsError if the folder is there."""
    plan = make_plan(seed, count, percent=percent, removed=removed, added=added)
    records, counts, write = Records(seed), Counter[str](), WRITERS[writer]
    folder.mkdir(parents=True)
    try:
        write(folder / "baseline", facts(seed, count), baseline_records(records, plan))
        write(folder / "current", facts(seed, count), current_records(records, plan, counts))
        (folder / "expected.json").write_text(json.dumps(expected(plan, counts), indent=2) + "\n")
    except BaseException:
        shutil.rmtree(folder)
        raise


def expected(plan: Plan, counts: Counter[str]) -> dict[str, int]:
    kinds = ("added", "changed", "improved", "regressed", "removed", "unchanged")
    found = {kind: counts[kind] for kind in kinds}
    common = plan.count - found["removed"]
    return {"baseline": plan.count, "current": common + found["added"], "common": common, **found}


def make_source(path: Path, *, count: int, seed: int = 0) -> None:
    """Foreign JSONL: the same content under other names, nested, in random order, neither sorted nor canonical."""
    records, order = Records(seed), list(range(count))
    random.Random(f"{seed} order").shuffle(order)
    with open(path, "xb") as stream:
        for index in order:
            record = records.before(index)
            stream.write(orjson.dumps(foreign(record), option=orjson.OPT_APPEND_NEWLINE))


def foreign(record: Record) -> dict[str, Any]:
    return {
        "uid": record["id"],
        "prompt": record["input"],
        "response": {"text": record["output"]},
        "gold": record["target"],
        "metrics": {"exact_match": float(record["scores"]["exact_match"]), "f1": record["scores"]["f1"]},
        "lang": record["tags"]["lang"],
        "topic": record["tags"]["topic"],
        **record["metadata"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    pair = commands.add_parser("pair", help="two runs")
    source = commands.add_parser("source", help="data to import")
    for command in (pair, source):
        command.add_argument("output", type=Path)
        command.add_argument("--records", type=int, required=True, metavar="N")
        command.add_argument("--seed", type=int, default=0)
    pair.add_argument("--changed", type=float, default=1, metavar="PERCENT", help="default: 1")
    pair.add_argument("--removed", type=int, default=0, metavar="N")
    pair.add_argument("--added", type=int, default=0, metavar="N")
    pair.add_argument("--writer", choices=WRITERS, default="runstore", help="default: runstore")
    given = parser.parse_args()
    if given.command == "source":
        make_source(given.output, count=given.records, seed=given.seed)
        return
    make_pair(
        given.output,
        count=given.records,
        percent=given.changed,
        removed=given.removed,
        added=given.added,
        seed=given.seed,
        writer=given.writer,
    )


if __name__ == "__main__":
    main()
