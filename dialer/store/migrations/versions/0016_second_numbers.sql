-- Where a contact's second number rings: null = not worked out, and then a campaign does not call it. What is known of a number
-- does not hold for another one: whoever writes another number or zone, a version before this one too, leaves the place unknown,
-- and says it afterwards if he knows it. What nobody says, the sweep works out.
alter table contacts add column second_place_set_id integer references place_sets;
create index contacts_second_unplaced on contacts (created_at, id) where phone_secondary is not null and second_place_set_id is null;

create function second_place_unknown() returns trigger language plpgsql as $$
begin
  new.second_place_set_id := null;
  return new;
end $$;
create trigger second_place_unknown before update of phone_secondary, timezone, region on contacts
  for each row when ((old.phone_secondary, old.timezone, old.region) is distinct from (new.phone_secondary, new.timezone, new.region))
  execute function second_place_unknown();

-- Whom an enrolment calls next: the number that is wanted, if it still is the contact's and may be called, else the first one, else
-- the second. `both`: the campaign calls second numbers too. One expression each, so that they are inlined.
create function number_of(p contacts, wanted text, both_numbers boolean) returns text language sql immutable as $$
  select case
    when wanted = p.phone or (both_numbers and p.second_place_set_id is not null and wanted = p.phone_secondary) then wanted
    else coalesce(p.phone, case when both_numbers and p.second_place_set_id is not null then p.phone_secondary end) end
$$;
create function place_of(p contacts, number text) returns integer language sql immutable as $$
  select case when number = p.phone_secondary and number is distinct from p.phone then p.second_place_set_id else p.place_set_id end
$$;
