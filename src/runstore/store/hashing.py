"""A SHA-256 that keeps up with a reader: small inputs at once, large ones on a thread of their own.

hashlib releases the interpreter lock for large blocks, so on a second core hashing costs no time of its own.
"""

from __future__ import annotations

import hashlib
import threading
from queue import Queue

THREADED_FROM_BYTES = 4 * 1024 * 1024
_BLOCKS_AHEAD = 8


class BlockDigest:
    """Takes blocks in order; `hexdigest` waits for the last of them."""

    def __init__(self, size: int) -> None:
        """`size` is the expected number of bytes: it decides whether a thread is worth its cost."""
        self._hash = hashlib.sha256()
        self._queue: Queue[bytes | None] | None = None
        if size >= THREADED_FROM_BYTES:
            self._queue = Queue(_BLOCKS_AHEAD)
            self._thread = threading.Thread(target=self._work, args=(self._queue,), daemon=True)
            self._thread.start()

    def _work(self, queue: Queue[bytes | None]) -> None:
        while (block := queue.get()) is not None:
            self._hash.update(block)

    def update(self, block: bytes) -> None:
        """Take the next block."""
        if self._queue is None:
            self._hash.update(block)
        else:
            self._queue.put(block)

    def hexdigest(self) -> str:
        """The digest of all blocks taken, as lower-case hexadecimal."""
        self.close()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the thread, if there is one."""
        if self._queue is not None:
            self._queue.put(None)
            self._thread.join()
            self._queue = None
