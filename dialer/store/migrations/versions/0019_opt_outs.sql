-- Whoever says in a call that they do not want to be called again is heard in the very commit that keeps what the carrier told: the
-- number is suppressed for the team, and the contact is not called at its other number either. On the events, so that it counts
-- whatever becomes of the attempt's own turn.
create table opt_outs (
  attempt_id text primary key references call_attempts,
  created_at timestamptz not null default clock_timestamp(),
  withdrawn_at timestamptz     -- when those who waited for a call were taken out of their campaigns
);
create index opt_outs_open on opt_outs (created_at) where withdrawn_at is null;
select wall_in('opt_outs', 'exists (select from call_attempts a where a.id = attempt_id)', 'select');

create function opted_out() returns trigger language plpgsql as $$
declare
  call call_attempts;
  entry text;
begin
  insert into opt_outs (attempt_id) values (new.attempt_id) on conflict do nothing;
  if not found then
    return null;  -- told in other words before; whoever has allowed calls since is not overruled
  end if;
  select * into strict call from call_attempts where id = new.attempt_id;
  insert into suppressions (scope, team_id, phone_number, reason, source)
    values ('team', call.team_id, call.to_number, 'opt_out', 'call ' || call.id)
    on conflict (phone_number, scope, coalesce(team_id, ''), coalesce(campaign_id, '')) do update
      set expires_at = null, reason = excluded.reason, source = excluded.source where suppressions.expires_at is not null
    returning id into entry;
  if found then
    insert into audit (team_id, actor, action, entity_id, detail)
      values (call.team_id, 'call', 'suppression.added', entry, jsonb_build_object('scope', 'team', 'call', call.id));
  end if;
  update contacts set do_not_call = true, updated_at = clock_timestamp() where id = call.contact_id and not do_not_call;
  if found then
    insert into audit (team_id, actor, action, entity_id, detail)
      values (call.team_id, 'call', 'contact.do_not_call', call.contact_id, jsonb_build_object('call', call.id));
  end if;
  return null;
end $$;
create trigger opted_out after insert on call_events
  for each row when (new.data -> 'do_not_call' = 'true') execute function opted_out();

-- As in 0002: with the owner's rights, and by names that nobody can put others before.
do $$
begin
  alter function opted_out() security definer;
  execute format('alter function opted_out() set search_path = pg_catalog, %I, pg_temp', current_schema());
end $$;
