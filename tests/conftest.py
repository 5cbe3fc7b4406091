"""What every test may use: hypothesis profiles, and the optional folder of public test data.

Profiles: `default` is quick and draws the same examples every time; `ci` draws more of them, still the same;
`thorough` draws anew on each run, and many. Choose with HYPOTHESIS_PROFILE or `pytest --hypothesis-profile`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# A deadline, or a health check on speed, would judge the machine and not the code.
settings.register_profile(
    "default", max_examples=50, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", parent=settings.get_profile("default"), max_examples=150)
settings.register_profile(
    "thorough", parent=settings.get_profile("default"), max_examples=5000, derandomize=False, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_report_header() -> str:
    return (
        "tests marked slow, system (strace), browser (Chromium) or server (real backends) are left out unless asked"
        " for: .ci/run runs them all"
    )


def data_folder() -> Path:
    """The folder that holds `realdata/` and `conformance/`: RUNSTORE_REALDATA, else `shared` beside the project."""
    return Path(os.environ.get("RUNSTORE_REALDATA") or ROOT.parent / "shared")


def data_part(name: str) -> Path:
    folder = data_folder() / name
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} is not a folder (set RUNSTORE_REALDATA)")
    return folder


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Real evaluation results, by others."""
    return data_part("realdata")


@pytest.fixture(scope="session")
def conformance() -> Path:
    """Public test vectors: RFC 8785, JSONTestSuite, naughty strings."""
    return data_part("conformance")
