-- The base of every company's own database. Runs as the company's role with its schema first in search_path, on PostgreSQL,
-- PGlite and Supabase alike: `auth` and the roles anon, authenticated and service_role are there before.

-- Whose data this is, so that nobody drops or fills another's: the company's id, which stays when it is renamed.
create table company (
  one boolean primary key default true check (one),
  id text not null,
  created_at timestamptz not null default now()
);

-- Which migrations and seeds ran, by where they come from.
create table schema_migration (
  origin text not null,                                -- base, company, or a component
  version int4 not null,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now(),
  primary key (origin, version)
);
create table schema_seed (
  origin text not null,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now(),
  primary key (origin, name)
);

-- A place for records of any kind that companies use at once, and the pattern for tables of components.
create table record (
  id uuid primary key default gen_random_uuid(),
  kind text not null,
  owner uuid,                                          -- auth.uid() of whom it belongs to; null = of the company as a whole
  body jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index record_by_kind on record (kind, created_at desc);
create index record_by_owner on record (owner) where owner is not null;

do $$ declare t text; begin
  foreach t in array array['company', 'schema_migration', 'schema_seed', 'record'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t); -- the owner too: claims decide, whoever connects
    execute format($p$create policy service on %I using ((select auth.role()) = 'service_role')
      with check ((select auth.role()) = 'service_role')$p$, t);
    execute format('revoke all on %I from anon, authenticated', t); -- some hosts grant new tables to everyone
    execute format('grant all on %I to service_role', t);
  end loop;
  execute format('grant usage on schema %I to anon, authenticated, service_role', current_schema());
end $$;
create policy owner on record using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
grant select, insert, update, delete on record to authenticated;
