"""The history of a baseline, told by the commits that changed it: of a metric, and of a record.

`states` and `record_lines` say what stood at a commit, from bytes; `timeline` and `ancestry` what changed from one to
the next; `reading` gets both out of git; `text`, `tables`, `drawing` and `record_report` show it.
"""
