-- The same laws for less: what a function asks of a table is asked in the statement itself, where it is planned once and is no
-- query of its own (Postgres inlines no function with a FROM), and what has nothing to write is not sent. A call moves eight
-- times, and every one of these statements has to be set up each time, however few rows it is about.

-- Free slots of a scope; null = unlimited (LEAST passes over nulls). One expression, so that it is inlined.
create or replace function scope_room(s scopes, today date) returns integer language sql immutable as $$
  select case when coalesce(s.cap, s.budget, s.day_limit) is not null then
    greatest(least(s.cap - s.active, s.budget, s.day_limit - case when s.day = today then s.day_used else 0 end), 0) end
$$;

create or replace function campaign_contacts_moved() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'contact', id, campaign_id, null,
             (select t.after from legal_turns t where t.entity = 'contact' and t.before is null and t.after = come.status),
             reason, actor()
      from come;
    insert into campaign_tallies as t (campaign_id, status, outcome, called, n)
      select campaign_id, status, coalesce(outcome, ''), last_attempt_at is not null, count(*)
      from come group by 1, 2, 3, 4 order by 1, 2, 3, 4
      on conflict (campaign_id, status, outcome, called) do update set n = t.n + excluded.n;
    insert into lanes as l (campaign_id, place_set_id, priority, pending, next_due)
      select campaign_id, place_set_id, priority, count(*), min(next_attempt_at)
      from come where status = 'pending' group by 1, 2, 3 order by 1, 2, 3
      on conflict (campaign_id, place_set_id, priority)
      do update set pending = l.pending + excluded.pending,
        next_due = case when l.pending + excluded.pending > 0 then least(l.next_due, excluded.next_due) else 'infinity' end;
  elsif tg_op = 'UPDATE' then
    if not exists (select from come) then
      return null;  -- most statements touch attempts alone
    end if;
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'contact', id, campaign_id, before,
             (select t.after from legal_turns t where t.entity = 'contact' and t.before = turns.before and t.after = turns.after),
             reason, actor()
      from (  -- grouped, not joined: the planner thinks little of transition tables, and would go through them once for each row
        select id, min(campaign_id) as campaign_id, min(status) filter (where not fresh) as before,
               min(status) filter (where fresh) as after, min(reason) filter (where fresh) as reason
        from (select id, campaign_id, status, reason, true as fresh from come
              union all
              select id, campaign_id, status, reason, false from gone) sides
        group by id) turns
      where before <> after;
    insert into campaign_tallies as t (campaign_id, status, outcome, called, n)
      select campaign_id, status, outcome, called, sum(d) from (
        select campaign_id, status, coalesce(outcome, '') as outcome, last_attempt_at is not null as called, 1 as d from come
        union all
        select campaign_id, status, coalesce(outcome, ''), last_attempt_at is not null, -1 from gone) moves
      group by 1, 2, 3, 4 having sum(d) <> 0 order by 1, 2, 3, 4
      on conflict (campaign_id, status, outcome, called) do update set n = t.n + excluded.n;
    if exists (select from come where status = 'pending' union all select from gone where status = 'pending') then
      insert into lanes as l (campaign_id, place_set_id, priority, pending, next_due)
        select campaign_id, place_set_id, priority, sum(d), coalesce(min(due), 'infinity') from (
          select campaign_id, place_set_id, priority, 1 as d, next_attempt_at as due from come where status = 'pending'
          union all
          select campaign_id, place_set_id, priority, -1, null from gone where status = 'pending') moves
        group by 1, 2, 3 having sum(d) <> 0 or min(due) is not null order by 1, 2, 3
        on conflict (campaign_id, place_set_id, priority)
        do update set pending = l.pending + excluded.pending,
          next_due = case when l.pending + excluded.pending > 0 then least(l.next_due, excluded.next_due) else 'infinity' end;
    end if;
  else
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'contact', id, campaign_id, status, 'removed', reason, actor() from gone;
    insert into campaign_tallies as t (campaign_id, status, outcome, called, n)
      select campaign_id, status, coalesce(outcome, ''), last_attempt_at is not null, -count(*)
      from gone group by 1, 2, 3, 4 order by 1, 2, 3, 4
      on conflict (campaign_id, status, outcome, called) do update set n = t.n + excluded.n;
    insert into lanes as l (campaign_id, place_set_id, priority, pending, next_due)
      select campaign_id, place_set_id, priority, -count(*), 'infinity'
      from gone where status = 'pending' group by 1, 2, 3 order by 1, 2, 3
      on conflict (campaign_id, place_set_id, priority) do update set pending = l.pending + excluded.pending,
        next_due = case when l.pending + excluded.pending > 0 then l.next_due else 'infinity' end;
  end if;
  return null;
end $$;

create or replace function call_attempts_moved() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'attempt', id, campaign_id, null,
             (select t.after from legal_turns t where t.entity = 'attempt' and t.before is null and t.after = come.state),
             reason, actor()
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
    insert into history (entity, entity_id, campaign_id, before, after, reason, actor)
      select 'attempt', id, campaign_id, before,
             case when before = after then after else (
               select t.after from legal_turns t where t.entity = 'attempt' and t.before = turns.before and t.after = turns.after) end,
             reason, actor()
      from (
        select id, min(campaign_id) as campaign_id, min(state) filter (where not fresh) as before,
               min(state) filter (where fresh) as after, min(reason) filter (where fresh) as reason,
               min(outcome) filter (where not fresh) is distinct from min(outcome) filter (where fresh) as corrected
        from (select id, campaign_id, state, outcome, reason, true as fresh from come
              union all
              select id, campaign_id, state, outcome, reason, false from gone) sides
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

drop function turned;

-- As in 0002: with the owner's rights, and by names that nobody can put others before.
do $$
declare
  which regprocedure;
begin
  foreach which in array array['campaign_contacts_moved()', 'call_attempts_moved()']::regprocedure[]
  loop
    execute format('alter function %s security definer', which);
    execute format('alter function %s set search_path = pg_catalog, %I, pg_temp', which, current_schema());
  end loop;
end $$;
