-- Callbacks: calls at a time that was asked for. An enrolment that waits for one stands in a lane of its own, before all others, and
-- has its usual place again when the call was made or nothing came of it.
alter table campaign_contacts
  add column callback_at timestamptz,
  add column callback_until timestamptz,     -- when it makes no sense any more; null = it is made however late
  add column callback_missed text check (callback_missed in ('retry_normally', 'skip', 'call_anyway')),
  add column usual_priority smallint check (usual_priority between 0 and 99),
  add check ((callback_at is null) = (usual_priority is null) and (callback_at is null) = (callback_missed is null)),
  drop constraint campaign_contacts_priority_check,
  add constraint campaign_contacts_priority_check check (priority between 0 and 99 or (priority = 100 and callback_at is not null));
create index campaign_contacts_callbacks on campaign_contacts (callback_until) where callback_until is not null and waiting;

-- Whoever was called to the end is called again only because somebody asked for it.
insert into legal_turns (entity, before, after) values ('contact', 'completed', 'pending'), ('contact', 'failed', 'pending');
create function opened_again() returns trigger language plpgsql as $$
begin
  raise exception 'a contact that was called to the end is called again without a callback' using errcode = 'check_violation';
end $$;
create trigger opened_again before update of status on campaign_contacts
  for each row when (old.status in ('completed', 'failed') and new.status = 'pending' and new.callback_at is null)
  execute function opened_again();

-- A callback that is agreed or given up while the status stays is a line of the history too.
create function callback_noted() returns trigger language plpgsql as $$
begin
  insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
    values ('contact', new.id, new.campaign_id, new.status, new.status, new.reason, actor());
  return null;
end $$;
create trigger callback_noted after update of callback_at on campaign_contacts
  for each row when (old.status = new.status and old.callback_at is distinct from new.callback_at)
  execute function callback_noted();

-- What was asked for in a call, once for each call, written with its result; judged when the call is over. A campaign is not at its
-- end while one of them is not judged.
create table callback_asks (
  attempt_id text primary key references call_attempts,
  campaign_id text not null references campaigns,
  campaign_contact_id text not null references campaign_contacts,
  created_at timestamptz not null default clock_timestamp(),
  judged_at timestamptz,
  verdict text,              -- scheduled, moved, or why not
  callback_at timestamptz,   -- when it will be, or could have been
  check ((judged_at is null) = (verdict is null))
);
create index callback_asks_open on callback_asks (campaign_id) where judged_at is null;
create index callback_asks_campaign_contact on callback_asks (campaign_contact_id);
select wall_in('callback_asks', 'exists (select from call_attempts a where a.id = attempt_id)', 'select');

create function callback_asked() returns trigger language plpgsql as $$
begin
  insert into callback_asks (attempt_id, campaign_id, campaign_contact_id) values (new.id, new.campaign_id, new.campaign_contact_id)
    on conflict do nothing;
  return null;
end $$;
create trigger callback_asked after update of result on call_attempts
  for each row when (new.result ? 'callback_at' and old.result ? 'callback_at' is not true) execute function callback_asked();

-- As in 0002: with the owner's rights, and by names that nobody can put others before.
do $$
declare
  which regprocedure;
begin
  foreach which in array array['callback_noted()', 'callback_asked()']::regprocedure[]
  loop
    execute format('alter function %s security definer', which);
    execute format('alter function %s set search_path = pg_catalog, %I, pg_temp', which, current_schema());
  end loop;
end $$;
