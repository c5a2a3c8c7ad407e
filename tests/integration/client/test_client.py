"""The client against a real API process: every endpoint it knows, and what it raises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from dialer.client import Conflict, DialerClient, Forbidden, Invalid, NotFound, Unauthorized
from tests.support.served import Served


async def whole(pieces: AsyncIterator[bytes]) -> str:
    return b"".join([piece async for piece in pieces]).decode()


async def test_contacts_are_made_read_changed_and_deleted(dialer: DialerClient) -> None:
    made = await dialer.contacts.create(first_name="Ada", last_name="Lovelace", phone="(415) 555-2671", tags=["spring"])
    assert (made["phone"], made["tags"]) == ("+14155552671", ["spring"])
    assert (await dialer.contacts.get(made["id"]))["campaign_history"] == []
    assert (await dialer.contacts.update(made["id"], email="ada@example.com"))["email"] == "ada@example.com"
    assert (await dialer.contacts.update(made["id"], email=None))["email"] is None
    await dialer.contacts.delete(made["id"])
    with pytest.raises(NotFound):
        await dialer.contacts.get(made["id"])


async def test_lists_are_read_page_by_page_in_their_order(dialer: DialerClient) -> None:
    made = [(await dialer.contacts.create(first_name="Page", last_name=f"Turner{n}"))["id"] for n in range(7)]
    listing = dialer.contacts.list(search="page turner", page=3)
    assert [each["id"] async for each in listing] == made[::-1]
    assert await listing.count() == 7
    assert [each["id"] for each in await listing.first(2)] == made[:-3:-1]
    assert [each async for each in dialer.contacts.list(search="nobody at all")] == []


async def test_a_file_is_imported_and_its_rejects_come_back(dialer: DialerClient) -> None:
    file = b"Given,last_name,phone\nGrace,Hopper,+14155552672\nBad,Number,12\n"
    mapping = {"Given": "firstName", "last_name": "lastName", "phone": "phone"}
    told = await dialer.contacts.import_csv(file, column_mapping=mapping, duplicate_mode="skip")
    assert (told["imported"], told["failed"], told["total"]) == (1, 1, 2)
    assert told["batch_id"] is not None
    assert "Bad,Number,12" in await whole(dialer.contacts.import_rejects(told["batch_id"]))
    rehearsed = await dialer.contacts.import_csv(file, column_mapping=mapping, dry_run=True)
    assert rehearsed["imported"] == 0


async def test_companies_and_their_contacts(dialer: DialerClient) -> None:
    company = await dialer.companies.create(name="Analytical Engines", company_size="2")
    contact = await dialer.companies.create_contact(company["id"], first_name="Charles", last_name="Babbage")
    assert [each["id"] async for each in dialer.companies.contacts(company["id"])] == [contact["id"]]
    with pytest.raises(Conflict, match="1 contact"):
        await dialer.companies.delete(company["id"])
    assert company["id"] in {each["id"] async for each in dialer.companies.list(search="analytical")}


async def test_a_campaign_from_the_first_voice_to_the_last_cancel(dialer: DialerClient) -> None:
    voice = await dialer.assistants.create(name="Voice", adapter="simulated")
    number = await dialer.phone_numbers.create(phone_number="+14155550150", adapter="simulated", assistant_id=voice["id"])
    (shown,) = [each async for each in dialer.assistants.outbound() if each["id"] == voice["id"]]
    assert [each["id"] for each in shown["assigned_numbers"]] == [number["id"]]
    campaign = await dialer.campaigns.create(
        name="Spring",
        assistant_id=voice["id"],
        from_number_ids=[number["id"]],
        call_window_start="00:00",
        call_window_end="24:00",
    )
    contact = await dialer.contacts.create(first_name="Ada", last_name="Called", phone="+14155552673")
    assert (await dialer.campaigns.enrol(campaign["id"], contact_ids=[contact["id"]], priority=5))["added"] == 1
    new = {"first_name": "Born", "last_name": "Enrolled", "phone": "+14155552674"}
    assert (await dialer.campaigns.enrol(campaign["id"], contact=new))["added"] == 1
    assert (await dialer.campaigns.enrol(campaign["id"], audience={"mode": "all_eligible", "search": "nobody"}))["added"] == 0
    members = [each async for each in dialer.campaigns.contacts(campaign["id"], status="pending", page=1)]
    assert [each["contact"]["last_name"] for each in members] == ["Called", "Enrolled"]
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    agreed = await dialer.campaigns.call_back(campaign["id"], members[0]["id"], soon, tolerance_minutes=5, missed_action="skip")
    assert (agreed["contact_id"], agreed["missed_action"]) == (contact["id"], "skip")
    assert datetime.fromisoformat(agreed["callback_at"]) == soon
    assert (await dialer.campaigns.withdraw_callback(campaign["id"], contact["id"]))["status"] == "pending"
    rehearsal = await dialer.campaigns.run(campaign["id"], dry_run=True, max_calls=1)
    assert rehearsal["dryRun"] and (await dialer.campaigns.get(campaign["id"]))["status"] == "draft"
    assert (await dialer.campaigns.remove(campaign["id"], [contact["id"]]))["removed"] == 1
    await dialer.campaigns.run(campaign["id"], max_calls=1)
    assert (await dialer.campaigns.pause(campaign["id"], in_flight="hangUp"))["pause_reason"] == "user"
    assert (await dialer.campaigns.resume(campaign["id"]))["status"] == "running"
    board = await dialer.campaigns.dashboard(campaign["id"], limit_calls=5)
    assert board["counts"]["total"] == 1
    assert [each async for each in dialer.calls.list(campaign_id=campaign["id"], outcome="busy")] == []
    assert (await dialer.campaigns.cancel(campaign["id"]))["status"] == "cancelled"
    with pytest.raises(Conflict):
        await dialer.campaigns.resume(campaign["id"])
    await dialer.campaigns.delete(campaign["id"])
    assert [each["id"] async for each in dialer.campaigns.list(deleted="only")] == [campaign["id"]]


async def test_suppressions(dialer: DialerClient) -> None:
    entry = await dialer.suppressions.create(phone_number="+14155552679", reason="asked not to be called")
    assert [each["id"] async for each in dialer.suppressions.list(phone_number="+14155552679")] == [entry["id"]]
    await dialer.suppressions.delete(entry["id"])
    assert await dialer.suppressions.list().count() == 0


async def test_what_is_refused_is_told_by_kind(dialer: DialerClient, daemon: Served) -> None:
    with pytest.raises(Invalid) as refused:
        await dialer.contacts.create(first_name="Ada", nickname="x")
    assert set(refused.value.fields) == {"lastName", "nickname"}
    assert refused.value.request_id
    async with DialerClient(daemon.url, "tk_live_" + "0" * 40, daemon.team) as nobody:
        with pytest.raises(Unauthorized):
            await nobody.contacts.list().count()
    strange_team, strange_key = daemon.stranger
    async with DialerClient(daemon.url, strange_key, daemon.team) as stranger:
        with pytest.raises(Forbidden):
            await stranger.contacts.list().count()
    made = await dialer.contacts.create(first_name="Ours", last_name="Alone")
    async with DialerClient(daemon.url, strange_key, strange_team) as stranger:
        with pytest.raises(NotFound):
            await stranger.contacts.get(made["id"])


async def test_the_key_is_shown_nowhere(dialer: DialerClient, daemon: Served) -> None:
    assert daemon.key not in repr(dialer) + repr(vars(dialer).keys())


async def test_what_waits_in_a_campaign_is_counted_exported_and_followed(dialer: DialerClient) -> None:
    voice = await dialer.assistants.create(name="Told", adapter="simulated")
    number = await dialer.phone_numbers.create(phone_number="+14155550151", adapter="simulated", assistant_id=voice["id"])
    campaign = await dialer.campaigns.create(name="Told", assistant_id=voice["id"], from_number_ids=[number["id"]])
    contact = {"first_name": "Ada", "last_name": "Exported", "phone": "+14155552676"}
    await dialer.campaigns.enrol(campaign["id"], contact=contact)
    assert (await dialer.campaigns.preflight(campaign["id"]))["contacts"] == 1
    assert "Ada,Exported" in await whole(dialer.campaigns.export(campaign["id"]))
    async with aclosing(dialer.campaigns.events(campaign["id"])) as events:
        first = await anext(events)
        assert (first.kind, first.data["status"]) == ("status", "draft")
    with pytest.raises(NotFound):
        await anext(aiter(dialer.campaigns.events("camp_nowhere")))


async def test_one_call(dialer: DialerClient) -> None:
    voice = await dialer.assistants.create(name="Once", adapter="simulated")
    with pytest.raises(Conflict, match="no active phone number"):
        await dialer.calls.create(assistant_id=voice["id"], to_number="+14155552677")
    with pytest.raises(NotFound):
        await dialer.calls.create(assistant_id="asst_nowhere", to_number="+14155552677")


async def test_custom_fields(dialer: DialerClient) -> None:
    made = [await dialer.custom_fields.create(key=key, label="Plan", type="text") for key in ("b", "a", "c")]
    assert [each["key"] async for each in dialer.custom_fields.list(page=1)] == ["a", "b", "c"]
    assert (await dialer.custom_fields.update(made[0]["id"], label="Tariff"))["label"] == "Tariff"
    for each in made:
        await dialer.custom_fields.delete(each["id"])
    with pytest.raises(NotFound):
        await dialer.custom_fields.get(made[0]["id"])


async def test_files_of_suppressions(dialer: DialerClient) -> None:
    told = await dialer.suppressions.import_csv(b"phone_number\n+14155552680\n", reason="asked")
    assert (told["imported"], told["failed"]) == (1, 0)
    assert "+14155552680,team,,asked" in await whole(dialer.suppressions.export_csv())
