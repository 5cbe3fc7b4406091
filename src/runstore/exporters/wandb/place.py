"""Where a W&B run goes: what a person wrote and the environment in, a folder or a server's entity and project out.

`--target` may be `PROJECT`, `ENTITY/PROJECT`, `https://HOST/ENTITY/PROJECT`, or a folder: what begins with `.`, `/` or
`~`, or ends with `/`, is one. Without it the variables of W&B's own client count: WANDB_MODE (`offline`), WANDB_DIR,
WANDB_BASE_URL, WANDB_ENTITY, WANDB_PROJECT. The project is that of the run where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from runstore.errors import UsageError
from runstore.exporters.http import read_address
from runstore.exporters.names import escape

CLOUD = "https://api.wandb.ai"
_CLOUD_PAGES = "https://wandb.ai"
_FORBIDDEN = frozenset("/\\#?%:")
_LONGEST = 128
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A folder, or a server; `entity` is empty for the one that the key belongs to."""

    project: str
    entity: str = ""
    folder: str | None = None
    base: str = CLOUD

    @property
    def target(self) -> str:
        """How a plan names it."""
        if self.folder is not None:
            return f"{self.folder} (offline, project {self.project})"
        return f"{self.base} {self.entity or '(default entity)'}/{self.project}"

    def page(self, entity: str, key: str) -> str:
        """Where a person looks at a run."""
        pages = _CLOUD_PAGES if self.base == CLOUD else self.base
        return f"{pages}/{quote(entity)}/{quote(self.project)}/runs/{quote(key)}"


def read_place(target: str | None, environment: Mapping[str, str], project: str) -> Place:
    """The place that is meant. `project` is the run's. Raises UsageError for one that cannot be."""
    offline = environment.get("WANDB_MODE", "").lower() in ("offline", "dryrun")
    base = environment.get("WANDB_BASE_URL", "").rstrip("/") or CLOUD
    entity = environment.get("WANDB_ENTITY", "")
    project = environment.get("WANDB_PROJECT", "") or escape(project, _ALLOWED, _LONGEST)
    if target is not None and _is_folder(target):
        return _checked(Place(project=project, entity=entity, folder=target))
    if target is not None:
        base, entity, project = _read_target(target, base, entity, project)
    if environment.get("WANDB_MODE", "").lower() == "disabled":
        raise UsageError(
            "WANDB_MODE is disabled: nothing may be sent", hint="unset it, or name a folder (--target ./out)"
        )
    folder = (environment.get("WANDB_DIR") or "wandb") if offline else None
    base = CLOUD if offline else _checked_base(base)
    return _checked(Place(project=project, entity=entity, folder=folder, base=base))


def _checked_base(base: str) -> str:
    """An address that may be shown, as a plan does. Raises UsageError for one that is none or holds a password."""
    try:
        read_address(base)
    except UsageError as error:
        raise UsageError(f"{error.message}: see WANDB_BASE_URL", hint="the key belongs in WANDB_API_KEY") from None
    return base


def _is_folder(target: str) -> bool:
    return target.startswith((".", "/", "~")) or (target.endswith("/") and "://" not in target)


def _read_target(target: str, base: str, entity: str, project: str) -> tuple[str, str, str]:
    """Address, entity and project of a target that is no folder."""
    if "://" in target:
        try:
            parts = urlsplit(target)
            base, target = f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")
            read_address(base)
        except (ValueError, UsageError):
            parts = None
        if parts is None or parts.query or parts.fragment:
            hint = "write https://HOST/ENTITY/PROJECT; the key belongs in WANDB_API_KEY"
            raise UsageError("the address of the W&B server is none, or holds more than host and path", hint=hint)
        if not target:
            return base, entity, project
    words = target.split("/")
    if len(words) > 2 or not all(words):
        raise UsageError(
            "the target is no W&B project",
            hint="write PROJECT, ENTITY/PROJECT, https://HOST/ENTITY/PROJECT or ./FOLDER",
        )
    return base, words[0] if len(words) == 2 else entity, words[-1]


def _checked(place: Place) -> Place:
    for what, name in (("project", place.project), ("entity", place.entity)):
        if len(name) > _LONGEST or _FORBIDDEN & set(name) or not name.isprintable():
            raise UsageError(
                f"that cannot be the name of a W&B {what}",
                hint=f"at most {_LONGEST} characters, and none of {' '.join(sorted(_FORBIDDEN))}",
            )
    return place
