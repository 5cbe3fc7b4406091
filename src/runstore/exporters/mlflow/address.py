"""Where an MLflow server is, and who we are there: a target and the environment in, an address and headers out.

A target is `http(s)://HOST[:PORT][/PREFIX][#EXPERIMENT]`. The variables are those that MLflow's own SDK reads:
MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN,
MLFLOW_TRACKING_SERVER_CERT_PATH. A secret is read when a request is made, and stands in no plan.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from runstore.errors import UsageError
from runstore.exporters.contract import Options
from runstore.exporters.http import read_address, travels_open

EXPERIMENT_CHARS = 500
URI = "MLFLOW_TRACKING_URI"
_EXAMPLE = "write --target http://127.0.0.1:5000#EXPERIMENT, or set MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME"
_NO_SERVER = (
    "only a tracking server is written to: start `mlflow server` on that store and name its http:// address, or run "
    "`gate export` where the server can be reached"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A server, without secrets and without `/` at the end, and the name of an experiment there."""

    server: str
    experiment: str

    @property
    def target(self) -> str:
        """Both in one text."""
        return f"{self.server}#{self.experiment}"


def read_place(options: Options, project: str) -> Place:
    """The place that was asked for; the experiment is the project's if nobody names one. Raises UsageError."""
    typed, _, experiment = (options.target or "").partition("#")
    server = _checked(typed, secrets=False) if typed else _checked(options.environment.get(URI, ""), secrets=True)
    experiment = experiment or options.environment.get("MLFLOW_EXPERIMENT_NAME", "") or project
    if len(experiment) > EXPERIMENT_CHARS or not experiment.isprintable() or not experiment.strip():
        raise UsageError(
            f"the experiment's name is not printable, empty, or longer than {EXPERIMENT_CHARS} characters",
            hint="name another one: --target ADDRESS#EXPERIMENT",
        )
    return Place(server=server, experiment=experiment)


def _checked(address: str, *, secrets: bool) -> str:
    if not address:
        raise UsageError("which MLflow server?", hint=_EXAMPLE)
    scheme = address.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        raise UsageError("this is no address of an MLflow server", hint=_NO_SERVER)
    bare = (_bare(address) if secrets else address).rstrip("/")
    read_address(bare)
    return bare


def _bare(address: str) -> str:
    """An address without a name and password in it."""
    try:
        parts = urlsplit(address)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return address  # it is refused where it is read


def headers(server: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The headers that say who asks: name and password before a token, as MLflow's SDK has it; {} for nobody.

    What MLFLOW_TRACKING_URI itself holds goes to that server alone.
    """
    own = environment.get(URI, "")
    parts = urlsplit(own if own and _bare(own).rstrip("/") == server else "")
    user = environment.get("MLFLOW_TRACKING_USERNAME") or unquote(parts.username or "")
    password = environment.get("MLFLOW_TRACKING_PASSWORD") or unquote(parts.password or "")
    if user and password:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    token = environment.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def is_open_secret(server: str, environment: Mapping[str, str]) -> bool:
    """Whether a secret would travel unencrypted to another machine."""
    return travels_open(server) and bool(headers(server, environment))
