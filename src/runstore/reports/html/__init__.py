"""HTML: one file that needs nothing else, for the reviewer: verdict and reasons first, then numbers, then every record.

`page` puts it together, `metrics` makes the rows of numbers, `records` what is known of each record, `worst` the few
that are written out for a reader without script, and `payload` the data that our own script makes the list from.

Safe against any text: Jinja escapes every value, nothing of data becomes a tag, an attribute or a link, the data of the
script is JSON in which nothing can end the block, and a content security policy allows our one style sheet and our one
script by their digests and nothing else.
"""

from __future__ import annotations

from runstore.reports.html.page import render

__all__ = ["render"]
