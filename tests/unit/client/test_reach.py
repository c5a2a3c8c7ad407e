"""The client reaches every operation of the contract, those too that a service may not offer yet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from dialer.api.app import build
from dialer.api.document.names import BASE, operation_id
from dialer.client import DialerClient, NotFound


async def one(listing: AsyncIterator[Any] | Any) -> None:
    async for _ in listing:
        return


D = DialerClient
REACHED: dict[str, Callable[[D], Awaitable[Any]]] = {
    "createContact": lambda d: d.contacts.create(first_name="A", last_name="B"),
    "listContacts": lambda d: one(d.contacts.list(search="a")),
    "getContact": lambda d: d.contacts.get("x"),
    "updateContact": lambda d: d.contacts.update("x", notes=None),
    "deleteContact": lambda d: d.contacts.delete("x"),
    "importContacts": lambda d: d.contacts.import_csv(b"", dry_run=True),
    "downloadImportRejects": lambda d: one(d.contacts.import_rejects("x")),
    "createCompany": lambda d: d.companies.create(name="A"),
    "listCompanies": lambda d: one(d.companies.list()),
    "getCompany": lambda d: d.companies.get("x"),
    "updateCompany": lambda d: d.companies.update("x", name="B"),
    "deleteCompany": lambda d: d.companies.delete("x"),
    "createCompanyContact": lambda d: d.companies.create_contact("x", first_name="A"),
    "listCompanyContacts": lambda d: one(d.companies.contacts("x")),
    "createAssistant": lambda d: d.assistants.create(name="A"),
    "listAssistants": lambda d: one(d.assistants.list()),
    "getAssistant": lambda d: d.assistants.get("x"),
    "updateAssistant": lambda d: d.assistants.update("x", name="B"),
    "deleteAssistant": lambda d: d.assistants.delete("x"),
    "listOutboundAssistants": lambda d: one(d.assistants.outbound()),
    "createPhoneNumber": lambda d: d.phone_numbers.create(phone_number="+14155552671"),
    "listPhoneNumbers": lambda d: one(d.phone_numbers.list()),
    "getPhoneNumber": lambda d: d.phone_numbers.get("x"),
    "updatePhoneNumber": lambda d: d.phone_numbers.update("x", weight=2),
    "deletePhoneNumber": lambda d: d.phone_numbers.delete("x"),
    "createCampaign": lambda d: d.campaigns.create(name="A"),
    "listCampaigns": lambda d: one(d.campaigns.list()),
    "getCampaign": lambda d: d.campaigns.get("x"),
    "updateCampaign": lambda d: d.campaigns.update("x", status="running"),
    "deleteCampaign": lambda d: d.campaigns.delete("x"),
    "enrolContacts": lambda d: d.campaigns.enrol("x", contact_ids=["y"]),
    "listCampaignContacts": lambda d: one(d.campaigns.contacts("x")),
    "removeCampaignContacts": lambda d: d.campaigns.remove("x", ["y"]),
    "callBackCampaignContact": lambda d: d.campaigns.call_back("x", "y", datetime(2026, 3, 2, 17, tzinfo=UTC)),
    "withdrawCallback": lambda d: d.campaigns.withdraw_callback("x", "y"),
    "runCampaign": lambda d: d.campaigns.run("x"),
    "pauseCampaign": lambda d: d.campaigns.pause("x"),
    "resumeCampaign": lambda d: d.campaigns.resume("x"),
    "cancelCampaign": lambda d: d.campaigns.cancel("x"),
    "preflightCampaign": lambda d: d.campaigns.preflight("x"),
    "getCampaignDashboard": lambda d: d.campaigns.dashboard("x"),
    "streamCampaignEvents": lambda d: one(d.campaigns.events("x")),
    "exportCampaign": lambda d: one(d.campaigns.export("x")),
    "createCall": lambda d: d.calls.create(assistant_id="x"),
    "listCalls": lambda d: one(d.calls.list()),
    "getCall": lambda d: d.calls.get("x"),
    "createSuppression": lambda d: d.suppressions.create(phone_number="+14155552671"),
    "listSuppressions": lambda d: one(d.suppressions.list()),
    "deleteSuppression": lambda d: d.suppressions.delete("x"),
    "importSuppressions": lambda d: d.suppressions.import_csv(b""),
    "exportSuppressions": lambda d: one(d.suppressions.export_csv()),
    "createCustomField": lambda d: d.custom_fields.create(key="a"),
    "listCustomFields": lambda d: one(d.custom_fields.list()),
    "getCustomField": lambda d: d.custom_fields.get("x"),
    "updateCustomField": lambda d: d.custom_fields.update("x", label="A"),
    "deleteCustomField": lambda d: d.custom_fields.delete("x"),
}


def template(path: str) -> str:
    """`/contacts/x` as `/contacts/{id}`; the id of every call above is x."""
    named = path.replace("/import/x/", "/import/{batch_id}/").replace("/contacts/y/", "/contacts/{campaign_contact_id}/")
    return named.replace("/x", "/{id}")


@pytest.mark.parametrize("operation", REACHED)
async def test_a_method_asks_for_its_operation(operation: str) -> None:
    heard: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        heard.append(operation_id(request.method.lower(), template(request.path)))
        return web.json_response({"success": False, "error": "no"}, status=404)

    app = web.Application()
    app.router.add_route("*", BASE + "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with DialerClient(f"http://127.0.0.1:{runner.addresses[0][1]}", "tk_test_x", "team_x", tries=1) as dialer:
        with pytest.raises(NotFound):
            await REACHED[operation](dialer)
    await runner.cleanup()
    assert heard == [operation]


def test_every_operation_is_reached() -> None:
    """PUT does what PATCH does, and the client needs only one of them."""
    there = {
        each["operationId"]
        for path, operations in build().openapi()["paths"].items()
        for method, each in operations.items()
        if path.startswith(BASE) and method != "put"
    }
    assert there - REACHED.keys() == set()
