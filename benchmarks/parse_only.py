"""Yardstick (a): call orjson.loads on every line of both runs' record files, and nothing else.

python benchmarks/parse_only.py BASELINE CURRENT
"""

import sys
from pathlib import Path

from orjson import loads

for run in sys.argv[1:]:
    for path in sorted(Path(run).glob("records*.jsonl")):
        with open(path, "rb") as stream:
            for line in stream:
                loads(line)
