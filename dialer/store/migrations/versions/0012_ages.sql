-- The age at which contacts of a campaign expire, where the fence reads it with the campaign's row, and what the sweep goes by.
-- Settings of other forms asked for nothing in the versions before.
alter table campaigns add column contact_expiry_days integer generated always as (
  case when jsonb_typeof(settings -> 'contact_expiry_days') = 'number' then (settings ->> 'contact_expiry_days')::integer end) stored;
create index campaigns_expiring on campaigns (id)
  where contact_expiry_days is not null and status not in ('completed', 'cancelled');
create index campaigns_ending on campaigns (id) where status in ('running', 'scheduled') and settings ? 'scheduled_end_at';
-- Whoever waits longest: what has expired is at its front. As the lanes' index it is written when somebody comes to wait, and by no
-- turn from the claim to the end.
create index campaign_contacts_age on campaign_contacts (campaign_id, created_at) where waiting;
