-- What is searched, field by field: only first and last name are one text, as people write them. A separator that nobody types
-- keeps a search from matching the end of one field and the beginning of the next; the blank behind it is where a word begins.
-- `tag_set` stands for all tags of a contact, in 8 bytes.
alter table contacts
  drop column searched,
  add column searched text generated always as
    (lower(first_name || ' ' || last_name || E'\x1f ' || coalesce(email, '') || E'\x1f ' || coalesce(phone, ''))) stored,
  add column tag_set bigint generated always as (hash_array_extended(tags, 0)) stored;
create index contacts_search on contacts using gin (searched gin_trgm_ops) where deleted_at is null;
drop index contacts_alive;
create index contacts_alive on contacts (team_id, lead_status, tag_set) where deleted_at is null;

-- How many of a team's contacts have this tag and this status (null = any). Many contacts have few different sets of tags: each set
-- is looked at once, and counted in the index where it has the tag; in the table, whose pages hold twenty contacts each, a tenth of
-- a million takes six times as long. Null when there are more than 300 sets: then that is the quicker way.
create function contacts_tagged(mine text, status text, tag text) returns bigint
language plpgsql stable set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  total bigint := 0;
  kind record;
begin
  select c.lead_status, c.tag_set, c.tags into kind from contacts c
    where c.team_id = mine and c.deleted_at is null and c.lead_status >= coalesce(status, '')
    order by c.lead_status, c.tag_set limit 1;
  for turn in 1..301 loop
    if not found or kind.lead_status <> status then
      return total;
    end if;
    if kind.tags @> array[tag] then
      total := total + (select count(*) from contacts c
        where c.team_id = mine and c.deleted_at is null and c.lead_status = kind.lead_status and c.tag_set = kind.tag_set);
    end if;
    select c.lead_status, c.tag_set, c.tags into kind from contacts c
      where c.team_id = mine and c.deleted_at is null and (c.lead_status, c.tag_set) > (kind.lead_status, kind.tag_set)
      order by c.lead_status, c.tag_set limit 1;
  end loop;
  return null;
end $$;
revoke execute on function contacts_tagged from public;

-- One page of a team's contacts, newest first, and how many match in all. Reads past row-level security, which lets the planner
-- use an index only for comparisons that cannot leak; the team is taken from the transaction and from nowhere else. Statements
-- are put together from the filters that are set, so that each is planned for what it asks; an idle core may help to count.
create or replace function contacts_found(filters jsonb, most bigint, skipped bigint, since timestamptz, last text, out ids text[], out total bigint)
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
  if filters ? 'tag' and not filters ?| array['search', 'company_id', 'do_not_call', 'has_phone'] then
    total := contacts_tagged(mine, filters ->> 'lead_status', filters ->> 'tag');
  end if;
  if filters ?| array['search', 'tag', 'company_id'] then
    if total is null then
      execute 'select count(*) from contacts c where ' || wanted into total;
    end if;
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
