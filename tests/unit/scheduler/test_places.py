"""Where a phone may ring, from what a contact says of itself and from its number."""

from __future__ import annotations

import pickle

import pytest

from scheduler.area_codes import area_codes, zones_of
from scheduler.places import UNKNOWN, Candidate, Place, could_be, is_subdivision, locate, of
from scheduler.zones import is_zone, rhythm

CHICAGO, NEW_YORK = "America/Chicago", "America/New_York"
TALLAHASSEE, MIAMI, BIRMINGHAM, TOLL_FREE = "+18505550123", "+13055550123", "+12055550123", "+18005550199"


def test_the_contacts_own_zone_wins() -> None:
    assert locate("Asia/Calcutta", None, "+493012345678") == of(["Asia/Calcutta"], ["DE", "+49"], "contact")
    assert locate("Europe/Berlin", None, "+493012345678") == of(["Europe/Berlin"], ["DE"], "contact")


@pytest.mark.parametrize("timezone", [None, "", "Etc/Unknown", "Mars/Phobos"])
def test_else_the_number_tells(timezone: str | None) -> None:
    assert locate(timezone, None, "+493012345678") == of(["Europe/Berlin"], ["DE"], "number")


@pytest.mark.parametrize(
    ("number", "zones", "source"),
    [
        ("+12125550123", 1, "number"),
        (TOLL_FREE, 42, "country"),
        ("+447911123456", 4, "number"),  # whose clocks all go alike
        ("+79161234567", 16, "country"),
    ],
)
def test_a_number_maps_to_a_set_of_zones(number: str, zones: int, source: str) -> None:
    place = locate(None, None, number)
    assert (len(place.zones), place.source) == (zones, source)
    assert list(place.candidates) == sorted(place.candidates)


@pytest.mark.parametrize("number", [None, "", "+", "12125550123", "+999123456789", "+88312345678", "nonsense"])
def test_else_the_place_is_unknown(number: str | None) -> None:
    assert locate(None, None, number) == UNKNOWN


def test_an_area_code_tells_the_state() -> None:
    assert locate(None, None, BIRMINGHAM) == of([CHICAGO], ["US-AL"], "number")
    assert locate(None, None, "+13125550123") == of([CHICAGO], ["US-IL"], "number")
    assert locate(None, None, "+14165550123").regions == ("CA-ON",)
    assert locate(None, None, "+19025550123").regions == ("CA-NS", "CA-PE")
    assert locate(None, None, "+17875550123").regions == ("US-PR",)


def test_an_area_that_lies_in_two_zones_lies_in_both() -> None:
    """However much the library knows of an exchange: a number that moved says nothing of it."""
    for number in (TALLAHASSEE, "+18502440123", "+14485550123"):
        assert locate(None, None, number) == of([CHICAGO, NEW_YORK], ["US-FL"], "number")
    assert (
        locate(None, None, "+12198830123") == locate(None, None, "+12195550123") == of([CHICAGO, NEW_YORK], ["US-IN"], "number")
    )
    assert locate(None, None, MIAMI).zones == (NEW_YORK,)


def test_of_a_toll_free_number_no_region_is_known() -> None:
    place = locate(None, None, TOLL_FREE)
    assert place.regions == ()
    assert {each.region for each in place.candidates} == {"+1"}


def test_a_region_tells_its_zones_and_the_area_within_it() -> None:
    assert locate(None, "US-TX", None) == of([CHICAGO, "America/Denver"], ["US-TX"], "region")
    assert locate(None, "US-FL", None) == of([CHICAGO, NEW_YORK], ["US-FL"], "region")
    assert locate(None, "US-FL", MIAMI) == of([NEW_YORK], ["US-FL"], "number")
    assert locate(None, "US-AZ", MIAMI) == of(["America/Denver", "America/Phoenix"], ["US-AZ"], "region")
    assert locate(None, "US-TX", TOLL_FREE) == of([CHICAGO, "America/Denver"], ["US-TX"], "region")
    assert locate(None, "DE-BY", "+498912345678") == of(["Europe/Berlin"], ["DE-BY"], "number")
    assert locate(None, "DE-BY", MIAMI) == of(["Europe/Berlin"], ["DE-BY"], "region")


def test_what_is_no_region_is_as_if_it_were_not_there() -> None:
    assert locate(None, "US-ZZ", BIRMINGHAM) == locate(None, "", BIRMINGHAM) == locate(None, None, BIRMINGHAM)


def test_a_region_is_believed_with_any_zone_of_the_contacts_own() -> None:
    assert locate(CHICAGO, "US-IL", BIRMINGHAM) == of([CHICAGO], ["US-IL"], "contact")


def test_who_has_moved_out_of_the_numbers_zones_may_be_anywhere_in_the_country_and_is_still_of_its_state() -> None:
    assert locate("US/Central", None, BIRMINGHAM) == of(["US/Central"], ["US-AL"], "contact")
    moved = locate("America/Los_Angeles", None, BIRMINGHAM)
    assert moved == of(["America/Los_Angeles"], ["US-AL", "+1"], "contact")
    assert could_be(moved.candidates[0], "US-NV") and not could_be(moved.candidates[0], "US-FL")


@pytest.mark.parametrize(
    ("candidate", "could", "could_not"),
    [
        (Candidate(CHICAGO, "US-IL"), ("US-IL", "US"), ("US-AL", "CA", "CA-ON")),
        (Candidate(CHICAGO, "+1"), ("US-IL", "US-AL", "US-FL", "US", "CA"), ("US-NY", "US-CA", "GB")),
        (Candidate(NEW_YORK, "+1"), ("US-NY", "US-FL", "US"), ("US-AL", "US-NV")),
        (Candidate("US/Eastern", ""), ("US-NY", "US"), ("US-AL",)),
        (Candidate("", ""), ("US-NY", "US-AL", "US", "DE", "DE-BY"), ()),
        (Candidate("Europe/Berlin", ""), ("DE", "DE-BY", "US", "US-AL"), ()),  # no clock of the country: it may be any part
        (Candidate("Europe/Berlin", "DE"), ("DE", "DE-BY"), ("US", "AT")),
        (Candidate("Europe/Berlin", "DE-BY"), ("DE", "DE-BY"), ("DE-BE", "US")),
        (Candidate("Europe/London", "+44"), ("GB", "GB-SCT", "JE"), ("IE", "US")),
    ],
)
def test_what_could_hold_for_a_candidate(candidate: Candidate, could: tuple[str, ...], could_not: tuple[str, ...]) -> None:
    assert all(could_be(candidate, region) for region in could)
    assert not any(could_be(candidate, region) for region in could_not)


@pytest.mark.parametrize("region", ["US-AL", "US-DC", "US-PR", "CA-QC", "DE-BY", "GB-SCT", "FR-75"])
def test_subdivisions(region: str) -> None:
    assert is_subdivision(region)


@pytest.mark.parametrize("region", ["", "US", "US-", "US-ZZ", "CA-AL", "us-al", "USA-AL", "ZZ-AA", "US-AL ", "AL"])
def test_what_is_no_subdivision(region: str) -> None:
    assert not is_subdivision(region)


def test_the_table_of_area_codes_is_whole() -> None:
    """Every state, district and territory, and every province; each code in zones that are some."""
    codes = area_codes()
    assert sum(region.startswith("US-") for region in codes.zones_of) == 50 + 1 + 5
    assert sum(region.startswith("CA-") for region in codes.zones_of) == 13
    assert set(codes.zones) == set(codes.regions)
    assert all(zones and all(map(is_zone, zones)) for zones in codes.zones.values())
    assert all(
        len(zones) == 1 or len({rhythm(zone) for zone in zones}) > 1 or code in ("1701", "1605")
        for code, zones in codes.zones.items()
    )
    assert zones_of("US-AL") == (CHICAGO,) and zones_of("US-ZZ") == ()


def test_the_table_says_what_the_library_says_of_each_code() -> None:
    """By the names it gives to codes as a whole: of hundreds, none in another state."""
    from phonenumbers.geodata import GEOCODE_DATA

    names = {
        "Alabama": "US-AL", "California": "US-CA", "Florida": "US-FL", "Georgia": "US-GA", "Illinois": "US-IL",
        "Louisiana": "US-LA", "Maryland": "US-MD", "New York": "US-NY", "Ohio": "US-OH", "Ontario": "CA-ON", "Quebec": "CA-QC",
        "Texas": "US-TX",
    }  # fmt: skip
    told = [(names.get(GEOCODE_DATA.get(code, {}).get("en", "")), regions) for code, regions in area_codes().regions.items()]
    assert all(regions == (region,) for region, regions in told if region is not None)
    assert sum(region is not None for region, _ in told) > 100


def test_a_number_says_no_less_than_the_library_does() -> None:
    """For an example of every type of number of every country, and for its neighbours."""
    import phonenumbers as plans
    from phonenumbers.timezone import time_zones_for_number

    kinds = [getattr(plans.PhoneNumberType, name) for name in dir(plans.PhoneNumberType) if name.isupper()]
    checked = 0
    for country in plans.SUPPORTED_REGIONS:
        for example in filter(None, (plans.example_number_for_type(country, kind) for kind in kinds)):
            number = plans.format_number(example, plans.PhoneNumberFormat.E164)
            for other in {
                number,
                *(number[:at] + str((int(number[at]) + 3) % 10) + number[at + 1 :] for at in (4, 5, 7) if at < len(number)),
            }:
                try:
                    found = set(time_zones_for_number(plans.parse(other)))
                except plans.NumberParseException:
                    found = set()
                said = found if all(map(is_zone, found)) else set()
                zones = set(locate(None, None, other).zones)
                assert zones == said if not other.startswith("+1") else zones >= said
                checked += bool(said)
    assert checked > 2_000


def test_a_place_that_went_through_another_process_is_the_same() -> None:
    place = locate(None, None, TALLAHASSEE)
    again: Place = pickle.loads(pickle.dumps(place))
    assert again == place and hash(again) == hash(place)
