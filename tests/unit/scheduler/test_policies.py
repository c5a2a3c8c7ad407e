"""Policy packs: what the shipped ones demand, by the clocks of those who are called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import policies
from scheduler.area_codes import area_codes
from scheduler.frequency import FrequencyCap
from scheduler.packs import read_pack, shipped
from scheduler.places import UNKNOWN, Place, locate, of
from scheduler.policies import CallHours, Pack, caps_for, check, in_force, known
from scheduler.windows import closes_at, daily, is_open, next_open, next_start, shut_by

ALWAYS = daily("00:00", "24:00")
US = ("us-federal", "us-states")
WINTER = datetime(2026, 1, 14, 12, tzinfo=UTC)  # a Wednesday

HOURS = {
    **dict.fromkeys(("FL", "MD", "MA", "AL", "LA", "MS"), (8, 20)),
    **dict.fromkeys(("MI", "MN", "NM"), (9, 21)),
    **dict.fromkeys(("NV", "CT"), (9, 20)),
    "KY": (10, 21),
}
"""By state, as the acts have them; elsewhere 8 to 21."""
NO_SUNDAYS, NO_HOLIDAYS = {"AL", "LA", "MS"}, {"AL", "LA"}


def hours(*packs: str, **changed: object) -> CallHours:
    return CallHours(ALWAYS, packs=packs, **changed)  # type: ignore[arg-type]


def lawful(region: str, zone: str, at: datetime) -> bool:
    """Whether the packs `US` allow a call, written apart from them."""
    from holidays import country_holidays

    wall = at.astimezone(ZoneInfo(zone))
    state = region.removeprefix("US-")
    low, high = HOURS.get(state, (8, 21))
    if not max(low, 8) <= wall.hour < min(high, 21):
        return False
    if state in NO_SUNDAYS and wall.weekday() == 6:
        return False
    return state not in NO_HOLIDAYS or wall.date() not in country_holidays("US", subdiv=state, years=wall.year)


states = st.sampled_from(sorted(region for region in area_codes().zones_of if region.startswith("US-")))
moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@settings(max_examples=300)
@given(states, moments)
def test_a_place_is_open_when_the_law_of_its_state_is_on_all_of_its_clocks(region: str, at: datetime) -> None:
    place = locate(None, region, None)
    walls = hours(*US).walls(place, at)
    assert is_open(walls, at) is all(lawful(region, zone, at) for zone in place.zones)


@settings(max_examples=100)
@given(st.sampled_from(["+18505550123", "+12055550123", "+18005550199", "+15035550123", "+13125550123", "+12235550123"]), moments)
def test_of_a_number_whose_region_nobody_knows_every_rule_that_could_hold_does(number: str, at: datetime) -> None:
    """By brute force: shut wherever any state with such a clock is shut."""
    place = locate(None, None, number)
    walls = hours(*US).walls(place, at)
    if is_open(walls, at):
        zones_of = area_codes().zones_of
        for each in place.candidates:
            regions = [each.region] if "-" in each.region else [r for r in zones_of if r[:2] == "US" and each.zone in zones_of[r]]
            assert all(lawful(region, each.zone, at) for region in regions)


def test_alabama_keeps_sundays_and_holidays_and_illinois_does_not() -> None:
    alabama, illinois = locate(None, None, "+12055550123"), locate(None, None, "+13125550123")
    noon = [datetime(2026, 11, day, 18, tzinfo=UTC) for day in (22, 23, 26)]  # a Sunday, a Monday, Thanksgiving
    assert [is_open(hours(*US).walls(alabama, at), at) for at in noon] == [False, True, False]
    assert [is_open(hours(*US).walls(illinois, at), at) for at in noon] == [True, True, True]
    walls = hours(*US).walls(alabama, noon[0])
    assert next_open(walls, noon[0]) == datetime(2026, 11, 23, 14, tzinfo=UTC)
    assert shut_by(walls, noon[0], 90) == "us-states/2024-06 AL"
    assert shut_by(hours(*US).walls(illinois, noon[0]), datetime(2026, 11, 22, 8, tzinfo=UTC), 90) == "us-federal/2024-01"


def test_packs_only_take_from_the_campaigns_own_window() -> None:
    own = CallHours(daily("12:00", "22:00"), packs=US)
    walls = own.walls(locate(None, "US-FL", "+13055550123"), WINTER)
    assert (next_open(walls, WINTER), closes_at(walls, WINTER + timedelta(hours=6))) == (
        datetime(2026, 1, 14, 17, tzinfo=UTC),
        datetime(2026, 1, 15, 1, tzinfo=UTC),
    )
    assert shut_by(walls, WINTER, 0) == "campaign"
    assert shut_by(walls, datetime(2026, 1, 15, 1, 30, tzinfo=UTC), 0) == "us-states/2024-06 FL"


def test_packs_are_read_where_the_contact_is_also_when_the_campaigns_window_is_not() -> None:
    own = CallHours(ALWAYS, zone="Europe/Berlin", packs=US)
    walls = own.walls(locate(None, None, "+13105550123"), WINTER)
    assert next_open(walls, WINTER) == datetime(2026, 1, 14, 16, tzinfo=UTC)
    assert not own.walls(UNKNOWN, WINTER).each  # nobody knows which rules hold
    assert CallHours(ALWAYS, zone="Europe/Berlin").walls(UNKNOWN, WINTER).each


def test_packs_of_the_us_say_nothing_of_other_countries() -> None:
    for number in ("+493012345678", "+447911123456", "+14165550123"):
        assert len(hours(*US).walls(locate(None, None, number), WINTER).each) == len(locate(None, None, number).zones)


def test_a_toll_free_number_has_no_hour_that_is_right_everywhere() -> None:
    place = locate(None, None, "+18005550199")
    assert next_start(hours(*US).walls(place, WINTER), WINTER, 90) is not None  # Kentucky's ten to Saipan's nine in the evening
    short = CallHours(daily("09:00", "18:00"), packs=US)
    assert next_start(short.walls(place, WINTER), WINTER, 90) is None
    assert shut_by(short.walls(place, WINTER), WINTER, 90) == "campaign"


class TestZonePolicy:
    TOLL_FREE, MIAMI = locate(None, None, "+18005550199"), locate(None, None, "+13055550123")

    def test_an_explicit_zone_may_be_required(self) -> None:
        own = hours(zone_policy="require_explicit_zone")
        assert not own.walls(self.MIAMI, WINTER).each
        assert own.refused(self.MIAMI) == "zone_policy require_explicit_zone"
        given_ = locate("America/New_York", None, "+13055550123")
        assert own.walls(given_, WINTER).each and own.refused(given_) is None
        assert not own.walls(locate(None, "US-FL", "+13055550123"), WINTER).each

    def test_the_campaigns_zone_stands_in_where_no_place_is_known(self) -> None:
        own = hours(*US, zone_policy="campaign_zone", campaign_zone="America/Chicago")
        for place in (self.TOLL_FREE, UNKNOWN):
            walls = own.walls(place, WINTER)
            assert {wall.zone for wall in walls.each} == {"America/Chicago"}
            assert "us-states/2024-06 AL" in {wall.rule for wall in walls.each}
            assert "us-states/2024-06 NV" not in {wall.rule for wall in walls.each}
        assert {wall.zone for wall in own.walls(self.MIAMI, WINTER).each} == {"America/New_York"}
        assert len({wall.zone for wall in own.walls(locate(None, None, "+18505550123"), WINTER).each}) == 2

    def test_a_place_of_the_version_before_is_read_strictly_whatever_the_policy(self) -> None:
        old = of(["America/New_York", "America/Chicago"], [""], "unknown")
        own = hours(*US, zone_policy="campaign_zone", campaign_zone="Asia/Tokyo")
        assert {wall.zone for wall in own.walls(old, WINTER).each} == {"America/New_York", "America/Chicago"}
        assert {"us-states/2024-06 AL", "us-states/2024-06 FL"} <= {wall.rule for wall in own.walls(old, WINTER).each}


def test_frequency_caps() -> None:
    frequency = in_force(["us-frequency"], date(2026, 1, 1))
    florida = tuple(FrequencyCap(3, 24, per, "attempts", "us-frequency/2024-01 FL") for per in ("person", "number"))
    assert caps_for(frequency, ("US-FL",)) == florida
    assert caps_for(frequency, ("US-GA",)) == caps_for(frequency, ("DE",)) == caps_for(frequency, ()) == ()
    assert {cap.rule[-2:] for cap in caps_for(frequency, ("+1",))} == {"FL", "MD", "ME", "OK"}
    assert {
        cap.rule[-2:]
        for cap in caps_for(
            frequency,
            (
                "US-GA",
                "US-ME",
                "US-OK",
            ),
        )
    } == {"ME", "OK"}
    debt = caps_for(in_force(["us-debt-reg-f"], date(2026, 1, 1)), ("US-GA",))
    assert [(cap.calls, cap.hours, cap.per, cap.counts) for cap in debt] == [
        (7, 169, "person", "attempts"),
        (1, 169, "person", "conversations"),
    ]
    assert hours("us-frequency").caps(locate(None, None, "+13055550123"), WINTER) == florida


def test_what_there_is_and_what_is_not_kept() -> None:
    assert known() == ("us-debt-reg-f", "us-federal", "us-frequency", "us-states")
    assert all(pack.source for pack in shipped())
    with pytest.raises(ValueError, match="no policy pack 'us-statez'; known are us-debt-reg-f"):
        check("us-statez")
    for id in ("abandonment-3pct", "uk-ofcom", "dnc-freshness"):
        with pytest.raises(ValueError, match=f"{id}: needs .*; remove it"):
            check(id)
    for id in known():
        check(id)


def test_the_readme_names_every_pack_with_its_version_its_day_and_its_states() -> None:
    rows = [line for line in (Path(__file__).parents[3] / "README.md").read_text().splitlines() if line.startswith("| `us-")]
    told = {row.split("`")[1]: row for row in rows}
    assert told.keys() == {pack.id for pack in shipped()}
    for pack in shipped():
        assert f"| `{pack.version}`, {pack.effective_from} |" in told[pack.id]
        named = set(re.findall(r"\b[A-Z]{2}\b", told[pack.id]))
        assert named == {rule.name for rule in pack.rules} - {""}


@pytest.fixture
def adopted() -> Iterator[None]:
    def version(name: str, starts: str, time: str) -> Pack:
        text = f'id = "us-states"\nversion = "{name}"\neffective_from = {starts}\nsource = "x"\n[[rules]]\nname = "FL"\n'
        pack, faults = read_pack("x.toml", text + f'regions = ["US-FL"]\nhours = ["{time}"]\n')
        assert pack is not None and not faults
        return pack

    policies.adopt([version("2026-07", "2026-07-01", "10:00-12:00"), version("2023", "2023-01-01", "11:00-12:00")])
    yield
    policies.adopt([])


@pytest.mark.usefixtures("adopted")
def test_the_newest_version_that_is_in_force_holds() -> None:
    assert [in_force(["us-states"], day)[0].version for day in (date(2023, 5, 1), date(2026, 6, 30), date(2026, 7, 1))] == [
        "2023",
        "2024-06",
        "2026-07",
    ]
    assert in_force(["us-states"], date(2022, 1, 1)) == ()
    miami: Place = locate(None, None, "+13055550123")
    before, after = (
        {wall.rule for wall in hours("us-states").walls(miami, at).each}
        for at in (datetime(2026, 6, 30, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    )
    assert (before, after) == ({"campaign", "us-states/2024-06 FL"}, {"campaign", "us-states/2026-07 FL"})
