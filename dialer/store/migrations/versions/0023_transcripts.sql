-- Transcripts of calls that are to be asked for what they say of the contact: noted in the commit that keeps them, asked beside the
-- calls. Once for each event, and only inserted: whoever writes down what carriers tell waits for nobody who asks. Only of teams that
-- have something to ask for, and not at once: the carrier may still tell what it extracted itself.
create table transcripts (
  event_id bigint primary key references call_events,
  attempt_id text not null references call_attempts,
  created_at timestamptz not null default clock_timestamp(),
  due_at timestamptz not null default clock_timestamp() + interval '1 minute',  -- while somebody asks: when another one may
  runs integer not null default 0,     -- how often a person asked for it anew
  tries integer not null default 0,    -- of this run, those that count
  asked_at timestamptz,
  outcome text check (outcome in ('done', 'provider', 'nothing', 'superseded', 'given_up', 'expired')),  -- null: still to be asked
  fault text,                          -- why the last try failed; no word of the call
  dropped jsonb                        -- name → why what was answered is not kept; no values
);
create index transcripts_due on transcripts (due_at) where outcome is null;
create index transcripts_attempt on transcripts (attempt_id);
select wall_in('transcripts', 'exists (select from call_attempts a where a.id = attempt_id)', 'select');

create function transcribed() returns trigger language plpgsql as $$
begin
  insert into transcripts (event_id, attempt_id)
    select new.id, a.id from call_attempts a
    where a.id = new.attempt_id and exists (select from custom_fields f where f.team_id = a.team_id and f.extractable);
  return null;
end $$;
create trigger transcribed after insert on call_events
  for each row when (new.phase = 'result' and new.data -> 'transcript' not in ('null', '""', '[]', '{}')) execute function transcribed();

-- As in 0002: with the owner's rights, and by names that nobody can put others before.
do $$
begin
  alter function transcribed() security definer;
  execute format('alter function transcribed() set search_path = pg_catalog, %I, pg_temp', current_schema());
end $$;
