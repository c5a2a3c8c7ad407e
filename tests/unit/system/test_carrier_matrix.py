"""What the ledger may make of a request that went wrong, and requests that came too early."""

from __future__ import annotations

from adapters.simulated.carrier.journal import Entry, Trouble
from tests.system.judge import Held
from tests.system.scenarios.carrier_matrix import misread, redials


def trouble(what: str, attempt: str = "a", at: float = 1) -> Trouble:
    return Trouble(at, attempt, "+49301", what)  # type: ignore[arg-type]


def entry(attempt: str, accepted: float) -> Entry:
    return Entry(
        id=attempt, attempt=attempt, to="+49301", caller_id="+49302", labels={}, nth=1, accepted=accepted, same_attempt=False,
        beside_live=False,
    )  # fmt: skip


def held(attempt: str, freed: float | None) -> Held:
    return Held(attempt, "cc", "recalled", None, 0, freed, None, None)


def test_what_was_refused_is_never_unknown() -> None:
    assert misread([trouble("refuse_429")], {"a": ("queued", "placing", "recalled")}) == []
    assert misread([trouble("refuse_429")], {"a": ("queued", "placing", "unknown", "recalled")}) != []
    assert misread([trouble("refuse_429")], {}) != []


def test_what_may_have_been_placed_is_taken_back_only_after_it_was_unknown() -> None:
    assert misread([trouble("hang_before")], {"a": ("queued", "placing", "unknown", "recalled")}) == []
    assert misread([trouble("hang_before")], {"a": ("queued", "placing", "recalled")}) != []


def test_what_was_placed_ends_whatever_befell_the_answer() -> None:
    assert misread([trouble("reset_after")], {"a": ("queued", "placing", "unknown", "ringing", "ended")}) == []
    assert misread([trouble("reset_after")], {"a": ("queued", "placing", "unknown", "recalled")}) != []


def test_a_request_while_the_one_before_was_unclear_is_a_redial() -> None:
    unclear = [trouble("error_before")]
    assert redials(unclear, [entry("b", 3)], [held("a", 2)]) == 0
    assert redials(unclear, [entry("b", 1.5)], [held("a", 2)]) == 1
    assert redials(unclear, [entry("b", 9)], [held("a", None)]) == 1
    assert redials([*unclear, trouble("refuse_429", "b", 1.5)], [], [held("a", 2)]) == 1


def test_neither_the_call_itself_nor_what_follows_a_refusal_is_a_redial() -> None:
    assert redials([trouble("error_after")], [entry("a", 1.1)], [held("a", 2)]) == 0
    assert redials([trouble("refuse_429")], [entry("b", 1.1)], [held("a", 2)]) == 0
