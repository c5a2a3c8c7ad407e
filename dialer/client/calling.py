"""Who speaks, with which number, in which campaign; and the calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Literal, cast

from dialer.client.collections import Collection, camel, given, part
from dialer.client.events import Event, follow
from dialer.client.models import (
    Assistant,
    Call,
    Callback,
    Campaign,
    CampaignContact,
    Dashboard,
    Enrolled,
    PhoneNumber,
    Removed,
    Run,
    Withdrawn,
)
from dialer.client.paging import Listing

InFlight = Literal["finish", "hangUp"]
Missed = Literal["retry_normally", "skip", "call_anyway"]


class Assistants(Collection[Assistant]):
    path, one, many = "assistants", "assistant", "assistants"

    def outbound(self, *, page: int = 100) -> Listing[Assistant]:
        """Those that may call out, with their `assigned_numbers`."""
        return self._listing("outbound-assistants", "assistants", {}, page)


class PhoneNumbers(Collection[PhoneNumber]):
    path, one, many = "phone-numbers", "phone_number", "phone_numbers"


class Calls(Collection[Call]):
    """`create` places one call now, by the same rules as campaigns. Calls can be neither changed nor deleted."""

    path, one, many = "calls", "call", "calls"


class Campaigns(Collection[Campaign]):
    path, one, many = "campaigns", "campaign", "campaigns"

    async def enrol(
        self,
        id: str,
        *,
        contact_ids: Sequence[str] | None = None,
        contact: dict[str, Any] | None = None,
        audience: dict[str, Any] | None = None,
        priority: int | None = None,
        idempotency_key: str | None = None,
    ) -> Enrolled:
        """Exactly one of `contact_ids`, `contact` and `audience`."""
        body: dict[str, object] = {"contactIds": None if contact_ids is None else list(contact_ids), "priority": priority}
        body |= {name: None if value is None else given(value) for name, value in (("contact", contact), ("audience", audience))}
        sent = {name: value for name, value in body.items() if value is not None}
        return cast(Enrolled, await self._post(f"{self._at(id)}/contacts", sent, idempotency_key))

    def contacts(self, id: str, *, page: int = 100, **filters: Any) -> Listing[CampaignContact]:
        query = {camel(name): value for name, value in filters.items()}
        return Listing(self._transport, f"{self._at(id)}/contacts", "contacts", query, page)

    async def remove(self, id: str, contact_ids: Sequence[str]) -> Removed:
        body = {"contactIds": list(contact_ids)}
        return cast(Removed, await self._transport.call("DELETE", f"{self._at(id)}/contacts", body=body))

    async def call_back(
        self,
        id: str,
        contact: str,
        at: datetime,
        *,
        tolerance_minutes: int | None = None,
        missed_action: Missed | None = None,
        idempotency_key: str | None = None,
    ) -> Callback:
        """Call `contact` (its own id, or that of its enrolment) at this time, which needs a zone."""
        body: dict[str, object] = {
            "callbackAt": at.isoformat(),
            "toleranceMinutes": tolerance_minutes,
            "missedAction": missed_action,
        }
        sent = {name: value for name, value in body.items() if value is not None}
        answer = await self._post(f"{self._at(id)}/contacts/{part(contact)}/callback", sent, idempotency_key)
        return cast(Callback, answer["callback"])

    async def withdraw_callback(self, id: str, contact: str) -> Withdrawn:
        """When this returns, the callback is not made."""
        return cast(Withdrawn, await self._transport.call("DELETE", f"{self._at(id)}/contacts/{part(contact)}/callback"))

    async def run(
        self, id: str, *, max_calls: int | None = None, dry_run: bool = False, idempotency_key: str | None = None
    ) -> Run:
        body: dict[str, object] = {"dryRun": dry_run} | ({} if max_calls is None else {"maxCalls": max_calls})
        return cast(Run, await self._post(f"{self._at(id)}/run", body, idempotency_key))

    async def pause(self, id: str, *, in_flight: InFlight = "finish") -> Campaign:
        """When this returns, no call of the campaign starts any more."""
        return self._one(await self._post(f"{self._at(id)}/pause", {"inFlight": in_flight}))

    async def resume(self, id: str) -> Campaign:
        return self._one(await self._post(f"{self._at(id)}/resume", {}))

    async def cancel(self, id: str, *, in_flight: InFlight = "finish") -> Campaign:
        """For good. When this returns, no call of the campaign starts any more."""
        return self._one(await self._post(f"{self._at(id)}/cancel", {"inFlight": in_flight}))

    async def preflight(self, id: str, **options: Any) -> dict[str, Any]:
        """Who could be called now, later, not at all, and why. Calls nobody."""
        answer = await self._post(f"{self._at(id)}/preflight", given(options))
        return cast(dict[str, Any], answer["preflight"])

    async def dashboard(self, id: str, **limits: int) -> Dashboard:
        return cast(Dashboard, await self._transport.call("GET", f"{self._at(id)}/dashboard", query=given(limits)))

    def events(self, id: str, *, last_event_id: str | None = None) -> AsyncGenerator[Event, None]:
        """What happens, as it happens, until you stop reading; a lost connection is made again where it was lost. Keep the `id`
        of the last event to go on from there another time."""
        return follow(self._transport, f"{self._at(id)}/events", last_event_id)

    def export(self, id: str) -> AsyncIterator[bytes]:
        """The results as CSV, in pieces."""
        return self._download(f"{self._at(id)}/export")

    def _at(self, id: str) -> str:
        return f"campaigns/{part(id)}"
