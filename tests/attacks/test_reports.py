"""Group R of the table of attacks, through the command line: what a run holds never becomes markup or a command.

One comparison holds every hostile string in every place that can hold one; each format is written once and read back by
a parser of its own. A harmless comparison of the same shape tells what there may be. `READERS` has a row a format: one
that is added without a row fails.
"""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest
from lxml import etree  # type: ignore[import-untyped]
from markdown_it import MarkdownIt
from tap.parser import Parser  # type: ignore[import-untyped]

from runstore import reports, schema
from runstore.manifest import Dataset, Identity, MetricDeclaration, Provenance
from tests import toml_text
from tests.command_line import Outcome
from tests.conftest import data_folder
from tests.factories import Record, scored, unsynced, write_run
from tests.repositories import gate

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title><title>owned</title>",
    "--><!-- ]]>",
    "\u2028\u2029",
    "::error file=a::owned",
    "\n::error::owned",
    "\r::set-output name=x::y",
    "\n  ::stop-commands::x",
    "##[error]owned",
    "\n##vso[task.complete result=Succeeded]",
    "##TeamCity[buildStatus status='SUCCESS']",
    "\x1b[2J\x1b[31mowned",
    "\x9b31m",
    "\u202eowned\u2066",
    "| a | b |\n|---|---|",
    "```\n# owned\n```",
    "@everyone #1 https://example.com ![x](https://example.com/beacon.png)",
    "<details><summary>x</summary>",
    "[x](javascript:alert(1))",
    "&lt;b&gt;&#60;i&#62;",
    "{{ 7 * 7 }} {% raw %}",
    "=1+1",
    "+1",
    "-1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    'x","=1+1',
    "x;=1+1",
    "\n=1+1",
    "]]></failure></testcase><testcase name='x'/>",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
    "&xxe;",
    "\x00\x01\x0b\x0c\x1f\x7f\ufffe\uffff",
    "../../../etc/passwd",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "\nnot ok 1 - owned\nBail out! # SKIP",
    "# SKIP # TODO",
    "...\n---\n- a",
    "%0A::error::owned",
    "x" * 3000,
]
SUITE_NAMES = [text for text in HOSTILE if "/" not in text and "\x00" not in text and len(text) < 200]


_TOGETHER = 8


def naughty() -> list[str]:
    """The naughty strings, where the test data is."""
    path = data_folder() / "conformance" / "naughty_strings.json"
    return [text for text in json.loads(path.read_text(encoding="utf-8")) if text] if path.exists() else []


def several() -> list[str]:
    """Break-outs, each by itself, and the naughty strings, some together."""
    found = naughty()
    return [*HOSTILE, *("\n".join(found[start : start + _TOGETHER]) for start in range(0, len(found), _TOGETHER))]


def each() -> list[str]:
    """Break-outs and naughty strings, each by itself."""
    return list(dict.fromkeys([*HOSTILE, *naughty()]))


def harmless(words: list[str]) -> list[str]:
    """As many words of no meaning."""
    return [f"word{number:03d}" for number in range(len(words))]


def two_runs(folder: Path, words: list[str]) -> None:
    """Two runs and a policy, with a word in every place that can hold one; every record and metric gets worse."""
    metrics = {text: MetricDeclaration(direction="higher", unit=text) for text in words}
    tag = words[0]
    for side, score in (("baseline", 1), ("current", 0.25)):
        records: list[Record] = [
            {
                "id": text,
                "input": text,
                "metadata": {text: {text: [text, score]}},
                "output": {text: text + side},
                "scores": {text: score},
                "tags": {tag: text, text: text},
                "target": [text],
            }
            for text in words
        ]
        failed: Record = {
            "id": f"{words[1]} failed",
            "status": "error" if side == "current" else "ok",
            "reason": {"message": words[2], "type": words[1]},
        }
        identity = Identity(
            project=words[0], suite=words[1], name=words[2], params={words[1]: words[2]},
            datasets=[Dataset(name=words[1], digest=words[2])],
        )  # fmt: skip
        with unsynced():
            write_run(
                folder / side, [*records, failed, scored(f"{side} {words[2]}", score)],
                metrics | {"acc": MetricDeclaration()}, identity=identity, slices=[tag],
                provenance=Provenance(commit=words[6]), notes=words[0], tags={"x": words[2]},
            )  # fmt: skip
    terms = {"owner": words[1], "reason": words[2], "expires": date(2030, 1, 1)}
    waivers = [
        {"metric": text, "ceiling": 0.9 if number % 2 else 0.1, "issue": f"#{text}", **terms}
        for number, text in enumerate(words[:20])
    ]
    slices = [{"where": {tag: text}, "max_drop": 0} for text in words[:20]]
    document = {"metrics": {"*": {"max_drop": 0.1}}, "slices": slices, "waivers": waivers}
    (folder / "gate.toml").write_text(toml_text.dump(document)[0], encoding="utf-8", newline="")


def written(folder: Path, words: list[str]) -> dict[str, str]:
    """Format → the report of a comparison that fails, as it was written to a file."""
    two_runs(folder, words)
    asked = [word for form in reports.FORMATS for word in ("--format", f"{form}:{form}.out")]
    outcome = gate(folder, "compare", "baseline", "current", "--limit", "1000", "--today", "2029-06-01", *asked)
    assert (outcome.code, outcome.out) == (1, ""), outcome.err
    return {form: (folder / f"{form}.out").read_bytes().decode() for form in reports.FORMATS}


@pytest.fixture(scope="module", params=[several, pytest.param(each, marks=pytest.mark.slow)])
def words(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param()
    return found


@pytest.fixture(scope="module")
def hostile_reports(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return written(tmp_path_factory.mktemp("hostile"), words)


@pytest.fixture(scope="module")
def harmless_reports(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return written(tmp_path_factory.mktemp("harmless"), harmless(words))


# What each format is read back with


class Elements:
    """What a page is made of, as a browser would build it."""

    def __init__(self, page: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what cannot be XML is not asked here
            self.tree = html5lib.parse(page, treebuilder="lxml", namespaceHTMLElements=False)
        self.all = [one for one in self.tree.iter() if isinstance(one.tag, str)]
        self.counts = Counter(one.tag for one in self.all)
        self.attributes = {(one.tag, name) for one in self.all for name in one.attrib}
        self.comments = [one.text for one in self.tree.iter(etree.Comment)]

    def texts(self, tag: str) -> list[str]:
        return ["".join(one.itertext()) for one in self.all if one.tag == tag]

    def links(self) -> set[str]:
        """What could be fetched or followed."""
        names = ("href", "src", "srcset", "action", "formaction", "data", "poster", "background", "xlink:href")
        return {value for one in self.all for name, value in one.attrib.items() if name in names}


@cache  # what a browser does takes its time
def read_html(page: str) -> Elements:
    found = Elements(page)
    assert found.links() == {link for link in found.links() if link.startswith("#")}
    assert not [name for _, name in found.attributes if name.startswith("on") or name == "style"]
    return found


RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def read_markdown(page: str) -> Elements:
    found = Elements(RENDERER.render(page))
    assert not found.links()
    return found


def read_json(page: str) -> Any:
    value = json.loads(page)
    assert list(schema.validate("comparison", value)) == []
    return value


def read_xml(page: str) -> Any:
    """Strict: no entity of a document's own, no network, no recovery."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=False)
    tree = etree.fromstring(page.encode(), parser)
    assert tree.getroottree().docinfo.internalDTD is None
    return tree


def read_csv(page: str) -> list[list[str]]:
    rows = list(csv.reader(io.StringIO(page, newline=""), strict=True))
    assert {len(row) for row in rows} == {len(rows[0])}
    return rows


def read_tap(page: str) -> list[Any]:
    """The test points. A line that the parser does not know fails; the YAML below a point is indented."""
    found = list(Parser().parse_text("".join(re.findall("(?m)^(?!  ).*\n", page))))
    assert {line.category for line in found} <= {"version", "plan", "test"}, {line.category for line in found}
    points = [line for line in found if line.category == "test"]
    assert [plan.expected_tests for plan in found if plan.category == "plan"] == [len(points)]
    return points


def read_github(page: str) -> list[tuple[str, str, str]]:
    """(Command, title, message) of each line, decoded as the runner does it."""
    found = []
    for line in page.removesuffix("\n").split("\n"):
        match = re.fullmatch(r"::(error|warning|notice) title=([^,:\r]*)::([^\r]*)", line)
        assert match, line
        found.append((match[1], match[2], match[3]))
    assert len(found) <= 10
    return found


def read_text(page: str) -> list[str]:
    assert hidden(page) == {"\n"}
    return page.split("\n")


READERS: dict[str, Callable[[str], Any]] = {
    "text": read_text,
    "json": read_json,
    "markdown": read_markdown,
    "html": read_html,
    "github": read_github,
    "junit": read_xml,
    "sarif": json.loads,
    "gitlab": json.loads,
    "csv": read_csv,
    "tap": read_tap,
}


def hidden(page: str) -> set[str]:
    """The control characters, and those that hide or reorder text."""
    return set(re.findall("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]", page))


def test_every_format_has_a_reader() -> None:
    assert list(READERS) == list(reports.FORMATS)


@pytest.mark.parametrize("form", READERS)
def test_R1_every_format_with_every_naughty_string_in_every_field_is_read_back(
    form: str, hostile_reports: dict[str, str]
) -> None:
    assert READERS[form](hostile_reports[form]) is not None


def test_R1_no_text_becomes_an_element_of_the_html_report(
    hostile_reports: dict[str, str], harmless_reports: dict[str, str]
) -> None:
    found, known = read_html(hostile_reports["html"]), read_html(harmless_reports["html"])
    assert found.attributes <= known.attributes
    assert found.comments == known.comments
    of_data = {"bdi", "ins", "del", "em", "b", "span", "mark", "code", "pre", "br", "wbr"}  # as many as words differ
    drawn = {tag for tag in known.counts if tag.startswith("{http://www.w3.org/2000/svg}")}  # as many as marks
    for tag in (found.counts | known.counts).keys() - of_data - drawn:
        assert found.counts[tag] == known.counts[tag], tag
    assert found.counts.keys() <= known.counts.keys() | of_data
    assert found.tree.findtext("head/title") == known.tree.findtext("head/title")
    assert "{{ 7 * 7 }}" in hostile_reports["html"]


def policy_of(page: str) -> dict[str, list[str]]:
    """Directive → sources of the page's content security policy, which stands before anything it could miss."""
    head = page.partition("<title")[0]
    match = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', head)
    assert match, head
    parts = [part.split() for part in match[1].replace("&#39;", "'").split(";")]
    return {name: sources for name, *sources in parts}


def test_R2_the_html_report_forbids_everything_it_does_not_need(hostile_reports: dict[str, str]) -> None:
    page = hostile_reports["html"]
    policy = policy_of(page)
    assert policy["default-src"] == ["'none'"]
    assert {"base-uri", "form-action"} <= policy.keys()
    assert policy["base-uri"] == policy["form-action"] == ["'none'"]
    for name, sources in policy.items():
        allowed = r"'none'|'sha256-[A-Za-z0-9+/]{43}='" + (r"|data:" if name == "img-src" else "")
        assert all(re.fullmatch(allowed, source) for source in sources), (name, sources)
    assert not {"\u2028", "\u2029"} & set(page)


def test_R2_data_in_a_script_element_ends_no_element_and_opens_no_comment(
    hostile_reports: dict[str, str], harmless_reports: dict[str, str]
) -> None:
    scripts = read_html(hostile_reports["html"]).texts("script")
    assert len(scripts) == len(read_html(harmless_reports["html"]).texts("script"))
    ours = set(read_html(harmless_reports["html"]).texts("script"))
    for text in scripts:
        if text not in ours:  # data, then
            assert not re.search("[<>&\u2028\u2029]", text)


def test_R3_no_text_becomes_markup_of_the_markdown_report(
    hostile_reports: dict[str, str], harmless_reports: dict[str, str]
) -> None:
    page = hostile_reports["markdown"]
    found, known = read_markdown(page), read_markdown(harmless_reports["markdown"])
    assert len(page) <= 65_536
    assert found.counts.keys() <= known.counts.keys() | {
        "code",
        "ins",
        "del",
        "em",
        "strong",
        "p",
        "details",
        "summary",
    }
    assert not {"a", "img", "script", "iframe", "style", "svg", "input", "form", "h6"} & found.counts.keys()
    assert found.attributes <= known.attributes
    for table in (one for one in found.all if one.tag == "table"):
        assert len({len(row) for row in table.iter("tr")}) == 1
    outside = "".join(plain(found.tree))
    assert "@everyone" not in outside
    assert "https://" not in outside


def plain(tree: Any) -> Iterator[str]:
    """The text of a page that stands in no code, which is where GitHub looks for mentions and links."""
    for one in tree.iter():
        if isinstance(one.tag, str) and not [up for up in (one, *one.iterancestors()) if up.tag in ("code", "pre")]:
            yield one.text or ""
        if not [up for up in one.iterancestors() if up.tag in ("code", "pre")]:
            yield one.tail or ""


COMMAND = re.compile(r"^\s*(::|##\[|##vso\[)|##(\[|vso\[|teamcity\[)", re.IGNORECASE)
# What one program or another takes for the end of a line.
LINE_END = "[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"


@pytest.mark.parametrize("form", [form for form in READERS if form != "github"])
def test_R4_no_line_of_a_report_is_a_command(form: str, hostile_reports: dict[str, str]) -> None:
    assert not [line for line in re.split(LINE_END, hostile_reports[form]) if COMMAND.search(line)]


@pytest.mark.parametrize("form", READERS)
def test_R4_no_report_holds_what_a_terminal_obeys(form: str, hostile_reports: dict[str, str]) -> None:
    steering = {"\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}
    allowed = {"json": {"\n", *map(chr, range(0x7F, 0x10000))}, "html": {"\n", "\t"}}.get(form, {"\n"})
    assert {one for one in hidden(hostile_reports[form]) if ord(one) < 0xA0 or one in steering} <= allowed


def test_R4_the_github_report_has_no_command_but_its_own(hostile_reports: dict[str, str]) -> None:
    found = read_github(hostile_reports["github"])
    assert found[0][:2] == ("error", "gate%3A FAIL")
    assert all("\u2028" not in part and "##[" not in part for line in found for part in line)


@pytest.mark.parametrize("form", ["text", "markdown", "json", "csv", "tap", "junit"])
def test_R4_what_goes_to_the_terminal_is_what_goes_to_the_file(form: str, tmp_path: Path) -> None:
    two_runs(tmp_path, HOSTILE)
    shown = gate(tmp_path, "compare", "baseline", "current", "--today", "2029-06-01", "--format", form)
    assert shown.code == 1
    assert not [line for line in re.split(LINE_END, shown.out) if COMMAND.search(line)]
    assert "\x1b" not in shown.out


def test_R4_no_line_of_an_error_message_is_a_command(tmp_path: Path) -> None:
    lines = [json.dumps({"id": text, "acc": "N/A"}) for text in HOSTILE for _ in range(2)]
    (tmp_path / "r.jsonl").write_text("\n".join(lines) + "\n")
    outcome = gate(tmp_path, "import", "r.jsonl", "--id", "id", "--score", "acc", "-o", "run")
    assert outcome.code == 3
    for line in outcome.err.splitlines():
        assert not COMMAND.match(line), line
    assert "\x1b" not in outcome.err


def test_R4_no_line_about_a_saved_comparison_is_a_command(tmp_path: Path) -> None:
    name = "\n::error::owned"
    for text in HOSTILE[5:14]:
        (tmp_path / name).write_text(json.dumps({"format": text, "verdict": text, "findings": text}, indent=2) + "\n")
        outcome = gate(tmp_path, "report", name)
        assert (outcome.code, outcome.out) == (3, "")
        assert not any(COMMAND.match(line) for line in outcome.err.splitlines()[1:])
        assert "\x1b" not in outcome.err


def test_R4_the_names_of_folders_are_no_commands_either(tmp_path: Path) -> None:
    with unsynced():
        for name in SUITE_NAMES:
            write_run(tmp_path / "baseline" / f"{name}~", [scored("a")])
            write_run(tmp_path / "current" / f"{name}~", [scored("a", 0)])
        write_run(tmp_path / "baseline" / "gone\n::error::owned", [scored("a")])
        write_run(tmp_path / "current" / "new\n::error::owned", [scored("a")])
        broken = write_run(tmp_path / "current" / "broken\n::error::owned", [scored("a")])
        write_run(tmp_path / "baseline" / "broken\n::error::owned", [scored("a")])
    (broken / "summary.json").unlink()
    asked = [word for form in reports.FORMATS for word in ("--format", f"{form}:{form}.out")]
    assert gate(tmp_path, "compare", "baseline", "current", *asked).code == 3
    for form, read in READERS.items():
        page = (tmp_path / f"{form}.out").read_text(encoding="utf-8")
        assert read(page) is not None
        if form != "github":
            assert not [line for line in re.split(LINE_END, page) if COMMAND.search(line)]
    outcome = gate(tmp_path, "compare", "baseline", "x\n::error::owned")
    assert outcome.code == 2
    assert not any(COMMAND.match(line) for line in outcome.err.splitlines())


NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def test_R6_no_cell_of_the_csv_report_is_a_formula(hostile_reports: dict[str, str], words: list[str]) -> None:
    """Nor is one of those that a program cuts out which separates at semicolons or tabs, or ends a cell at a quote."""
    page = hostile_reports["csv"]
    rows = read_csv(page)
    assert len(rows) > len(words)
    cut = [cell for row in rows for whole in row for cell in [whole, *re.split('[,;\t"|\r\n]', whole)]]
    formulas = [cell for cell in cut if re.match(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]", cell)]
    assert [cell for cell in formulas if not NUMBER.fullmatch(cell)] == []
    assert any(NUMBER.fullmatch(cell) and cell.startswith("-") for cell in formulas)  # a drop stays a number
    for delimiter in ";\t":
        for row in csv.reader(io.StringIO(page, newline=""), delimiter=delimiter):
            assert not [cell for cell in row if re.match(r"[=+@\t\r]", cell)]


def test_R8_the_junit_report_is_xml_whose_cases_are_ours(
    hostile_reports: dict[str, str], harmless_reports: dict[str, str]
) -> None:
    found, known = read_xml(hostile_reports["junit"]), read_xml(harmless_reports["junit"])
    for path in ("//testsuite", "//testcase", "//failure", "//error", "//skipped", "//properties"):
        assert len(found.xpath(path)) == len(known.xpath(path)), path
    assert {one.tag for one in found.iter()} == {one.tag for one in known.iter()}
    assert {name for one in found.iter() for name in one.attrib} == {
        name for one in known.iter() for name in one.attrib
    }
    told = "".join(found.itertext()) + "".join(value for one in found.iter() for value in one.attrib.values())
    assert "]]></failure></testcase>" in told
    assert "root:" not in told


def test_R8_the_sarif_report_names_our_rules_and_no_place_outside(hostile_reports: dict[str, str]) -> None:
    [run] = json.loads(hostile_reports["sarif"])["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert run["results"]
    assert {result["ruleId"] for result in run["results"]} <= set(rules)
    for place in re.findall(r'"uri": "([^"]*)"', hostile_reports["sarif"]):
        assert re.fullmatch(r"https://[\w./#-]+|[A-Za-z0-9_.~%/-]+", place), place
        assert not place.startswith("/")
        assert ".." not in place.split("/")


def test_R8_the_gitlab_report_names_no_place_outside(hostile_reports: dict[str, str]) -> None:
    issues = json.loads(hostile_reports["gitlab"])
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    for issue in issues:
        assert not issue["location"]["path"].startswith("/")
        assert ".." not in issue["location"]["path"].split("/")


MARKERS = {
    "HOME": "/home/marker-home",
    "USER": "marker-user",
    "LOGNAME": "marker-logname",
    "HOSTNAME": "marker-hostname",
    "SECRET_TOKEN": "marker-token",
    "GITHUB_TOKEN": "marker-github",
    "GITHUB_WORKSPACE": "/marker-workspace",
    "CI_JOB_TOKEN": "marker-job",
}


def assert_tells_nothing_of_the_machine(outcome: Outcome, folder: Path) -> None:
    for path in sorted(folder.glob("*.out")):
        for known in ("marker", str(folder), folder.name):
            assert known not in path.read_text(encoding="utf-8"), (path.name, known)
    assert "marker" not in outcome.out


@pytest.mark.parametrize("typed", ["relative", "absolute"])
def test_R9_no_report_names_a_folder_of_the_machine_its_host_its_user_or_a_variable(tmp_path: Path, typed: str) -> None:
    folder = tmp_path / "marker-folder"
    folder.mkdir()
    env = {**MARKERS, "RUNSTORE_CACHE_DIR": str(tmp_path / "cache")}
    name = partial(folder.joinpath) if typed == "absolute" else partial(Path)
    write_run(folder / "pinned", [scored("a"), scored("b")])
    write_run(folder / "baseline", [scored("a"), scored("b")])
    write_run(folder / "current", [scored("a"), scored("b", 0)])
    write_run(folder / "invalid", [scored("a"), scored("b")])
    (folder / "invalid" / "summary.json").unlink()
    for side in ("baseline", "current"):
        write_run(folder / "suites" / side / "x", [scored("a", 1 if side == "baseline" else 0)])
        write_run(folder / "suites" / side / "y", [scored("a")])
    (folder / "suites/current/y/summary.json").unlink()
    policy = "[metrics.acc]\nmax_drop = 0\n[reference]\npath = 'pinned'\n[reference.metrics.acc]\nmax_drop = 0\n"
    (folder / "gate.toml").write_text(policy)
    (folder / "other.toml").write_text("[metrics.acc]\nmax_drop = 0\n")
    asked = [word for form in reports.FORMATS for word in ("--format", f"{form}:{form}.out")]
    calls: list[tuple[int, list[str | Path]]] = [
        (1, ["compare", name("baseline"), name("current"), "-c", name("gate.toml")]),
        (3, ["compare", name("baseline"), name("invalid"), "-c", name("gate.toml")]),
        (3, ["compare", name("suites", "baseline"), name("suites", "current"), "-c", name("other.toml")]),
    ]
    for code, words in calls:
        outcome = gate(folder, *words, *asked, env=env)
        assert outcome.code == code, outcome.err
        assert_tells_nothing_of_the_machine(outcome, folder)
        outcome = gate(folder, *words, "--explain", env=env)
        assert outcome.code == code
        assert_tells_nothing_of_the_machine(outcome, folder)
    (folder / "json.out").rename(folder / "saved.json")
    outcome = gate(folder, "report", name("saved.json"), *asked, env=env)
    assert outcome.code == 3
    assert_tells_nothing_of_the_machine(outcome, folder)


def test_R9_a_report_without_records_shows_no_text_of_a_record(tmp_path: Path) -> None:
    secret = "sk-marker-0000"
    write_run(tmp_path / "baseline", [scored("a", input=secret, output=secret, metadata={"k": secret})])
    write_run(tmp_path / "current", [scored("a", 0, input=secret, output=f"{secret}!", metadata={"k": secret})])
    asked = [word for form in reports.FORMATS for word in ("--format", f"{form}:{form}.out")]
    assert gate(tmp_path, "compare", "baseline", "current", "--limit", "0", *asked).code == 1
    for form in reports.FORMATS:
        assert secret not in (tmp_path / f"{form}.out").read_text(encoding="utf-8")
