-- The ledger. The laws are constraints here, not promises in the code that writes:
--   * one live attempt per enrolment, per contact, per team and number, per trunk and number (partial unique indexes);
--   * a status changes only along the tables of `legal_turns`, and every change leaves one row of `history` (triggers);
--   * a scope's `active` is the count of its live attempts, a campaign's tallies and lanes are what its rows say (triggers on
--     the statement's own changes, so that no statement can forget them).
-- TEXT + CHECK instead of ENUM: a value can be added without rewriting a type under load.

create extension if not exists pg_trgm;

create function new_id(kind text) returns text language sql volatile as $$
  select kind || '_' || lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
      || substr(replace(gen_random_uuid()::text, '-', ''), 1, 20)
$$;

create table teams (
  id text primary key default new_id('team'),
  name text not null unique check (name <> ''),
  default_region text not null default 'US' check (default_region ~ '^[A-Z]{2}$'),
  max_concurrent_calls integer check (max_concurrent_calls > 0),
  created_at timestamptz not null default now()
);

create table api_keys (
  id text primary key default new_id('key'),
  team_id text not null references teams,
  name text not null,
  key_hash bytea not null unique,
  prefix text not null,
  scopes text[] not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now()
);

create table companies (
  id text primary key default new_id('comp'),
  team_id text not null references teams,
  name text not null check (name <> ''),
  website text, industry text, company_size text, address_line1 text, address_line2 text, city text, state text,
  postal_code text, country text, phone text, notes text,
  custom_fields jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index companies_team on companies (team_id, created_at desc, id desc);
create unique index companies_name on companies (team_id, lower(name));

-- The distinct sets of zones a contact may be in. `zones` empty = unknown, never called by the contact's own clock.
create table place_sets (
  id integer generated always as identity primary key,
  zones text[] not null unique
);
insert into place_sets (zones) values ('{}');

create table contacts (
  id text primary key default new_id('cont'),
  team_id text not null references teams,
  company_id text references companies,
  first_name text not null,
  last_name text not null,
  email text,
  phone text check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  phone_secondary text check (phone_secondary ~ '^\+[1-9][0-9]{6,14}$'),
  job_title text, region text,
  lead_status text not null default 'new',
  source text, timezone text, preferred_contact_method text,
  do_not_call boolean not null default false,
  notes text,
  custom_fields jsonb not null default '{}',
  tags text[] not null default '{}',
  place_set_id integer not null references place_sets,
  place_source text not null check (place_source in ('contact', 'number', 'unknown')),
  last_contacted_at timestamptz,
  deleted_at timestamptz,          -- erased: the row is kept because past calls refer to it, and says nothing of the person
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (deleted_at is null or (phone is null and phone_secondary is null and do_not_call))
)  -- room on the page, so that a call that reached somebody rewrites no index, least of all the trigrams
with (fillfactor = 85);
create index contacts_team on contacts (team_id, created_at desc, id desc);
create index contacts_phone on contacts (team_id, phone);
create index contacts_company on contacts (company_id) where company_id is not null;
create index contacts_search on contacts using gin (
  (first_name || ' ' || last_name || ' ' || coalesce(email, '') || ' ' || coalesce(phone, '')) gin_trgm_ops);

create table assistants (
  id text primary key default new_id('asst'),
  team_id text not null references teams,
  name text not null check (name <> ''),
  adapter text not null,
  external_id text not null default '',
  outbound_enabled boolean not null default true,
  max_concurrent_calls integer check (max_concurrent_calls > 0),
  voicemail_action text check (voicemail_action in ('leave_message', 'hangup')),
  settings jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index assistants_team on assistants (team_id, created_at desc, id desc);

create table phone_numbers (
  id text primary key default new_id('num'),
  team_id text not null references teams,
  phone_number text not null check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  assistant_id text references assistants,
  adapter text not null,
  status text not null default 'active' check (status in ('active', 'inactive')),
  max_concurrent_calls integer check (max_concurrent_calls > 0),
  daily_limit integer check (daily_limit > 0),
  weight integer not null default 1 check (weight between 1 and 20),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (team_id, phone_number)
);

create table campaigns (
  id text primary key default new_id('camp'),
  team_id text not null references teams,
  assistant_id text not null references assistants,
  company_id text references companies,
  name text not null check (name <> ''),
  description text,
  status text not null default 'draft'
    check (status in ('draft', 'scheduled', 'running', 'paused', 'completed', 'cancelled')),
  from_number_ids text[] not null,
  scheduled_start_at timestamptz,
  call_window_start text not null default '09:00',
  call_window_end text not null default '17:00',
  call_window_timezone text not null default 'America/New_York',
  max_concurrent_calls integer not null default 3 check (max_concurrent_calls > 0),
  max_attempts_per_contact integer not null default 3 check (max_attempts_per_contact between 1 and 50),
  retry_delay_minutes integer not null default 60 check (retry_delay_minutes between 0 and 10080),
  settings jsonb not null default '{}',
  -- counts the edits that change who may be called and when; an attempt that was released under an older count is not placed
  rules_version integer not null default 1,
  started_at timestamptz,
  completed_at timestamptz,
  pause_reason text,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (pause_reason is null or status = 'paused'),
  check ((completed_at is not null) = (status in ('completed', 'cancelled')))
);
create index campaigns_team on campaigns (team_id, created_at desc, id desc);
create index campaigns_active on campaigns (id) where status in ('running', 'scheduled');

create table campaign_contacts (
  id text primary key default new_id('cc'),
  campaign_id text not null references campaigns,
  team_id text not null references teams,
  contact_id text not null references contacts,
  status text not null check (status in ('pending', 'queued', 'calling', 'completed', 'failed', 'skipped')),
  -- what the index of the lanes rests on: from queued to the end it stands still, and those turns rewrite no index
  waiting boolean not null generated always as (status = 'pending') stored,
  priority smallint not null default 0 check (priority between 0 and 99),
  attempts smallint not null default 0,      -- those that count towards max_attempts_per_contact
  attempt_seq smallint not null default 0,   -- all of them, recalled ones too: the number of the newest
  excused_day date,                          -- the UTC day of the newest attempt that failed through no fault of the callee …
  excused smallint not null default 0,       -- … and how many of those there were on it (bounded: see domain/retry.py)
  outcome text check (outcome in
    ('answered', 'voicemail', 'no_answer', 'busy', 'declined', 'invalid_number', 'do_not_call', 'error', 'unknown')),
  reason text,
  to_number text,
  place_set_id integer not null references place_sets,
  next_attempt_at timestamptz not null default now(),
  last_attempt_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  unique (campaign_id, contact_id),
  check ((completed_at is not null) = (status in ('completed', 'failed', 'skipped'))),
  check (to_number is not null or status = 'skipped')
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
-- A lane is a queue: the claim reads this index from the front and stops at the first row that is not due.
create index campaign_contacts_lane on campaign_contacts (campaign_id, place_set_id, priority, next_attempt_at, id)
  where waiting;
create index campaign_contacts_contact on campaign_contacts (contact_id);
create index campaign_contacts_listing on campaign_contacts (campaign_id, priority desc, created_at, id);

create table call_attempts (
  id text primary key,
  team_id text not null references teams,
  campaign_id text not null references campaigns,
  campaign_contact_id text not null references campaign_contacts,
  contact_id text not null references contacts,
  attempt_no smallint not null,
  trunk text not null,
  assistant_id text not null references assistants,
  number_id text not null references phone_numbers,
  to_number text not null,
  from_number text not null,
  state text not null check (state in ('queued', 'placing', 'ringing', 'answered', 'unknown', 'ended', 'recalled')),
  scopes text[] not null,
  rules_version integer not null,
  not_after timestamptz not null,
  ring_seconds integer not null,
  limit_seconds integer not null,
  provider_ref text,
  outcome text, fault text, cause text, reason text,
  counted boolean not null default false,
  claimed_at timestamptz not null,
  placing_at timestamptz,
  ringing_at timestamptz,
  answered_at timestamptz,
  ended_at timestamptz,
  asked_at timestamptz,           -- the last time somebody took it on to ask the carrier about it
  result jsonb,
  unique (campaign_contact_id, attempt_no),
  check ((ended_at is not null) = (state in ('ended', 'recalled'))),
  check ((outcome is not null) = (state = 'ended'))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
create unique index one_live_attempt_per_enrolment on call_attempts (campaign_contact_id) where ended_at is null;
create unique index one_live_attempt_per_contact on call_attempts (contact_id) where ended_at is null;
create unique index one_live_attempt_per_team_and_number on call_attempts (team_id, to_number) where ended_at is null;
create unique index one_live_attempt_per_trunk_and_number on call_attempts (trunk, to_number) where ended_at is null;
-- without the state, so that a phone that rings or is picked up rewrites no index
create index call_attempts_live on call_attempts (claimed_at) where ended_at is null;
create index call_attempts_campaign on call_attempts (campaign_id, id desc);
create index call_attempts_team on call_attempts (team_id, id desc);
create index call_attempts_contact on call_attempts (contact_id, id desc);

create table call_events (
  id bigint generated always as identity primary key,
  attempt_id text not null references call_attempts,
  adapter text not null,
  event_key text not null,
  phase text not null,
  at timestamptz not null,
  received_at timestamptz not null default now(),
  ref text, outcome text, fault text, cause text, sip integer, q850 integer,
  data jsonb not null default '{}',
  unique (adapter, event_key)
);
create index call_events_attempt on call_events (attempt_id, id);

create table suppressions (
  id text primary key default new_id('sup'),
  scope text not null check (scope in ('global', 'team', 'campaign')),
  team_id text references teams,
  campaign_id text references campaigns,
  phone_number text not null check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
  reason text, source text,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  check ((scope = 'global') = (team_id is null)),
  check ((scope = 'campaign') = (campaign_id is not null))
);
create unique index suppressions_entry
  on suppressions (phone_number, scope, coalesce(team_id, ''), coalesce(campaign_id, ''));

create table import_batches (
  id text primary key default new_id('batch'),
  team_id text not null references teams,
  file_name text not null,
  header text[] not null,
  imported integer not null, updated integer not null, skipped integer not null, failed integer not null,
  total integer not null,
  created_at timestamptz not null default now()
);
create table import_rejects (
  batch_id text not null references import_batches,
  row_number integer not null,
  field text not null,
  message text not null,
  cells text[] not null,
  primary key (batch_id, row_number)
);

create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  team_id text references teams,
  actor text not null,
  action text not null,
  entity_id text,
  detail jsonb not null default '{}'
);

create table history (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  entity text not null,
  entity_id text not null,
  campaign_id text not null,
  before text,
  after text constraint legal_turn check (after is not null),  -- what is not in `legal_turns` has no name
  reason text,
  actor text not null
);
create index history_entity on history (entity_id, id);

create table legal_turns (
  entity text not null,
  before text,
  after text not null,
  unique nulls not distinct (entity, before, after)
);
insert into legal_turns (entity, before, after) values
  ('campaign', null, 'draft'),
  ('campaign', null, 'scheduled'),
  ('campaign', 'draft', 'cancelled'),
  ('campaign', 'draft', 'running'),
  ('campaign', 'draft', 'scheduled'),
  ('campaign', 'scheduled', 'cancelled'),
  ('campaign', 'scheduled', 'draft'),
  ('campaign', 'scheduled', 'paused'),
  ('campaign', 'scheduled', 'running'),
  ('campaign', 'running', 'cancelled'),
  ('campaign', 'running', 'completed'),
  ('campaign', 'running', 'paused'),
  ('campaign', 'paused', 'cancelled'),
  ('campaign', 'paused', 'running'),
  ('contact', null, 'pending'),
  ('contact', null, 'skipped'),
  ('contact', 'pending', 'failed'),
  ('contact', 'pending', 'queued'),
  ('contact', 'pending', 'skipped'),
  ('contact', 'queued', 'calling'),
  ('contact', 'queued', 'failed'),
  ('contact', 'queued', 'pending'),
  ('contact', 'queued', 'skipped'),
  ('contact', 'calling', 'completed'),
  ('contact', 'calling', 'failed'),
  ('contact', 'calling', 'pending'),
  ('contact', 'calling', 'skipped'),
  ('contact', 'failed', 'completed'),
  ('attempt', null, 'queued'),
  ('attempt', 'queued', 'placing'),
  ('attempt', 'queued', 'recalled'),
  ('attempt', 'placing', 'answered'),
  ('attempt', 'placing', 'ended'),
  ('attempt', 'placing', 'recalled'),
  ('attempt', 'placing', 'ringing'),
  ('attempt', 'placing', 'unknown'),
  ('attempt', 'unknown', 'answered'),
  ('attempt', 'unknown', 'ended'),
  ('attempt', 'unknown', 'recalled'),
  ('attempt', 'unknown', 'ringing'),
  ('attempt', 'ringing', 'answered'),
  ('attempt', 'ringing', 'ended'),
  ('attempt', 'answered', 'ended');

-- The semaphores: a scope is a campaign, a caller ID, a team, a trunk or an assistant; `active` counts its live attempts.
-- Apart from the rows that people edit, because every claim and every ending locks it. `budget` is what is left of a run
-- with a limited number of calls; `day_limit` and `day_used` cap the calls of one UTC day.
create table scopes (
  key text primary key,
  cap integer,
  active integer not null default 0 check (active >= 0),
  budget integer,
  day_limit integer,
  day date,
  day_used integer not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

-- Free slots of a scope; null = unlimited (LEAST passes over nulls).
create function scope_room(s scopes, today date) returns integer language sql immutable as $$
  select case when room is not null then greatest(room, 0) end
  from (select least(s.cap - s.active, s.budget, s.day_limit - case when s.day = today then s.day_used else 0 end) as room) x
$$;

-- What the rows of a campaign say, grouped: every count of the API is a sum over these few rows.
create table campaign_tallies (
  campaign_id text not null references campaigns,
  status text not null,
  outcome text not null,
  called boolean not null,
  n integer not null,
  primary key (campaign_id, status, outcome, called)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

-- `next_due` is never later than the earliest due time of the lane's pending rows, and infinity where none is pending; the claim
-- tightens it.
create table lanes (
  campaign_id text not null references campaigns,
  place_set_id integer not null references place_sets,
  priority smallint not null,
  pending integer not null,
  next_due timestamptz not null,
  primary key (campaign_id, place_set_id, priority)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
create index lanes_due on lanes (next_due);  -- not on `pending`, which every claim changes: so that no claim rewrites it

-- ── triggers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

create function actor() returns text language sql stable as $$
  select coalesce(nullif(current_setting('dialer.actor', true), ''), 'engine')
$$;

-- The state after a turn, if it is a legal one. `language sql stable` and inlined: one index look-up per row.
create function turned(what text, gone text, come text) returns text language sql stable as $$
  select case when gone = come then come else (
    select t.after from legal_turns t where t.entity = what and t.before is not distinct from gone and t.after = come) end
$$;

create function campaign_contacts_moved() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'contact', id, campaign_id, null, turned('contact', null, status), reason, actor() from come;
    insert into campaign_tallies as t (campaign_id, status, outcome, called, n)
      select campaign_id, status, coalesce(outcome, ''), last_attempt_at is not null, count(*)
      from come group by 1, 2, 3, 4 order by 1, 2, 3, 4
      on conflict (campaign_id, status, outcome, called) do update set n = t.n + excluded.n;
    insert into lanes as l (campaign_id, place_set_id, priority, pending, next_due)
      select campaign_id, place_set_id, priority, count(*), min(next_attempt_at)
      from come where status = 'pending' group by 1, 2, 3 order by 1, 2, 3
      on conflict (campaign_id, place_set_id, priority)
      do update set pending = l.pending + excluded.pending,
        next_due = case when l.pending + excluded.pending > 0 then least(l.next_due, excluded.next_due) else 'infinity' end;
  elsif tg_op = 'UPDATE' then
    if not exists (select from come) then
      return null;  -- most statements touch attempts alone
    end if;
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'contact', id, campaign_id, before, turned('contact', before, after), reason, actor()
      from (  -- grouped, not joined: the planner thinks little of transition tables, and would go through them once for each row
        select id, min(campaign_id) as campaign_id, min(status) filter (where not fresh) as before,
               min(status) filter (where fresh) as after, min(reason) filter (where fresh) as reason
        from (select id, campaign_id, status, reason, true as fresh from come
              union all
              select id, campaign_id, status, reason, false from gone) sides
        group by id) turns
      where before <> after;
    insert into campaign_tallies as t (campaign_id, status, outcome, called, n)
      select campaign_id, status, outcome, called, sum(d) from (
        select campaign_id, status, coalesce(outcome, '') as outcome, last_attempt_at is not null as called, 1 as d from come
        union all
        select campaign_id, status, coalesce(outcome, ''), last_attempt_at is not null, -1 from gone) moves
      group by 1, 2, 3, 4 having sum(d) <> 0 order by 1, 2, 3, 4
      on conflict (campaign_id, status, outcome, called) do update set n = t.n + excluded.n;
    insert into lanes as l (campaign_id, place_set_id, priority, pending, next_due)
      select campaign_id, place_set_id, priority, sum(d), coalesce(min(due), 'infinity') from (
        select campaign_id, place_set_id, priority, 1 as d, next_attempt_at as due from come where status = 'pending'
        union all
        select campaign_id, place_set_id, priority, -1, null from gone where status = 'pending') moves
      group by 1, 2, 3 having sum(d) <> 0 or min(due) is not null order by 1, 2, 3
      on conflict (campaign_id, place_set_id, priority)
      do update set pending = l.pending + excluded.pending,
        next_due = case when l.pending + excluded.pending > 0 then least(l.next_due, excluded.next_due) else 'infinity' end;
  else
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'contact', id, campaign_id, status, 'removed', reason, actor() from gone;
    insert into campaign_tallies as t (campaign_id, status, outcome, called, n)
      select campaign_id, status, coalesce(outcome, ''), last_attempt_at is not null, -count(*)
      from gone group by 1, 2, 3, 4 order by 1, 2, 3, 4
      on conflict (campaign_id, status, outcome, called) do update set n = t.n + excluded.n;
    insert into lanes as l (campaign_id, place_set_id, priority, pending, next_due)
      select campaign_id, place_set_id, priority, -count(*), 'infinity'
      from gone where status = 'pending' group by 1, 2, 3 order by 1, 2, 3
      on conflict (campaign_id, place_set_id, priority) do update set pending = l.pending + excluded.pending,
        next_due = case when l.pending + excluded.pending > 0 then l.next_due else 'infinity' end;
  end if;
  return null;
end $$;
create trigger born after insert on campaign_contacts
  referencing new table as come for each statement execute function campaign_contacts_moved();
create trigger moved after update on campaign_contacts
  referencing old table as gone new table as come for each statement execute function campaign_contacts_moved();
create trigger removed after delete on campaign_contacts
  referencing old table as gone for each statement execute function campaign_contacts_moved();

create function call_attempts_moved() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'attempt', id, campaign_id, null, turned('attempt', null, state), reason, actor() from come;
    update scopes s set
        active = s.active + d.n,
        budget = s.budget - d.n,
        day = d.day,
        day_used = case when s.day = d.day then s.day_used else 0 end + d.n
      from (select key, count(*) as n, max((claimed_at at time zone 'UTC')::date) as day
            from come, unnest(scopes) key group by key order by key) d
      where s.key = d.key;
  else
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'attempt', id, campaign_id, before, turned('attempt', before, after), reason, actor()
      from (
        select id, min(campaign_id) as campaign_id, min(state) filter (where not fresh) as before,
               min(state) filter (where fresh) as after, min(reason) filter (where fresh) as reason,
               min(outcome) filter (where not fresh) is distinct from min(outcome) filter (where fresh) as corrected
        from (select id, campaign_id, state, outcome, reason, true as fresh from come
              union all
              select id, campaign_id, state, outcome, reason, false from gone) sides
        group by id) turns
      where before <> after or corrected;
    if not found then
      return null;
    end if;
    -- A slot is given back by whatever ends the attempt; a recalled one was no call, so it also gives back what it had used up.
    update scopes s set
        active = s.active - d.n,
        budget = s.budget + d.recalled,
        day_used = s.day_used - case when s.day = d.day then d.recalled else 0 end
      from (
        select key, count(*) as n, count(*) filter (where recalled) as recalled, max(day) as day
        from (
          select min(scopes) as scopes, bool_or(fresh and state = 'recalled') as recalled,
                 max((claimed_at at time zone 'UTC')::date) as day
          from (select id, scopes, state, claimed_at, ended_at, true as fresh from come
                union all
                select id, scopes, state, claimed_at, ended_at, false from gone) sides
          group by id
          having bool_or(fresh and ended_at is not null) and not bool_or(not fresh and ended_at is not null)) ends,
          unnest(ends.scopes) key
        group by key order by key) d
      where s.key = d.key;
  end if;
  return null;
end $$;
create trigger born after insert on call_attempts
  referencing new table as come for each statement execute function call_attempts_moved();
create trigger moved after update on call_attempts
  referencing old table as gone new table as come for each statement execute function call_attempts_moved();

create function campaigns_moved() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.status = new.status then
    return null;
  end if;
  if not exists (select from legal_turns t where t.entity = 'campaign' and t.after = new.status
                 and t.before is not distinct from case when tg_op = 'UPDATE' then old.status end) then
    raise exception 'illegal turn of a campaign' using errcode = 'check_violation';
  end if;
  insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
    values ('campaign', new.id, new.id, case when tg_op = 'UPDATE' then old.status end, new.status, new.pause_reason, actor());
  return null;
end $$;
create trigger moved after insert or update of status on campaigns for each row execute function campaigns_moved();

-- The scope rows follow the rows that people edit.
create function scope_follows() returns trigger language plpgsql as $$
begin
  insert into scopes (key, cap, day_limit)
    values (tg_argv[0] || ':' || new.id, new.max_concurrent_calls,
            case when tg_argv[0] = 'number' then (to_jsonb(new) ->> 'daily_limit')::integer end)
    on conflict (key) do update set cap = excluded.cap, day_limit = excluded.day_limit;
  return null;
end $$;
create trigger scope_follows after insert or update of max_concurrent_calls on campaigns
  for each row execute function scope_follows('campaign');
create trigger scope_follows after insert or update of max_concurrent_calls, daily_limit on phone_numbers
  for each row execute function scope_follows('number');
create trigger scope_follows after insert or update of max_concurrent_calls on teams
  for each row execute function scope_follows('team');
create trigger scope_follows after insert or update of max_concurrent_calls on assistants
  for each row execute function scope_follows('assistant');
