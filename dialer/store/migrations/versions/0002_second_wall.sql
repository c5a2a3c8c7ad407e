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
        raise exception using errcode = 'DL001',
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
          raise exception using errcode = 'DL001',
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

-- ── lists of contacts ─────────────────────────────────────────────────────────────────────────────────────────────────
-- Exact counts over a million rows are read from indexes alone. Of the two marks "do not call" and "no phone" few rows have
-- one, so these have small indexes of their own, and who has none is counted as all less those (`contacts_counted`).
-- Whoever has many equals is counted in an index of 7 bytes a row; times ascend, for then its pages are filled, not split in half.
create index contacts_alive on contacts (team_id, lead_status) where deleted_at is null;
create index contacts_status on contacts (team_id, lead_status, created_at) where deleted_at is null;
create index contacts_no on contacts (team_id, created_at) include (lead_status) where do_not_call and deleted_at is null;
create index contacts_phoneless on contacts (team_id, created_at) include (lead_status, do_not_call)
  where phone is null and deleted_at is null;
drop index contacts_company;
create index contacts_company on contacts (company_id, team_id, created_at) include (deleted_at) where company_id is not null;
create index contacts_tags on contacts using gin (tags) where tags <> '{}' and deleted_at is null;

-- What is searched, in small letters: comparing it again costs a tenth of folding it for every row that the index proposes.
drop index contacts_search;
alter table contacts add column searched text generated always as
  (lower(first_name || ' ' || last_name || ' ' || coalesce(email, '') || ' ' || coalesce(phone, ''))) stored;
create index contacts_search on contacts using gin (searched gin_trgm_ops) where deleted_at is null;

-- What `searched` must look like: one or two letters are found where a word begins (digits also behind the + of a phone), for
-- inside of words nearly everything would match; more are found anywhere.
create function search_patterns(sought text) returns text[] language sql immutable strict parallel safe as $$
  select case
    when length(sought) > 2 then array['%' || s || '%']
    when sought ~ '^[0-9]+$' then array[s || '%', '% ' || s || '%', '% +' || s || '%']
    else array[s || '%', '% ' || s || '%']
  end
  from (select replace(replace(replace(lower(sought), '\', '\\'), '%', '\%'), '_', '\_') as s) x
$$;

-- How many of a team's contacts have this status (null = any) and these marks (null = either way).
create function contacts_counted(mine text, status text, no boolean, phone boolean) returns bigint
language plpgsql stable as $$
declare
  of_status text := format('team_id = %L and deleted_at is null', mine)
    || case when status is null then '' else format(' and lead_status = %L', status) end;
  every bigint := 0; noes bigint := 0; phoneless bigint := 0; twice bigint := 0;
begin
  if no is not true and phone is not false then
    execute 'select count(*) from contacts where ' || of_status into every;
  end if;
  if no is not null and phone is not false then
    execute 'select count(*) from contacts where do_not_call and ' || of_status into noes;
  end if;
  if phone is not null and no is not true then
    execute 'select count(*) from contacts where contacts.phone is null and ' || of_status into phoneless;
  end if;
  if no is not null and phone is not null then
    execute 'select count(*) from contacts where contacts.phone is null and do_not_call and ' || of_status into twice;
  end if;
  return case
    when no and phone then noes - twice
    when no and not phone then twice
    when no then noes
    when not no and phone then every - noes - phoneless + twice
    when not no and not phone then phoneless - twice
    when not no then every - noes
    when phone then every - phoneless
    when not phone then phoneless
    else every
  end;
end $$;

-- One page of a team's contacts, newest first, and how many match in all. Reads past row-level security, which lets the planner
-- use an index only for comparisons that cannot leak; the team is taken from the transaction and from nowhere else. Statements
-- are put together from the filters that are set, so that each is planned for what it asks; an idle core may help to count.
create function contacts_found(filters jsonb, most bigint, skipped bigint, since timestamptz, last text, out ids text[], out total bigint)
language plpgsql stable security definer set work_mem = '64MB' set parallel_setup_cost = 100 as $$
declare
  mine text := team();
  wanted text := format('c.team_id = %L and c.deleted_at is null', mine);
  behind text := case when since is null then '' else format(' and (c.created_at, c.id) < (%L::timestamptz, %L)', since, last) end;
  part text := format(' order by c.created_at desc, c.id desc limit %s offset %s', most, skipped);
begin
  if mine is null then
    ids := '{}';
    total := 0;
    return;
  end if;
  if filters ? 'lead_status' then
    wanted := wanted || format(' and c.lead_status = %L', filters ->> 'lead_status');
  end if;
  if filters ? 'do_not_call' then
    wanted := wanted || case when (filters -> 'do_not_call')::boolean then ' and c.do_not_call' else ' and not c.do_not_call' end;
  end if;
  if filters ? 'has_phone' then
    wanted := wanted || case when (filters -> 'has_phone')::boolean then ' and c.phone is not null' else ' and c.phone is null' end;
  end if;
  if filters ? 'company_id' then
    wanted := wanted || format(' and c.company_id = %L', filters ->> 'company_id');
  end if;
  if filters ? 'tag' then
    wanted := wanted || format(' and c.tags @> array[%L] and c.tags <> ''{}''', filters ->> 'tag');
  end if;
  if filters ? 'search' then
    wanted := wanted || format(' and c.searched like any (%L::text[])', search_patterns(filters ->> 'search'));
  end if;
  if filters ?| array['search', 'tag', 'company_id'] then
    execute 'select count(*) from contacts c where ' || wanted into total;
  else
    total := contacts_counted(mine, filters ->> 'lead_status', (filters -> 'do_not_call')::boolean, (filters -> 'has_phone')::boolean);
  end if;
  -- Of many, the newest are soon found in the order of the list. Few are found by what they match and sorted then: in the order
  -- of the list nearly all others would be passed by (`offset 0` keeps the planner from trying).
  if filters ?| array['search', 'tag'] and total < 20000 then
    wanted := '(select c.created_at, c.id from contacts c where ' || wanted || ' offset 0) c where true';
  else
    wanted := 'contacts c where ' || wanted;
  end if;
  execute 'select array(select c.id from ' || wanted || behind || part || ')' into ids;
end $$;
do $$
begin
  execute format('alter function contacts_found set search_path = pg_catalog, %I, pg_temp', current_schema());
end $$;
revoke execute on function contacts_found, contacts_counted from public;
grant execute on function contacts_found to dialer_api, dialer_engine;
