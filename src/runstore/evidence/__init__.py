"""Evidence: what numbers say about a change, as pure functions of counts and exact sums (docs/statistics.md)."""
