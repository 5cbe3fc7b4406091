"""Laws of what is sent to MLflow, for any names, texts and numbers."""

from __future__ import annotations

import json
import posixpath
import re

from hypothesis import given
from hypothesis import strategies as st

from runstore.exporters.mlflow.batches import cut_batches
from runstore.exporters.mlflow.claims import settle
from runstore.exporters.mlflow.figures import METRIC_NAMES
from runstore.exporters.mlflow.model import MlflowPoint
from runstore.exporters.mlflow.planning import PARAM_NAMES, TAG_NAMES
from runstore.exporters.mlflow.rest import encode
from runstore.exporters.mlflow.values import metric_value
from runstore.exporters.names import unescape
from tests.unit.test_export_mlflow_plan import remote

RULES = (PARAM_NAMES, TAG_NAMES, METRIC_NAMES)
NAMES = st.text(
    st.sampled_from("ab_x./ .mlflow\\:@é") | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300
)


def server_takes(name: str) -> bool:
    """MLflow's own rule (mlflow/utils/validation.py), as strict as its oldest and its Windows version."""
    norm = posixpath.normpath(name)
    leads_elsewhere = norm != name or norm == "." or norm.startswith(("..", "/"))
    return re.fullmatch(r"[/A-Za-z0-9_.\- ]{1,250}", name) is not None and not leads_elsewhere


@given(NAMES)
def test_every_name_that_is_sent_is_one_that_the_server_takes(name: str) -> None:
    for rule in RULES:
        sent = rule.name(name)
        assert server_takes(sent), sent
        if server_takes(name) and not name.startswith((" ", "mlflow.", "runstore")) and not name.endswith(" "):
            assert sent == name or "_x" in name


@given(NAMES, NAMES)
def test_no_two_names_become_one_and_short_ones_come_back(one: str, other: str) -> None:
    for rule in RULES:
        assert (rule.name(one) == rule.name(other)) == (one == other)
        if "_xh" not in rule.name(one):
            assert unescape(rule.name(one)) == one


@given(st.floats() | st.integers())
def test_a_number_goes_out_exactly_or_not_at_all(number: float) -> None:
    value = metric_value(number)
    if value is not None:
        body = encode({"value": value})
        assert float(json.loads(body)["value"]) == number
        assert b"NaN" not in body
        assert b"Infinity" not in body


@given(
    st.dictionaries(NAMES, st.text(max_size=50), max_size=250),
    st.dictionaries(NAMES, st.text(max_size=50), max_size=120),
    st.lists(
        st.builds(MlflowPoint, name=st.sampled_from("abc"), step=st.integers(0, 9), value=st.just(0.5)), max_size=40
    ),
    st.integers(1, 3),
)
def test_batches_hold_everything_once_and_no_more_than_is_taken(
    params: dict[str, str], tags: dict[str, str], points: list[MlflowPoint], keys: int
) -> None:
    batches = list(cut_batches(params, tags, points, keys))
    assert [pair for batch in batches for pair in batch.params] == list(params.items())
    assert [pair for batch in batches for pair in batch.tags] == list(tags.items())
    assert [point for batch in batches for point in batch.points] == points
    for batch in batches:
        assert len(batch.params) <= 100 >= len(batch.tags)
        assert len({point.name for point in batch.points}) <= keys
        assert len(batch.body("0" * 32)) <= 1_000_000


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), min_size=6, max_size=6), st.data())
def test_whoever_looks_later_comes_to_the_run_of_who_looked_first(
    made: list[int], delays: list[int], data: st.DataObject
) -> None:
    """Jobs make runs one after another, each looks some time after its own was made; ids are in no order."""
    looked = {at: at + delay for at, delay in enumerate(delays)}
    views = {at: sorted(str(made[other]) for other in range(6) if other <= looks) for at, looks in looked.items()}
    runs = [remote(str(made[at]), " ".join(view)) for at, view in views.items()]
    winner = settle(runs)
    for at, looks in looked.items():  # what each job itself can see: its own view, all of which have written theirs
        seen = [run for other, run in enumerate(runs) if other <= looks]
        assert settle(seen).id == winner.id, at
    assert settle(data.draw(st.permutations(runs))).id == winner.id
