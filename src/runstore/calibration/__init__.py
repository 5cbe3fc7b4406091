"""Calibration: several runs of the same code in; their noise, what it does to a gate, and limits that fit it, out."""
