"""Accepting: a run, the baseline it was compared with and a selection in; a new baseline out, and what it holds."""
