"""The carrier's script: what it accepts, and that chance is a function of seed, number and count."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated.carrier.script import Faults, Script, Span, conduct, handling, parse, telling

NUMBERS = st.integers(10**8, 10**12).map(lambda number: f"+{number}")


@given(NUMBERS, st.integers(1, 50), st.integers())
def test_the_same_call_always_does_the_same(to: str, nth: int, seed: int) -> None:
    script = Script(seed=seed, faults=Faults(refuse_429=0.3, error_after=0.3, callback_lost=0.5))
    assert conduct(script, to, nth) == conduct(script, to, nth)
    assert handling(script, to, nth) == handling(script, to, nth)
    assert telling(script, to, nth, "ended") == telling(script, to, nth, "ended")


@given(NUMBERS, st.integers(1, 50))
def test_another_share_does_not_change_the_durations(to: str, nth: int) -> None:
    one, other = conduct(Script(answer=0.9, voicemail=0, busy=0), to, nth), conduct(Script(answer=0, busy=0.5), to, nth)
    assert (one.ring, one.talk, one.setup, one.patience) == (other.ring, other.talk, other.setup, other.patience)


def test_the_shares_are_met() -> None:
    script = Script(answer=0.4, voicemail=0.2, busy=0.1, declined=0.05, invalid=0.03, unreachable=0.02)
    count: Counter[str] = Counter(conduct(script, f"+49{n:09}", 1).fate for n in range(20_000))
    shares = {"human": 0.4, "machine": 0.2, "busy": 0.1, "declined": 0.05, "invalid": 0.03, "unreachable": 0.02, "no_answer": 0.2}
    for fate, share in shares.items():
        assert count[fate] / 20_000 == pytest.approx(share, abs=0.015)


@given(st.floats(0, 10), st.floats(0, 10), st.none() | st.floats(0.1, 10), st.randoms(use_true_random=False))
def test_a_span_stays_within_its_bounds(low: float, more: float, mean: float | None, chance: object) -> None:
    span = Span(low, low + more, mean)
    assert span.low <= span.draw(chance) <= span.high + 1e-9  # type: ignore[arg-type]


def test_a_script_is_read_from_json_and_the_rest_is_default() -> None:
    script = parse(b'{"seed": 7, "answer": 0.5, "talk": {"low": 1, "high": 2}}')
    assert (script.seed, script.talk, script.ring) == (7, Span(1, 2), Script().ring)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (b'{"anser": 1}', "anser"),
        (b'{"answer": 0.9}', "shares of outcomes"),
        (b'{"answer": -0.1}', "shares of outcomes"),
        (b'{"talk": {"low": 3, "high": 2}}', "low and high"),
        (b'{"talk": {"low": 1, "high": 2, "mean": 0}}', "mean"),
        (b'{"faults": {"callback_lost": 1.5}}', "callback_lost"),
        (b'{"faults": {"error_after": 0.6, "error_before": 0.6}}', "more than 1"),
        (b'{"calls_per_second": -1}', "calls_per_second"),
        (b'{"send": ["rung"]}', "send"),
        (b"nonsense", "script"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused_by_name(document: bytes, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse(document)


def test_calls_shown_as_a_number_that_is_marked_are_blocked_by_its_share_and_others_are_as_they_were() -> None:
    marked = Script(marked_as_spam={"+493011": 0.3})
    numbers = [f"+49{n:09}" for n in range(5_000)]
    fates = [conduct(marked, to, 1, "+493011").fate for to in numbers]
    assert 0.27 < fates.count("blocked") / len(fates) < 0.33
    for to, fate in zip(numbers, fates, strict=True):
        plain = conduct(Script(), to, 1).fate
        assert conduct(marked, to, 1, "+493022").fate == plain
        assert fate in (plain, "blocked")


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_of_marked_calls_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="marked_as_spam"):
        Script(marked_as_spam={"+493011": share})


def test_only_whoever_talks_opts_out_or_asks_for_a_callback_and_nobody_both() -> None:
    script = Script(answer=0.6, voicemail=0.2, opt_out=0.3, call_back=0.5, call_back_after=Span(60, 120))
    calls = [conduct(script, f"+4930{n:07}", 1) for n in range(2000)]
    people = [call for call in calls if call.fate == "human"]
    assert not [call for call in calls if call.fate != "human" and (call.opts_out or call.call_back_after is not None)]
    assert not [call for call in people if call.opts_out and call.call_back_after is not None]
    assert sum(call.opts_out for call in people) / len(people) == pytest.approx(0.3, abs=0.05)
    assert sum(call.call_back_after is not None for call in people) / len(people) == pytest.approx(0.35, abs=0.05)
    assert all(60 <= call.call_back_after <= 120 for call in people if call.call_back_after is not None)
    plain = [conduct(Script(answer=0.6, voicemail=0.2), f"+4930{n:07}", 1) for n in range(2000)]
    assert [call.talk for call in plain] == [call.talk for call in calls], "the other draws stay as they are"


@pytest.mark.parametrize("text", [b'{"opt_out": 1.5}', b'{"call_back": -0.1}'])
def test_a_wish_has_a_share(text: bytes) -> None:
    with pytest.raises(ValueError, match="opt_out and call_back are shares"):
        parse(text)


def test_only_whoever_talks_tells_something_one_value_for_each_name() -> None:
    script = Script(answer=0.6, voicemail=0.2, extracted={"size": (40, 41), "odd": ("x",)})
    calls = [conduct(script, f"+4930{n:07}", 1) for n in range(500)]
    assert not [call for call in calls if (call.fate == "human") != (call.extracted is not None)]
    told = [call.extracted for call in calls if call.extracted is not None]
    assert {each["odd"] for each in told} == {"x"}
    assert sum(each["size"] == 40 for each in told) / len(told) == pytest.approx(0.5, abs=0.1)
    plain = [conduct(Script(answer=0.6, voicemail=0.2), f"+4930{n:07}", 1) for n in range(500)]
    assert [call.talk for call in plain] == [call.talk for call in calls], "the other draws stay as they are"


def test_only_with_whoever_talks_something_is_said() -> None:
    calls = [conduct(Script(answer=0.6, voicemail=0.2, transcripts=("a", "b")), f"+4930{n:07}", 1) for n in range(500)]
    assert not [call for call in calls if (call.fate == "human") != (call.transcript is not None)]
    assert {call.transcript for call in calls} == {"a", "b", None}


def test_a_name_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="extracted needs at least one value"):
        parse(b'{"extracted": {"size": []}}')
