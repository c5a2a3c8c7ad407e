-- What lists search, by itself: one short row a contact, with all that a search is narrowed by. Counting the contacts that match
-- looks at each of their rows; a twentieth of a million lies on nearly all pages of `contacts`, 400 MB of them, and on a third of
-- that here, which stays in the server's memory. And whoever changes a contact no longer writes its trigrams anew.
--
-- Written by triggers alone. `id` and `team` are 16 and 4 bytes where the ids themselves take 38 each.
alter table teams add column number integer generated always as identity unique;

create function contact_key(id text) returns uuid language sql immutable strict parallel safe as $$
  select right(id, 32)::uuid
$$;
create function contact_id(key uuid) returns text language sql immutable strict parallel safe as $$
  select 'cont_' || replace(key::text, '-', '')
$$;

-- Field by field: only first and last name are one text, as people write them. A separator that nobody types keeps a search from
-- matching the end of one field and the beginning of the next; the blank behind it is where a word begins, as is the first one.
create function search_text(first_name text, last_name text, email text, phone text)
returns text language sql immutable parallel safe as $$
  select lower(' ' || first_name || ' ' || last_name || E'\x1f ' || coalesce(email, '') || E'\x1f ' || coalesce(phone, ''))
$$;

-- One pattern where there were two, now that each word has a blank before it: the index is read once, and each row tested once.
create or replace function search_patterns(sought text) returns text[] language sql immutable strict parallel safe as $$
  select case
    when length(sought) > 2 then array['%' || s || '%']
    when sought ~ '^[0-9]+$' then array['% ' || s || '%', '% +' || s || '%']
    else array['% ' || s || '%']
  end
  from (select replace(replace(replace(lower(sought), '\', '\\'), '%', '\%'), '_', '\_') as s) x
$$;

create table contact_search (
  team integer not null,                          -- teams.number
  do_not_call boolean not null,
  searched text not null,
  lead_status text not null,
  tag_set bigint not null,
  created_at timestamptz not null,
  id uuid primary key
)  -- room for a change of status that rewrites no index
with (fillfactor = 96);
-- The engine's alone: requests search by `contacts_found`.
select wall_in('contact_search', 'false', '');

-- ── kept by the contacts ──────────────────────────────────────────────────────────────────────────────────────────────
create function contacts_come() returns trigger language plpgsql as $$
begin
  insert into contact_search (team, do_not_call, searched, lead_status, tag_set, created_at, id)
    select t.number, c.do_not_call, search_text(c.first_name, c.last_name, c.email, c.phone), c.lead_status, c.tag_set, c.created_at,
           contact_key(c.id)
    from come c join teams t on t.id = c.team_id
    where c.deleted_at is null;
  return null;
end $$;
create trigger come after insert on contacts referencing new table as come for each statement execute function contacts_come();

create function contacts_changed() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or new.deleted_at is not null then
    delete from contact_search where id = contact_key(old.id);
  else
    insert into contact_search (team, do_not_call, searched, lead_status, tag_set, created_at, id)
      select t.number, new.do_not_call, search_text(new.first_name, new.last_name, new.email, new.phone), new.lead_status,
             new.tag_set, new.created_at, contact_key(new.id)
      from teams t where t.id = new.team_id
    on conflict (id) do update
      set do_not_call = excluded.do_not_call, searched = excluded.searched, lead_status = excluded.lead_status,
          tag_set = excluded.tag_set, created_at = excluded.created_at;
  end if;
  return null;
end $$;
create trigger changed after update on contacts for each row
  when ((old.first_name, old.last_name, old.email, old.phone, old.lead_status, old.do_not_call, old.tag_set, old.created_at, old.deleted_at)
    is distinct from
    (new.first_name, new.last_name, new.email, new.phone, new.lead_status, new.do_not_call, new.tag_set, new.created_at, new.deleted_at))
  execute function contacts_changed();
create trigger gone after delete on contacts for each row execute function contacts_changed();

create function contacts_emptied() returns trigger language plpgsql as $$
begin
  truncate contact_search;
  return null;
end $$;
create trigger emptied after truncate on contacts for each statement execute function contacts_emptied();

insert into contact_search (team, do_not_call, searched, lead_status, tag_set, created_at, id)
  select t.number, c.do_not_call, search_text(c.first_name, c.last_name, c.email, c.phone), c.lead_status, c.tag_set, c.created_at,
         contact_key(c.id)
  from contacts c join teams t on t.id = c.team_id
  where c.deleted_at is null order by c.created_at;
create index contact_search_text on contact_search using gin (searched gin_trgm_ops);
analyze contact_search;

-- What waits to be put into the index of trigrams makes every search slower; an import, which lets more of it gather, ends with this.
create function contact_search_settled() returns void language sql security definer as $$
  select gin_clean_pending_list('contact_search_text')
$$;

-- ── what is found ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- The sets of tags, of a team's contacts, that have this one. Null when there are more than 300 sets in all.
create function tag_sets(mine text, tag text) returns bigint[]
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  sets bigint[] := '{}';
  kind record;
begin
  select c.lead_status, c.tag_set, c.tags into kind from contacts c
    where c.team_id = mine and c.deleted_at is null order by c.lead_status, c.tag_set limit 1;
  for turn in 1..301 loop
    if not found then
      return sets;
    end if;
    if kind.tags @> array[tag] then
      sets := sets || kind.tag_set;
    end if;
    select c.lead_status, c.tag_set, c.tags into kind from contacts c
      where c.team_id = mine and c.deleted_at is null and (c.lead_status, c.tag_set) > (kind.lead_status, kind.tag_set)
      order by c.lead_status, c.tag_set limit 1;
  end loop;
  return null;
end $$;

-- One page of a team's contacts, newest first, and how many match in all. Reads past row-level security, which lets the planner
-- use an index only for comparisons that cannot leak; the team is taken from the transaction and from nowhere else. Statements
-- are put together from the filters that are set, so that each is planned for what it asks; where it pays to start another
-- process (for more than some hundred thousand rows), an idle core helps to count.
create or replace function contacts_found(filters jsonb, most bigint, skipped bigint, since timestamptz, last text, out ids text[], out total bigint)
language plpgsql stable security definer set work_mem = '64MB' set parallel_setup_cost = 1500 as $$
declare
  mine text := team();
  listed text := format('c.team_id = %L and c.deleted_at is null', mine);
  behind text := case when since is null then '' else format(' and (c.created_at, %%s) < (%L::timestamptz, %L)', since, last) end;
  part text := format(' order by c.created_at desc, c.id desc limit %s offset %s', most, skipped);
  patterns text[] := search_patterns(filters ->> 'search');
  wanted text := listed;      -- said of `contacts`
  sought text;                -- the same, said of `contact_search`
  sets bigint[];
begin
  if mine is null then
    ids := '{}';
    total := 0;
    return;
  end if;
  select format('c.team = %s', number) into sought from teams where id = mine;
  if filters ? 'lead_status' then
    wanted := wanted || format(' and c.lead_status = %L', filters ->> 'lead_status');
    sought := sought || format(' and c.lead_status = %L', filters ->> 'lead_status');
  end if;
  if filters ? 'do_not_call' then
    wanted := wanted || case when (filters -> 'do_not_call')::boolean then ' and c.do_not_call' else ' and not c.do_not_call' end;
    sought := sought || case when (filters -> 'do_not_call')::boolean then ' and c.do_not_call' else ' and not c.do_not_call' end;
  end if;
  if filters ? 'has_phone' then  -- the phone is the end of what is searched
    wanted := wanted || case when (filters -> 'has_phone')::boolean then ' and c.phone is not null' else ' and c.phone is null' end;
    sought := sought || case when (filters -> 'has_phone')::boolean then ' and right(c.searched, 1) <> '' '''
                             else ' and right(c.searched, 1) = '' ''' end;
  end if;
  if filters ? 'company_id' then
    wanted := wanted || format(' and c.company_id = %L', filters ->> 'company_id');
    sought := null;
  end if;
  if filters ? 'tag' then
    sets := tag_sets(mine, filters ->> 'tag');
    wanted := wanted || format(' and c.tags @> array[%L] and c.tags <> ''{}''', filters ->> 'tag');
    sought := sought || format(' and c.tag_set = any (%s)', quote_literal(sets));  -- null when there are too many
  end if;
  if filters ? 'search' then
    wanted := wanted || format(' and search_text(c.first_name, c.last_name, c.email, c.phone) like any (%L::text[])', patterns);
    sought := sought || format(' and c.searched like any (%L::text[])', patterns);
  end if;

  if not filters ?| array['search', 'tag'] then
    if filters ? 'company_id' then
      execute 'select count(*) from contacts c where ' || wanted into total;
    else
      total := contacts_counted(mine, filters ->> 'lead_status', (filters -> 'do_not_call')::boolean, (filters -> 'has_phone')::boolean);
    end if;
    execute 'select array(select c.id from contacts c where ' || wanted || format(behind, 'c.id') || part || ')' into ids;
    return;
  end if;

  -- Of many, the newest are among the first in the order of the list.
  execute format('select array(select c.id from (select * from contacts c where %s order by c.created_at desc, c.id desc limit %s) c where %s%s)',
    listed || format(behind, 'c.id'), least((most + skipped) * 60, 20000), wanted, part) into ids;
  if not filters ? 'search' and not filters ? 'company_id' then
    total := contacts_tagged(mine, filters ->> 'lead_status', filters ->> 'tag');
    if not filters ?| array['do_not_call', 'has_phone'] and total is not null then
      sought := null;
    elsif total > 30000 then  -- on nearly all pages of `contacts`
      total := null;
    else
      sought := null;
      total := null;
    end if;
  end if;
  if cardinality(ids) = most then
    if total is null then
      execute 'select count(*) from ' || coalesce('contact_search c where ' || sought, 'contacts c where ' || wanted) into total;
    end if;
    return;
  end if;
  -- Few, or old ones: all are found by what they match, once, and sorted.
  if sought is null then
    execute format('with found as materialized (select c.created_at, c.id from contacts c where %s)
        select array(select c.id from found c where true%s), (select count(*) from found)',
      wanted, format(behind, 'c.id') || part) into ids, total;
  else
    execute format('with found as materialized (select c.created_at, c.id from contact_search c where %s)
        select array(select contact_id(c.id) from (select c.id from found c where true%s) c), (select count(*) from found)',
      sought, format(behind, 'contact_id(c.id)') || part) into ids, total;
  end if;
end $$;

-- ── rights ────────────────────────────────────────────────────────────────────────────────────────────────────────────
do $$
declare
  which regprocedure;
begin
  foreach which in array array['contacts_come()', 'contacts_changed()', 'contacts_emptied()', 'contact_search_settled()',
      'contacts_found(jsonb, bigint, bigint, timestamptz, text)']::regprocedure[]
  loop
    execute format('alter function %s security definer', which);
    execute format('alter function %s set search_path = pg_catalog, %I, pg_temp', which, current_schema());
  end loop;
end $$;
revoke execute on function tag_sets, contact_search_settled from public;
grant execute on function contact_search_settled to dialer_api, dialer_engine;

-- ── what is no longer kept with the contacts ──────────────────────────────────────────────────────────────────────────
-- The text is worked out where a statement asks for it: the version before this one still reads it as `contacts.searched`.
drop index contacts_search;
alter table contacts drop column searched;
create function searched(c contacts) returns text language sql immutable parallel safe as $$
  select search_text(c.first_name, c.last_name, c.email, c.phone)
$$;

-- Times ascend, and so does this index: then its pages are filled, not split in half. It is read backwards as fast.
drop index contacts_team;
create index contacts_team on contacts (team_id, created_at, id);
