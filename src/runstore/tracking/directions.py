"""Which direction of a metric is the better one, where nobody has said: told from the words of its name.

The format wants a direction of every metric. A word of this list, on its own between `_`, `.`, `/`, `-`, `@`, digits or
a change of case, makes it `lower`; any other name is `higher`. The run lists the metrics that were told so
(`origin.tracking.directions_by_name`), and a declaration always wins.
"""

from __future__ import annotations

import re

from runstore.manifest import MetricDeclaration

_LOWER = re.compile(
    "loss|losses|error|errors|err|mae|mse|rmse|mape|perplexity|ppl|nll|bpb|bpc|brier|ece|eer|wer|cer|ter|fid|kl|divergence"
    "|regret|gap|latency|duration|time|seconds|secs|ms|cost|tokens|memory|bytes|rejected|failures|failed|timeouts"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def by_name(name: str) -> MetricDeclaration:
    """The declaration of a metric that nobody has declared."""
    is_lower = any(_LOWER.fullmatch(word.lower()) for word in _WORDS.findall(name))
    return MetricDeclaration(direction="lower" if is_lower else "higher")
