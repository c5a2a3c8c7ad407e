-- What goes round beside the hot path: what is late, missed or miscounted, and what tells how things are. As in `queries.sql` each
-- is one round trip, and those that write are one commit.

-- name: starting
-- Campaigns whose appointed time has come. $1 now.
select id from campaigns where status = 'scheduled' and scheduled_start_at <= $1::timestamptz

-- name: start_scheduled
-- Start them, under their locks and as they stand by then. $1 campaign ids, $2 now.
update campaigns set status = 'running', started_at = coalesce(started_at, $2), updated_at = $2
  where id = any($1::text[]) and status = 'scheduled' and scheduled_start_at <= $2 returning id

-- name: ending
-- Running and scheduled campaigns whose end has come. $1 now.
select id from campaigns
where status in ('running', 'scheduled') and settings ? 'scheduled_end_at'
  and case when settings ->> 'scheduled_end_at' like '____-__-__T%' then (settings ->> 'scheduled_end_at')::timestamptz <= $1 end

-- name: end
-- Pause them, under their locks and as they stand by then. $1 campaign ids, $2 now.
update campaigns set status = 'paused', pause_reason = 'window_ended', updated_at = $2
  where id = any($1::text[]) and status in ('running', 'scheduled')
    and case when settings ->> 'scheduled_end_at' like '____-__-__T%' then (settings ->> 'scheduled_end_at')::timestamptz <= $2 end
  returning id

-- name: expiring
-- Some of the unfinished campaigns in which somebody has waited longer than they let anybody wait. $1 now.
select c.id from campaigns c cross join lateral (
  select from campaign_contacts t where t.campaign_id = c.id and t.waiting
    and t.created_at <= $1::timestamptz - make_interval(secs => c.contact_expiry_days * 86400.0)
  limit 1) oldest
where c.contact_expiry_days is not null and c.status not in ('completed', 'cancelled')
order by c.id limit 50

-- name: expire
-- They are skipped, under their campaigns' locks and by their rules as they stand by then. $1 campaign ids, $2 now, $3 how many at
-- most.
with late as materialized (
  select old.id from campaigns c cross join lateral (
    select t.id from campaign_contacts t where t.campaign_id = c.id and t.waiting
      and t.created_at <= $2::timestamptz - make_interval(secs => c.contact_expiry_days * 86400.0)
    order by t.created_at limit $3 for update) old
  where c.id = any($1::text[]) and c.contact_expiry_days is not null and c.status not in ('completed', 'cancelled')
  limit $3
)
update campaign_contacts t set status = 'skipped', reason = 'expired', completed_at = $2
  from late where t.id = late.id returning t.campaign_id

-- name: missed_callbacks
-- Who waits for a callback that makes no sense any more. $1 now, $2 how many at most.
select t.id, t.campaign_id, t.outcome, t.attempts, t.last_attempt_at, t.callback_missed from campaign_contacts t
where t.waiting and t.callback_until <= $1 order by t.callback_until limit $2

-- name: callback_asks
-- Asked for in calls that are over. $1 how many at most.
select k.attempt_id, k.campaign_id, k.campaign_contact_id as enrolment, a.result, a.outcome
from callback_asks k join call_attempts a on a.id = k.attempt_id
where k.judged_at is null and a.ended_at is not null order by k.campaign_id limit $1

-- name: stale
-- Claimed, and not placed in time: the bell was lost or nobody was there.
select id from call_attempts where ended_at is null and state = 'queued'
  and claimed_at not between clock_timestamp() - interval '2 seconds' and clock_timestamp() + interval '2 seconds'
  order by claimed_at limit 2000

-- name: overdue
-- Take on attempts about which the carrier must be asked: placing or unknown and silent for longer than the trunk's silence, ringing
-- past the ring timeout or the window's end, once a minute those that are up, for their last callback may have been lost, and once
-- what the carrier has had since before the trunk's last gap. $1 trunks, $2 silence in seconds per trunk, $3 how many at most,
-- $4 seconds between two questions about one attempt; half of them while it has been unclear for less than half a minute, for most
-- often it is the asking process that has died since. Of one that is unclear it is half of that at the least: those of one round
-- are not asked about together for ever, so that one which nobody survives asking about does not take the same others with it
-- each time. $5 now.
update call_attempts a
  set asked_at = clock_timestamp() - case when a.provider_ref is null then random() / 2 else 0 end * due.every
  from (
    select x.id, each.every from call_attempts x join unnest($1::text[], $2::float8[]) as w(trunk, silence) on w.trunk = x.trunk
      left join gaps g on g.trunk = x.trunk
      cross join lateral (
        select make_interval(secs => $4::float8 / case
          when x.provider_ref is null and x.placing_at > $5::timestamptz - make_interval(secs => w.silence + 30) then 2 else 1 end)
          as every) each
    where x.ended_at is null
      and coalesce(x.asked_at not between clock_timestamp() - each.every and clock_timestamp(), true)
      and (case x.state
        when 'placing' then x.not_after < $5
          or x.placing_at < $5 - make_interval(secs => w.silence + case when x.provider_ref is null then 0 else x.ring_seconds end)
        when 'unknown' then x.placing_at < $5 - make_interval(secs => w.silence)
        when 'ringing' then x.not_after < $5 or x.ringing_at < $5 - make_interval(secs => x.ring_seconds + w.silence)
        when 'answered' then x.answered_at < $5 - make_interval(secs => least(x.limit_seconds, 60) + w.silence)
          and coalesce(x.asked_at not between clock_timestamp() - interval '60 seconds' and clock_timestamp(), true)
        else false end
        or x.claimed_at < g.at and coalesce(x.asked_at not between g.at and clock_timestamp(), true) and x.placing_at < $5 - make_interval(secs => w.silence)
          and (x.state in ('ringing', 'answered') or x.state = 'placing' and x.provider_ref is not null))
    order by x.asked_at nulls first limit $3 for update of x skip locked) due
  where a.id = due.id
  returning a.id, a.state, a.trunk, a.to_number, a.provider_ref, a.placing_at, a.ringing_at, a.answered_at, a.ring_seconds, a.limit_seconds,
            a.not_after

-- name: gap
-- Something that these trunks told until now may have been missed. $1 trunks, in order.
insert into gaps (trunk, at) select t, clock_timestamp() from unnest($1::text[]) t on conflict (trunk) do update set at = excluded.at

-- name: calls_under_way
-- $1 campaign.
select id, trunk, to_number, provider_ref, placing_at from call_attempts
where campaign_id = $1 and ended_at is null and state in ('placing', 'ringing', 'answered', 'unknown')

-- name: attempts_of_refs
-- $1 trunk, $2 the carrier's ids.
select id, provider_ref from call_attempts where ended_at is null and trunk = $1 and provider_ref = any($2::text[])

-- name: unheard
-- Live attempts whose ending is written among the events but was not made into one (a crash, or a locked scope).
select a.id from call_attempts a
where a.ended_at is null and a.state in ('placing', 'ringing', 'answered', 'unknown')
  and exists (select from call_events e where e.attempt_id = a.id and e.phase = 'ended'
    and e.received_at not between clock_timestamp() - interval '2 seconds' and clock_timestamp())
  limit 2000

-- name: events_of
-- $1 attempt ids.
select attempt_id, adapter, event_key, phase, at, ref, outcome, fault, cause, sip, q850, data
from call_events where attempt_id = any($1::text[]) and adapter not like ':%'  -- what we tell ourselves makes no turn
order by id

-- name: recount_scopes
-- Where the semaphores and a recount of the live attempts disagree. One snapshot sees both sides of every commit, so a row that
-- comes back is a defect, not a race.
select s.key, s.active, coalesce(l.n, 0)::int as live
from scopes s left join (
  select key, count(*) as n from call_attempts a, unnest(a.scopes) key where a.ended_at is null group by key) l using (key)
where s.active <> coalesce(l.n, 0)

-- name: mend_scopes
-- $1 keys, which the transaction has locked in a statement before this one.
update scopes s set active = (select count(*) from call_attempts a where a.ended_at is null and s.key = any(a.scopes))
  where s.key = any($1::text[])

-- name: recount_tallies
-- The same for what the rows of campaigns say. $1 campaign ids.
select coalesce(t.campaign_id, r.campaign_id) as campaign_id, coalesce(t.status, r.status) as status,
       coalesce(t.outcome, r.outcome) as outcome, coalesce(t.called, r.called) as called,
       coalesce(t.n, 0) as tally, coalesce(r.n, 0)::int as rows
from (select * from campaign_tallies where campaign_id = any($1::text[])) t
  full join (
    select campaign_id, status, coalesce(outcome, '') as outcome, last_attempt_at is not null as called, count(*) as n
    from campaign_contacts where campaign_id = any($1::text[]) group by 1, 2, 3, 4) r using (campaign_id, status, outcome, called)
where coalesce(t.n, 0) <> coalesce(r.n, 0)

-- name: active_campaigns
select id, status from campaigns where status in ('running', 'paused') order by id

-- name: refusals
-- How often the carrier (or our own code) refused this attempt's enrolment a call for its own sake, and whether it took a call of
-- the same campaign that was released after the first of these. $1 attempt id.
select f.n, exists (
    select from call_attempts y where y.campaign_id = a.campaign_id and y.id > f.first and y.provider_ref is not null) as others
from call_attempts a cross join lateral (
  select count(*) as n, min(x.id) as first from call_attempts x
  where x.campaign_contact_id = a.campaign_contact_id and x.fault = 'request') f
where a.id = $1

-- name: newest_placed
-- When a call was last placed, of the newest attempts of each campaign: most are placed at once, or taken back within seconds.
-- $1 campaign ids.
select w.id, max(a.placing_at) as at from unnest($1::text[]) w(id) cross join lateral (
  select placing_at from call_attempts where campaign_id = w.id order by id desc limit 20) a
group by w.id having max(a.placing_at) is not null

-- name: vitals
-- What is worth waking somebody for. $1 now.
select (select count(*) from call_attempts where ended_at is null) as live,
       (select count(*) from call_attempts where ended_at is null and state = 'unknown') as unknown,
       extract(epoch from $1::timestamptz - clock_timestamp())::float8 as clock_offset

-- name: hour
select clock_timestamp() as hour

-- name: declare_trunks
-- $1 keys, $2 caps.
insert into scopes (key, cap) select * from unnest($1::text[], $2::int[]) order by 1
  on conflict (key) do update set cap = excluded.cap where scopes.cap is distinct from excluded.cap

-- name: declare_fleet
-- $1 key, $2 cap (null = none). It is made when it is first limited, and stays.
insert into scopes (key, cap) select $1, $2::int where $2::int is not null or exists (select from scopes where key = $1)
  on conflict (key) do update set cap = excluded.cap where scopes.cap is distinct from excluded.cap

-- name: unjudged_numbers
-- Caller IDs of which a call was blocked since somebody last looked.
select number_id from reputations where unjudged order by number_id limit 500

-- name: resting_numbers
-- $1 now.
select count(*) as n from phone_numbers where resting_until > $1::timestamptz

-- name: hold_numbers
-- As people do who edit them, before what goes on beside them; those that somebody else has are left to the next sweep. $1 ids.
select id from phone_numbers where id = any($1::text[]) order by id for no key update skip locked

-- name: hold_reputations
-- $1 number ids, which are held.
select r.number_id, r.recent, r.rests, n.resting_until from reputations r join phone_numbers n on n.id = r.number_id
where r.number_id = any($1::text[]) and r.unjudged order by r.number_id for update of r skip locked

-- name: judged
-- Per number $1 id, $2 what ended so far counts no more, $3 rests in a row.
update reputations r set unjudged = false, recent = case when w.forget then '' else r.recent end, rests = w.rests
  from unnest($1::text[], $2::bool[], $3::int[]) as w(id, forget, rests) where r.number_id = w.id

-- name: rest_numbers
-- Per number $1 id, $2 until when, $3 why.
update phone_numbers n set resting_until = w.until, resting_reason = w.why
  from unnest($1::text[], $2::timestamptz[], $3::text[]) as w(id, until, why) where n.id = w.id

-- name: opt_outs
-- Opt-outs that were said more than $1 seconds ago and after which nobody has looked who waits, $2 at most, with everybody of the
-- team who has that number.
select o.attempt_id, array(
    select a.contact_id union select p.id from contacts p
      where p.team_id = a.team_id and (p.phone = a.to_number or p.phone_secondary = a.to_number)) as contacts
from opt_outs o join call_attempts a on a.id = o.attempt_id
where o.withdrawn_at is null and o.created_at < clock_timestamp() - make_interval(secs => $1)
order by o.created_at limit $2

-- name: opt_outs_withdrawn
-- $1 attempt ids, $2 now.
update opt_outs set withdrawn_at = $2 where attempt_id = any($1::text[]) and withdrawn_at is null

-- name: note_storm
-- A trunk is at fault itself. $1 trunk, $2 the attempts whose endings say so, $3 now. From a minute before the first of these calls
-- on, or from ten minutes ago, everything is under suspicion, for other processes have seen others.
insert into storms as w (trunk, since, suspects, until)
  select $1, greatest(coalesce(min(a.placing_at), $3) - interval '60 seconds', $3::timestamptz - interval '10 minutes'), $2::text[],
         clock_timestamp() + interval '60 seconds'
  from call_attempts a where a.id = any($2)
on conflict (trunk) do update
  set since = least(w.since, excluded.since), until = excluded.until,
      suspects = array(select distinct u.id from unnest(w.suspects || excluded.suspects) u(id)
                       where (select a.ended_at is null or a.fault = 'number' or a.outcome = 'invalid_number' from call_attempts a where a.id = u.id))

-- name: stormed
-- Calls to be corrected. $1 how many at most. Besides those of the view: of the suspects themselves, where the carrier was not certain
-- (fault callee), for such a call would be the first of the two by which the number is believed dead.
select id, campaign_id from stormed
union
select a.id, a.campaign_id
from storms w cross join lateral unnest(w.suspects) s(id)
  cross join lateral (
    select id, campaign_id, campaign_contact_id, trunk, to_number, state, outcome, fault, ringing_at, answered_at
    from call_attempts where id = s.id offset 0) a
where a.state = 'ended' and a.outcome = 'invalid_number' and a.fault = 'callee' and a.trunk = w.trunk
  and a.ringing_at is null and a.answered_at is null
  and (select count(*) from (
         select to_number, reason, called_at from call_attempts where campaign_contact_id = a.campaign_contact_id offset 0) y
       where y.to_number = a.to_number and y.reason = 'storm' and y.called_at < w.since) < 3
order by campaign_id limit $1

-- name: blame_trunk
-- Of calls whose number was called invalid: it was the trunk. $1 attempt ids of one campaign, which is locked.
with judged as (
  select id, counted from call_attempts where id = any($1::text[]) and state = 'ended'
    and (fault = 'number' or outcome = 'invalid_number') order by id for update
)
update call_attempts a set outcome = 'unreachable', fault = 'trunk', reason = 'storm', counted = false
  from judged w where a.id = w.id
  returning a.campaign_contact_id as enrolment, a.attempt_no, w.counted

-- name: extractions
-- Events that told something of a contact which nobody has judged, those behind event $1; $2 at most.
select event_id, attempt_id from extractions where judged_at is null and event_id > $1 order by event_id limit $2

-- name: extraction_contact
-- The contact of a call, held until the transaction ends; nobody when somebody else has it. $1 attempt id.
select a.id, a.claimed_at, a.team_id, p.id as contact_id, p.email, p.job_title, p.lead_status, p.custom_fields, p.told,
       p.deleted_at is not null as erased
from call_attempts a join contacts p on p.id = a.contact_id where a.id = $1 for no key update of p skip locked

-- name: extraction_tellings
-- All that the events of a call told of its contact, after the contact was locked. $1 attempt id.
select x.event_id, e.at, e.adapter, e.data -> 'extracted' as told, x.verdicts
from extractions x join call_events e on e.id = x.event_id where x.attempt_id = $1 order by x.event_id for update of x

-- name: extraction_fields
-- The definitions of custom fields with these keys. $1 team, $2 keys.
select key, type, options, extractable from custom_fields where team_id = $1 and key = any($2::text[])

-- name: extraction_written
-- Write what a call told to its contact, and note it. $1 contact, $2 now, $3 email, $4 job title, $5 lead status (null = stays),
-- $6 custom fields, $7 marks, $8 team, $9 attempt, $10 the fields that change.
with written as (
  update contacts
    set email = coalesce($3, email), job_title = coalesce($4, job_title), lead_status = coalesce($5, lead_status),
        custom_fields = custom_fields || $6::jsonb, told = told || $7::jsonb,
        updated_at = case when $10::text[] = '{}' then updated_at else $2::timestamptz end
    where id = $1 returning id
)
insert into audit (team_id, actor, action, entity_id, detail)
  select $8, 'call', 'contact.told', id, jsonb_build_object('call', $9::text, 'fields', to_jsonb($10::text[]))
  from written where $10::text[] <> '{}'

-- name: extraction_judged
-- Per event $1 id, $2 verdicts; $3 now.
update extractions x set judged_at = $3, verdicts = w.verdicts
  from unnest($1::bigint[], $2::jsonb[]) as w(event_id, verdicts) where x.event_id = w.event_id and x.judged_at is null

-- name: transcripts_due
-- Take on transcripts that nobody asks at this moment, those that have waited longest first. $1 how many, $2 for how many seconds
-- nobody else takes them, $3 the seconds after which one that is due has waited too long.
update transcripts t
  set due_at = now() + make_interval(secs => $2::float8), tries = t.tries + 1, asked_at = now()
  from (select event_id from transcripts
        where outcome is null and due_at between now() - make_interval(secs => $3::float8) and now()
        order by due_at limit $1 for update skip locked) due
  where t.event_id = due.event_id
  returning t.event_id, t.attempt_id, t.runs, t.tries

-- name: transcripts_expire
-- What has waited too long is asked no more by itself. $1 how many at most, $2 the seconds.
update transcripts t set outcome = 'expired'
  from (select event_id from transcripts where outcome is null and due_at < now() - make_interval(secs => $2::float8)
        order by due_at limit $1 for update skip locked) old
  where t.event_id = old.event_id
  returning t.event_id

-- name: transcript_told
-- The call, and what its carrier told as results, in the order in which it holds. $1 attempt id.
select a.team_id, a.claimed_at, p.deleted_at is not null as erased, e.id as event_id, e.data -> 'transcript' as transcript,
       e.data -> 'extracted' as extracted
from call_attempts a join contacts p on p.id = a.contact_id join call_events e on e.attempt_id = a.id
where a.id = $1 and e.phase = 'result' and e.adapter = a.trunk order by e.at, e.id

-- name: transcript_fields
-- The custom fields that a call may fill. $1 team.
select key, label, description, type, options from custom_fields where team_id = $1 and extractable order by key collate "C"

-- name: transcript_kept
-- What a transcript said is told of its call as one more event, and shown where the carrier told nothing: in its result it stands
-- beside what the carrier tells, which is written as a whole. Once: whoever else was asking finds it done.
-- $1 event, $2 run, $3 who tells, $4 what is told (null = nothing), $5 its values alone, $6 what was dropped.
with mine as (
  update transcripts set outcome = 'done', fault = null, dropped = $6 where event_id = $1 and runs = $2 and outcome is null
  returning event_id, attempt_id
), told as (
  insert into call_events (attempt_id, adapter, event_key, phase, at, data)
    select attempt_id, $3, event_id || '-' || $2::int, 'result', now(), $4::jsonb from mine where $4::jsonb is not null
  on conflict do nothing
), shown as (
  update call_attempts a
    set result = coalesce(a.result, '{}') || jsonb_build_object('transcript_says',
      case when jsonb_typeof(a.result -> 'transcript_says') = 'object' then a.result -> 'transcript_says' else '{}' end || $5::jsonb)
    from mine m where a.id = m.attempt_id and $4::jsonb is not null
)
select event_id from mine

-- name: transcript_closed
-- Nobody asks it any more. $1 event, $2 run, $3 outcome, $4 why.
update transcripts set outcome = $3, fault = $4 where event_id = $1 and runs = $2 and outcome is null

-- name: transcript_put_off
-- Ask it later. $1 event, $2 run, $3 in how many seconds, $4 the try does not count, $5 why.
update transcripts set due_at = now() + make_interval(secs => $3::float8), tries = tries - $4::bool::int, fault = $5
  where event_id = $1 and runs = $2 and outcome is null

-- name: transcripts_anew
-- Ask the newest transcripts of these calls, whatever became of them, once more. $1 attempt ids, each once.
insert into transcripts (event_id, attempt_id, runs, due_at)
  select e.id, i.id, 1, now()
  from unnest($1::text[]) i(id)
    cross join lateral (select trunk from call_attempts where id = i.id offset 0) a
    cross join lateral (
      select id from call_events
      where attempt_id = i.id and phase = 'result' and adapter = a.trunk
        and data -> 'transcript' not in ('null', '""', '[]', '{}')
      order by at desc, id desc limit 1) e
on conflict (event_id) do update
  set runs = transcripts.runs + 1, tries = 0, due_at = now(), outcome = null, fault = null, dropped = null
returning attempt_id
