"""A real browser for the tests of the page: headless Chromium, watched for everything a page must not do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.browser import pages

Page = Any
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_PLACES = ("chromium", "chromium-browser", "google-chrome")
# Told to the page before anything of it runs: what the policy of the page stopped.
_LISTEN = """
window.stopped = [];
document.addEventListener("securitypolicyviolation", (event) => window.stopped.push(event.violatedDirective));
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A page, and what it did that it must not."""

    page: Page
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Nothing was asked for but the file itself, nothing was said, nothing had to be stopped."""
        assert len(self.requests) <= 1, self.requests
        assert self.said == []
        if self.page.evaluate("typeof window.stopped") == "object":
            assert self.page.evaluate("window.stopped") == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; the tests skip where it, or playwright, is not installed."""
    place = os.environ.get("RUNSTORE_CHROMIUM") or next(filter(None, map(shutil.which, _PLACES)), None)
    if place is None:
        pytest.skip("no Chromium (set RUNSTORE_CHROMIUM)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=place, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


Opener = Callable[..., Watched]


def _dismissed(dialog: Any, found: Watched) -> None:
    found.said.append(dialog.message)
    dialog.dismiss()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Opener]:
    """Opens the page of a view: `opened(view, "#class=improved", color_scheme="dark")`."""
    watched: list[Watched] = []

    def open_page(view: pages.View, fragment: str = "", **options: Any) -> Watched:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.add_init_script(_LISTEN)
        found = Watched(context.new_page())
        watched.append(found)
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("dialog", lambda dialog: _dismissed(dialog, found))
        found.page.goto(pages.written(tmp_path, view) + fragment)
        return found

    yield open_page
    for found in watched:
        found.page.context.close()


@pytest.fixture(scope="session")
def script(browser: Any) -> Iterator[Callable[[str, Any], Any]]:
    """What an expression is, with the parts of the page's script: `script("words.visible(value)", "text")`."""
    templates = resources.files("runstore.reports").joinpath("templates")
    source = "".join(templates.joinpath(name).read_text(encoding="utf-8") for name in ("words.js", "address.js"))
    page = browser.new_page()
    yield lambda expression, value: page.evaluate(f"(value) => {{ {source}; return {expression}; }}", value)
    page.close()
