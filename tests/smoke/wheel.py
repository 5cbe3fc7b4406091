"""Tries the installed package, and nothing but it: run by the Python of an environment that holds only the wheel.

    python -I wheel.py EXAMPLE

EXAMPLE is a folder with the runs `baseline` and `current`, which the gate fails. Needs the standard library alone;
stops at the first thing that does not hold, exit 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions, version
from importlib.resources import files
from pathlib import Path

SCHEMAS = {"comparison", "manifest", "point", "record", "summary"}
TEST_ONLY = {"deepdiff", "hypothesis", "mypy", "pytest", "rfc8785", "ruff"}


def check(what: str, *, got: object, expected: object) -> None:
    if got != expected:
        sys.exit(f"smoke: {what}: expected {expected!r}, got {got!r}")
    print(f"smoke: {what}: ok")


def gate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("gate")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    if "Traceback" in done.stderr:
        sys.exit(f"smoke: {' '.join(command)}: a traceback\n{done.stderr}")
    return done


def check_package() -> None:
    installed = {name.lower() for found in distributions() if (name := found.metadata["Name"])}
    check("no test dependency is installed", got=sorted(installed & TEST_ONLY), expected=[])
    folder = files("runstore") / "schemas" / "v1"
    schemas = {item.name: json.loads(item.read_text(encoding="utf-8")) for item in folder.iterdir()}
    check("the schemas are in the wheel", got=SCHEMAS - {name.split(".")[0] for name in schemas}, expected=set())
    drafts = {schema["$schema"] for schema in schemas.values()}
    check("the schemas are 2020-12", got=drafts, expected={"https://json-schema.org/draft/2020-12/schema"})
    check("the package is typed", got=(files("runstore") / "py.typed").is_file(), expected=True)


def check_commands(example: Path) -> None:
    baseline, current = str(example / "baseline"), str(example / "current")
    told = gate("--version")
    check("gate --version exits 0", got=told.returncode, expected=0)
    check("gate --version tells the version", got=version("runstore") in told.stdout, expected=True)
    check("gate validate exits 0", got=gate("validate", baseline, current).returncode, expected=0)
    check("gate compare of a run with itself exits 0", got=gate("compare", baseline, baseline).returncode, expected=0)
    failed = gate("compare", baseline, current, "--format", "json")
    check("gate compare exits 1", got=failed.returncode, expected=1)
    check("its verdict is FAIL", got=json.loads(failed.stdout)["verdict"], expected="FAIL")
    check("a missing path exits 2", got=gate("compare", baseline, str(example / "absent")).returncode, expected=2)
    for form in ("text", "markdown", "html"):
        told = gate("compare", baseline, current, "--format", form)
        check(f"the {form} report is written", got=(told.returncode, bool(told.stdout)), expected=(1, True))


if __name__ == "__main__":
    check_package()
    check_commands(Path(sys.argv[1]).resolve())
