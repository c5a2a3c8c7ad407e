-- The circuit breakers of trunks and campaigns. Only what has failed lately has a row: one that is well costs nothing, and nothing
-- is written here while calls succeed. `probe_at` is by the database's clock, for many machines read it.
create table breakers (
  key text primary key check (key ~ '^(trunk|campaign):'),
  state text not null default 'closed' check (state in ('closed', 'half_open', 'open')),
  cause text check (cause in ('trunk', 'rate', 'config', 'request', 'endings')),
  failures integer not null default 0,
  offenders text[] not null default '{}',      -- enrolments that were counted, where each counts once
  failed_at timestamptz,
  opened_at timestamptz,
  probe_at timestamptz,                        -- not before then may the next probe be placed
  probe text,                                  -- the attempt that is the probe
  check ((state = 'closed') = (probe_at is null) and (probe_at is null) = (opened_at is null)),
  check (state = 'closed' or cause is not null)
) with (fillfactor = 50);

-- Requests read what somebody waits for. A trunk's is shared by all teams, as its semaphore is.
select wall_in('breakers', $$
  case split_part(key, ':', 1)
    when 'trunk' then (select team()) is not null
    else exists (select from campaigns x where x.id = split_part(key, ':', 2))
  end$$, 'select');
