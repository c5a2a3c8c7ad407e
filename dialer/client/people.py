"""Contacts, companies, and what may be said of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from dialer.client.collections import Collection, camel, part
from dialer.client.models import Company, Contact, CustomField, Imported, Suppression
from dialer.client.paging import Listing
from dialer.client.transport import File


def _form(team_id: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Options of a form as texts."""
    texts = {"teamId": team_id}
    for name, value in options.items():
        if value is not None:
            texts[camel(name)] = value if isinstance(value, str) else json.dumps(value)
    return texts


class Contacts(Collection[Contact]):
    path, one, many = "contacts", "contact", "contacts"

    async def import_csv(
        self, content: bytes, *, name: str = "contacts.csv", idempotency_key: str | None = None, **options: Any
    ) -> Imported:
        """`options`: column_mapping, auto_create_companies, default_company_id, duplicate_mode, dry_run, delimiter.

        A file may take longer than other requests: choose the client's `timeout` for it.
        """
        file = File(content, name, _form(self._team, options))
        return cast(Imported, await self._transport.call("POST", "contacts/import", file=file, idempotency_key=idempotency_key))

    def import_rejects(self, batch_id: str) -> AsyncIterator[bytes]:
        """The rejected rows of an import as CSV."""
        return self._download(f"contacts/import/{part(batch_id)}/rejects")


class Companies(Collection[Company]):
    path, one, many = "companies", "company", "companies"

    async def create_contact(self, id: str, *, idempotency_key: str | None = None, **fields: Any) -> Contact:
        body = {camel(name): value for name, value in fields.items()}
        answer = await self._post(f"companies/{part(id)}/contacts", body, idempotency_key)
        return cast(Contact, answer["contact"])

    def contacts(self, id: str, *, page: int = 100, **filters: Any) -> Listing[Contact]:
        query = {"teamId": self._team, **{camel(name): value for name, value in filters.items()}}
        return Listing(self._transport, f"companies/{part(id)}/contacts", "contacts", query, page)


class Suppressions(Collection[Suppression]):
    """`create` and `delete` are: never call this number, and: it may be called again."""

    path, one, many = "suppressions", "suppression", "suppressions"

    async def import_csv(
        self, content: bytes, *, name: str = "suppressions.csv", idempotency_key: str | None = None, **options: Any
    ) -> dict[str, Any]:
        file = File(content, name, _form(self._team, options))
        return await self._transport.call("POST", "suppressions/import", file=file, idempotency_key=idempotency_key)

    def export_csv(self, **filters: Any) -> AsyncIterator[bytes]:
        query = {"teamId": self._team, **{camel(name): value for name, value in filters.items()}}
        return self._download("suppressions/export", query)


class CustomFields(Collection[CustomField]):
    path, one, many = "custom-fields", "custom_field", "custom_fields"
