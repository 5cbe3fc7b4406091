"""Garbage: large texts that no run names any more. A folder of runs in; what can be removed out, and its removal."""
