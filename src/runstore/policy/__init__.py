"""The policy: `gate.toml` (or `[tool.gate]` in pyproject.toml) in, rules out. Reading is loaded only for a file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from runstore.policy.model import Limits, MetricRule, Policy, RecordLimits

if TYPE_CHECKING:
    from runstore.policy.reading import from_toml

__all__ = ["Limits", "MetricRule", "Policy", "RecordLimits", "from_toml"]


def __getattr__(name: str) -> object:
    if name != "from_toml":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("runstore.policy.reading"), name)
