-- What the scheduler keeps beside the journal, one row a name: what it learned (derived, so that it may be lost), the policy
-- in force and the experiment under way (changed with an event in the journal of the fleet).
create table scheduler_state (
  name text primary key,
  body json not null,
  at timestamptz not null default now()
);
alter table scheduler_state enable row level security;
alter table scheduler_state force row level security;
create policy engine on scheduler_state to colmeia_engine using (true) with check (true);
create policy coordinator on scheduler_state to colmeia_coordinator using (true) with check (true);
grant select, insert, update on scheduler_state to colmeia_engine;
grant select, insert, update on scheduler_state to colmeia_coordinator;
