-- The hot statements, one round trip and one commit each, batch-shaped: every one takes lists.
--
-- Locks. Whoever changes what a scope counts takes all the scope rows it needs in one ordered `for update`, before anything
-- else: `(select count(*) from locks) >= 0` makes Postgres evaluate that CTE as a one-time filter ahead of the rest. No two
-- writers can then wait for each other in a ring. `for update/*skip*/` is the only line in which the second form of a
-- statement differs: when a lock was waited for too long, the statement is sent again with SKIP LOCKED and leaves the rows of
-- the locked scopes for later, so that one stuck campaign stalls nobody else.
--
-- Plans. They are made once and early, for tables that are still small. A join that could be made by reading all campaigns is
-- written as a scalar subquery, or fenced by `offset 0`, so that it is always one look-up per row. One of the claim's own rows with
-- each other is written as `in (select …)` where it might be made row by row for each row: `is true` keeps it a look-up in a hash.
--
-- The clock of claims is the database's (claim and placing may happen on two machines); the clock of call windows comes in. What
-- lies ahead of the database's clock was written before that was set back, and is as old as can be.

-- name: claim
-- Release: due contacts of the open lanes become queued attempts, as many as every scope has room for.
-- $1 now, $2 scope keys; per campaign $3 id, $4 how many, $5 team, $6 trunk, $7 assistant, $8 rules version, $9 ring seconds,
-- $10 limit seconds; per open lane $11 campaign, $12 place set, $13 priority, $14 not after; per slot $15 campaign, $16 rank,
-- $17 number id, $18 number; $19 false: the commit does not wait for the disk; per campaign $20 after when somebody was enrolled who
-- has not expired; per open lane $21 when who it begins with is due, $22 who that is: whoever comes before has been claimed, and under
-- an old snapshot every scan would go past what is left of them; per slot $23 which turn of its number it is; per number that contacts
-- may be tied to $24 campaign, $25 number id, $26 number, $27 weight, $28 how often it may be shown at the most, $29 how often it was,
-- $30 its area (null = none), $31 whoever was shown it sees it again; $32 some number has an area; per open lane $33 the
-- rules of policy packs it is open by, $34 its frequency caps. The attempt is inserted before the enrolment moves: a number that is live
-- elsewhere defers that contact instead of failing the statement or blocking the head of the line. Whom a cap holds back is put off to
-- its end, and comes back as a row without an attempt: there may be more of them behind.
with locks as materialized (
  select s.key, scope_room(s, ($1::timestamptz at time zone 'UTC')::date) as room
  from scopes s where s.key = any($2::text[]) order by s.key for update/*skip*/
), want as materialized (
  select w.* from unnest($3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::int[], $9::int[], $10::int[], $20::timestamptz[])
    as w(campaign_id, n, team_id, trunk, assistant_id, rules_version, ring_seconds, limit_seconds, enrolled_after)
  where (select count(*) from locks) >= 0
    and (select $19::boolean or set_config('synchronous_commit', 'off', true) = 'off')
    and (select c.status = 'running' and c.rules_version = w.rules_version from campaigns c where c.id = w.campaign_id)
), lane as materialized (
  select * from unnest($11::text[], $12::int[], $13::smallint[], $14::timestamptz[], $21::timestamptz[], $22::text[], $33::text[],
      $34::text[])
    as l(campaign_id, place_set_id, priority, not_after, from_at, from_id, rule, caps)
), slot as materialized (
  select * from unnest($15::text[], $16::int[], $17::text[], $18::text[]) as s(campaign_id, rank, number_id, from_number)
), picked as materialized (
  select w.*, due.id, due.contact_id, due.to_number, due.attempt_seq, due.last_number_id, due.not_after, due.rule, due.place_set_id,
         due.priority, due.callback_at, due.caps, due.held,
         row_number() over (partition by w.campaign_id, due.held is null order by due.priority desc, due.next_attempt_at, due.id) as rank,
         first_value(due.next_attempt_at) over same_lane as first_at, first_value(due.id) over same_lane as first_id
  from want w cross join lateral (
    select head.*, case when head.caps is not null then
        held_until(head.caps, w.team_id, head.to_number, head.contact_id, $1) end as held
    from lane l cross join lateral (
      select cc.id, cc.contact_id, cc.to_number, cc.attempt_seq, cc.last_number_id, cc.place_set_id, cc.priority, cc.next_attempt_at,
             cc.callback_at, least(l.not_after, cc.callback_until) as not_after, l.rule, l.caps::int[] as caps
      from campaign_contacts cc
      where cc.campaign_id = l.campaign_id and cc.place_set_id = l.place_set_id and cc.priority = l.priority
        and cc.waiting and cc.next_attempt_at <= $1 and (cc.next_attempt_at, cc.id) >= (l.from_at, l.from_id)
        and cc.created_at > w.enrolled_after and (cc.callback_until > $1) is not false
      order by cc.next_attempt_at, cc.id limit w.n for update skip locked) head
    where l.campaign_id = w.campaign_id
    order by head.priority desc, head.next_attempt_at, head.id limit w.n) due
  window same_lane as (partition by w.campaign_id, due.place_set_id, due.priority order by due.next_attempt_at, due.id)
), tied as materialized (  -- `having`: most claims are of people whom nothing ties to a number, and these pay nothing for it
  select t.* from (
    select array_agg(campaign_id) as campaigns, array_agg(rank) as ranks, array_agg(last_number_id) as befores, array_agg(to_number) as numbers
    from picked where cardinality($24::text[]) > 0 and held is null having bool_or(last_number_id is not null) or $32::boolean) p
  cross join lateral matched(p.campaigns, p.ranks, p.befores, p.numbers, $24::text[], $25::text[], $26::text[], $27::int[], $28::int[],
                             $29::float8[], $30::text[], $31::boolean[], $15::text[], $16::int[], $17::text[], $18::text[], $23::int[]) t
), slotted as materialized (
  select p.*, coalesce(t.number_id, s.number_id) as number_id, coalesce(t.from_number, s.from_number) as from_number,
         array['assistant:' || p.assistant_id, 'campaign:' || p.campaign_id, 'number:' || coalesce(t.number_id, s.number_id),
               'team:' || p.team_id, 'trunk:' || p.trunk] || (select array_agg(key) from locks where key = 'fleet') as scopes
  from picked p join slot s using (campaign_id, rank) left join tied t using (campaign_id, rank)
  where p.held is null
), fits as (
  select id from (
    select k.id, k.scopes, l.room, row_number() over (partition by k.key order by k.rank, k.campaign_id) as place
    from (select id, rank, campaign_id, cardinality(scopes) as scopes, unnest(scopes) as key from slotted offset 0) k
      join locks l on l.key = k.key) scoped
  group by id having count(*) = min(scopes) and bool_and(room is null or place <= room)
), chosen as materialized (
  select new_id('call') as attempt, sl.* from slotted sl where (sl.id in (select id from fits)) is true
), born as (
  insert into call_attempts (id, team_id, campaign_id, campaign_contact_id, contact_id, attempt_no, trunk, assistant_id, number_id,
      to_number, from_number, state, scopes, rules_version, not_after, ring_seconds, limit_seconds, rule, claimed_at, caps, reason)
    select attempt, team_id, campaign_id, id, contact_id, attempt_seq + 1, trunk, assistant_id, number_id,
      to_number, from_number, 'queued', scopes, rules_version, not_after, ring_seconds, limit_seconds, rule, clock_timestamp(), caps,
      case when callback_at is not null then 'callback' end
    from chosen order by to_number
  on conflict do nothing
  returning id
), won as materialized (
  select c.*, attempt in (select id from born) as won from chosen c
), became as materialized (  -- of its own: a union in `enrolled` would lose rows that somebody wrote while the locks were waited for
  select id, won, held from won union all select id, false, held from picked where held is not null
), enrolled as (
  update campaign_contacts t
    set status = case when w.won then 'queued' else 'pending' end,
        attempt_seq = t.attempt_seq + w.won::int,
        next_attempt_at = case when w.won then t.next_attempt_at else coalesce(w.held, $1 + interval '5 seconds') end,
        reason = case when w.won then case when t.callback_at is not null then 'callback' end
                      when w.held is null then 'number_busy' else 'frequency_cap' end
    from became w
    where t.id = w.id
)
select attempt as id, id as campaign_contact_id, campaign_id, contact_id, trunk, to_number, from_number, place_set_id, priority, first_at,
       first_id
from won where won
union all
select null, id, campaign_id, contact_id, trunk, to_number, null, place_set_id, priority, first_at, first_id from picked where held is not null

-- name: peek
-- The contacts a claim of one campaign would take, in its order, and the number each was shown last; those who are `busy`, or whose
-- number is, take a slot and are put off. $1 now, $2 campaign, $3 how many; per open lane $4 place set, $5 priority; $6 after when
-- somebody was enrolled who has not expired; per open lane $7 its frequency caps.
with due as materialized (
  select head.*, row_number() over (order by head.priority desc, head.next_attempt_at, head.id) as rank
  from unnest($4::int[], $5::smallint[], $7::text[]) as l(place_set_id, priority, caps) cross join lateral (
    select cc.id, cc.contact_id, cc.team_id, cc.to_number, cc.last_number_id, cc.priority, cc.next_attempt_at
    from campaign_contacts cc
    where cc.campaign_id = $2 and cc.place_set_id = l.place_set_id and cc.priority = l.priority
      and cc.waiting and cc.next_attempt_at <= $1 and cc.created_at > $6 and (cc.callback_until > $1) is not false
      and (l.caps is null or held_until(l.caps::int[], cc.team_id, cc.to_number, cc.contact_id, $1) is null)
    order by cc.next_attempt_at, cc.id limit $3) head
  order by rank limit $3
)
select due.id, due.contact_id, due.to_number, due.last_number_id,
       exists (select from call_attempts a where a.ended_at is null and a.contact_id = due.contact_id)
       or exists (select from call_attempts a where a.ended_at is null and a.team_id = due.team_id and a.to_number = due.to_number)
       or exists (select from call_attempts a where a.ended_at is null and a.trunk = s.adapter and a.to_number = due.to_number) as busy
from due cross join (select s.adapter from campaigns c, assistants s where c.id = $2 and s.id = c.assistant_id offset 0) s
order by due.rank

-- name: place
-- The fence and the intent in one statement: what comes back may be dialled now and by nobody else; what does not, never.
-- While a breaker is open, only its probe passes. $1 attempt ids, $2 now, $3 campaign scope keys.
with locks as materialized (
  select s.key from scopes s where s.key = any($3::text[]) order by s.key for update/*skip*/
), moved as (
  update call_attempts a set state = 'placing', placing_at = $2
    from contacts p, assistants s, phone_numbers n
    where (select count(*) from locks) >= 0
      and a.id = any($1::text[]) and a.state = 'queued' and 'campaign:' || a.campaign_id in (select key from locks)
      and a.claimed_at between clock_timestamp() - interval '2 seconds' and clock_timestamp() + interval '2 seconds' and a.not_after > $2
      and (select c.status = 'running' and c.rules_version = a.rules_version and (c.contact_expiry_days is null
             or (select t.created_at from campaign_contacts t where t.id = a.campaign_contact_id)
                > $2 - make_interval(secs => c.contact_expiry_days * 86400.0))
           from campaigns c where c.id = a.campaign_id)
      and p.id = a.contact_id and not p.do_not_call
      and (a.to_number = p.phone or a.to_number = p.phone_secondary
        and (select c.kind = 'direct' or c.settings -> 'use_secondary_phone' = 'true' from campaigns c where c.id = a.campaign_id))
      and s.id = a.assistant_id and s.outbound_enabled
      and n.id = a.number_id and n.status = 'active' and (n.resting_until is null or n.resting_until <= $2)
      -- counted anew: no other call to this number or person of the team is under way, so what is counted here stands
      and (a.caps is null or held_until(a.caps, a.team_id, a.to_number, a.contact_id, $2) is null)
      -- a cap that was lowered since: what holds a slot too many goes back
      and not exists (select from scopes q where q.key = any(a.scopes) and q.active > q.cap)
      and (select bool_and(b.probe is not distinct from a.id) from breakers b
           where b.key = any(array['campaign:' || a.campaign_id, 'trunk:' || a.trunk]) and b.state <> 'closed') is not false
      and not exists (
        select from suppressions x
        where x.phone_number = a.to_number and (x.expires_at is null or x.expires_at > $2)
          and (x.scope = 'global' or (x.team_id = a.team_id and x.scope = 'team') or x.campaign_id = a.campaign_id))
    returning a.id, a.campaign_id, a.campaign_contact_id, a.contact_id, a.trunk, a.to_number, a.from_number, a.not_after,
              a.ring_seconds, a.limit_seconds, s.external_id as voice, p.first_name, p.last_name,
              array(select b.key from breakers b
                    where b.key = any(array['campaign:' || a.campaign_id, 'trunk:' || a.trunk]) and b.state <> 'closed') as probes
), enrolled as (
  update campaign_contacts t set status = 'calling', last_attempt_at = $2, reason = null from moved where t.id = moved.campaign_contact_id
)
select * from moved

-- name: accepted
-- The carrier took the call: keep its id, if no event was quicker. $1 attempt ids, $2 the carrier's ids.
update call_attempts a set provider_ref = w.ref
  from unnest($1::text[], $2::text[]) as w(id, ref)
  where a.id = w.id and a.provider_ref is null
  returning a.id

-- name: turn
-- Write down what carriers told, and advance attempts and their enrolments by what it means, in one commit. Each row names the
-- state it expects; what was not as expected does not come back: a lost race. What was told is kept either way, and a fact told
-- twice is one row. $1 now, $2 scope keys of the attempts that come to an end; per attempt $3 id, $4 expected state,
-- $5 expected outcome, $6 state, $7 carrier's id, $8 outcome, $9 fault, $10 cause, $11 reason, $12 counted, $13 ringing at,
-- $14 answered at, $15 ended at, $16 enrolment's status (null = stays), $17 its outcome, $18 its next attempt,
-- $19 failed through no fault of the callee, $20 somebody was reached, $21 what the call told, $22 what its ending says of its caller
-- ID (null = nothing), $23 the rule by which it was taken back, $24 whom to call next (null = the same number), $25 either of the
-- contact's numbers is called; per event $26 … $37.
with told as (
  insert into call_events (attempt_id, adapter, event_key, phase, at, ref, outcome, fault, cause, sip, q850, data)
    select e.* from unnest($26::text[], $27::text[], $28::text[], $29::text[], $30::timestamptz[], $31::text[], $32::text[], $33::text[],
      $34::text[], $35::int[], $36::int[], $37::jsonb[])
      as e(attempt_id, adapter, event_key, phase, at, ref, outcome, fault, cause, sip, q850, data)
    join call_attempts a on a.id = e.attempt_id and a.trunk = e.adapter
    order by e.adapter, e.event_key
    on conflict do nothing
), want as materialized (
  select * from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
    $12::bool[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::text[], $17::text[], $18::timestamptz[], $19::bool[],
    $20::bool[], $21::jsonb[], $22::text[], $23::text[], $24::text[], $25::bool[])
    as w(id, expected, expected_outcome, state, ref, outcome, fault, cause, reason, counted, ringing_at, answered_at, ended_at,
         enrolment, enrolment_outcome, next_at, excused, reached, result, sign, rule, to_number, both_numbers)
), locks as materialized (
  select s.key from scopes s where s.key = any($2::text[]) order by s.key for update/*skip*/
), moved as (
  update call_attempts a
    set state = w.state, provider_ref = coalesce(a.provider_ref, w.ref), outcome = w.outcome, fault = w.fault, cause = w.cause,
        reason = coalesce(w.reason, a.reason), counted = a.counted or w.counted,
        rule = case when w.state = 'recalled' then w.rule else a.rule end,
        ringing_at = coalesce(a.ringing_at, w.ringing_at), answered_at = coalesce(a.answered_at, w.answered_at),
        ended_at = coalesce(a.ended_at, w.ended_at), result = nullif(coalesce(a.result, '{}') || coalesce(w.result, '{}'), '{}')
    from want w
    where (select count(*) from locks) >= 0
      and a.id = w.id and a.state = w.expected and a.outcome is not distinct from w.expected_outcome
      and (w.ended_at is null or a.scopes <@ array(select key from locks))
      and (w.outcome is distinct from 'answered' or a.result -> 'classified' is null)  -- who picked up was told to another writer
    returning a.id, a.state, a.outcome, a.campaign_contact_id, a.contact_id, a.campaign_id, a.number_id, a.scopes, w.enrolment,
              w.enrolment_outcome, w.next_at, w.counted, w.excused, w.reached, w.reason, w.sign, w.to_number, w.both_numbers,
              w.ended_at is not null and w.expected <> 'ended' as freed
), heard as (  -- what the endings say of the caller IDs, whose scopes are locked; `recent` is the newest hundred
  insert into reputations as r (number_id, recent, unjudged)
    select number_id, string_agg(sign, '' order by id), bool_or(outcome = 'blocked') from moved
    where freed and sign is not null group by number_id order by number_id
  on conflict (number_id) do update
    set recent = right(r.recent || excluded.recent, 100), unjudged = r.unjudged or excluded.unjudged
), enrolled as (
  update campaign_contacts t
    set status = m.enrolment, outcome = coalesce(m.enrolment_outcome, t.outcome), reason = m.reason,
        -- whoever waits again waits with the number that is called next, and its place; one that was changed meanwhile is taken over
        to_number = case when m.enrolment = 'pending'
          then coalesce(number_of(p, coalesce(m.to_number, t.to_number), m.both_numbers), t.to_number) else t.to_number end,
        place_set_id = case when m.enrolment = 'pending'
          then place_of(p, number_of(p, coalesce(m.to_number, t.to_number), m.both_numbers)) else t.place_set_id end,
        -- shown again the next time, unless it is what the call was blocked for
        last_number_id = case when m.state <> 'ended' then t.last_number_id when m.outcome <> 'blocked' then m.number_id end,
        attempts = t.attempts + m.counted::int,
        excused = case when not m.excused then t.excused when t.excused_day = ($1 at time zone 'UTC')::date then t.excused + 1 else 1 end,
        excused_day = case when m.excused then ($1 at time zone 'UTC')::date else t.excused_day end,
        next_attempt_at = coalesce(m.next_at, t.next_attempt_at),
        completed_at = case when m.enrolment in ('completed', 'failed', 'skipped') then $1 end,
        -- a callback was made when its call counts
        priority = case when m.counted then coalesce(t.usual_priority, t.priority) else t.priority end,
        usual_priority = case when not m.counted then t.usual_priority end,
        callback_at = case when not m.counted then t.callback_at end,
        callback_until = case when not m.counted then t.callback_until end,
        callback_missed = case when not m.counted then t.callback_missed end
    from moved m join contacts p on p.id = m.contact_id
    where t.id = m.campaign_contact_id and m.enrolment is not null
      and (m.freed or t.completed_at is not null)  -- late evidence does not touch who was opened again meanwhile
), person as (
  update contacts p
    set last_contacted_at = $1, lead_status = case when p.lead_status = 'new' then 'contacted' else p.lead_status end, updated_at = $1
    from moved m where p.id = m.contact_id and m.reached
)
select m.id, m.campaign_id, m.freed,
       array(select s.key from scopes s where s.key = any(m.scopes) and (s.cap is not null or s.day_limit is not null)) as bells
from moved m

-- name: advance
-- `turn` where no attempt comes to an end and nothing is made of one that has: enrolments and scopes stay as they are. Three of four
-- turns are such, and this takes half the time. Per attempt $1 id, $2 expected state, $3 expected outcome, $4 state, $5 carrier's
-- id, $6 ringing at, $7 answered at, $8 what the call told; per event $9 … $20.
with told as (
  insert into call_events (attempt_id, adapter, event_key, phase, at, ref, outcome, fault, cause, sip, q850, data)
    select e.* from unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::text[], $15::text[], $16::text[],
      $17::text[], $18::int[], $19::int[], $20::jsonb[])
      as e(attempt_id, adapter, event_key, phase, at, ref, outcome, fault, cause, sip, q850, data)
    join call_attempts a on a.id = e.attempt_id and a.trunk = e.adapter
    order by e.adapter, e.event_key
    on conflict do nothing
)
update call_attempts a
  set state = w.state, provider_ref = coalesce(a.provider_ref, w.ref), ringing_at = coalesce(a.ringing_at, w.ringing_at),
      answered_at = coalesce(a.answered_at, w.answered_at),
      result = nullif(coalesce(a.result, '{}') || coalesce(w.result, '{}'), '{}')
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::jsonb[])
    as w(id, expected, expected_outcome, state, ref, ringing_at, answered_at, result)
  where a.id = w.id and a.state = w.expected and a.outcome is not distinct from w.expected_outcome
    and (a.outcome is distinct from 'answered' or a.result -> 'classified' is null)  -- as in `turn`
  returning a.id, a.campaign_id, false as freed, '{}'::text[] as bells

-- name: standing
-- Everything a decision about these attempts rests on. $1 attempt ids, $2 now.
select a.id, a.state, a.outcome, a.fault, a.cause, a.trunk, a.to_number, a.provider_ref, a.campaign_id, a.scopes,
       a.ringing_at, a.answered_at, a.ended_at, a.result,
       t.status as enrolment, t.created_at as enrolled_at, t.attempts, t.excused_day, t.excused, t.place_set_id,
       c.status as campaign_status, c.pause_reason, c.rules_version as campaign_version,
       p.do_not_call, s.outbound_enabled,
       n.status = 'active' and coalesce(n.resting_until <= $2, true) as caller_id_active,
       number_of(p, a.to_number, b.both_numbers or c.kind = 'direct') as next_number, b.both_numbers,
       a.to_number is distinct from number_of(p, a.to_number, true) as replaced, o.number as other,
       (select max(coalesce(x.expires_at, 'infinity')) from suppressions x
        where x.phone_number = o.number and (x.expires_at is null or x.expires_at > $2)
          and (x.scope = 'global' or (x.team_id = a.team_id and x.scope = 'team') or x.campaign_id = a.campaign_id)) as other_suppressed_until,
       (select true from call_attempts y where y.campaign_contact_id = a.campaign_contact_id and y.to_number = o.number
        and y.state = 'ended' and y.fault = 'number' limit 1) is true as other_dead,
       (select true from call_attempts y where y.campaign_contact_id = a.campaign_contact_id and y.to_number = a.to_number
        and y.claimed_at < a.claimed_at and y.state = 'ended' and y.outcome = 'invalid_number'
        and (y.trunk <> a.trunk or y.claimed_at <= a.claimed_at - interval '24 hours') limit 1) is true as doubted,
       case when a.state = 'queued' and a.caps is not null then
         held_until(a.caps, a.team_id, a.to_number, a.contact_id, $2) end as capped_until,
       (select max(coalesce(x.expires_at, 'infinity')) from suppressions x
        where x.phone_number = a.to_number and (x.expires_at is null or x.expires_at > $2)
          and (x.scope = 'global' or (x.team_id = a.team_id and x.scope = 'team') or x.campaign_id = a.campaign_id)) as suppressed_until
from call_attempts a
  join campaign_contacts t on t.id = a.campaign_contact_id
  join campaigns c on c.id = a.campaign_id
  join contacts p on p.id = a.contact_id
  join assistants s on s.id = a.assistant_id
  join phone_numbers n on n.id = a.number_id
  cross join lateral (select c.settings -> 'use_secondary_phone' = 'true' is true as both_numbers) b
  cross join lateral (select nullif(case when b.both_numbers then
    number_of(p, case when a.to_number = p.phone then p.phone_secondary else p.phone end, true) end, a.to_number) as number) o
where a.id = any($1::text[])

-- name: due
-- Lanes that have something due, of running campaigns with a free slot, with the campaign's usable caller IDs and what room its
-- scopes have (null = no limit), whether somebody waits who was called before (where there are several caller IDs), since how many
-- seconds it and its trunk have begun anew (null = long), and its open breakers with the seconds until their next probe. $1 now,
-- $2 doorbell keys (null = all; so is the one that all share), $3 a campaign that is looked at as if it were running and its run
-- unlimited (null = none). After a bell only the campaigns it rang for are read, which is most often one.
with looked_at as (
  select campaign_id as id from lanes where ($2::text[] is null or 'fleet' = any($2)) and pending > 0 and next_due <= $1::timestamptz
  union
  select substr(key, 10) from unnest($2) key where key like 'campaign:%'
  union
  select c.id from campaigns c join assistants s on s.id = c.assistant_id
  where exists (select from unnest($2) key where key not like 'campaign:%') and c.status = 'running'
    and ('team:' || c.team_id = any($2) or 'trunk:' || s.adapter = any($2) or 'assistant:' || s.id = any($2)
         or exists (select from unnest(c.from_number_ids) x where 'number:' || x = any($2)))
)
select c.id, c.team_id, c.assistant_id, s.adapter as trunk, c.rules_version, q.active as live,
       l.place_sets, l.priorities, l.pending, n.ids, n.numbers, n.weights, n.rooms as number_rooms, b.held, b.held_for,
       cardinality(n.ids) > 1 and exists (
         select from campaign_tallies t where t.campaign_id = c.id and t.status = 'pending' and t.called and t.n > 0) as retries,
       case when c.id = $3 then greatest(q.cap - q.active, 0) else scope_room(q, today) end as campaign_room,
       (select scope_room(r, today) from scopes r where r.key = 'assistant:' || s.id) as assistant_room,
       (select scope_room(r, today) from scopes r where r.key = 'team:' || c.team_id) as team_room,
       (select scope_room(r, today) from scopes r where r.key = 'fleet') as fleet_room,
       t.room as trunk_room, t.active as trunk_live, extract(epoch from clock_timestamp() - t.eased_at)::float8 as trunk_began,
       case when c.status = 'running' then extract(epoch from clock_timestamp() - q.eased_at)::float8 else 0 end as began
from looked_at
  cross join lateral (select * from campaigns where id = looked_at.id offset 0) c
  join assistants s on s.id = c.assistant_id
  cross join lateral (select * from scopes where key = 'campaign:' || c.id offset 0) q
  cross join lateral (
    select array_agg(place_set_id) as place_sets, array_agg(priority) as priorities, array_agg(pending) as pending
    from lanes where campaign_id = c.id and pending > 0 and next_due <= $1) l
  cross join lateral (select ($1 at time zone 'UTC')::date as today) d
  left join lateral (
    select scope_room(r, today) as room, r.active, r.eased_at from scopes r where r.key = 'trunk:' || s.adapter offset 0) t on true
  cross join lateral (
    select array_agg(x.id) as ids, array_agg(x.phone_number) as numbers, array_agg(x.weight) as weights,
           array_agg(scope_room(r, today)) as rooms
    from phone_numbers x join scopes r on r.key = 'number:' || x.id
    where x.id = any(c.from_number_ids) and x.status = 'active' and x.adapter = s.adapter
      and (x.resting_until is null or x.resting_until <= $1)) n
  cross join lateral (
    select array_agg(x.key) as held, array_agg(extract(epoch from x.probe_at - clock_timestamp())::float8) as held_for
    from breakers x where x.key = any(array['campaign:' || c.id, 'trunk:' || s.adapter]) and x.state <> 'closed') b
where s.outbound_enabled and l.pending is not null and n.ids is not null
  and (c.id = $3::text or c.status = 'running' and coalesce(scope_room(q, today), 1) > 0)

-- name: rules
-- What a campaign's owner decided, and its team. $1 campaign ids.
select c.id, c.rules_version, c.call_window_start, c.call_window_end, c.call_window_timezone, c.max_attempts_per_contact,
       c.retry_delay_minutes, c.settings, t.policy_packs as team_policy_packs, t.frequency_caps as team_caps
from campaigns c join teams t on t.id = c.team_id where c.id = any($1::text[])

-- name: places
select id, zones, regions, told_by from place_sets where id = any($1::int[])

-- name: lock_lanes
-- First half of tightening: whoever makes a row of these lanes pending writes the lane too, so from here on none can slip by.
select from lanes l join unnest($1::text[], $2::int[], $3::smallint[]) as w(campaign_id, place_set_id, priority)
  using (campaign_id, place_set_id, priority) order by campaign_id, place_set_id, priority for update of l

-- name: tighten
update lanes l
  set next_due = coalesce((select min(t.next_attempt_at) from campaign_contacts t where t.waiting
      and t.campaign_id = l.campaign_id and t.place_set_id = l.place_set_id and t.priority = l.priority), 'infinity')
  from unnest($1::text[], $2::int[], $3::smallint[]) as w(campaign_id, place_set_id, priority)
  where l.campaign_id = w.campaign_id and l.place_set_id = w.place_set_id and l.priority = w.priority

-- name: quiet
-- Running campaigns of these that may have come to an end. $1 campaign ids.
select c.id from campaigns c join scopes s on s.key = 'campaign:' || c.id
where c.id = any($1::text[]) and c.status = 'running' and s.active = 0
  and (s.budget = 0 or not exists (
    select from campaign_tallies t where t.campaign_id = c.id and t.status in ('pending', 'queued', 'calling') and t.n > 0)
    and not exists (select from callback_asks k where k.campaign_id = c.id and k.judged_at is null))

-- name: lock_scopes
select key from scopes where key = any($1::text[]) order by key for update

-- name: rest
-- Complete or pause, in a new statement under the campaign's lock, so that nothing enrolled meanwhile is left behind.
-- $1 campaign ids, $2 now.
update campaigns c
  set status = case when empty then 'completed' else 'paused' end,
      completed_at = case when empty then $2::timestamptz end,
      pause_reason = case when not empty then 'run_limit' end, updated_at = $2
  from (
    select x.id, s.budget = 0 as spent, o.some is null as empty
    from campaigns x join scopes s on s.key = 'campaign:' || x.id
      left join lateral (  -- `limit`: else it is asked of all contacts of all campaigns at once
        (select true as some from campaign_contacts t
         where t.campaign_id = x.id and t.status in ('pending', 'queued', 'calling') limit 1)
        union all
        (select true from callback_asks k where k.campaign_id = x.id and k.judged_at is null limit 1)
        limit 1) o on true
    where x.id = any($1::text[]) and s.active = 0
      and exists (select from campaign_contacts t where t.campaign_id = x.id)) q
  where c.id = any($1) and c.id = q.id and c.status = 'running'
    and ((q.empty and not coalesce((c.settings ->> 'no_auto_complete')::boolean, false)
          and not exists (select from stormed x where x.campaign_id = c.id))  -- whom a storm took comes back first
         or (q.spent and not q.empty))
  returning c.id, c.status
