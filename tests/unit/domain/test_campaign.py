"""A campaign's row read into rules; what cannot be kept is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from dialer.domain.campaign import CampaignRules, CampaignSettings, end_of
from dialer.domain.caps import as_kept
from scheduler.frequency import FrequencyCap
from scheduler.holidays import Calendar
from scheduler.windows import Hours
from tests.support.places import somewhere
from tests.unit.domain.cases import NOW, row, rules


def test_days_of_the_week_and_windows_of_single_days() -> None:
    own = {
        "days_of_week": ["monday", "friday"],
        "day_windows": {"friday": [{"start": "10:00", "end": "12:00"}, {"start": "22:00", "end": "02:00"}]},
    }
    window = rules(call_window_start="09:00", call_window_end="17:00", settings=own).hours.window
    usual, friday = (Hours.parse("09:00", "17:00"),), (Hours.parse("10:00", "12:00"), Hours.parse("22:00", "02:00"))
    assert window.weekly == (usual, (), (), (), friday, (), ())
    extra = {"days_of_week": ["monday"], "day_windows": {"sunday": [{"start": "10:00", "end": "12:00"}], "monday": []}}
    assert rules(settings=extra).hours.window.weekly == ((), (), (), (), (), (), (Hours.parse("10:00", "12:00"),))


def test_the_window_is_read_in_the_contacts_zones_unless_the_campaign_says_otherwise() -> None:
    def walls(kept: CampaignRules) -> list[str]:
        return [wall.zone for wall in kept.walls(somewhere("Europe/Berlin"), NOW).each]

    assert walls(rules()) == ["Europe/Berlin"]
    assert walls(rules(settings={"use_contact_timezone_for_call_window": False})) == ["America/New_York"]


def test_who_is_called_sees_the_same_number_again_and_a_local_one_where_that_is_asked_for() -> None:
    assert (rules().sticky, rules().local_presence) == (True, False)
    own = rules(settings={"caller_id_sticky": False, "local_presence": True})
    assert (own.sticky, own.local_presence) == (False, True)


@pytest.mark.parametrize("off", [None, False, "", [], {}])
@pytest.mark.parametrize(
    "key",
    [
        "policy_packs",
        "holiday_calendar",
        "scheduled_end_at",
        "contact_expiry_days",
        "local_presence",
        "use_secondary_phone",
        "frequency_caps",
    ],
)
def test_a_rule_that_is_switched_off_is_kept_by_everybody(key: str, off: object) -> None:
    assert rules(settings={key: off}) == rules(settings={})


@pytest.mark.parametrize(
    ("given", "calendar"),
    [
        ("US", Calendar("US")),
        ("US-AL", Calendar("US", "AL")),
        ({"country": "US", "subdivision": "AL"}, Calendar("US", "AL")),
        ({"country": "US", "subdivision": "US-AL", "dates": None}, Calendar("US", "AL")),
        ({"dates": ["2026-12-24"]}, Calendar(dates=frozenset({date(2026, 12, 24)}))),
        (
            {"country": "DE", "dates": ["2026-12-24", "2026-12-31"], "open": ["2026-10-03"]},
            Calendar("DE", None, frozenset({date(2026, 12, 24), date(2026, 12, 31)}), frozenset({date(2026, 10, 3)})),
        ),
    ],
)
def test_a_calendar_in_all_its_spellings_is_the_windows_and_kept_as_it_was_sent(given: object, calendar: Calendar) -> None:
    settings = {"holiday_calendar": given, "day_windows": {"friday": [{"start": "10:00", "end": "12:00"}]}}
    assert rules(settings=settings).hours.window.calendar == calendar
    kept = CampaignSettings.model_validate(settings).model_dump(mode="json", exclude_unset=True)["holiday_calendar"]
    assert kept == (given if not isinstance(given, dict) or None not in given.values() else given | {"dates": []})
    assert rules(settings={"holiday_calendar": kept}).hours.window.calendar == calendar


def test_a_calendar_without_any_date_is_none() -> None:
    assert rules(settings={"holiday_calendar": {"dates": []}}) == rules()


@pytest.mark.parametrize(
    "given",
    [
        "XX", "us", "US-XX", "US-", "-AL", ["US"], 1, True, {"subdivision": "AL"}, {"country": "US", "colour": "red"},
        {"country": 1},
        {"dates": ["24.12.2026"]}, {"dates": ["2026-02-30"]}, {"dates": [20_261_224]}, {"dates": ["2026-12-24T00:00:00Z"]},
        {"dates": "2026-12-24"}, {"open": ["2026-12-25"]}, {"country": "US", "dates": ["2026-12-25"], "open": ["2026-12-25"]},
        {"dates": ["2026-12-24"] * 1001},
    ],
)  # fmt: skip
def test_what_is_no_calendar(given: object) -> None:
    with pytest.raises(ValueError, match="holiday_calendar"):
        rules(settings={"holiday_calendar": given})


def test_the_caps_of_a_campaign_and_of_its_team() -> None:
    own = {"calls": 3, "hours": 24, "per": "number"}
    read = rules(settings={"frequency_caps": [own, "7-in-7-days"]}, team_caps=[own | {"counts": "conversations"}]).caps
    assert read == (
        FrequencyCap(3, 24, "number", "attempts", "campaign"),
        FrequencyCap(7, 169, "person", "attempts", "campaign: 7-in-7-days"),
        FrequencyCap(3, 24, "number", "conversations", "team"),
    )
    assert as_kept([own, "3-in-24-hours"]) == [own | {"counts": "attempts"}, "3-in-24-hours"]


@pytest.mark.parametrize("caps", [{"calls": 1}, ["often"], [{"calls": 1, "hours": 24}], [1], "3-in-24-hours", [None]])
def test_caps_of_a_team_that_cannot_be_read_are_no_rules(caps: object) -> None:
    """Such a campaign is not dialled."""
    with pytest.raises(ValueError):
        rules(team_caps=caps)


def test_more_caps_than_anybody_oversees_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 20"):
        rules(settings={"frequency_caps": ["7-in-7-days"] * 21})


def test_an_end_is_read_in_its_own_zone_and_kept_in_utc() -> None:
    settings = {"scheduled_end_at": "2026-12-31T17:00:00-05:00"}
    assert rules(settings=settings).ends == end_of(row(settings=settings)) == datetime(2026, 12, 31, 22, tzinfo=UTC)
    kept = CampaignSettings.model_validate(settings).model_dump(mode="json", exclude_unset=True)
    assert kept == {"scheduled_end_at": "2026-12-31T22:00:00Z"}
    assert rules().ends is None and end_of(row()) is None


def test_contacts_expire_so_many_days_of_86400_seconds_after_their_enrolment() -> None:
    """Also over a clock change: from 28 to 29 March it is 23 hours in Berlin."""
    enrolled = datetime(2026, 3, 28, 12, 0, 0, 7, tzinfo=UTC)
    assert rules(settings={"contact_expiry_days": 1}).expires(enrolled) == enrolled + timedelta(seconds=86_400)
    assert rules().expires(enrolled) is None


def test_unknown_settings_are_kept_verbatim() -> None:
    assert CampaignSettings.model_validate({"colour": ["red"]}).model_dump()["colour"] == ["red"]


@pytest.mark.parametrize(
    "changes",
    [
        {"call_window_start": "9:00"},
        {"call_window_end": "25:00"},
        {"call_window_start": "24:00"},
        {"call_window_timezone": "Mars/Olympus"},
        {"call_window_timezone": ""},
        {"settings": {"ring_timeout_seconds": 4}},
        {"settings": {"days_of_week": ["someday"]}},
        {"settings": {"retry_backoff_multiplier": 1}},
        {"settings": {"contact_expiry_days": 0}},
        {"settings": {"contact_expiry_days": 3651}},
        {"settings": {"contact_expiry_days": True}},
        {"settings": {"scheduled_end_at": "tomorrow"}},
        {"settings": {"scheduled_end_at": "2026-12-31T17:00:00"}},
        {"settings": {"scheduled_end_at": 1_798_736_400}},
    ],
)
def test_what_cannot_be_read_is_an_error(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        rules(**changes)
