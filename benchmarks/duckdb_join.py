"""Yardstick (b): DuckDB joins two runs and classifies their records; the counts go to stdout as JSON.

    python benchmarks/duckdb_join.py [--rest whole|hashed] BASELINE CURRENT

What is neither key nor score is carried through the join `whole`, and compared exactly, or `hashed` to 64 bits, which
takes half the memory and less time, and which two different records may share. Neither way checks a digest, an order,
a schema or a total.
"""

import argparse
import json
from pathlib import Path

import duckdb

COLUMNS = """{
    id: 'VARCHAR', input: 'VARCHAR', metadata: 'JSON', output: 'VARCHAR', target: 'VARCHAR',
    scores: 'STRUCT(exact_match DOUBLE, f1 DOUBLE)', tags: 'STRUCT(lang VARCHAR, topic VARCHAR)'
}"""
REST = {
    "whole": "struct_pack(input, metadata, output, tags, target)",
    "hashed": "hash(input, metadata, output, tags, target)",
}
QUERY = """
WITH base AS (SELECT id, scores, {rest} AS rest FROM read_ndjson($base, columns = {columns})),
cur AS (SELECT id, scores, {rest} AS rest FROM read_ndjson($cur, columns = {columns})),
classified AS (
    SELECT CASE
        WHEN base.id IS NULL THEN 'added'
        WHEN cur.id IS NULL THEN 'removed'
        WHEN cur.scores.exact_match < base.scores.exact_match OR cur.scores.f1 < base.scores.f1 THEN 'regressed'
        WHEN cur.scores.exact_match > base.scores.exact_match OR cur.scores.f1 > base.scores.f1 THEN 'improved'
        WHEN base.rest IS DISTINCT FROM cur.rest THEN 'changed'
        ELSE 'unchanged' END AS class
    FROM base FULL JOIN cur ON base.id = cur.id
)
SELECT class, count(*) FROM classified GROUP BY class
"""


def shards(run: str) -> list[str]:
    return [str(path) for path in sorted(Path(run).glob("records*.jsonl"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline")
    parser.add_argument("current")
    parser.add_argument("--rest", choices=REST, default="whole", help="default: whole")
    given = parser.parse_args()
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    query = QUERY.format(rest=REST[given.rest], columns=COLUMNS)
    files = {"base": shards(given.baseline), "cur": shards(given.current)}
    found = dict(connection.execute(query, files).fetchall())
    kinds = ("added", "changed", "improved", "regressed", "removed", "unchanged")
    counts = {kind: found.get(kind, 0) for kind in kinds}
    counts["common"] = sum(found.values()) - counts["added"] - counts["removed"]
    print(json.dumps(counts, sort_keys=True))


if __name__ == "__main__":
    main()
