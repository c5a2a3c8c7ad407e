-- When something that a trunk told of its calls may last have been missed: whoever was live then is asked about once.
create table gaps (
  trunk text primary key,
  at timestamptz not null
);
-- The engine's alone.
select wall_in('gaps', 'false', '');
