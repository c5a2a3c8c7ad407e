-- Which caller ID was shown last in this campaign, so that it is shown again. No foreign key: it is written from a call, which has
-- one, and numbers that calls refer to are not deleted. Written with the turn at a call's end, which rewrites the row anyway.
alter table campaign_contacts add column last_number_id text;

-- A caller ID that was blocked too often is not shown until then, and why.
alter table phone_numbers add column resting_until timestamptz, add column resting_reason text;
alter table phone_numbers add constraint phone_numbers_resting check ((resting_until is null) = (resting_reason is null));
create index phone_numbers_resting on phone_numbers (resting_until) where resting_until is not null;

-- How the newest calls of a caller ID ended, a letter each (domain/reputation.py), since its last rest; written by every turn that
-- ends a call, under the lock of the number's scope, and apart from the row that people edit. `unjudged`: one of them was blocked,
-- and nobody has looked whether the number is to rest.
create table reputations (
  number_id text primary key references phone_numbers,
  recent text not null default '',
  rests integer not null default 0,           -- how many in a row
  unjudged boolean not null default false
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
create index reputations_unjudged on reputations (number_id) where unjudged;
select wall_in('reputations', 'exists (select from phone_numbers n where n.id = number_id)', 'select, update');

-- Which number is shown to whom in a claim, of campaigns whose contacts may be tied to one: `scheduler/matching.py` in SQL. First
-- whoever was shown a number before (`again`), then whoever is in the area of some (`near`), each as far as the number has room; then
-- the slots that these have left, in turn. A function, for its plan is set up only where it is called, and plpgsql, so that it is not
-- written out in the claim. Without nested loops: nobody knows beforehand how many rows the arrays have.
create function matched(
  callee_campaigns text[], callee_ranks bigint[], befores text[], to_numbers text[],
  offer_campaigns text[], offer_ids text[], offer_numbers text[], weights int[], mosts int[], hads float8[], areas text[], stickies boolean[],
  slot_campaigns text[], slot_ranks int[], slot_ids text[], slot_numbers text[], slot_turns int[])
returns table (campaign_id text, rank bigint, number_id text, from_number text) language plpgsql stable set enable_nestloop = off as $$
#variable_conflict use_column
begin
  return query
  with offer as materialized (
    select * from unnest(offer_campaigns, offer_ids, offer_numbers, weights, mosts, hads, areas, stickies)
      as o(campaign_id, number_id, from_number, weight, most, had, area, sticky)
  ), slot as materialized (
    select * from unnest(slot_campaigns, slot_ranks, slot_ids, slot_numbers, slot_turns) as s(campaign_id, rank, number_id, from_number, turn)
  ), callee as materialized (
    select * from unnest(callee_campaigns, callee_ranks, befores, to_numbers) as c(campaign_id, rank, before, to_number)
    where (campaign_id in (select campaign_id from offer)) is true
  ), again as materialized (
    select * from (
      select c.campaign_id, c.rank, o.number_id, o.from_number, o.most,
             row_number() over (partition by c.campaign_id, o.number_id order by c.rank) as place
      from callee c join offer o on o.campaign_id = c.campaign_id and o.number_id = c.before and o.sticky) x
    where place <= most
  ), neighbour as materialized (  -- the longest area that a number begins with; areas of some lengths, each looked up at once
    select campaign_id, rank, area, row_number() over (partition by campaign_id, area order by rank) as place,
           count(*) over (partition by campaign_id, area) as n
    from (
      select distinct on (c.campaign_id, c.rank) c.campaign_id, c.rank, a.area
      from callee c cross join (select distinct length(area) as digits from offer where area is not null) d
        join (select distinct campaign_id, area from offer where area is not null) a
          on a.campaign_id = c.campaign_id and a.area = left(c.to_number, d.digits)
      where ((c.campaign_id, c.rank) in (select campaign_id, rank from again)) is false
      order by c.campaign_id, c.rank, d.digits desc) x
  ), seat as (
    select o.campaign_id, o.area, o.number_id, o.from_number,
           row_number() over (partition by o.campaign_id, o.area
                              order by (2 * (o.had + turn) + 1) / o.weight, o.number_id collate "C") as place
    from offer o
      join (select campaign_id, area, max(n) as n from neighbour group by 1, 2) w using (campaign_id, area)
      left join (select campaign_id, number_id, count(*) as n from again group by 1, 2) g using (campaign_id, number_id)
      cross join lateral generate_series(coalesce(g.n, 0), least(o.most, coalesce(g.n, 0) + w.n) - 1) turn
  ), near as materialized (
    select n.campaign_id, n.rank, s.number_id, s.from_number from neighbour n join seat s using (campaign_id, area, place)
  ), tied as materialized (
    select campaign_id, rank, number_id, from_number from again union all select * from near
  ), others as (
    select campaign_id, rank, row_number() over (partition by campaign_id order by rank) as place
    from callee where ((campaign_id, rank) in (select campaign_id, rank from tied)) is false
  ), turns_left as (
    select s.campaign_id, s.number_id, s.from_number, row_number() over (partition by s.campaign_id order by s.rank) as place
    from slot s left join (select campaign_id, number_id, count(*) as n from tied group by 1, 2) g using (campaign_id, number_id)
    where s.turn > coalesce(g.n, 0)
  )
  select * from tied
  union all
  select o.campaign_id, o.rank, s.number_id, s.from_number from others o join turns_left s using (campaign_id, place);
end $$;
