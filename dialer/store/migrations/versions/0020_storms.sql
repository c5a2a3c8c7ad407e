-- Trunks whose endings said that the trunk is at fault (domain/storm.py), and which have not proven themselves since. Whoever sees
-- it notes it here, and the sweep brings back whom the storm took before. `since` is compared with when calls were placed, `until`
-- with the database's clock.
create table storms (
  trunk text primary key,
  since timestamptz not null,      -- calls that were placed from then on are under suspicion …
  suspects text[] not null,        -- … and these attempts, however old
  until timestamptz not null       -- what ends by then may still be of the storm
) with (fillfactor = 50);
-- The engine's alone.
select wall_in('storms', 'false', '');

-- One in many calls; an ending writes all indexes anyway. `is not null`, so that it serves the view below alone: who asks whether a
-- number of one contact is dead would else read it from end to end, while it is small.
create index call_attempts_invalid on call_attempts (trunk, called_at) where fault = 'number' and called_at is not null;

-- The calls whose number was called invalid in a storm, and which nobody has corrected yet. What rang was no storm's, nor what was
-- blocked, for that speaks of the caller ID; a call that had been given up as unknown is not made again, whatever is heard of it
-- later; and what is said of a number three of whose calls were corrected in storms before is believed, or a list of little else than
-- wrong numbers would come to no end. Each part is fenced by `offset 0`: it is asked while the tables are small, too, and planned once.
create view stormed with (security_invoker = true) as
  select a.id, a.campaign_id, w.trunk
  from (select trunk, since, suspects from storms order by trunk offset 0) w
    cross join lateral (
      select id from call_attempts where trunk = w.trunk and fault = 'number' and called_at >= w.since
      union
      select unnest(w.suspects)) suspect
    cross join lateral (
      select id, campaign_id, campaign_contact_id, trunk, to_number, state, outcome, fault, ringing_at, answered_at
      from call_attempts where id = suspect.id offset 0) a
  where a.state = 'ended' and a.fault = 'number' and a.outcome <> 'blocked' and a.trunk = w.trunk
    and a.ringing_at is null and a.answered_at is null
    and (select true from history h where h.entity_id = a.id and h.before = 'ended' limit 1) is not true
    and (select count(*) from (
           select to_number, reason, called_at from call_attempts where campaign_contact_id = a.campaign_contact_id offset 0) y
         where y.to_number = a.to_number and y.reason = 'storm' and y.called_at < w.since) < 3;
grant select on stormed to dialer_engine;

-- Whoever was called to the end is called again only because somebody asked for it, or because the call that ended it was the
-- trunk's fault: one that was corrected before, in the same transaction.
create or replace function opened_again() returns trigger language plpgsql as $$
begin
  if old.status = 'failed' and new.reason = 'storm' and exists (
      select from call_attempts a
      where a.campaign_contact_id = new.id and a.attempt_no = new.attempt_seq and a.reason = 'storm' and a.fault = 'trunk') then
    return new;
  end if;
  raise exception 'a contact that was called to the end is called again without a callback' using errcode = 'check_violation';
end $$;

-- Whose outcome is corrected while it stays at its end is a line of the history too.
create trigger storm_noted after update of outcome on campaign_contacts
  for each row when (old.status = new.status and old.outcome = 'invalid_number' and new.outcome = 'error')
  execute function callback_noted();

-- As in 0002: by names that nobody can put others before.
do $$
begin
  execute format('alter function opened_again() set search_path = pg_catalog, %I, pg_temp', current_schema());
end $$;
