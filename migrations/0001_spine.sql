-- The spine: companies, keys, agents, plans, tickets, the journal, and the one function that makes a batch true.
-- Runs on PostgreSQL 15+ and on PGlite. Times of the flow are epoch milliseconds, as in the wire contracts.

do $$ declare r text; begin
  foreach r in array array['colmeia_engine', 'colmeia_coordinator', 'colmeia_company'] loop
    if not exists (select from pg_roles where rolname = r) then -- shared by all databases of a server
      begin
        execute format('create role %I nologin', r);
      exception when duplicate_object or unique_violation then null; -- by another database just now
      end;
    end if;
    -- to be taken with SET ROLE only: an inherited role would bring its policies, and the owner would see every row
    if current_setting('server_version_num')::int >= 160000 then
      if not pg_has_role(current_user, r, 'SET') then
        execute format('grant %I to current_user with inherit false, set true', r);
      end if;
    elsif not pg_has_role(current_user, r, 'MEMBER') then
      execute format('grant %I to current_user', r);
    end if;
    execute format('grant usage on schema %I to %I', current_schema(), r);
  end loop;
end $$;

create table instance (
  name text primary key,
  no int4 generated always as identity unique,         -- the high half of the company's plan keys
  tier text not null default 'bronze',
  state text not null default 'active',
  created_at timestamptz not null default now()
);

create table api_key (
  key_id text primary key,
  instance text not null references instance,
  kind text not null check (kind in ('operator', 'company', 'agent')),
  agent_id text,
  hash bytea not null,                                 -- sha-256 of the secret half
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index api_key_by_instance on api_key (instance, key_id);

create table agent (
  instance text not null references instance,          -- '$system': serves every company
  id text not null,
  kind text not null,
  task_types text[] not null,
  capabilities text[] not null,
  concurrency int4 not null,
  labels jsonb not null,
  region text,
  version text,
  state text not null,                                 -- active, draining
  registered_at timestamptz not null default now(),
  primary key (instance, id)
);

create table plan (
  key int8 primary key,                                -- instance.no << 32 | number within the company
  instance text not null,
  id text not null,                                    -- the caller's
  status text not null,
  flow int2 not null,                                  -- version of decide() that runs it
  rev int4 not null default 1,                         -- counts changes of this row: the guard of updates
  digest text not null,                                -- sha-256 of the canonical decision: same id, other digest = conflict
  decision json not null,                              -- without the plan
  header json not null,                                -- the plan without its tasks
  control json not null,                               -- what decide() must remember beside the tickets
  tickets int4 not null,
  created_at int8 not null,
  ended_at int8,
  result json                                          -- consolidation, or the faults of a rejected one
) with (fillfactor = 80);
create unique index plan_id on plan (id, instance);
create index plan_by_time on plan (created_at, key);
create index plan_by_status on plan (instance, status, key);

create table ticket (
  plan int8 not null,
  n int4 not null,
  instance text not null,
  status text not null,
  spec json not null,                                  -- task and rules: what never changes
  deps int4[] not null,
  agent text,
  fence int4 not null,
  attempt int4 not null,
  due int8,                                            -- not before
  deadline int8 not null,
  started_at int8,
  ended_at int8,
  note json,                                           -- error, approval, compensation: what decide() remembers
  result json,                                         -- output, metadata and logs of the attempt that counted
  primary key (plan, n)
) with (fillfactor = 70);                              -- no index on status: the ready queue lives in memory

create table journal (
  instance text not null,
  seq int8 not null,                                   -- gapless per company: a second writer meets the key
  at timestamptz not null,
  plans int8[] not null,
  body text not null,                                  -- one JSON line per event
  hash text not null,
  primary key (instance, seq)
);
create index journal_plans on journal using gin (plans);
create index journal_at on journal using brin (at);

create table journal_head (
  instance text primary key references instance,
  seq int8 not null default 0,
  events int8 not null default 0,
  plans int8 not null default 0,                       -- plan keys given out
  hash text not null default ''
) with (fillfactor = 50);

create table consumer (
  name text not null,
  instance text not null,
  seq int8 not null,
  primary key (name, instance)
);

create table replica (
  no int4 generated always as identity primary key,    -- alive while it holds the advisory lock of this number
  address text not null,
  token text not null,                                 -- what the other replicas show to it
  started_at timestamptz not null default now()
);

-- before row level security is forced: the owner has no policy
insert into instance (name, tier) values ('$system', 'gold'), ('default', 'bronze');
insert into journal_head (instance) values ('$system'), ('default');

do $$ declare t text; begin
  foreach t in array array['instance', 'api_key', 'agent', 'plan', 'ticket', 'journal', 'journal_head', 'consumer', 'replica'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
  end loop;
  foreach t in array array['instance', 'agent', 'plan', 'ticket', 'journal', 'journal_head', 'consumer', 'replica'] loop
    execute format('create policy engine on %I to colmeia_engine using (true) with check (true)', t);
  end loop;
  foreach t in array array['instance', 'api_key', 'agent', 'plan', 'ticket', 'journal', 'journal_head', 'consumer'] loop
    execute format('create policy coordinator on %I to colmeia_coordinator using (true) with check (true)', t);
  end loop;
  foreach t in array array['agent', 'plan', 'ticket', 'journal', 'api_key'] loop
    execute format($p$create policy company on %I for select to colmeia_company
      using (instance = (select current_setting('request.jwt.claims', true)::jsonb ->> 'instance'))$p$, t);
  end loop;
end $$;
create policy company on instance for select to colmeia_company
  using (name = (select current_setting('request.jwt.claims', true)::jsonb ->> 'instance'));

grant select on instance, agent to colmeia_engine;
grant select, insert, update on plan, ticket, journal_head, consumer to colmeia_engine;
grant select, insert, delete on replica to colmeia_engine;
grant select, insert on journal to colmeia_engine;     -- append only: no update, no delete

grant select, insert, update on instance, api_key to colmeia_coordinator;
grant select, insert, update, delete on agent to colmeia_coordinator;
grant select on plan, ticket, journal, journal_head, consumer to colmeia_coordinator;
grant insert on journal_head to colmeia_coordinator;

grant select on instance, agent, plan, ticket, journal to colmeia_company;
grant select (key_id, instance, kind, agent_id, created_by, created_at, expires_at, revoked_at) on api_key to colmeia_company;

-- One call is one transaction: new plans, changed plans, new tickets, changed tickets, the journal and its heads.
-- Guards: a plan by its rev, a ticket by status and fencing token, the journal by its key and its head.
-- A refused guard raises CM001 and rolls everything back. The role is taken on entry and given back on exit.
create function colmeia_flush(
  p_key int8[], p_instance text[], p_id text[], p_status text[], p_flow int2[], p_digest text[], p_decision json[],
  p_header json[], p_control json[], p_tickets int4[], p_created int8[], p_ended int8[], p_result json[],
  u_key int8[], u_rev int4[], u_status text[], u_control json[], u_ended int8[], u_result json[],
  r_key int8[], r_flow int2[], r_digest text[], r_decision json[], r_header json[], r_tickets int4[], r_created int8[],
  t_plan int8[], t_n int4[], t_instance text[], t_status text[], t_spec json[], t_deps text[], t_agent text[],
  t_fence int4[], t_attempt int4[], t_deadline int8[], t_started int8[], t_ended int8[], t_note json[],
  x_plan int8[], x_n int4[], x_was text[], x_fence int4[], x_status text[], x_agent text[], x_newfence int4[],
  x_attempt int4[], x_due int8[], x_deadline int8[], x_started int8[], x_ended int8[], x_note json[], x_result json[],
  j_instance text[], j_seq int8[], j_at timestamptz[], j_plans text[], j_body text[], j_hash text[], j_events int8[],
  j_given int8[]
) returns void language plpgsql set role = colmeia_engine as $f$
declare k int; begin
  if cardinality(p_key) > 0 then
    insert into plan (key, instance, id, status, flow, digest, decision, header, control, tickets, created_at, ended_at, result)
      select * from unnest(p_key, p_instance, p_id, p_status, p_flow, p_digest, p_decision, p_header, p_control,
        p_tickets, p_created, p_ended, p_result);
  end if;
  if cardinality(r_key) > 0 then                       -- replanned, or a rejected plan sent again in good form
    update plan p set flow = v.flow, digest = v.digest, decision = v.decision, header = v.header, tickets = v.tickets,
        created_at = v.created
      from unnest(r_key, r_flow, r_digest, r_decision, r_header, r_tickets, r_created)
        v(key, flow, digest, decision, header, tickets, created)
      where p.key = v.key;
  end if;
  if cardinality(u_key) > 0 then
    update plan p set rev = p.rev + 1, status = v.status, control = v.control, ended_at = v.ended, result = v.result
      from unnest(u_key, u_rev, u_status, u_control, u_ended, u_result) v(key, rev, status, control, ended, result)
      where p.key = v.key and p.rev = v.rev;
    get diagnostics k = row_count;
    if k <> cardinality(u_key) then
      raise exception 'stale plan: % of % hold', k, cardinality(u_key) using errcode = 'CM001';
    end if;
  end if;
  if cardinality(t_plan) > 0 then
    insert into ticket (plan, n, instance, status, spec, deps, agent, fence, attempt, deadline, started_at, ended_at, note)
      select v.plan, v.n, v.instance, v.status, v.spec, v.deps::int4[], v.agent, v.fence, v.attempt, v.deadline, v.started,
        v.ended, v.note
      from unnest(t_plan, t_n, t_instance, t_status, t_spec, t_deps, t_agent, t_fence, t_attempt, t_deadline, t_started,
        t_ended, t_note)
        v(plan, n, instance, status, spec, deps, agent, fence, attempt, deadline, started, ended, note);
  end if;
  if cardinality(x_plan) > 0 then
    update ticket t set status = v.status, agent = v.agent, fence = v.newfence, attempt = v.attempt, due = v.due,
        deadline = v.deadline, started_at = v.started, ended_at = v.ended, note = v.note, result = coalesce(v.result, t.result)
      from unnest(x_plan, x_n, x_was, x_fence, x_status, x_agent, x_newfence, x_attempt, x_due, x_deadline, x_started,
        x_ended, x_note, x_result)
        v(plan, n, was, fence, status, agent, newfence, attempt, due, deadline, started, ended, note, result)
      where t.plan = v.plan and t.n = v.n and t.status = v.was and t.fence = v.fence;
    get diagnostics k = row_count;
    if k <> cardinality(x_plan) then
      raise exception 'stale ticket: % of % hold', k, cardinality(x_plan) using errcode = 'CM001';
    end if;
  end if;
  insert into journal (instance, seq, at, plans, body, hash)
    select v.instance, v.seq, v.at, v.plans::int8[], v.body, v.hash
    from unnest(j_instance, j_seq, j_at, j_plans, j_body, j_hash) v(instance, seq, at, plans, body, hash);
  update journal_head h set seq = v.seq, events = v.events, plans = v.given, hash = v.hash
    from unnest(j_instance, j_seq, j_hash, j_events, j_given) v(instance, seq, hash, events, given)
    where h.instance = v.instance and h.seq = v.seq - 1;
  get diagnostics k = row_count;
  if k <> cardinality(j_instance) then
    raise exception 'stale journal head: % of % hold', k, cardinality(j_instance) using errcode = 'CM001';
  end if;
end $f$;
revoke execute on function colmeia_flush from public;
