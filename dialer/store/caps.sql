-- Frequency caps beside the claim and the fence, which count by themselves: `held_until` of the migrations says how. As in
-- `queries.sql` each is one round trip, and those that write are one commit.

-- name: hold
-- Put off those at the head of the line whom a cap holds back, to its end: a claim looks at no more than it has slots for. The
-- campaign's lock comes first, as everywhere. $1 now, $2 scope keys; per campaign $3 id, $4 rules version; per open lane
-- $5 campaign, $6 place set, $7 priority, $8 its caps; $9 how many of a campaign are looked at.
with locks as materialized (
  select s.key from scopes s where s.key = any($2::text[]) order by s.key for update/*skip*/
), want as materialized (
  select w.id from unnest($3::text[], $4::int[]) as w(id, rules_version)
  where 'campaign:' || w.id in (select key from locks)
    and (select c.status = 'running' and c.rules_version = w.rules_version from campaigns c where c.id = w.id)
), lane as materialized (
  select * from unnest($5::text[], $6::int[], $7::smallint[], $8::text[]) as l(campaign_id, place_set_id, priority, caps)
), picked as materialized (
  select w.id as campaign_id, due.* from want w cross join lateral (
    select head.*, l.caps::int[] as caps from lane l cross join lateral (
      select cc.id, cc.team_id, cc.to_number, cc.contact_id, cc.priority, cc.next_attempt_at
      from campaign_contacts cc
      where cc.campaign_id = l.campaign_id and cc.place_set_id = l.place_set_id and cc.priority = l.priority
        and cc.waiting and cc.next_attempt_at <= $1::timestamptz
      order by cc.next_attempt_at, cc.id limit $9::int for update skip locked) head
    where l.campaign_id = w.id
    order by head.priority desc, head.next_attempt_at, head.id limit $9) due
), weighed as materialized (
  select campaign_id, id, case when caps is not null then held_until(caps, team_id, to_number, contact_id, $1) end as held from picked
), moved as (
  update campaign_contacts t set next_attempt_at = x.held, reason = 'frequency_cap'
    from weighed x where x.held is not null and t.id = x.id
)
select campaign_id, count(*)::int as seen, count(held)::int as held from weighed group by 1

-- name: calls_counted
-- The calls that count to numbers and persons, each with the pair (from 1) that asked. $1 team; per pair $2 number, $3 person; $4 since
-- when they were placed.
select w.nth::int, a.team_id = $1::text and a.to_number = w.to_number as of_number, a.contact_id = w.contact_id as of_person,
       a.called_at as placed, case when a.outcome in ('human', 'answered', 'unknown') then a.ended_at end as spoken
from unnest($2::text[], $3::text[]) with ordinality as w(to_number, contact_id, nth) cross join lateral (
  select id, team_id, to_number, contact_id, called_at, outcome, ended_at from call_attempts
  where team_id = $1 and to_number = w.to_number and called_at > $4::timestamptz
  union
  select id, team_id, to_number, contact_id, called_at, outcome, ended_at from call_attempts
  where contact_id = w.contact_id and called_at > $4) a
