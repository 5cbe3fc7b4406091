"""Yardstick (b): polars joins two runs and classifies their records; the counts go to stdout as JSON.

    python benchmarks/polars_join.py [--rest whole|hashed] BASELINE CURRENT

What is neither key nor score is carried through the join `whole`, and compared exactly, or `hashed` to 64 bits, which
takes a third of the memory, and which two different records may share. Neither way checks a digest, an order, a schema
or a total.
"""

import argparse
import json
from pathlib import Path

import polars as pl

SCORES = pl.Struct({"exact_match": pl.Float64, "f1": pl.Float64})
SCHEMA = {
    "id": pl.String,
    "input": pl.String,
    "metadata": pl.Struct(
        {
            "attempts": pl.Int64,
            "difficulty": pl.Float64,
            "reviewed": pl.Boolean,
            "source": pl.String,
            "tokens": pl.Int64,
        }
    ),
    "output": pl.String,
    "scores": SCORES,
    "tags": pl.Struct({"lang": pl.String, "topic": pl.String}),
    "target": pl.String,
}
OTHER = [name for name in SCHEMA if name not in ("id", "scores")]


def shards(run: str) -> list[Path]:
    return sorted(Path(run).glob("records*.jsonl"))


def whole(base: list[Path], cur: list[Path]) -> pl.LazyFrame:
    return join_columns(base, cur, OTHER)


def hashed(base: list[Path], cur: list[Path]) -> pl.LazyFrame:
    return join_columns(base, cur, ["rest"])


def join_columns(base: list[Path], cur: list[Path], compared: list[str]) -> pl.LazyFrame:
    rest = pl.struct(OTHER).hash().alias("rest")
    before, after = (
        pl.scan_ndjson(paths, schema=SCHEMA).with_columns(rest, here=True).select("id", "scores", "here", *compared)
        for paths in (base, cur)
    )
    joined = before.join(after, on="id", how="full", coalesce=True, suffix="_cur")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_cur")) for name in compared)
    return classify(joined, pl.col("scores"), pl.col("scores_cur"), differs)


def classify(joined: pl.LazyFrame, before: pl.Expr, after: pl.Expr, differs: pl.Expr) -> pl.LazyFrame:
    names = [scored.name for scored in SCORES.fields]
    moves = [after.struct.field(name) - before.struct.field(name) for name in names]
    kind = (
        pl.when(pl.col("here").is_null()).then(pl.lit("added"))
        .when(pl.col("here_cur").is_null()).then(pl.lit("removed"))
        .when(pl.any_horizontal(move < 0 for move in moves)).then(pl.lit("regressed"))
        .when(pl.any_horizontal(move > 0 for move in moves)).then(pl.lit("improved"))
        .when(differs).then(pl.lit("changed"))
        .otherwise(pl.lit("unchanged"))
    )  # fmt: skip
    return joined.select(kind=kind).group_by("kind").len()


READERS = {"whole": whole, "hashed": hashed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline")
    parser.add_argument("current")
    parser.add_argument("--rest", choices=READERS, default="whole", help="default: whole")
    parser.add_argument("--engine", choices=("streaming", "in-memory"), default="streaming", help="default: streaming")
    given = parser.parse_args()
    plan = READERS[given.rest](shards(given.baseline), shards(given.current))
    found = dict(plan.collect(engine=given.engine).iter_rows())
    kinds = ("added", "changed", "improved", "regressed", "removed", "unchanged")
    counts = {kind: found.get(kind, 0) for kind in kinds}
    counts["common"] = sum(found.values()) - counts["added"] - counts["removed"]
    print(json.dumps(counts, sort_keys=True))


if __name__ == "__main__":
    main()
