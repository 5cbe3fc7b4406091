"""What the page costs: to write, against a bare table by jinja2; and to open, in headless Chromium.

Each round writes the page and the table once, in turn, and the ratio is taken within the round. The table has one row a
record with all that changed, and nothing else: no words marked, no context, no script. Chromium is asked when the first
records of the list are there, how large its heap is, and the kernel how much memory the process of the page takes.

    python benchmarks/report_pages.py [--records N ...] [--rounds N] [--chromium PATH | --no-browser] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment

from runstore import reports

CLASSES = ("regressed", "removed", "added", "improved", "changed")
LANGUAGES = ("de", "en", "fr", "ja")
ANSWER = "you can return the order within thirty days if it is unused and the receipt is in the parcel please"
WORDS = tuple(ANSWER.split())
TABLE = """<table>
{% for change in changes %}
<tr><td>{{ change["class"] }}</td><td>{{ change.run }}</td><td>{{ change.id }}</td><td>{{ change.repeat }}</td>
<td>{% for one in change.scores %}{{ one.metric }} {{ one.baseline }} {{ one.current }} {% endfor %}</td>
<td>{% for one in change.fields %}{{ one.path }} {{ one.before }} {{ one.after }} {% endfor %}</td></tr>
{% endfor %}
</table>
"""
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
READY = "document.querySelectorAll('#list .chunk details').length >= 50"


def change(number: int, draw: random.Random) -> dict[str, Any]:
    """A record that got worse in two scores, with an answer of 60 words of which some differ."""
    words = [draw.choice(WORDS) for _ in range(60)]
    other = [draw.choice(WORDS) if draw.random() < 0.05 else word for word in words]
    name, (before, after) = f"record-{number:07d}", sorted((draw.random(), draw.random()), reverse=True)
    scores = [
        {"metric": "acc", "baseline": 1, "current": 0, "delta": -1},
        {"metric": "quality", "baseline": before, "current": after, "delta": after - before},
    ]
    fields = [
        {"path": "/output", "before": " ".join(words), "after": " ".join(other)},
        {"path": "/scores/acc", "before": 1, "after": 0},
        {"path": "/scores/quality", "before": before, "after": after},
    ]
    record = {
        "id": name,
        "input": f"{number}: how long can I return a pair of shoes that I bought, and do I need the receipt?",
        "output": " ".join(other),
        "scores": {"acc": 0, "quality": after},
        "tags": {"lang": LANGUAGES[number % 4]},
        "target": "thirty days, with the receipt",
    }
    return {
        "class": "regressed", "fields": fields, "id": name, "record": record, "repeat": 1, "run": "", "scores": scores,
    }  # fmt: skip


def view_of(count: int) -> dict[str, Any]:
    """The view of a comparison in which so many records got worse; the same for the same number."""
    draw = random.Random(count)
    counts = dict.fromkeys((*CLASSES, "unchanged", "newly_errored", "newly_skipped", "lost_scores"), 0)
    counts |= {"baseline": count, "current": count, "common": count, "regressed": count}
    measure = {
        "baseline": 0.9, "current": 0.4, "delta": -0.5, "direction": "higher", "improved": 0, "kind": "records",
        "lost": 0, "metric": "acc", "moves": None, "n": count, "regressed": count, "run": "", "slice": None,
        "standard_error": 0.01, "unit": None,
    }  # fmt: skip
    finding = dict.fromkeys(("hint", "limit", "metric", "observed", "record", "repeat", "slice"))
    finding |= {"level": "error", "message": f"{count} records got worse", "rule": "max-regressed", "run": ""}
    return {
        "changes": [change(number, draw) for number in range(count)],
        "changes_omitted": dict.fromkeys(CLASSES, 0),
        "checks": [], "counts": counts, "exit_code": 1, "findings": [finding], "format": 1, "metrics": [measure],
        "policy": "gate.toml", "runs": [], "series": [], "verdict": "FAIL",
    }  # fmt: skip


def writing(view: Mapping[str, Any], rounds: int) -> dict[str, Any]:
    """Seconds for the page and for the table, in turn; a first round warms up."""
    table, page = Environment(autoescape=True).from_string(TABLE), reports.load("html")
    found: list[tuple[float, float]] = []
    sizes = 0, 0
    for _ in range(rounds + 1):
        start = time.perf_counter()
        written = page.render(view)
        between = time.perf_counter()
        bare = table.render(changes=view["changes"])
        found.append((between - start, time.perf_counter() - between))
        sizes = len(written.encode()), len(bare.encode())
    counted = found[1:]
    return {
        "page_s": [first for first, _ in counted],
        "table_s": [second for _, second in counted],
        "ratio": statistics.median(first / second for first, second in counted),
        "page_bytes": sizes[0],
        "table_bytes": sizes[1],
    }


def opening(page_file: Path, chromium: str, rounds: int) -> dict[str, Any]:
    """Seconds until the list is there, and MiB of heap and of the process of the page, of each round."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # writing is measured without it

    found: dict[str, list[float]] = {"open_s": [], "heap_mib": [], "process_mib": []}
    with sync_playwright() as playwright:
        for _ in range(rounds):
            browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            start = time.perf_counter()
            page.goto(page_file.as_uri(), wait_until="commit")
            while not page.evaluate(READY):
                time.sleep(0.005)
            page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            found["open_s"].append(time.perf_counter() - start)
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable")
            figures = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
            found["heap_mib"].append(figures["JSHeapUsedSize"] / 2**20)
            found["process_mib"].append(max(renderers(), default=0.0))
            browser.close()
    return found


def renderers() -> Iterator[float]:
    """MiB of resident memory of every process of Chromium that shows a page and that this process started; Linux."""
    ours = descendants(os.getpid())
    for process in ours:
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes()
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue  # it has ended
        if b"--type=renderer" in words:
            yield int(status.partition("VmRSS:")[2].split()[0]) / 1024


def descendants(process: int) -> set[int]:
    """Every process that this one started, and those that they started."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found, grown = {process}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return found - {process}


def measured(count: int, options: argparse.Namespace) -> dict[str, Any]:
    view = view_of(count)
    result = {"records": count, **writing(view, options.rounds)}
    if not options.no_browser:
        with tempfile.TemporaryDirectory() as folder:
            page_file = Path(folder) / "report.html"
            page_file.write_text(reports.load("html").render(view), encoding="utf-8")
            result |= opening(page_file, options.chromium, options.rounds)
    return result


def row(result: Mapping[str, Any]) -> str:
    median = statistics.median
    cells = [f"{result['records']:,}", f"{median(result['page_s']):.2f}", f"{median(result['table_s']):.2f}"]
    cells += [f"{result['ratio']:.2f}", f"{result['page_bytes'] / 2**20:.1f}"]
    if "open_s" in result:
        cells += [
            f"{median(result['open_s']):.2f}",
            f"{max(result['heap_mib']):.0f}",
            f"{max(result['process_mib']):.0f}",
        ]
    else:
        cells += ["-", "-", "-"]
    return f"| {' | '.join(cells)} |"


def parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--output", type=Path, help="every single figure, as JSON")
    options = parser.parse_args(words)
    if options.chromium is None and not options.no_browser:
        parser.error("no chromium found; name it with --chromium, or give --no-browser")
    return options


def main(words: Sequence[str]) -> None:
    options = parsed(words)
    print("| records | page s | table s | page ÷ table | MiB | open s | heap MiB | process MiB |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    results = []
    for count in options.records:
        results.append(measured(count, options))
        print(row(results[-1]), flush=True)
    if options.output:
        options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
