"""Mirrors of a finished run in other systems: a run in, a plan, a push that can be repeated, a check that reads back.

`exporting` is the page to read first; `contract` is what every backend agrees on. A backend is a package beside them,
loaded when it is named.
"""

from runstore.exporters.exporting import Export, export

__all__ = ["Export", "export"]
