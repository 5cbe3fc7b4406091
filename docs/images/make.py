"""Make the pictures of this folder from a comparison that this script makes up, always the same one.

    pip install -e ".[browser]" && python docs/images/make.py [--chromium PATH]

A support assistant answers 240 questions in three languages, and then a change of its prompt goes wrong: answers become
shorter and cheerful, some about refunds false, and it is slower. Look at each picture after a change of the page. The
comparison is the same everywhere; which fonts and which Chromium are installed changes the bytes of the pictures.
"""

from __future__ import annotations

import argparse
import html
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from runstore import Dataset, Identity, MetricDeclaration, RunWriter, reports

HERE = Path(__file__).resolve().parent
SEED = 20
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
PRODUCTS = (
    "a jacket",
    "hiking boots",
    "a tent",
    "a headlamp",
    "a sleeping bag",
    "a stove",
    "trekking poles",
    "a rucksack",
)
TOPICS = {
    "refunds": (
        "How long can I return {}?",
        "You can return {} within 30 days if it is unused and you have the receipt.",
        "You can return {} within 60 days, and you do not need the receipt!",
    ),
    "delivery": (
        "When will {} arrive?",
        "It takes three to five working days until {} arrives; to the islands it takes two days longer.",
        "It takes three to five working days until {} arrives.",
    ),
    "warranty": (
        "Is there a warranty on {}?",
        "Yes, two years on {} from the day of purchase; wear and tear is not covered.",
        "Yes, there is a warranty of two years on {}!",
    ),
    "care": (
        "How do I clean {}?",
        "Clean {} with lukewarm water and a soft brush, and let it dry in the shade.",
        "Lukewarm water and a soft brush are best for {}. Let it dry in the shade.",
    ),
}
FALL = {"refunds": (0.35, 0.5), "delivery": (0.3, 0.2), "warranty": (0.3, 0.15), "care": (0.3, -0.1)}
"""Topic → how often the answer changes, and by how much its quality then falls."""
POLICY = """\
[metrics.correct]
max_drop = 0.02

[metrics.quality]
max_drop = 0.03
min = 0.75

[metrics.latency]
max_relative_drop = 0.10

[[slices]]
tag = "topic"
metric = "quality"
max_drop = 0.08

[records]
max_regressed = 50
max_removed = 0

[comparability]
may_differ = ["params.prompt"]
"""


def question(number: int, draw: random.Random) -> dict[str, Any]:
    """A question as the baseline answers it; `worse` is what the changed prompt may say."""
    topic = list(TOPICS)[number % 4]
    asked, answer, other = (text.format(PRODUCTS[number // 4 % 8]) for text in TOPICS[topic])
    scores = {"correct": int(draw.random() < 0.93), "quality": round(draw.uniform(0.74, 1), 2)}
    return {
        "id": f"{topic}-{number:03d}",
        "input": asked,
        "target": answer,
        "output": answer,
        "scores": {**scores, "latency": round(draw.gauss(0.64, 0.06), 3)},
        "tags": {"topic": topic, "lang": ("de", "en", "fr")[number % 3]},
        "worse": other,
    }


def changed(record: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The record after the change of the prompt."""
    often, fall = FALL[record["tags"]["topic"]]
    scores = {**record["scores"], "latency": round(record["scores"]["latency"] * draw.uniform(0.98, 1.14), 3)}
    if draw.random() > often:
        return {**record, "scores": {**scores, "latency": record["scores"]["latency"]}}
    quality = min(1, max(0, round(scores["quality"] - draw.gauss(fall, 0.1), 2)))
    scores |= {"quality": quality, "correct": int(quality > 0.45)}
    return {**record, "output": record["worse"], "scores": scores}


def write(folder: Path, prompt: str, records: list[dict[str, Any]]) -> None:
    """Write a run of these answers."""
    identity = Identity(
        project="outdoor-shop",
        suite="support",
        name="nightly",
        params={"model": "small-instruct-2", "prompt": prompt},
        datasets=[Dataset(name="support-questions", digest="sha256:91c3d0", version="4")],
    )
    metrics = {
        "correct": MetricDeclaration(direction="higher", range=(0, 1)),
        "quality": MetricDeclaration(direction="higher", range=(0, 1)),
        "latency": MetricDeclaration(direction="lower", unit="s"),
    }
    with RunWriter(folder, identity=identity, metrics=metrics, slices=["topic", "lang"]) as run:
        for record in records:
            run.append({name: value for name, value in record.items() if name != "worse"})


def view_of_comparison(folder: Path) -> dict[str, Any]:
    """The view of the comparison: two runs are written to the folder and judged by the policy."""
    draw = random.Random(SEED)
    before = [question(number, draw) for number in range(240)]
    after = [changed(record, draw) for record in before if record["id"] != "care-007"]
    write(folder / "baseline", "v7", before)
    write(folder / "current", "v8", after)
    (folder / "gate.toml").write_text(POLICY, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "runstore.cli.main",
        "compare",
        "baseline",
        "current",
        "--format",
        "json:view.json",
    ]
    done = subprocess.run(command, cwd=folder, check=False)
    assert done.returncode == 1, "the comparison of the pictures fails, with exit code 1"
    view: dict[str, Any] = json.loads((folder / "view.json").read_bytes())
    return view


COLORS = {
    "1": "font-weight:600",
    "2": "color:#57606a",
    "31": "color:#a4161a",
    "32": "color:#14622f",
    "33": "color:#7a4a00",
}


def terminal_page(text: str) -> str:
    """What a terminal would show, as a page: colours become spans."""
    made, is_open = [], False
    for place, part in enumerate(re.split(r"\x1b\[([0-9;]*)m", text)):
        if place % 2 == 0:
            made.append(html.escape(part))
            continue
        made.append("</span>" if is_open else "")
        style = ";".join(COLORS[code] for code in part.split(";") if code in COLORS)
        is_open = bool(style)
        made.append(f'<span style="{style}">' if style else "")
    body = "".join(made) + ("</span>" if is_open else "")
    style = "margin:0;padding:16px 20px;font:14px/1.35 'DejaVu Sans Mono',monospace;color:#1b1f24;background:#fff"
    return f'<meta charset="utf-8"><body style="margin:0;width:max-content"><pre style="{style}">{body}</pre>'


def shoot(
    browser: Browser, page_file: Path, name: str, clip: Mapping[str, int], start: str = "", **options: Any
) -> None:
    """A picture of a page: `clip` is width and height; `start` names the element at its top."""
    page = browser.new_page(viewport={"width": clip["width"], "height": clip["height"]}, **options)
    page.goto(page_file.as_uri())
    if start:
        page.locator(start).evaluate("(one) => one.scrollIntoView()")
    page.wait_for_timeout(300)
    page.screenshot(path=HERE / name)
    page.close()


def main(words: list[str]) -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    chromium = parser.parse_args(words).chromium
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        view = view_of_comparison(folder)
        report, terminal = folder / "report.html", folder / "terminal.html"
        report.write_text(reports.load("html").render(view), encoding="utf-8")
        said = reports.load("text").render(view, color=True, width=100)
        terminal.write_text(terminal_page(said), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        shoot(browser, report, "report.png", {"width": 1280, "height": 1500})
        shoot(browser, report, "report-records.png", {"width": 1280, "height": 1000}, "#records")
        shoot(browser, report, "report-phone-dark.png", {"width": 390, "height": 1500}, color_scheme="dark")
        shoot(browser, terminal, "terminal.png", {"width": 890, "height": 734})
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
