"""Laws of determinism: the same facts give the same bytes, whatever the order, the place, the clock and the locale."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runstore.manifest import Dataset, Identity
from tests.command_line import environment, gate
from tests.factories import Record, files_of, scored, unsynced, write_run
from tests.strategies import METRICS, runs

_POINTS = [("loss", 3, 0), ("loss", 2.5, 1), ("loss", 2, None), ("free", 1, 10), ("free", 1, 9)]


@given(runs(), st.data())
def test_any_order_of_writing_gives_the_same_bytes(records: list[Record], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(records))
    points = data.draw(st.permutations(_POINTS))
    with tempfile.TemporaryDirectory() as folder, unsynced():
        one = write_run(Path(folder) / "one", records, METRICS, points=_POINTS, slices=("lang", "hard"))
        two = write_run(
            Path(folder) / "two",
            shuffled,
            dict(reversed(METRICS.items())),
            points=points,
            slices=("hard", "lang", "hard"),
        )
        assert files_of(one) == files_of(two)


@given(runs())
def test_what_was_read_and_written_again_is_the_same(records: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as folder, unsynced():
        one = write_run(Path(folder) / "one", records, METRICS)
        with_other_order = [dict(reversed(record.items())) for record in records]
        assert files_of(write_run(Path(folder) / "two", with_other_order, METRICS)) == files_of(one)


def test_identities_that_say_the_same_have_one_run_id() -> None:
    datasets = [Dataset(name="b", digest="2"), Dataset(name="a", digest="1")]
    one = Identity(params={"x": 1, "y": 2}, datasets=datasets)
    two = Identity(params={"y": 2.0, "x": 1.0}, datasets=datasets[::-1])
    assert one.run_id == two.run_id
    assert one.run_id != Identity(params={"x": 1, "y": 3}, datasets=datasets).run_id


def test_reports_do_not_depend_on_hash_seed_time_zone_locale_or_folder(tmp_path: Path) -> None:
    records = [scored(f"r{number}", tags={"lang": ("de", "fr")[number % 2]}) for number in range(20)]
    changed = [{**record, "scores": {"acc": 0}} if number % 3 else record for number, record in enumerate(records)]
    seen = []
    settings = (
        ("one", {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"}),
        ("two/deeper", {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"}),
    )
    for place, env in settings:
        folder = tmp_path / place
        folder.mkdir(parents=True)
        write_run(folder / "baseline", records, slices=("lang",))
        write_run(folder / "current", changed[::-1], slices=("lang",))
        words = [word for name in ("text", "json", "markdown", "html") for word in ("--format", f"{name}:{name}.out")]
        assert gate(folder, "compare", "baseline", "current", *words, env=env).code == 1
        seen.append(files_of(folder))
    assert {path: data for path, data in seen[0].items() if ".cache" not in path} == {
        path: data for path, data in seen[1].items() if ".cache" not in path
    }


def test_a_run_written_under_another_hash_seed_has_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import sys; from runstore import RunWriter, MetricDeclaration as M\n"
        "names = {f'm{n}' for n in range(20)}\n"
        "metrics, tags = {n: M() for n in names}, {n: n for n in names}\n"
        "with RunWriter(sys.argv[1], metrics=metrics, slices=list(names), tags=tags) as w:\n"
        "    w.append({'id': 'a', 'scores': {n: 1 for n in names}, 'tags': {n: 'x' for n in names}})\n"
    )
    found = []
    for seed in ("1", "2"):
        env = {**environment(tmp_path), "PYTHONHASHSEED": seed}
        place = tmp_path / seed
        subprocess.run([sys.executable, "-c", program, os.fspath(place)], env=env, check=True)
        found.append(files_of(place))
    assert found[0] == found[1]
