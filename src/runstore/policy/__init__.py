"""The policy: `gate.toml` (or `[tool.gate]` in pyproject.toml) in, rules out."""

from runstore.policy.model import Limits, MetricRule, Policy, RecordLimits
from runstore.policy.reading import from_toml

__all__ = ["Limits", "MetricRule", "Policy", "RecordLimits", "from_toml"]
