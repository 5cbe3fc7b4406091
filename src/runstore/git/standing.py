"""A blob that stands in the work tree: a file and an object id in, its bytes out if they are those of the object.

An object id is a digest of the bytes it names, so a file whose bytes have that digest is that object, whoever wrote the
file; anything else is not taken, and git is asked. To unpack a large object costs several times what reading a file
does. The bytes are read once to prove them and once more to be used; who uses them holds them against the digests of
the manifest again, so a file that is changed in between is refused there.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

_LEAST_BYTES = 256 * 1024  # a small object costs git less than it costs to look
_BLOCK_BYTES = 1024 * 1024
_HASHES = {40: "sha1", 64: "sha256"}


def open_standing(file: Path, oid: str, size: int) -> BinaryIO | None:
    """A file that is the blob of an object id, from its start, unbuffered; None if it is not, or is small."""
    if size < _LEAST_BYTES:
        return None
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode) or state.st_size != size:
        os.close(descriptor)
        return None
    stream = os.fdopen(descriptor, "rb", buffering=0)
    try:
        if _is_blob(stream, oid, size):
            stream.seek(0)
            return stream
    except OSError:
        pass  # git has the same bytes
    except BaseException:
        stream.close()
        raise
    stream.close()
    return None


def digest_of_blob(oid: str, size: int) -> hashlib._Hash:
    """What an object id is, by the algorithm of another: the digest of the size of a blob, to be fed its bytes.

    The format is that of gitformat-objects: `blob`, a space, the size in decimal, a zero byte, the bytes.
    """
    return hashlib.new(_HASHES[len(oid)], b"blob %d\x00" % size, usedforsecurity=False)


def _is_blob(stream: BinaryIO, oid: str, size: int) -> bool:
    digest = digest_of_blob(oid, size)
    while block := stream.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest() == oid
