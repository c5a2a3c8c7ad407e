"""The estimate of an end: a steady pace through the windows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from dialer.domain.forecast import Crowd, finish
from scheduler.windows import everywhere, is_open
from tests.support.places import somewhere
from tests.unit.domain.cases import NOW, rules

BERLIN, NEW_YORK, AUCKLAND = ("Europe/Berlin",), ("America/New_York",), ("Pacific/Auckland",)
DAYTIME = rules(call_window_start="09:00", call_window_end="17:00")


def crowd(contacts: int, zones: tuple[str, ...] = BERLIN, earliest: datetime = NOW) -> Crowd:
    return Crowd(somewhere(*zones), contacts, earliest)


def test_an_open_window_only_takes_the_time_of_the_calls() -> None:
    assert finish([crowd(600)], rules(), 0.5, NOW) == NOW + timedelta(seconds=1200)


def test_nobody_to_call_is_done_now() -> None:
    assert finish([], rules(), 1, NOW) == NOW
    assert finish([crowd(0)], rules(), 1, NOW) == NOW


def test_what_is_not_due_is_waited_for() -> None:
    later = NOW + timedelta(hours=2)
    assert finish([crowd(1, earliest=later)], rules(), 1, NOW) == later + timedelta(seconds=1)


def test_two_crowds_share_the_pace() -> None:
    assert finish([crowd(50), crowd(50, NEW_YORK)], rules(), 1, NOW) == NOW + timedelta(seconds=100)


def test_what_does_not_fit_into_today_goes_on_tomorrow() -> None:
    """15:30 UTC is 16:30 in Berlin: 28.5 minutes are left before the margin, the rest is called from 09:00 on."""
    left = (30 * 60 - DAYTIME.margin) * 0.1
    end = finish([crowd(round(left) + 60)], DAYTIME, 0.1, NOW)
    assert end is not None
    tomorrow = datetime(2026, 3, 5, 8, tzinfo=NOW.tzinfo)
    assert tomorrow + timedelta(seconds=590) <= end <= tomorrow + timedelta(seconds=610)


def test_windows_of_other_zones_come_in_their_turn() -> None:
    end = finish([crowd(10), crowd(10, AUCKLAND)], DAYTIME, 1, NOW)
    assert end is not None and is_open(everywhere(DAYTIME.hours.window, AUCKLAND), end)
    assert end == datetime(2026, 3, 4, 20, 0, 10, tzinfo=NOW.tzinfo)


def test_whoever_can_never_be_called_is_left_aside() -> None:
    assert finish([crowd(10), crowd(99, ())], rules(), 1, NOW) == NOW + timedelta(seconds=10)


def test_whom_the_end_of_the_campaign_leaves_over_has_no_finish() -> None:
    """600 calls take 20 minutes at this pace; no call starts in the last minute and a half."""

    def end(minutes: float) -> datetime | None:
        at = NOW + timedelta(minutes=minutes)
        return finish([crowd(600)], rules(settings={"scheduled_end_at": at.isoformat()}), 0.5, NOW)

    assert end(21.6) == end(60) == NOW + timedelta(minutes=20)
    assert end(21.4) is None


@pytest.mark.parametrize("contacts", [100_000_000, 90 * 24 * 3600 + 100])
def test_beyond_ninety_days_nothing_is_foretold(contacts: int) -> None:
    assert finish([crowd(contacts)], DAYTIME, 1, NOW) is None


def test_many_zones_and_months_are_no_matter() -> None:
    names = ["Europe/Berlin", "America/New_York", "America/Chicago", "America/Denver", "Asia/Tokyo", "Pacific/Auckland"]
    crowds = [crowd(20, (names[n % 6],), NOW + timedelta(hours=n)) for n in range(500)]
    end = finish(crowds, DAYTIME, 0.01, NOW)
    assert end is not None and end - NOW > timedelta(days=10)
