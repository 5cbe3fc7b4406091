"""Runs on disk: `writer` makes them, `reader` streams them. The only place that opens the files of a run."""
