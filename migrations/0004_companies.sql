-- Companies: how each is made, what was made for it, who owns it, its secrets and keys, its figures, and how all of it goes.

alter table instance
  add column strategy text not null default 'hybrid' check (strategy in ('full', 'schema', 'hybrid')),
  add column template text not null default 'default',
  add column budget_usd float8,                        -- of language models, a calendar month; null = none
  add column folder text,                              -- null = <instances folder>/<name>
  add column initialized_at timestamptz,               -- null = its database and accounts are not made yet
  add column health text not null default 'unknown' check (health in ('unknown', 'healthy', 'degraded', 'unhealthy')),
  add column validated_at timestamptz,
  add column faults jsonb not null default '[]',       -- of the last validation
  add check (state in ('active', 'paused', 'deleting'));

-- A company may take another name: what names it follows.
alter table api_key drop constraint api_key_instance_fkey, add foreign key (instance) references instance on update cascade;
alter table agent drop constraint agent_instance_fkey, add foreign key (instance) references instance on update cascade;
alter table journal_head drop constraint journal_head_instance_fkey, add foreign key (instance) references instance on update cascade;
alter table token_usage drop constraint token_usage_instance_fkey, add foreign key (instance) references instance on update cascade;

-- Rows of the journal up to `until_seq` were hashed under this name.
create table former_name (
  instance text not null references instance on update cascade,
  until_seq int8 not null,
  name text not null,
  primary key (instance, until_seq)
);

alter table api_key
  add column scopes text[] not null default '{read,run,approve,administer}',
  add column subject text,                             -- who holds it, as user:ana@acme.example; null = nobody in particular
  add column replaces text,                            -- key that this one was rotated from
  add column last_used_at timestamptz;

create table instance_owner (
  instance text not null references instance on update cascade,
  principal text not null,                             -- subject of keys: user:…, team:…
  added_by text not null,
  added_at timestamptz not null default now(),
  primary key (instance, principal)
);

-- Envelope encryption: a data key for each company, wrapped by the master key, which is never in the database.
create table secret_key (
  instance text not null references instance on update cascade, -- '$system': of the fleet
  no int4 not null,
  master text not null,                                -- fingerprint of the master key that wraps it
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  primary key (instance, no)
);
create table secret (
  instance text not null references instance on update cascade,
  name text not null,
  version int4 not null,
  key_no int4 not null,
  sealed bytea not null,                               -- nonce, ciphertext, tag; bound to name and version
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (instance, name),
  foreign key (instance, key_no) references secret_key (instance, no) on update cascade
);

-- Whatever Colmeia made outside of these tables for a company: the list by which a delete knows what to take away.
create table instance_resource (
  instance text not null references instance on update cascade,
  kind text not null,                                  -- folder, database, schema, role, supabase-project, jira-project, confluence-space
  id text not null,
  site text not null default '',                       -- host it lies on; '' = this machine or this database
  created_at timestamptz not null default now(),
  primary key (instance, kind, site, id)
);

-- Journalled operations over companies. What a step found out is kept, so that another process can go on.
create table instance_operation (
  id text primary key,
  instance text not null,                              -- no reference: the record of a delete outlives the company
  kind text not null,                                  -- create, init, clone, delete, rename, export, import
  input jsonb not null,
  memory jsonb not null default '{}',
  steps jsonb not null default '[]',                   -- [{name, state, detail, share, started_at, ended_at}]
  state text not null check (state in ('running', 'completed', 'failed', 'undoing', 'undone')),
  error jsonb,
  by text not null,
  rev int4 not null default 1,
  runner text not null,                                -- process that carries it out
  heard_at timestamptz not null default now(),         -- sign of life of the runner
  started_at timestamptz not null default now(),
  ended_at timestamptz
);
create unique index instance_operation_under_way on instance_operation (instance) where state in ('running', 'undoing');
create index instance_operation_by_instance on instance_operation (instance, started_at desc, id);

-- Totals of a company, derived from its journal; the event up to which they count makes repeats harmless.
create table instance_statistics (
  instance text primary key references instance on update cascade,
  event int8 not null default 0,
  plans_received int8 not null default 0,
  plans_completed int8 not null default 0,
  plans_failed int8 not null default 0,                -- failed, compensated
  plans_cancelled int8 not null default 0,             -- cancelled, rejected
  tickets_completed int8 not null default 0,
  tickets_failed int8 not null default 0,
  cost_usd float8 not null default 0,
  month text not null default '',                      -- '2026-11' of month_cost_usd
  month_cost_usd float8 not null default 0,
  last_event_at timestamptz
) with (fillfactor = 70);

do $$ declare t text; begin
  foreach t in array array['former_name', 'instance_owner', 'secret_key', 'secret', 'instance_resource', 'instance_operation', 'instance_statistics'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy coordinator on %I to colmeia_coordinator using (true) with check (true)', t);
    execute format('grant select, insert, update, delete on %I to colmeia_coordinator', t);
  end loop;
  foreach t in array array['former_name', 'instance_owner', 'secret', 'instance_resource', 'instance_operation', 'instance_statistics'] loop
    execute format($p$create policy company on %I for select to colmeia_company
      using (instance = (select current_setting('request.jwt.claims', true)::jsonb ->> 'instance'))$p$, t);
  end loop;
end $$;
create policy engine on instance_statistics to colmeia_engine using (true) with check (true);
grant select, insert, update on instance_statistics to colmeia_engine;
grant select on former_name, instance_owner, instance_resource, instance_statistics to colmeia_company;
grant select (id, instance, kind, steps, state, error, by, rev, started_at, ended_at) on instance_operation to colmeia_company;
grant select (instance, name, version, created_by, created_at) on secret to colmeia_company;
grant select (scopes, subject, replaces, last_used_at) on api_key to colmeia_company;

-- Who alone may take rows of a company away, or give them another name: never a role that serves calls.
do $$ declare t text; begin
  if not exists (select from pg_roles where rolname = 'colmeia_remover') then
    begin
      create role colmeia_remover nologin;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  if current_setting('server_version_num')::int >= 160000 then
    if not pg_has_role(current_user, 'colmeia_remover', 'SET') then
      grant colmeia_remover to current_user with inherit false, set true;
    end if;
  elsif not pg_has_role(current_user, 'colmeia_remover', 'MEMBER') then
    grant colmeia_remover to current_user;
  end if;
  execute format('grant usage on schema %I to colmeia_remover', current_schema());
  foreach t in array array['instance', 'api_key', 'agent', 'plan', 'ticket', 'journal', 'journal_head', 'consumer', 'token_usage',
      'former_name', 'instance_owner', 'secret_key', 'secret', 'instance_resource', 'instance_statistics'] loop
    execute format('create policy remover on %I to colmeia_remover using (true) with check (true)', t);
    execute format('grant select, update, delete on %I to colmeia_remover', t);
  end loop;
end $$;
grant insert on former_name to colmeia_remover;

-- Every row of a company, in one transaction; answers how many of which table. The chain of '$system' says that it was done.
create function colmeia_forget_company(p_name text) returns jsonb language plpgsql set role = colmeia_remover as $f$
declare t text; k int8; removed jsonb := '{}'; begin
  if p_name like '$%' then raise exception 'the company of the fleet itself stays' using errcode = '42501'; end if;
  foreach t in array array['ticket', 'plan', 'journal', 'journal_head', 'consumer', 'token_usage', 'agent', 'api_key', 'secret',
      'secret_key', 'instance_owner', 'instance_resource', 'instance_statistics', 'former_name'] loop
    execute format('delete from %I where instance = $1', t) using p_name;
    get diagnostics k = row_count;
    removed := removed || jsonb_build_object(t, k);
  end loop;
  delete from instance where name = p_name;
  get diagnostics k = row_count;
  return removed || jsonb_build_object('instance', k);
end $f$;
revoke execute on function colmeia_forget_company(text) from public;
grant execute on function colmeia_forget_company(text) to colmeia_coordinator;

-- Another name for everything of a company. Rows of the journal keep their hashes: `former_name` says under which name.
create function colmeia_rename_company(p_name text, p_to text) returns void language plpgsql set role = colmeia_remover as $f$
begin
  update instance set name = p_to where name = p_name;       -- what refers to it follows
  if not found then raise exception 'no company %', p_name using errcode = 'P0002'; end if;
  update plan set instance = p_to where instance = p_name;
  update ticket set instance = p_to,
    agent = case when starts_with(agent, p_name || '/') then p_to || substr(agent, length(p_name) + 1) else agent end
    where instance = p_name;
  update token_usage set agent = p_to || substr(agent, length(p_name) + 1) where starts_with(agent, p_name || '/');
  update journal set instance = p_to where instance = p_name;
  update consumer set instance = p_to where instance = p_name;
  insert into former_name (instance, until_seq, name) select p_to, seq, p_name from journal_head where instance = p_to and seq > 0
    on conflict do nothing;
end $f$;
revoke execute on function colmeia_rename_company(text, text) from public;
grant execute on function colmeia_rename_company(text, text) to colmeia_coordinator;
