"""What a policy selects: rules and the names that runs declare in; a PolicyError for a rule that selects nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from runstore.errors import PolicyError
from runstore.policy.model import Policy


def check_selections(
    policy: Policy, metrics: Collection[str], slices: Collection[str] | None = None, pinned: Collection[str] = ()
) -> None:
    """Refuse a policy of which a rule selects nothing. Raises PolicyError.

    `metrics`: what the runs declare; `slices`: the tags that the baselines declare as slices, None to leave them out;
    `pinned`: metrics of the pinned reference, which only its own rules may be meant for.
    """
    for rule in policy.unmatched(metrics):
        raise PolicyError(
            f"the rule [metrics.{rule.pattern!r}] selects no metric",
            where=policy.origin,
            hint=f"the runs have: {_names(metrics)}; of several rules for one the first decides",
        )
    reference = Policy(metrics=policy.reference.metrics if policy.reference else ())
    for rule in reference.unmatched({*metrics, *pinned}):
        raise PolicyError(
            f"the rule [reference.metrics.{rule.pattern!r}] selects no metric",
            where=policy.origin,
            hint=f"the runs have: {_names({*metrics, *pinned})}; of several rules for one the first decides",
        )
    if slices is not None:
        _check_slices(policy, metrics, slices)


def check_suites(policy: Policy, paths: Sequence[str]) -> None:
    """Refuse a policy with rules for runs of a suite that none of the paths is judged by. Raises PolicyError.

    Two runs that are compared by themselves are no suite: rules for one would silently not hold.
    """
    used = [policy.suite_of(path) for path in paths]
    for rules in policy.suites:
        if not any(rules is one for one in used):
            raise PolicyError(
                f"the rules [suites.{rules.pattern!r}] select no run",
                where=policy.origin,
                hint=f"the runs are: {', '.join(paths)}; of several rules for one the first decides"
                if paths
                else "compare folders of runs, or name another policy with --config",
            )


def _check_slices(policy: Policy, metrics: Collection[str], slices: Collection[str]) -> None:
    for number, rule in enumerate(policy.slices):
        place = rule.limits.origin or f"slices.{number}"
        if rule.tag not in slices:
            raise PolicyError(
                f"the rule {place} is on slices by {rule.tag!r}, which no baseline declares",
                where=policy.origin,
                hint=f"declared: {_names(slices)}; declare it with `gate import --slice TAG`, or in the manifest's"
                " `slices`",
            )
        if not any(fnmatchcase(metric, rule.metric) for metric in metrics):
            raise PolicyError(
                f"the rule {place} selects no metric with {rule.metric!r}",
                where=policy.origin,
                hint=f"the runs have: {_names(metrics)}",
            )


def _names(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
