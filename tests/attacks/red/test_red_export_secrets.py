"""Servers that say again what they were sent, and secrets in addresses: no message, plan or ledger tells them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.command_line import Outcome
from tests.export_places import first_of, opened
from tests.factories import passing, write_run
from tests.mlflow_servers import SmallMlflow, _serving
from tests.repositories import gate
from tests.wandb_server import KEY

SECRET = "s3cret-Sesame+8/="


class _Echo(BaseHTTPRequestHandler):
    """Answers each request with what it was sent, as a proxy may that wants to help."""

    disable_nagle_algorithm = True
    status = 403

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
        """Say nothing."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = f"{self.command} {self.path} refused; you sent:\n{self.headers}"
        key = self.headers.get("Authorization", "").rpartition(" ")[2]
        answers = {400: {"error_code": key, "message": told}, 200: {"errors": [{"message": told}]}}
        data = json.dumps(answers[self.status]).encode() if self.status in answers else told.encode()
        self.send_response(self.status, key if self.status == 407 else None)
        self.send_header("Location", f"https://{key.lower()}.example/?token={key}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:  # the name that the library looks for
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_CONNECT(self) -> None:
        self._answer()


@contextmanager
def echoing(status: int) -> Iterator[str]:
    """Host and port of a server that answers so."""
    handler = type("Handler", (_Echo,), {"status": status})
    with _serving(handler, None) as address:
        yield address.removeprefix("http://")


def forms_of(secret: str) -> list[str]:
    """A secret as it could stand in a text."""
    pairs = (secret, f"ann:{secret}", f"api:{secret}")
    return [
        secret,
        secret.lower(),
        quote(secret),
        quote(secret, safe=""),
        *(b64encode(one.encode()).decode() for one in pairs),
    ]


def assert_untold(done: Outcome, folder: Path, *secrets: str) -> None:
    kept = b"".join(file.read_bytes() for file in folder.rglob("*.json") if "runs" not in file.parts).decode()
    for form in (form for secret in secrets for form in forms_of(secret)):
        assert form not in done.out + done.err
        assert form not in kept


_WAYS: dict[str, Callable[[str], tuple[list[str], dict[str, str]]]] = {
    "mlflow token": lambda at: (["mlflow", "--target", f"http://{at}"], {"MLFLOW_TRACKING_TOKEN": SECRET}),
    "mlflow password": lambda at: (
        ["mlflow", "--target", f"http://{at}"],
        {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": SECRET},
    ),
    "mlflow address": lambda at: (["mlflow"], {"MLFLOW_TRACKING_URI": f"http://ann:s3cret-Sesame%2B8%2F=@{at}"}),
    "wandb key": lambda at: (["wandb", "--target", f"http://{at}/ann/p"], {"WANDB_API_KEY": SECRET}),
    "wandb upload": lambda at: (["wandb"], {"WANDB_API_KEY": SECRET, "WANDB_BASE_URL": f"http://{at}"}),
    "http proxy": lambda at: (
        ["mlflow", "--target", "http://mlflow.example"],
        {"http_proxy": f"http://ann:s3cret-Sesame%2B8%2F=@{at}", "MLFLOW_TRACKING_TOKEN": SECRET},
    ),
    "https proxy": lambda at: (
        ["wandb", "--target", "https://wandb.example/ann/p"],
        {"https_proxy": f"http://ann:s3cret-Sesame%2B8%2F=@{at}", "WANDB_API_KEY": SECRET},
    ),
}


@pytest.mark.parametrize("status", first_of([200, 302, 400, 401, 403, 407, 503], 200, 302, 403))
@pytest.mark.parametrize("way", sorted(_WAYS))
def test_a_server_that_says_again_what_it_was_sent_makes_no_message_tell_a_secret(
    tmp_path: Path, way: str, status: int
) -> None:
    write_run(tmp_path / "runs/a", passing(2))
    with echoing(status) as at:
        words, env = _WAYS[way](at)
        flags = ("--timeout", "0.4", "--format", "json")
        done = gate(tmp_path, "export", "runs/a", "--to", *words, *flags, env=env)
    assert done.code == 74, done.text
    assert_untold(done, tmp_path, SECRET)


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["wandb", "--target", f"https://ann:{SECRET}@h/ann/p"], {}),
        (["wandb", "--target", f"ann:{SECRET}@h/ann/p"], {}),
        (["wandb", "--target", f"ann/{SECRET}?"], {}),
        (["wandb", "--target", "ann/p"], {"WANDB_BASE_URL": f"https://ann:{SECRET}@h"}),
        (["wandb", "--target", "ann/p"], {"WANDB_BASE_URL": f"https://h?key={SECRET}"}),
        (["wandb", "--target", f"https://h/ann/p?key={SECRET}"], {}),
        (["wandb", "--target", "https://["], {}),
        (["mlflow", "--target", f"https://ann:{SECRET}@h"], {}),
        (["mlflow", "--target", f"https://h?key={SECRET}"], {}),
        (["mlflow"], {"MLFLOW_TRACKING_URI": f"https://h/?key={SECRET}"}),
        (["mlflow"], {"MLFLOW_TRACKING_URI": f"sqlite://ann:{SECRET}@h"}),
    ],
)
def test_a_secret_in_an_address_is_refused_before_a_plan_could_show_it(
    tmp_path: Path, words: list[str], env: dict[str, str]
) -> None:
    write_run(tmp_path / "runs/a", passing(2))
    for flag in ("--dry-run", "--verify"):
        done = gate(tmp_path, "export", "runs/a", "--to", *words, flag, env={"WANDB_API_KEY": KEY, **env})
        assert done.code == 2, done.text
        assert_untold(done, tmp_path, SECRET)


def test_a_secret_that_a_server_gives_as_the_name_of_a_run_is_neither_shown_nor_kept(tmp_path: Path) -> None:
    write_run(tmp_path / "runs/a", passing(2))
    env = {"MLFLOW_TRACKING_TOKEN": SECRET}
    with opened("mlflow", tmp_path) as place:
        app: SmallMlflow = place.state
        app.experiments["e"] = SECRET
        done = gate(tmp_path, "export", "runs/a", *place.words, "--verify", env=env)
        assert done.code == 0, done.text
        (run,) = app.living()
        run["params"]["x"] = f"Bearer {SECRET}"
        again = gate(tmp_path, "export", "runs/a", *place.words, "--verify", env=env)
    assert again.code == 1
    assert "[hidden]" in again.out
    for one in (done, again):
        assert_untold(one, tmp_path, SECRET)
