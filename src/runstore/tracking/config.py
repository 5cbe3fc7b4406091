"""What a tracker is told once, for all its runs: where they go, what they are about, and what is captured by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runstore.errors import UsageError
from runstore.manifest import MetricDeclaration


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackingConfig:
    """Settings of a tracker. Every flag does what its line says, and nothing else."""

    project: str = "default"
    """`identity.project`, and the folder below `experiments/`: portable, with `/` between segments."""
    experiment_name: str = "default"
    """`identity.suite`: what several runs have in common."""
    tags: Mapping[str, str] | Sequence[str] = field(default_factory=dict)
    """Tags of every run; of a list, each is a tag with an empty value."""
    notes: str | None = None
    """Markdown, the first note of every run."""
    metrics: Mapping[str, MetricDeclaration] = field(default_factory=dict)
    """Direction, unit, range and aggregate of metrics; the direction of any other is told from its name."""
    slices: Sequence[str] = ()
    """Tags of records whose totals are kept in the summary."""
    seeds: Mapping[str, int] = field(default_factory=dict)
    """Seeds that the code sets, by generator: each is a param `seed.NAME`."""
    log_artifacts: bool = True
    """False: `log_artifact` and `log_artifacts` check their path, keep no file, and the run says how many it lacks."""
    log_code: bool = False
    """True: the .py files that git tracks below the working folder, and the main script, become artifacts `code/…`."""
    log_git: bool = False
    """True: commit, and whether tracked files differ from it, as they are when a run starts. One git process a run."""
    log_environment: bool = False
    """True: a fingerprint of Python, system and packages in the provenance; the list itself goes to `volatile/`."""
    auto_log_metrics: bool = True
    """True: `auto_track` logs the numbers of a returned, or yielded, mapping as metrics."""

    def __post_init__(self) -> None:
        """Raises UsageError for one text where several names are wanted: its letters are not meant."""
        for name in ("tags", "slices"):
            if isinstance(getattr(self, name), str):
                raise UsageError(f"`{name}` is one text", hint=f"pass a list: [{getattr(self, name)!r:.80}]")

    @property
    def tag_values(self) -> dict[str, str]:
        """The tags by name."""
        return dict(self.tags) if isinstance(self.tags, Mapping) else dict.fromkeys(self.tags, "")
