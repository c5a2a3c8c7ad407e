"""Rows to start from: a team with an assistant, caller IDs and a campaign, written straight into the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from dialer.store.database import Pool
from tests.support.engine import TRUNK


@dataclass(frozen=True, slots=True)
class Seed:
    team: str
    assistant: str
    numbers: tuple[str, ...]
    campaign: str


async def seed(
    pool: Pool,
    *,
    contacts: int,
    concurrency: int = 5,
    max_attempts: int = 3,
    numbers: int = 2,
    window: tuple[str, str] = ("00:00", "24:00"),
    zones: tuple[str, ...] = ("Europe/Berlin",),
    settings: dict[str, object] | None = None,
    status: str = "running",
    prefix: str = "+4930",
) -> Seed:
    """A campaign that may call `contacts` people, with retries at once."""
    async with pool.acquire() as connection, connection.transaction():
        team = await connection.fetchval("insert into teams (name) values (new_id('team')) returning id")
        assistant = await connection.fetchval(
            "insert into assistants (team_id, name, adapter) values ($1, 'Ada', $2) returning id", team, TRUNK
        )
        caller_ids = [
            await connection.fetchval(
                "insert into phone_numbers (team_id, phone_number, assistant_id, adapter) values ($1, $2, $3, $4) returning id",
                team, f"+49301234{n:03}", assistant, TRUNK,
            )
            for n in range(numbers)
        ]  # fmt: skip
        campaign = await connection.fetchval(
            """insert into campaigns (team_id, assistant_id, name, status, from_number_ids, call_window_start, call_window_end,
                 max_concurrent_calls, max_attempts_per_contact, retry_delay_minutes, settings)
               values ($1, $2, 'Spring', 'draft', $3, $4, $5, $6, $7, 0, $8) returning id""",
            team, assistant, caller_ids, *window, concurrency, max_attempts, settings or {},
        )  # fmt: skip
        await enrol(connection, team, campaign, contacts, zones, prefix)
        if status != "draft":
            await connection.execute("update campaigns set status = $2, started_at = now() where id = $1", campaign, status)
    return Seed(team, assistant, tuple(caller_ids), campaign)


async def enrol(connection: object, team: str, campaign: str, contacts: int, zones: tuple[str, ...], prefix: str) -> None:
    execute = connection.execute  # type: ignore[attr-defined]
    await execute("insert into place_sets (zones) values ($1) on conflict do nothing", list(zones))
    await execute(
        """insert into contacts (team_id, first_name, last_name, phone, place_set_id, place_source)
           select $1, 'Given', 'Name ' || n, $2 || (10000000 + n), (select id from place_sets where zones = $3), 'number'
           from generate_series(1, $4::int) n""",
        team, prefix, list(zones), contacts,
    )  # fmt: skip
    await execute(
        """insert into campaign_contacts (campaign_id, team_id, contact_id, status, to_number, place_set_id)
           select $1, team_id, id, 'pending', phone, place_set_id from contacts where team_id = $2""",
        campaign, team,
    )  # fmt: skip


REST = """
with call as (
  insert into call_attempts (id, team_id, campaign_id, campaign_contact_id, contact_id, attempt_no, trunk, assistant_id,
      number_id, to_number, from_number, state, scopes, rules_version, not_after, ring_seconds, limit_seconds, claimed_at)
    select 'call_1', t.team_id, t.campaign_id, t.id, t.contact_id, 1, 'simulated', $2, $3, t.to_number, '+49301234000', 'queued',
           array['campaign:' || t.campaign_id, 'trunk:simulated'], 1, now(), 30, 3600, now()
    from campaign_contacts t where t.team_id = $1 limit 1 returning id, campaign_id, campaign_contact_id),
asked as (insert into callback_asks (attempt_id, campaign_id, campaign_contact_id) select * from call),
told as (insert into call_events (attempt_id, adapter, event_key, phase, at, data)
    select id, 'simulated', 'e1', 'result', now(), '{"do_not_call": true, "extracted": {"a": 1}}' from call returning id),
said as (insert into transcripts (event_id, attempt_id) select id, 'call_1' from told),
company as (insert into companies (team_id, name) values ($1, 'Theirs')),
key as (insert into api_keys (team_id, name, key_hash, prefix, scopes) values ($1, 'k', 'x', 'tk_live_abcd', '{*}')),
no as (insert into suppressions (scope, team_id, phone_number)
       values ('team', $1, '+4930555555'), ('global', null, '+4930666666')),
field as (insert into custom_fields (team_id, key, label, type) values ($1, 'theirs', 'Theirs', 'text')),
kept as (insert into receipts (team_id, key, fingerprint, scopes, created_at) values ($1, 'k1', 'x', '{*}', now())),
heard as (insert into reputations (number_id) values ($3)),
held as (insert into breakers (key) select 'campaign:' || campaign_id from campaign_contacts where team_id = $1 limit 1),
gap as (insert into gaps (trunk, at) values ('simulated', now())),
storm as (insert into storms (trunk, since, suspects, until) values ('simulated', now(), '{}', now())),
noted as (insert into audit (team_id, actor, action) values ($1, 'test', 'test')),
batch as (insert into import_batches (team_id, file_name, header, imported, updated, skipped, failed, total)
          values ($1, 'f', '{a}', 0, 0, 0, 1, 1) returning id)
insert into import_rejects (batch_id, row_number, field, message, cells) select id, 2, 'phone', 'is none', '{x}' from batch
"""


async def fill_the_rest(pool: Pool, made: Seed) -> None:
    """A row of the team in every table that `seed` leaves empty, and a global suppression."""
    await pool.execute(REST, made.team, made.assistant, made.numbers[0])
