-- What a team says of the custom fields of its contacts.
create table custom_fields (
  id text primary key default new_id('field'),
  team_id text not null references teams,
  key text not null check (key ~ '^[A-Za-z0-9_][A-Za-z0-9_. -]{0,92}$'),
  label text not null check (label <> ''),
  type text not null check (type in ('text', 'number', 'boolean', 'date', 'datetime', 'select', 'multi_select')),
  options text[] not null default '{}',
  description text,
  extractable boolean not null default false,     -- whether what a call brought may fill it
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (team_id, key),
  check ((type in ('select', 'multi_select')) = (cardinality(options) > 0))
);
select wall_in('custom_fields', 'team_id = (select team())');

-- The history as a log that can be followed. Ids become visible out of order (a small id may commit late), so a reader cannot
-- remember the last id alone; it remembers its snapshot, and the rows it has not seen are those of the transactions that this
-- snapshot did not see. `xid` is null on rows that are older than this column: every snapshot has seen them.
alter table history add column xid bigint;
alter table history alter column xid set default pg_current_xact_id()::text::bigint;
create index history_log on history (campaign_id, xid, id);

-- The newest entries of a team; also the order in which they are exported.
create index suppressions_team on suppressions (team_id, created_at desc, id desc);
