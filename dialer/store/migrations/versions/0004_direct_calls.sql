-- A direct call is a campaign of one, so that it is claimed, fenced, placed and settled by the same statements as any other call.
-- `metadata` is what whoever asked for the call wants to find again.
alter table campaigns add column kind text not null default 'campaign' check (kind in ('campaign', 'direct'));
alter table campaigns add column metadata jsonb;
alter table campaigns add constraint campaigns_metadata_is_of_direct_calls check (metadata is null or kind = 'direct');

-- Lists of campaigns do not wade through calls; the sweep finds those that came to nothing.
create index campaigns_listed on campaigns (team_id, created_at desc, id desc) where kind = 'campaign';
create index campaigns_direct_open on campaigns (id) where kind = 'direct' and status in ('running', 'paused');

-- Whose number is this? A direct call asks for both of a contact's numbers.
create index contacts_phone_secondary on contacts (team_id, phone_secondary) where phone_secondary is not null;

-- A direct call is claimed in the transaction of the request that asks for it.
grant insert on call_attempts to dialer_api;
