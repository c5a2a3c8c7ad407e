-- How often somebody may be called, over all campaigns of a team. The caps of a team hold in all its campaigns.
alter table teams add column frequency_caps jsonb not null default '[]' check (jsonb_typeof(frequency_caps) = 'array');

-- `caps`: those that an attempt was released under and is placed by, one row each of calls, seconds, 1 where they count by person
-- (0: by number), 1 where they count conversations (0: attempts); null = none. `called_at`: when the call was placed, once it is
-- over. What is under way needs no count, for nobody else is called at this number, nor this person, meanwhile; and what was
-- recalled was no call. It stands still until the end, which writes all indexes anyway.
alter table call_attempts
  add column caps integer[],
  add column called_at timestamptz generated always as (case when state = 'ended' then placing_at end) stored;
create index call_attempts_called_number on call_attempts (team_id, to_number, called_at) where called_at is not null;
create index call_attempts_called_person on call_attempts (contact_id, called_at) where called_at is not null;

-- From when on `caps` let `person` be called at `called`, at the earliest; null = by `now`. The other definition of the same is
-- `scheduler.frequency.held`; the seconds of a cap have its margin in them. A call of which nobody knows how it ended may have been a
-- conversation. The newest `calls` entries of an index decide, and no more are read; a conversation's call began up to a day
-- before it ended. The plans are as general as can be: where it is asked about a hundred thousand people, in a transaction that plans
-- for what is there, it would take thirty times as long.
create function held_until(caps integer[], team text, called text, person text, now timestamptz) returns timestamptz
language plpgsql stable set plan_cache_mode = force_generic_plan as $$
declare
  cap integer[];
  span interval;
  ends timestamptz;
  until timestamptz;
begin
  foreach cap slice 1 in array caps loop
    span := make_interval(secs => cap[2]);
    case
      when cap[3] = 0 and cap[4] = 0 then
        select a.called_at + span into ends from call_attempts a
          where a.team_id = team and a.to_number = called and a.called_at > now - span
          order by a.called_at desc offset cap[1] - 1 limit 1;
      when cap[4] = 0 then
        select a.called_at + span into ends from call_attempts a
          where a.contact_id = person and a.called_at > now - span
          order by a.called_at desc offset cap[1] - 1 limit 1;
      when cap[3] = 0 then
        select greatest(a.called_at, a.ended_at) + span into ends from call_attempts a
          where a.team_id = team and a.to_number = called and a.called_at > now - span - interval '25 hours'
            and a.outcome in ('human', 'answered', 'unknown') and greatest(a.called_at, a.ended_at) > now - span
          order by 1 desc offset cap[1] - 1 limit 1;
      else
        select greatest(a.called_at, a.ended_at) + span into ends from call_attempts a
          where a.contact_id = person and a.called_at > now - span - interval '25 hours'
            and a.outcome in ('human', 'answered', 'unknown') and greatest(a.called_at, a.ended_at) > now - span
          order by 1 desc offset cap[1] - 1 limit 1;
    end case;
    until := greatest(until, ends);
  end loop;
  return until;
end $$;
