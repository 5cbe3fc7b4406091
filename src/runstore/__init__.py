"""runstore: a plain-file, git-native store for evaluation, benchmark and training runs, and its gate.

The public names are here; each is loaded when it is first used, so that a short command does not pay for the rest.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Comparison": "runstore.comparison",
    "Dataset": "runstore.manifest",
    "Identity": "runstore.manifest",
    "Manifest": "runstore.manifest",
    "MetricDeclaration": "runstore.manifest",
    "Policy": "runstore.policy",
    "Provenance": "runstore.manifest",
    "Run": "runstore.store.reader",
    "RunWriter": "runstore.store.writer",
    "RunstoreError": "runstore.errors",
    "Verdict": "runstore.findings",
    "compare": "runstore.comparison",
    "read_run": "runstore.store.reader",
    "verify": "runstore.verification",
}
__all__ = ["__version__", *_HOME]  # noqa: PLE0604  # the table's keys are strings


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'runstore' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
