"""Rebuilding: a run whose lines git has merged in; the same run with the files that follow from them derived again."""
