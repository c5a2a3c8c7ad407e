-- An attempt that is recalled again and again, every second at most, was to reach the end of smallint within nine hours.
alter table campaign_contacts alter column attempt_seq type integer;
alter table call_attempts alter column attempt_no type integer;
