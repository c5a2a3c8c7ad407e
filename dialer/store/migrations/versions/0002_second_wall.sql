-- The second wall. What a request causes runs as the role `dialer_api`, which owns nothing and sees of every table only what
-- is its team's (the setting `dialer.team` of the transaction); with no team set every table is empty. A query that forgets
-- its team therefore finds too little, never too much.
--
-- The engine (scheduler, workers, hooks, the look-up of keys, the command line) serves all teams: it runs as the owner of the
-- tables or, where the daemon's user is another one, as a member of `dialer_engine`. Row-level security is not forced on the
-- owner: no request runs as the owner, and pg_dump by an owner refuses tables on which it is.

-- ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- Roles belong to the cluster: another database of ours may have them already, or be making them at this moment.
do $$
declare
  wanted text;
  may_create boolean := (select rolcreaterole or rolsuper from pg_roles where rolname = current_user);
  remedy text := format(E'create role dialer_api nologin; create role dialer_engine nologin;\n'
                        'grant dialer_api, dialer_engine to %I;', current_user);
begin
  foreach wanted in array array['dialer_api', 'dialer_engine'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      if not may_create then
        raise exception using errcode = 'insufficient_privilege',
          message = format('the role %s is missing and %s may not create roles; have an administrator run these two lines, '
                           'then migrate again:', wanted, current_user) || E'\n' || remedy;
      end if;
      begin
        execute format('create role %I nologin', wanted);
      exception when duplicate_object or unique_violation then
        null;  -- made meanwhile
      end;
    end if;
  end loop;
  if (select rolsuper or rolbypassrls from pg_roles where rolname = 'dialer_api') then
    raise exception 'the role dialer_api is a superuser or bypasses row security; '
                    'have an administrator run: alter role dialer_api nosuperuser nobypassrls';
  end if;
  if (select rolsuper from pg_roles where rolname = current_user) then
    return;  -- may become any role
  end if;
  for turn in 1..10 loop
    begin
      execute format('grant dialer_api, dialer_engine to %I', current_user);
      exit;
    exception
      when insufficient_privilege then
        -- granted by an administrator already, or not at all; only trying tells it in every version
        begin
          perform set_config('role', 'dialer_api', true);
          perform set_config('role', 'none', true);
        exception when insufficient_privilege then
          raise exception using errcode = 'insufficient_privilege',
            message = format('%s may not become dialer_api; have an administrator run this line, then migrate again:',
                             current_user) || E'\n' || split_part(remedy, E'\n', 2);
        end;
        exit;
      when internal_error or unique_violation then
        null;  -- another database of the cluster grants at this moment
    end;
  end loop;
end $$;

do $$
begin
  execute format('grant usage on schema %I to dialer_api, dialer_engine', current_schema());
end $$;

-- ── the wall ──────────────────────────────────────────────────────────────────────────────────────────────────────────
-- The team of the transaction, null outside one. In policies it is written `(select team())`: worked out once a statement.
create function team() returns text language sql stable parallel safe as $$
  select nullif(current_setting('dialer.team', true), '')
$$;

-- Puts a table behind the wall: `mine` says which rows are the team's, `rights` what requests may do with them, and `written`
-- which rows they may leave behind, where that is less than what they see. Every new table needs a call of it: a test asks.
create function wall_in(which regclass, mine text, rights text default 'select, insert, update, delete', written text default null)
returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', which);
  execute format('create policy of_the_team on %s to dialer_api using (%s) with check (%s)', which, mine, coalesce(written, mine));
  execute format('create policy of_all_teams on %s to dialer_engine using (true) with check (true)', which);
  execute format('grant select, insert, update, delete on %s to dialer_engine', which);
  if rights <> '' then
    execute format('grant %s on %s to dialer_api', rights, which);
  end if;
end $$;
revoke execute on function wall_in from public;

select wall_in(which, 'team_id = (select team())') from unnest(array[
  'companies', 'contacts', 'assistants', 'phone_numbers', 'campaigns', 'campaign_contacts', 'import_batches']::regclass[]) which;
select wall_in('teams', 'id = (select team())', 'select');
-- Found by their hash before any team is known: by the engine.
select wall_in('api_keys', 'team_id = (select team())', 'select, insert, update');
-- Born in the claim, which is the engine's; requests take queued ones back.
select wall_in('call_attempts', 'team_id = (select team())', 'select, update');
select wall_in('audit', 'team_id = (select team())', 'select, insert');
-- A number that nobody may call is everybody's to read and no team's to change.
select wall_in('suppressions', 'team_id = (select team())');
create policy global_ones on suppressions for select to dialer_api using (scope = 'global' and (select team()) is not null);

-- Tables without a team: theirs is their parent's, which is behind the wall itself.
select wall_in('call_events', 'exists (select from call_attempts a where a.id = attempt_id)', 'select');
select wall_in('import_rejects', 'exists (select from import_batches b where b.id = batch_id)', 'select, insert, delete');
-- Written by triggers alone.
select wall_in(which, format('exists (select from campaigns c where c.id = %s.campaign_id)', which), 'select')
  from unnest(array['history', 'campaign_tallies', 'lanes']::regclass[]) which;

-- Semaphores have the team of what they guard. A trunk's is shared by all teams: requests read its room and lock it with the
-- others, and cannot leave a changed one behind.
select wall_in('scopes', $$
  case split_part(key, ':', 1)
    when 'team' then split_part(key, ':', 2) = (select team())
    when 'trunk' then (select team()) is not null
    when 'campaign' then exists (select from campaigns x where x.id = split_part(key, ':', 2))
    when 'number' then exists (select from phone_numbers x where x.id = split_part(key, ':', 2))
    when 'assistant' then exists (select from assistants x where x.id = split_part(key, ':', 2))
    else false
  end$$, 'select, update (budget)', $$
  case split_part(key, ':', 1)
    when 'campaign' then exists (select from campaigns x where x.id = split_part(key, ':', 2))
    else false
  end$$);

-- Nobody's data: the sets of zones that exist (written by the engine), and the turns that are legal.
select wall_in(which, '(select team()) is not null', 'select') from unnest(array['place_sets', 'legal_turns']::regclass[]) which;

-- ── triggers ──────────────────────────────────────────────────────────────────────────────────────────────────────────
-- What the ledger notes by itself is written with the owner's rights: then a request can neither forge a count nor a line of
-- history, and a hundred thousand of them are not asked one by one whose they are.
do $$
declare
  which regprocedure;
begin
  foreach which in array array['campaign_contacts_moved()', 'call_attempts_moved()', 'campaigns_moved()', 'scope_follows()']::regprocedure[]
  loop
    execute format('alter function %s security definer', which);
    execute format('alter function %s set search_path = pg_catalog, %I, pg_temp', which, current_schema());
  end loop;
end $$;
