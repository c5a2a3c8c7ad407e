"""The table of the runs, and what stands above it."""

from __future__ import annotations

from pathlib import Path

from tests.system.carriers.cast import ROWS
from tests.system.carriers.plays import BACKWARDS, COPIES, LIED, LOST, REPEATED
from tests.system.frame import Table

COUNTS = (
    "contacts", "dials", "retries", "answers lost", "callbacks repeated", "forged", "duplicates", "lost", "over the cap",
    "wrong outcome", "seconds",
)  # fmt: skip
HEAD = f"""# The demo's list through every adapter

`make chaos ARGS=carriers` (one: `ARGS=carriers:twilio`) starts API, scheduler and two workers on stores of their own for each
adapter, with a trunk to the fake of its provider (`tests/support/providers`), which is a process of its own. All {ROWS} rows of
the built-in list of `dialer demo` are imported over the HTTP API and called to the end of the campaign. By number and seed the
fake plays every outcome; makes {LOST:.0%} of the calls and loses the answer (5xx, reset, silence, garbage); sends every callback
of {REPEATED:.0%} of the calls ×{COPIES}, tells of {BACKWARDS:.0%} only when they are over and in reverse; and of {LIED:.0%}
somebody who has not the key tells lies. What happened is read in the fake's journal, never asked of the dialer.

- contacts: that may be called; those without a phone and those who said no are enrolled, too, and not called
- answers lost: calls that were made while the answer that names them went wrong
- forged: callbacks with a wrong signature or none
- duplicates: calls of one attempt twice, of one person at once, after an attempt was taken back though the provider had its call,
  and of people who had been reached already; and attempts that were asked for twice
- lost: contacts that are neither done nor waiting when everything is quiet, or were called less often than they should have been
- wrong outcome: attempts whose call ended otherwise than the ledger says, by what the provider can tell (`adapters/README.md`)

A row passes if these are 0, no forged callback was believed and no true one refused, nobody was called who must not be, the
ledger's own laws hold, every attempt ended exactly once, and what the provider tells of a conversation is kept with the call.
Retell is not certain of the numbers it calls invalid: whoever has one waits for another day at the end, and nobody else does.
LiveKit tells the end of an unanswered call to nobody but him who waits for the answer, so there only answers of calls that are
picked up are lost; and a broken connection to FreeSWITCH loses what was written behind, so there the answer is an error.

"""
TABLE = Table(Path(__file__).parents[1] / "CARRIERS.md", ("adapter", *COUNTS, "notes", "run", ""), HEAD)
