-- Agents: the versions they came with, and what they used of language models.

alter table agent add column versions jsonb not null default '[]'; -- [{"version", "at"}], the last ten

-- Totals per company and agent, derived from the journal; the event up to which they count makes repeats harmless.
create table token_usage (
  instance text not null references instance,          -- the company whose tickets they were
  agent text not null,                                 -- key of the agent: its own company or '$system', '/', its id
  results int8 not null,
  input_tokens int8 not null,
  output_tokens int8 not null,
  cost_usd float8 not null,
  event int8 not null,                                 -- number of the last event in it
  since timestamptz not null,
  primary key (agent, instance)
);
create index token_usage_by_instance on token_usage (instance);

alter table token_usage enable row level security;
alter table token_usage force row level security;
create policy engine on token_usage to colmeia_engine using (true) with check (true);
create policy coordinator on token_usage to colmeia_coordinator using (true) with check (true);
create policy company on token_usage for select to colmeia_company
  using (instance = (select current_setting('request.jwt.claims', true)::jsonb ->> 'instance'));
grant select, insert, update on token_usage to colmeia_engine;
grant select on token_usage to colmeia_coordinator, colmeia_company;
