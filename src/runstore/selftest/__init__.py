"""The self-test: a baseline and its policy in; damaged copies judged, and what the gate made of them, out."""
