"""A W&B run at a server: a plan in, the same run there out, and back.

W&B keeps the history of a run as numbered lines, and whoever sends a line says which number it has. So a push can be
repeated from any point, by two jobs at once as well: equal lines go to equal numbers, and the last message, which ends
the run, tells a whole run from a broken off one. (W&B's own `wandb sync` adds to the lines that are there, and so
doubles a run that is sent twice.) docs/exporting-wandb.md has why no client of W&B is asked.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import UsageError
from runstore.exporters.bodies import open_body
from runstore.exporters.contract import Attachment, ExportError, Receipt, Visit
from runstore.exporters.http import Client, travels_open
from runstore.exporters.wandb.comparing import is_whole
from runstore.exporters.wandb.figures import OWN
from runstore.exporters.wandb.graph import Graph, default_entity, open_client, stream
from runstore.exporters.wandb.planning import WandbPlan
from runstore.exporters.wandb.transactions import EXIT_CODES, STEP, Found
from runstore.store.reader import Run

_LINES = 5_000
_LINES_BYTES = 4 * 1024 * 1024
_PAGE = 1_000
_FILES_A_REQUEST = 500
_ROWS_KEPT = "rows"
_UPLOAD_S = 60.0
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, *[2.0] * 10)


class Server:
    """One project at one server, for one visit. `requests` counts all that was sent."""

    def __init__(self, plan: WandbPlan, run: Run, visit: Visit) -> None:
        """Raises UsageError without a key, ExportError if the server cannot say whose it is."""
        self._plan, self._run, self._visit = plan, run, visit
        self._client = open_client(plan.place.base, visit.environment, visit.budget)
        self._uploads: dict[str, Client] = {}
        self._graph = Graph(self._client, plan.place.entity, plan.place.project)
        self._id = plan.key

    def close(self) -> None:
        """Close every connection."""
        for client in (self._client, *self._uploads.values()):
            client.close()

    @property
    def requests(self) -> int:
        """Requests sent, tries included."""
        return sum(client.requests for client in (self._client, *self._uploads.values()))

    def push(self) -> Receipt:
        """Send the run, or find it there. Raises ExportError."""
        if travels_open(self._plan.place.base):
            self._visit.warn(f"the key for {self._plan.place.base} travels unencrypted: use an https:// address")
        self._know_entity()
        there = self._look_first()
        if there is not None and is_whole(self._plan, *there):
            return self._receipt(created=False)
        if there is not None:
            self._refuse_other(*there)
        entity = self._graph.upsert(self._plan, self._id)
        self._graph = Graph(self._client, entity, self._plan.place.project)
        self._send_history(self._rows_before(there))
        self._send_files()
        stream(self._graph, self._id, self._last_message())
        self._check_arrived()
        return self._receipt(created=True)

    def read(self) -> Found:
        """What the server has. Raises ExportError if the run is not there."""
        self._know_entity()
        there = self._look_first()
        if there is None:
            raise ExportError("this run is not there", where=self._client.where, hint="export it first")
        found, count = there
        steps = [step for step, _ in self._plan.rows()]
        for start in range(0, len(steps), _PAGE):
            page = steps[start : start + _PAGE]
            found.rows.extend(self._graph.rows(self._id, page[0], page[-1], _PAGE))
        if count != len(steps):  # lines at steps that were not asked for, or a line twice
            found.rows.extend({} for _ in range(count - len(found.rows)))
        found.files = self._graph.files(self._id)
        return found

    def _look_first(self) -> tuple[Found, int] | None:
        """The run as it is there: the one that a live mirror made of it, else the one with the id of the plan."""
        there = self._graph.look(self._plan.live) if self._plan.live else None
        if there is not None and self._is_live_run_of_plan(*there):
            self._id = self._plan.live
            return there
        return self._graph.look(self._plan.key)

    def _is_live_run_of_plan(self, found: Found, row_count: int) -> bool:
        """Whether a run is this one, mirrored live: `volatile/` may name any run, and a stranger's is left alone.

        One with more lines than this run has steps is none either: lines cannot be taken back.
        """
        own = found.config.get(OWN)
        if not isinstance(own, dict) or row_count > self._plan.row_count:
            return False
        is_begun = own.get("live") is True and "digest" not in own
        return own.get("digest") == self._plan.digest or is_begun

    def _know_entity(self) -> None:
        if not self._graph.entity:
            self._graph = Graph(self._client, default_entity(self._client), self._plan.place.project)

    def _refuse_other(self, found: Found, row_count: int) -> None:
        """A run that holds what this one does not is left alone: lines of history cannot be taken back."""
        where = f"{self._client.where}, run {self._id}"
        own = found.config.get(OWN)
        digest = own.get("digest") if isinstance(own, dict) else None
        told = None
        if digest not in (None, self._plan.digest):
            told = "another run has this id there"
        elif row_count > self._plan.row_count:
            told = (
                f"its history has {row_count} steps there, and {self._plan.row_count} here: something else wrote to it"
            )
        if told is not None:
            raise ExportError(told, where=where, hint="nothing was changed; export to another project (--target)")

    def _rows_before(self, there: tuple[Found, int] | None) -> int:
        """How many lines an unfinished push has sent: what it kept, as far as the server has them."""
        kept = self._visit.progress.get(_ROWS_KEPT)
        return min(kept, there[1]) if isinstance(kept, int) and there is not None else 0

    def _send_history(self, done: int) -> None:
        """Send the lines from a number on; each request says where its lines belong."""
        rows = islice(self._plan.rows(), done, None)
        for lines in _batches(canonical.jcs({**values, STEP: step}).decode() for step, values in rows):
            content: list[JsonValue] = [*lines]
            stream(self._graph, self._id, {"files": {"wandb-history.jsonl": {"content": content, "offset": done}}})
            done += len(lines)
            self._visit.keep({_ROWS_KEPT: done})

    def _send_files(self) -> None:
        attachments = {one.path: one for one in self._plan.attachments}
        paths = list(attachments)
        for start in range(0, len(paths), _FILES_A_REQUEST):
            asked = paths[start : start + _FILES_A_REQUEST]
            places, headers = self._graph.uploads(self._id, asked)
            missing = [path for path in asked if path not in places]
            if missing:
                raise ExportError(f"gives no place for the file {missing[0]!r}", where=self._client.where, hint=_AGAIN)
            for path in asked:
                self._upload(attachments[path], places[path], headers)

    def _upload(self, attachment: Attachment, address: str, headers: dict[str, str]) -> None:
        """Put a file where the server said; the key goes to no other host, nor is it needed: the address is signed."""
        store, path = self._store(address)
        with closing(self._opened(attachment)) as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            store.send("PUT", path, body=file, size=size, headers=headers, answer_s=_UPLOAD_S)

    def _store(self, address: str) -> tuple[Client, str]:
        """A client of the place that an address names, and the path there. Raises ExportError for what is none."""
        try:
            parts = urlsplit(urljoin(self._client.base + "/", address))
            base = f"{parts.scheme}://{parts.netloc}"
            if base not in self._uploads:
                self._uploads[base] = Client(
                    base=base,
                    budget=self._visit.budget,
                    environment=self._visit.environment,
                    name="the file store of W&B",
                    advice=dict.fromkeys((400, 401, 403, 404), _STALE),
                )
        except (ValueError, UsageError):
            raise ExportError("names a place for a file that is none", where=self._client.where, hint=_AGAIN) from None
        return self._uploads[base], parts.path + (f"?{parts.query}" if parts.query else "")

    def _opened(self, attachment: Attachment) -> BinaryIO:
        if attachment.origin is None:
            return io.BytesIO(attachment.content or b"")
        return open_body(self._run, attachment.origin)

    def _last_message(self) -> dict[str, JsonValue]:
        """The summary, the files that are there, and that the run is at its end."""
        summary: dict[str, JsonValue] = dict(self._plan.summary)
        if self._plan.row_count:
            summary[STEP] = max(point.step for point in self._plan.points)
        content: list[JsonValue] = [canonical.jcs(summary).decode()]
        return {
            "files": {"wandb-summary.json": {"content": content, "offset": 0}},
            "uploaded": [one.path for one in self._plan.attachments],
            "complete": True,
            "exitcode": EXIT_CODES[self._plan.status],
        }

    def _check_arrived(self) -> None:
        """A server may answer 200 and keep nothing: the run counts as sent when the server says that it is whole.

        It may also take a while to say so.
        """
        for pause in _PAUSES_S:
            there = self._graph.look(self._id)
            if there is not None and is_whole(self._plan, *there):
                return
            self._visit.budget.pause(pause)
        raise ExportError("took everything, and the whole run is not shown yet", where=self._client.where, hint=_AGAIN)

    def _receipt(self, *, created: bool) -> Receipt:
        graph, key = self._graph, self._id
        return Receipt(
            remote_id=f"{graph.entity}/{graph.project}/{key}",
            url=self._plan.place.page(graph.entity, key),
            requests=self.requests,
            created=created,
        )


_STALE = "an address to upload to holds for a while only: export again"
_AGAIN = "the run is unharmed: export it again and it goes on from there"


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    """Lines in lists that are neither too long nor too large for a request."""
    held: list[str] = []
    size = 0
    for line in lines:
        if held and (len(held) == _LINES or size + len(line) > _LINES_BYTES):
            yield held
            held, size = [], 0
        held.append(line)
        size += len(line)
    if held:
        yield held
