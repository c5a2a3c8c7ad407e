"""The fence between a "no" and a dial.

A worker reads a monotonic clock before it asks the ledger for leave to dial, and does not send the first byte to the carrier
later than `FENCE_SECONDS` after that. Whoever says no (pause, cancel, do not call, suppression, another window) commits it,
waits as long, and only then answers: after the answer, no call starts.
"""

from __future__ import annotations

FENCE_SECONDS = 0.5
