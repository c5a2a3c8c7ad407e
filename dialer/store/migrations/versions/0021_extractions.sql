-- What a call told of its contact under `extracted`: noted in the commit that keeps it, judged beside the calls. Once for each event,
-- and only inserted: whoever writes down what carriers tell waits for no judge.
create table extractions (
  event_id bigint primary key references call_events,
  attempt_id text not null references call_attempts,
  created_at timestamptz not null default clock_timestamp(),
  judged_at timestamptz,
  verdicts jsonb,              -- name that was told → field, verdict, message; no values
  check ((judged_at is null) = (verdicts is null))
);
create index extractions_open on extractions (event_id) where judged_at is null;
create index extractions_attempt on extractions (attempt_id);
select wall_in('extractions', 'exists (select from call_attempts a where a.id = attempt_id)', 'select');

create function extracted() returns trigger language plpgsql as $$
begin
  insert into extractions (event_id, attempt_id) values (new.id, new.attempt_id);
  return null;
end $$;
create trigger extracted after insert on call_events
  for each row when (new.phase = 'result' and jsonb_typeof(new.data -> 'extracted') = 'object' and new.data -> 'extracted' <> '{}')
  execute function extracted();

-- Which fields a call wrote last, by which event, and when somebody emptied one (by the clock by which calls are claimed): field →
-- {call, began, event} or {cleared}. Whoever judges what calls told writes it with the fields. Everybody else, a version before this
-- one too, leaves it as it is; then the fields that change are nobody's who called. Of somebody who was erased it says nothing.
alter table contacts add column told jsonb not null default '{}';

-- The fields that calls may write and that say something, by name. `new` and `contacted` follow from the calls themselves.
create function told_fields(email text, job_title text, lead_status text, custom_fields jsonb)
returns table (field text, value jsonb) language sql immutable as $$
  select f.key, f.value
    from jsonb_each(jsonb_build_object(
      'email', email, 'jobTitle', job_title, 'leadStatus', nullif(nullif(lead_status, 'new'), 'contacted'))) f
    where f.value not in ('null', '""')
  union all
  select 'customFields.' || f.key, f.value from jsonb_each(custom_fields) f where f.value not in ('null', '""', '[]')
$$;

create function contact_written() returns trigger language plpgsql as $$
begin
  if new.deleted_at is not null then
    new.told := '{}';
    return new;
  end if;
  new.told := (
    select new.told - coalesce(array_agg(field), '{}')
        || coalesce(jsonb_object_agg(field, jsonb_build_object('cleared', clock_timestamp())) filter (where now.value is null), '{}')
    from told_fields(old.email, old.job_title, old.lead_status, old.custom_fields) was
      full join told_fields(new.email, new.job_title, new.lead_status, new.custom_fields) now using (field)
    where was.value is distinct from now.value);
  return new;
end $$;
create trigger contact_written before update of email, job_title, lead_status, custom_fields on contacts
  for each row when (new.told = old.told and (
    old.email is distinct from new.email or old.job_title is distinct from new.job_title
    or nullif(nullif(old.lead_status, 'new'), 'contacted') is distinct from nullif(nullif(new.lead_status, 'new'), 'contacted')
    or old.custom_fields <> new.custom_fields or old.deleted_at is distinct from new.deleted_at))
  execute function contact_written();

-- As in 0002: with the owner's rights, and by names that nobody can put others before.
do $$
begin
  alter function extracted() security definer;
  execute format('alter function extracted() set search_path = pg_catalog, %I, pg_temp', current_schema());
  execute format('alter function contact_written() set search_path = pg_catalog, %I, pg_temp', current_schema());
end $$;
