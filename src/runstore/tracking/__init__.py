"""Tracking: runs are logged while they happen, into plain files that survive a crash, and end as runs of the store.

`create_tracker` is where to begin; docs/tracking.md tells it all.
"""

from runstore.tracking.alerts import Event
from runstore.tracking.automatic import auto_track
from runstore.tracking.config import TrackingConfig
from runstore.tracking.creation import create_tracker
from runstore.tracking.finishing import Finished
from runstore.tracking.mirror import Findable, LivePoint, Mirror, RunFacts
from runstore.tracking.multi import MultiTracker
from runstore.tracking.recovery import recover
from runstore.tracking.run import TrackedRun, TrackingWarning
from runstore.tracking.tracker import ExperimentTracker

__all__ = [
    "Event",
    "ExperimentTracker",
    "Findable",
    "Finished",
    "LivePoint",
    "Mirror",
    "MultiTracker",
    "RunFacts",
    "TrackedRun",
    "TrackingConfig",
    "TrackingWarning",
    "auto_track",
    "create_tracker",
    "recover",
]
