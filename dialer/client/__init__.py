"""A client for the dialer's HTTP contract. Needs aiohttp and nothing else of this project.

    async with DialerClient("https://dialer.example.com", key="tk_live_…", team_id="team_…") as dialer:
        contact = await dialer.contacts.create(first_name="Ada", last_name="Lovelace", phone="+14155552671")
        campaign = await dialer.campaigns.create(
            name="Spring offer", assistant_id="asst_…", from_number_ids=["num_…"], max_concurrent_calls=5
        )
        await dialer.campaigns.enrol(campaign["id"], contact_ids=[contact["id"]])
        rehearsal = await dialer.campaigns.run(campaign["id"], dry_run=True)
        print(rehearsal["message"], rehearsal["errors"])
        await dialer.campaigns.run(campaign["id"], max_calls=10)
        async for event in dialer.campaigns.events(campaign["id"]):
            print(event.kind, event.data)
            if event.kind == "status" and event.data["status"] == "completed":
                break
        async for each in dialer.contacts.list(search="love"):  # page by page, as they are needed
            print(each["first_name"], each["lead_status"])

What may be repeated safely is repeated: reading; every POST, which carries an Idempotency-Key, so that it has its effect once;
and what certainly was not carried out. Everything else is told: `Invalid` with the faults field by field, `NotFound`, `Conflict`,
`RateLimited(retry_after)`, `Unavailable` (had no effect), `Ambiguous` (may have had its effect; look before you repeat it).
Logs nothing.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from dialer.client.calling import Assistants, Calls, Campaigns, PhoneNumbers
from dialer.client.errors import (
    Ambiguous,
    Conflict,
    DialerError,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Refused,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unexpected,
)
from dialer.client.events import Event
from dialer.client.paging import Listing
from dialer.client.people import Companies, Contacts, CustomFields, Suppressions
from dialer.client.transport import Patience, Transport

__all__ = [
    "Ambiguous",
    "Conflict",
    "DialerClient",
    "DialerError",
    "Event",
    "Forbidden",
    "Invalid",
    "Listing",
    "NotFound",
    "Patience",
    "RateLimited",
    "Refused",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unexpected",
]


class DialerClient:
    """One team's view of one dialer. Use it inside `async with`, in one event loop; any number of requests may run at once."""

    def __init__(self, base_url: str, key: str, team_id: str, **patience: Any) -> None:
        """`patience`: the fields of `Patience`, such as timeout=60 (seconds for one try) or tries=1."""
        self._base_url, self._team_id = base_url, team_id
        self._transport = Transport(base_url, key, Patience(**patience))
        own = (self._transport, team_id)
        self.contacts = Contacts(*own)
        self.companies = Companies(*own)
        self.assistants = Assistants(*own)
        self.phone_numbers = PhoneNumbers(*own)
        self.campaigns = Campaigns(*own)
        self.calls = Calls(*own)
        self.suppressions = Suppressions(*own)
        self.custom_fields = CustomFields(*own)

    def __repr__(self) -> str:
        return f"DialerClient({self._base_url!r}, team_id={self._team_id!r})"

    async def __aenter__(self) -> Self:
        await self._transport.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        await self._transport.close()
