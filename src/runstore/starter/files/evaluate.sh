#!/usr/bin/env bash
# Makes the run that is judged, in runs/example. Put your own harness in the place of evals/results.jsonl: here its results are a file.
set -euo pipefail
cd "$(dirname "$0")/.."

gate import evals/results.jsonl --output runs/example --replace --project example --suite capitals \
    --id id --input question --output-field answer --target expected --tag lang=lang --slice lang \
    --score correct --range correct=0:1
