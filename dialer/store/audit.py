"""Who did what to keys, teams, imports and do-not-call marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert

from dialer.store.tables import audit
from dialer.store.transaction import Transaction


async def record(
    on: Transaction,
    *,
    team_id: str | None,
    actor: str,
    action: str,
    entity_id: str | None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """One row, in the transaction of what it tells about. `detail` holds no phone number and no secret."""
    values = {"team_id": team_id, "actor": actor, "action": action, "entity_id": entity_id, "detail": dict(detail or {})}
    await on.execute(insert(audit).values(values))
