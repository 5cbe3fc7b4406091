"""The waiver of a record: questions and typed lines in; a leave out, or what is wrong with the line.

One leave is a waiver for each metric in which the record got worse, with one owner, reason, issue and day for all of
them. What a line may be is what a policy may hold, and a day must lie ahead: today is the last that still counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum

from runstore import exact

_DIGITS = 40
_CHARACTERS = 500
_LONGEST = timedelta(days=366)
_NONE = "-"
CANCEL = "."


@dataclass(frozen=True, kw_only=True, slots=True)
class Fall:
    """By how much a record got worse in a metric, more than 0; `width` is that of the metric's range, if it has one."""

    metric: str
    amount: Decimal
    width: Decimal | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Leave:
    """The waivers of one record: (metric, ceiling) of each, and what all of them say."""

    ceilings: tuple[tuple[str, Decimal], ...]
    reason: str
    owner: str
    issue: str | None
    expires: date


class Part(Enum):
    """What is asked for, in this order; a ceiling is asked for each metric."""

    CEILING = "ceiling"
    REASON = "reason"
    OWNER = "owner"
    ISSUE = "issue"
    EXPIRES = "expires"


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A leave that is being asked for."""

    falls: tuple[Fall, ...]
    proposed: Leave | None = None
    """The leave that was given last: its texts are proposed again."""
    ceilings: tuple[Decimal, ...] = ()
    texts: dict[Part, str] = field(default_factory=dict)

    @property
    def part(self) -> Part:
        """What is asked for now."""
        if len(self.ceilings) < len(self.falls):
            return Part.CEILING
        return next(part for part in _TEXTS if part not in self.texts)

    @property
    def proposal(self) -> str:
        """What an empty line stands for; empty if it stands for nothing."""
        if self.part is Part.CEILING:
            return exact.text(self.falls[len(self.ceilings)].amount)
        if self.proposed is None or self.part is Part.REASON:
            return ""
        if self.part is Part.OWNER:
            return self.proposed.owner
        return str(self.proposed.expires) if self.part is Part.EXPIRES else self.proposed.issue or ""

    @property
    def question(self) -> str:
        """What is asked, without a line feed; not safe to print."""
        proposal = f" [{self.proposal}]" if self.proposal else ""
        if self.part is Part.CEILING:
            fall = self.falls[len(self.ceilings)]
            return f"{fall.metric}: how much worse may it be?{proposal} "
        return f"{_ASKED[self.part]}{proposal} "


Answer = Draft | Leave | str | None
"""What becomes of a draft: the next question, a leave, what is wrong with the line, or None: no waiver after all."""

_TEXTS = (Part.REASON, Part.OWNER, Part.ISSUE, Part.EXPIRES)
_ASKED = {
    Part.REASON: "why may it be worse? (a single dot: no waiver)",
    Part.OWNER: "who answers for it?",
    Part.ISSUE: f"issue, or {_NONE} for none?",
    Part.EXPIRES: "until which day, as YYYY-MM-DD?",
}


def begin(falls: tuple[Fall, ...], last: Leave | None = None) -> Draft:
    """The first question about a record that got worse in some metrics."""
    return Draft(falls=falls, proposed=last)


def reply(draft: Draft, line: str, today: date) -> Answer:
    """What a typed line makes of a draft; a single dot gives it up."""
    text = line.strip()
    if text == CANCEL:
        return None
    text = text or draft.proposal
    wrong = _wrong(draft, text, today)
    if wrong:
        return wrong
    if draft.part is Part.CEILING:
        return replace(draft, ceilings=(*draft.ceilings, Decimal(text)))
    found = replace(draft, texts={**draft.texts, draft.part: text})
    return found if len(found.texts) < len(_TEXTS) else _leave(found)


def _leave(draft: Draft) -> Leave:
    issue = draft.texts[Part.ISSUE]
    return Leave(
        ceilings=tuple((fall.metric, ceiling) for fall, ceiling in zip(draft.falls, draft.ceilings, strict=True)),
        reason=draft.texts[Part.REASON],
        owner=draft.texts[Part.OWNER],
        issue=issue if issue not in ("", _NONE) else None,
        expires=date.fromisoformat(draft.texts[Part.EXPIRES]),
    )


def _wrong(draft: Draft, text: str, today: date) -> str:
    """What is wrong with an answer; empty if nothing is."""
    if draft.part is Part.CEILING:
        return _wrong_ceiling(draft.falls[len(draft.ceilings)], text)
    if draft.part is Part.EXPIRES:
        return _wrong_day(text, today)
    return "" if draft.part is Part.ISSUE and not text else _wrong_text(text)


def _wrong_ceiling(fall: Fall, text: str) -> str:
    try:
        ceiling = Decimal(text)
    except InvalidOperation:
        return f"{text!r} is no number; it got worse by {exact.text(fall.amount)}"
    if not text.isascii() or "_" in text or not _is_plain(ceiling):
        return f"{text!r} is no plain number; it got worse by {exact.text(fall.amount)}"
    if ceiling < fall.amount:
        return f"{text} is too low: it got worse by {exact.text(fall.amount)}"
    if fall.width is not None and ceiling >= fall.width > fall.amount:
        return f"{text} is as much as the whole range: such a waiver enforces nothing"
    return ""


def _is_plain(number: Decimal) -> bool:
    return number.is_finite() and abs(number.adjusted()) <= _DIGITS and len(number.as_tuple().digits) <= _DIGITS


def _wrong_text(text: str) -> str:
    if not text:
        return "it is empty: write it for whoever reads the policy in a year"
    if not text.isprintable():
        return "not one line of printable text"
    return f"{len(text)} characters; {_CHARACTERS} are allowed" if len(text) > _CHARACTERS else ""


def _wrong_day(text: str, today: date) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return f"{text!r} is no day; write it as {today + timedelta(days=30)}"
    if text != day.isoformat():
        return f"{text!r}: write it as {day}"
    if day <= today:
        return f"{day} is not in the future; today is {today}"
    return f"{day} is more than {_LONGEST.days} days ahead" if day - today > _LONGEST else ""
