"""runstore: a plain-file, git-native store for evaluation, benchmark and training runs, and its gate.

The public names are here; each is loaded when it is first used, so that a short command does not pay for the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors, which do not run `__getattr__`
    from runstore.comparison import Comparison as Comparison
    from runstore.comparison import compare as compare
    from runstore.errors import RunstoreError as RunstoreError
    from runstore.findings import Verdict as Verdict
    from runstore.manifest import Dataset as Dataset
    from runstore.manifest import Identity as Identity
    from runstore.manifest import Manifest as Manifest
    from runstore.manifest import MetricDeclaration as MetricDeclaration
    from runstore.manifest import Provenance as Provenance
    from runstore.policy import Policy as Policy
    from runstore.store.reader import Run as Run
    from runstore.store.reader import read_run as read_run
    from runstore.store.writer import RunWriter as RunWriter
    from runstore.tracking import ExperimentTracker as ExperimentTracker
    from runstore.tracking import TrackingConfig as TrackingConfig
    from runstore.tracking import auto_track as auto_track
    from runstore.tracking import create_tracker as create_tracker
    from runstore.verification import verify as verify

__version__ = "0.1.0"

_HOME = {
    "Comparison": "runstore.comparison",
    "Dataset": "runstore.manifest",
    "ExperimentTracker": "runstore.tracking",
    "Identity": "runstore.manifest",
    "Manifest": "runstore.manifest",
    "MetricDeclaration": "runstore.manifest",
    "Policy": "runstore.policy",
    "Provenance": "runstore.manifest",
    "Run": "runstore.store.reader",
    "RunWriter": "runstore.store.writer",
    "RunstoreError": "runstore.errors",
    "TrackingConfig": "runstore.tracking",
    "Verdict": "runstore.findings",
    "auto_track": "runstore.tracking",
    "compare": "runstore.comparison",
    "create_tracker": "runstore.tracking",
    "read_run": "runstore.store.reader",
    "verify": "runstore.verification",
}
__all__ = ["__version__", *_HOME]  # noqa: PLE0604  # the table's keys are strings


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'runstore' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
