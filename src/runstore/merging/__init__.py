"""Merging: three versions of a run, or of one of its files, in; one out, with what only a person can decide marked."""
