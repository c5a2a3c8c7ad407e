"""The numbers of a contact that a campaign may call, as SQL for whoever enrols, moves or stops many contacts at once.

The rules are those of `dialer.domain.next_number`, which decides after a call. A direct call has one number, that of its
enrolment.
"""

from __future__ import annotations

SUPPRESSED_UNTIL = """(
    select max(coalesce(s.expires_at, 'infinity')) from suppressions s
    where s.phone_number = n.number and (s.expires_at is null or s.expires_at > :now)
      and (s.scope = 'global' or (s.scope = 'team' and s.team_id = p.team_id) or s.campaign_id = c.id))"""

_NUMBERS = f"""
    select n.number, n.place, n.rank, {SUPPRESSED_UNTIL} as until
    from (values (1, p.phone, p.place_set_id),
                 (2, case when {{second}} and p.phone_secondary is distinct from p.phone then p.phone_secondary end,
                     p.second_place_set_id)) n(rank, number, place)
    where n.number is not null and n.place is not null"""

OF_NEWCOMERS = f"""left join lateral (
    select * from ({_NUMBERS.format(second="c.settings -> 'use_secondary_phone' = 'true'")}) n
    order by coalesce(until, cast(:now as timestamptz)), rank limit 1) n on true"""
"""Of a contact `p` that is enrolled in the campaign `c`: the `number` to call first, its `place`, and `until` when it is
suppressed (null = not at all). No row of it where the contact has no number."""

OF_ENROLLED = f"""left join lateral (
    select * from ({_NUMBERS.format(second="(c.kind = 'direct' or c.settings -> 'use_secondary_phone' = 'true')")}) n
    where (c.kind <> 'direct' or n.number = t.to_number) and not exists (
      select from call_attempts d
      where d.campaign_contact_id = t.id and d.to_number = n.number and d.state = 'ended' and d.fault = 'number')
    order by coalesce(until, cast(:now as timestamptz)), (n.number = t.to_number) desc nulls last, rank limit 1) n on true"""
"""Of a contact `p` with the enrolment `t` in the campaign `c`: the same, of those that were not found to be nobody's; of equals
the one that it has."""

HAS = "(p.phone = :number or p.phone_secondary = :number)"
"""Whether one of the contact's numbers is `:number`."""
