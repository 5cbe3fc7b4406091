"""Files of a run as bodies of requests: a run and a path in, a file that can be sent again from its start out."""

from __future__ import annotations

import shutil
import tempfile
from typing import BinaryIO, cast

from runstore.store.reader import Run

_IN_MEMORY_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 256 * 1024


def open_body(run: Run, path: str) -> BinaryIO:
    """A file of the run that can be sought; what git gives cannot, and is copied to a file without a name first."""
    file = run.source.open(path)
    if file.seekable():
        return file
    copy = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115  # who asked closes it
    try:
        with file:
            shutil.copyfileobj(file, copy, _BLOCK_BYTES)
    except BaseException:
        copy.close()
        raise
    copy.seek(0)
    return copy
