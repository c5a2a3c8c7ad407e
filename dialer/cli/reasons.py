"""Why somebody is not called, in words for whoever has never seen the source, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SAID: Final[Mapping[str, str]] = {
    "attempts_exhausted": "all attempts are used up",
    "callback": "a callback was asked for, and its time has not come",
    "caller_ids_exhausted": "no caller ID is active, or those that are have used up their day or rest because they were blocked",
    "do_not_call": "do not call: the contact said no",
    "ended": "the campaign has ended and calls nobody any more",
    "expired": "it has waited too long since it was enrolled",
    "frequency_cap": "it has been called as often as the caps allow",
    "never_callable": "the call window never opens there, or the time zone is unknown",
    "next_attempt": "the next attempt is not due yet",
    "no_free_slot": "every slot is taken; the next call that ends gives one back",
    "no_phone": "no phone number",
    "not_started": "the campaign was not started",
    "number_busy": "the person or the number is in another call",
    "paused": "the campaign is paused",
    "quarantined": "no call could be made of it, each was refused",
    "rate": "calls per second are limited, or the carrier asked to wait",
    "run_limit": "the run has used up its calls",
    "suppressed": "the number is suppressed",
    "trunk_breaker": "the carrier does not take calls; one call tries it again now and then",
    "trunk_config": "the assistant, its adapter or the campaign's rules are not ready, or the carrier refuses our calls",
    "window": "outside the call window",
}
ENDS: Final = "the campaign ends before it may be called"
"""What `window` means without a time."""

BY_ITSELF: Final = "nothing; it goes on by itself"

WAITING: Final[Mapping[str, str]] = {
    "callback": f"{BY_ITSELF} at that time. `dialer campaign callback {{campaign}} CONTACT --withdraw` takes the callback back",
    "caller_ids_exhausted": "wait for the time, where there is one; or set a number active, add one (fromNumberIds), raise its"
    " dailyLimit, or end its rest (restingUntil: null)",
    "do_not_call": "nothing; who said no is not called",
    "ended": "create another campaign",
    "expired": "raise contactExpiryDays of the campaign before the next look, or take it out and enrol it again",
    "frequency_cap": f"{BY_ITSELF} when the cap lets go; with --contact CONTACT it is named. Caps are those of the campaign"
    " (frequencyCaps), of the team (`dialer team caps`) and of policy packs",
    "never_callable": "give the contact a timezone of its own, or the campaign other hours or another zonePolicy. What a policy"
    " pack forbids stays forbidden",
    "next_attempt": f"{BY_ITSELF} then. retryDelayMinutes of the campaign says how long a retry waits",
    "no_free_slot": f"{BY_ITSELF}. For more calls at once raise the limit that `dialer campaign explain {{campaign}}` names",
    "not_started": "`dialer campaign run {campaign}` starts it",
    "number_busy": f"{BY_ITSELF} when that call is over",
    "paused": "`dialer campaign resume {campaign}` goes on with it",
    "rate": f"{BY_ITSELF}. The limits are callsPerSecond of the campaign and calls_per_second of the trunk",
    "run_limit": "`dialer campaign run {campaign}` starts another run; --max-calls N limits it",
    "suppressed": f"{BY_ITSELF} then. If the entry is a mistake: `dialer suppression list` shows it, `dialer suppression remove"
    " ID` takes it away",
    "trunk_breaker": f"{BY_ITSELF} once a call succeeds. `dialer doctor` asks the carrier how it is",
    "trunk_config": "mend what is named; then it goes on by itself. `dialer check-config` and `dialer doctor` help to find it",
    "window": f"{BY_ITSELF} when the hours open: callWindowStart, callWindowEnd, daysOfWeek, dayWindows and holidayCalendar of"
    " the campaign. Those of a policy pack hold whatever the campaign says",
}
"""What can be done for those who wait, whom no reason keeps from ever being called."""

MOVE_THE_END: Final = "move settings.scheduledEndAt of the campaign to a later time, or clear it"

ENDINGS: Final[Mapping[str, str]] = {
    "callback_missed": "the callback could not be made in time",
    "callback_withdrawn": "the callback was withdrawn",
    "config_failures": "given up: the carrier refused our configuration 20 times in a day",
    "invalid_number": "nobody has this number",
    "removed": "taken out of the campaign",
    "request_failures": "given up: its calls were refused 20 times in a day",
    "storm": "its trunk called everybody's number invalid, and the campaign had ended before that was known",
    "trunk_failures": "given up: the carrier failed 20 times in a day",
    "unknown": "nobody knows whether its phone rang, so it is not called a second time",
    "unreadable_rules": "the campaign's rules could not be read when its call ended",
}
"""What the ledger says of contacts that are not called any more, where it is not said by a reason."""

AFTER: Final[Mapping[str, str]] = {
    "attempts_exhausted": "nothing; or {once_more}",
    "config_failures": "mend the trunk's options; then {once_more}",
    "do_not_call": WAITING["do_not_call"],
    "expired": "nothing; or raise contactExpiryDays of the campaign, and {again}",
    "no_phone": "give the contact a phone number; then {again}",
    "quarantined": "its calls tell the cause (GET /calls?contactId=…). Mend that; then {once_more}",
    "request_failures": "its calls tell the cause (GET /calls?contactId=…). Mend that; then {once_more}",
    "storm": "{again}",
    "suppressed": "nothing; or, if the entry is a mistake, take it away (`dialer suppression list`, `dialer suppression remove"
    " ID`), and {again}",
    "trunk_failures": "when the carrier is well again, {once_more}",
    "unreadable_rules": "mend the campaign's settings; then {once_more}",
}
"""What can be done for those who are not called any more, by the ledger's word."""

_AGAIN: Final = "take the contact out of the campaign and enrol it anew; one that was called in it, in another campaign"
_ONCE_MORE: Final = "`dialer campaign callback {campaign} CONTACT --at TIME` calls it once more"
_ELSEWHERE: Final = "enrol the contact in another campaign, for this one is over"


def said(reason: str, until: object, rule: str | None, own: str = "campaign") -> str:
    """Why somebody waits. `own`: the rule that needs no naming."""
    text = ENDS if reason == "window" and until is None else SAID[reason]
    return text if rule in (None, own) else f"{text}, by {rule}"


def to_do(campaign: str, reason: str, until: object = None, pause: str | None = None) -> str:
    """What can be done about it; `pause`: why a paused campaign is."""
    remedy = WAITING[reason].format(campaign=campaign)
    if reason == "window" and until is None:
        return MOVE_THE_END
    if pause == "window_ended":
        return f"{MOVE_THE_END}; then {remedy}"
    if reason == "not_started" and until is not None:
        return f"{BY_ITSELF} then; {remedy} now"
    return remedy


def ending(status: str, word: str | None, outcome: str | None = None) -> str:
    """Why somebody is not called any more; `word` is the ledger's."""
    word = word or outcome or status
    known = None if status == "completed" else ENDINGS.get(word) or SAID.get(word)
    return known or f"called to the end: {word.replace('_', ' ')}"


def to_do_after(campaign: str, word: str | None, *, over: bool) -> str | None:
    """What can be done for somebody who is not called any more; `over`: the campaign calls nobody any more."""
    if word is None or word not in AFTER:
        return None
    again, once_more = (_ELSEWHERE, _ELSEWHERE) if over else (_AGAIN, _ONCE_MORE.format(campaign=campaign))
    return AFTER[word].format(again=again, once_more=once_more)
