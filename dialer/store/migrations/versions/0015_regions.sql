-- A place is a set of (zone, region) pairs. `regions` stand beside `zones`, which end with the first zone once more: the version
-- before looks its sets up by their zones, and so takes none of these for one of its own. What it adds itself has no regions.
alter table place_sets
  add column regions text[] not null default '{}',
  add column told_by text not null default 'unknown'
    check (told_by in ('contact', 'region', 'number', 'country', 'unknown'));
alter table place_sets drop constraint place_sets_zones_key;
create unique index place_sets_each on place_sets (zones, regions, told_by);

alter table contacts drop constraint contacts_place_source_check;
alter table contacts add constraint contacts_place_source_check
  check (place_source in ('contact', 'region', 'number', 'country', 'unknown')) not valid;  -- a wider one than before

alter table teams add column policy_packs text[] not null default '{}';

-- By which rules somebody was called, and by which one not.
alter table call_attempts add column rule text;
alter table history add column rule text;

create or replace function call_attempts_moved() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into history (entity, entity_id, campaign_id, before, after, reason, rule, actor)
      select 'attempt', id, campaign_id, null,
             (select t.after from legal_turns t where t.entity = 'attempt' and t.before is null and t.after = come.state),
             reason, rule, actor()
      from come;
    update scopes s set
        active = s.active + d.n,
        budget = s.budget - d.n,
        day = d.day,
        day_used = case when s.day = d.day then s.day_used else 0 end + d.n
      from (select key, count(*) as n, max((claimed_at at time zone 'UTC')::date) as day
            from come, unnest(scopes) key group by key order by key) d
      where s.key = d.key;
  else
    insert into history (entity, entity_id, campaign_id, before, after, reason, rule, actor)
      select 'attempt', id, campaign_id, before,
             case when before = after then after else (
               select t.after from legal_turns t where t.entity = 'attempt' and t.before = turns.before and t.after = turns.after) end,
             reason, case when after = 'placing' or reason in ('window', 'never_callable', 'frequency_cap') then rule end, actor()
      from (
        select id, min(campaign_id) as campaign_id, min(state) filter (where not fresh) as before,
               min(state) filter (where fresh) as after, min(reason) filter (where fresh) as reason,
               min(rule) filter (where fresh) as rule,
               min(outcome) filter (where not fresh) is distinct from min(outcome) filter (where fresh) as corrected
        from (select id, campaign_id, state, outcome, reason, rule, true as fresh from come
              union all
              select id, campaign_id, state, outcome, reason, rule, false from gone) sides
        group by id) turns
      where before <> after or corrected;
    if not found or not exists (select from come where ended_at is not null) then
      return null;  -- it rings, or somebody picked up, or more is known of it
    end if;
    -- A slot is given back by whatever ends the attempt; a recalled one was no call, so it also gives back what it had used up.
    update scopes s set
        active = s.active - d.n,
        budget = s.budget + d.recalled,
        day_used = s.day_used - case when s.day = d.day then d.recalled else 0 end
      from (
        select key, count(*) as n, count(*) filter (where recalled) as recalled, max(day) as day
        from (
          select min(scopes) as scopes, bool_or(fresh and state = 'recalled') as recalled,
                 max((claimed_at at time zone 'UTC')::date) as day
          from (select id, scopes, state, claimed_at, ended_at, true as fresh from come
                union all
                select id, scopes, state, claimed_at, ended_at, false from gone) sides
          group by id
          having bool_or(fresh and ended_at is not null) and not bool_or(not fresh and ended_at is not null)) ends,
          unnest(ends.scopes) key
        group by key order by key) d
      where s.key = d.key;
  end if;
  return null;
end $$;

-- As in 0002: with the owner's rights, and by names that nobody can put others before.
alter function call_attempts_moved() security definer;
do $$
begin
  execute format('alter function call_attempts_moved() set search_path = pg_catalog, %I, pg_temp', current_schema());
end $$;
