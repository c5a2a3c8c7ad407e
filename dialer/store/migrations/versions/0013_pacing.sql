-- Since when calls begin slowly: a campaign's since it was last started or its breaker closed, a trunk's since its breaker closed. By
-- the database's clock, for many machines read it.
alter table scopes add column eased_at timestamptz;

create function campaign_begun() returns trigger language plpgsql as $$
begin
  update scopes set eased_at = clock_timestamp() where key = 'campaign:' || new.id;
  return null;
end $$;
do $$
begin
  alter function campaign_begun() security definer;
  execute format('alter function campaign_begun() set search_path = pg_catalog, %I, pg_temp', current_schema());
end $$;
create trigger begun after update of status on campaigns
  for each row when (new.status = 'running' and old.status <> 'running') execute function campaign_begun();

-- The semaphore of all calls, where one is configured, is shared by all teams as a trunk's is.
alter policy of_the_team on scopes using (
  case split_part(key, ':', 1)
    when 'team' then split_part(key, ':', 2) = (select team())
    when 'trunk' then (select team()) is not null
    when 'fleet' then (select team()) is not null
    when 'campaign' then exists (select from campaigns x where x.id = split_part(key, ':', 2))
    when 'number' then exists (select from phone_numbers x where x.id = split_part(key, ':', 2))
    when 'assistant' then exists (select from assistants x where x.id = split_part(key, ':', 2))
    else false
  end);
