-- What requests with an idempotency key came to, for a day. Written in the transaction of their effect; the answer is null until
-- it is known, and then it never changes.
create table receipts (
  team_id text not null references teams,
  key text not null check (length(key) between 1 and 255),
  fingerprint bytea not null,
  scopes text[] not null,          -- of the API key that was used: a weaker one is not told the answer
  status smallint,
  answer bytea,
  created_at timestamptz not null,
  primary key (team_id, key),
  check ((status is null) = (answer is null))
);
create index receipts_age on receipts (created_at);

-- Read and finished by the engine where the first request died.
select wall_in('receipts', 'team_id = (select team())', 'select, insert, update');
