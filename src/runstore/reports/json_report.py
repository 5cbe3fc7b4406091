"""JSON: the view itself, as a canonical document (docs/format.md, section 2). Schema: schemas/v1/comparison.json."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runstore import canonical
from runstore.canonical import JsonValue

# A CI runner obeys these anywhere in a line of a log. Inside a string, the only place where they can stand, an escape
# says the same; a report that holds one is the same JSON, though not in canonical form.
_COMMAND = re.compile(r"##(\[|vso\[|teamcity\[)", re.IGNORECASE)


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The view, one member a line."""
    text = canonical.jcs_document(dict(view)).decode()
    return _COMMAND.sub(_escaped, text) if "##" in text else text


def _escaped(match: re.Match[str]) -> str:
    return f"#\\u0023{match[1]}"
