import { createHash } from 'node:crypto';

import { type CompanyMigration, type CompanySeed } from './company-databases.ts';

export function migrationOf(version: number, sql: string, origin = 'company'): CompanyMigration {
  return { origin, version, name: `step_${version}`, sql, checksum: checksumOf(sql) };
}

export function seedOf(name: string, sql: string): CompanySeed {
  return { origin: 'company', name, sql, checksum: checksumOf(sql) };
}

const checksumOf = (sql: string): string => createHash('sha256').update(sql).digest('hex');

/** Some of every kind of object that a company's schema may hold and a copy must carry. */
export const SAMPLE_TABLES = `
  create type mood as enum ('glad', 'it''s "odd"');
  create type address as (street text, "Zip Code" text);
  create domain positive as int check (value > 0);
  create sequence ticket_no start 100 increment 5;
  create function shout(t text) returns text language sql immutable strict as 'select reverse(t) || ''!''';
  create function double_it(n int) returns int language sql immutable return n * 2;
  create table customer (
    id bigint generated always as identity (start 7) primary key,
    name text not null check (name <> ''),
    loud text generated always as (shout(name)) stored,
    mood mood default 'glad',
    home address,
    score positive,
    tags text[] not null default '{}',
    photo bytea,
    born date,
    seen timestamptz,
    ratio float8,
    exact numeric(30, 10),
    body jsonb,
    unique nulls not distinct (name, born)
  );
  create table "Order Line" (
    "No" int default nextval('ticket_no') primary key,
    customer bigint references customer on delete cascade deferrable initially deferred,
    parent int references "Order Line",
    amount numeric(12, 2) default double_it(3)
  );
  alter sequence ticket_no owned by "Order Line"."No";
  create table only_generated (one int generated always as (1) stored);
  create index customer_by_mood on customer (mood, lower(name)) where mood is not null;
  create unique index on "Order Line" (customer, "No");
  create function stamp() returns trigger language plpgsql as $f$ begin new.seen := coalesce(new.seen, '2026-01-01Z'); return new; end $f$;
  create trigger stamped before insert on customer for each row execute function stamp();
  create trigger off before update on customer for each row execute function stamp();
  alter table customer disable trigger off;
  create procedure tidy() language sql as 'delete from "Order Line" where amount < 0';
  revoke all on function double_it(int) from public;
  create view glad_customers with (security_invoker = true) as select id, name from customer where mood = 'glad';
  create materialized view totals as select customer, sum(amount) as total from "Order Line" group by 1;
  comment on table customer is 'who pays; "quoted" \\ and ''so''';
  comment on column customer.loud is 'louder';
  grant select (id, name) on customer to authenticated;
  grant select on glad_customers to anon;
  alter table customer enable row level security; alter table customer force row level security;
  alter table "Order Line" enable row level security; alter table "Order Line" force row level security;
  alter table only_generated enable row level security; alter table only_generated force row level security;
  create policy service on customer using (auth.role() = 'service_role');
  create policy mine on customer as permissive for select to authenticated using (name = auth.uid()::text);
  create policy never as restrictive for delete to anon using (false);
  create policy service on "Order Line" using (auth.role() = 'service_role');
  create policy company on "Order Line" for select to current_user using (amount < 0);
  create policy service on only_generated using (auth.role() = 'service_role')`.replace(
  'create policy never as',
  'create policy never on customer as',
);

/** Rows with whatever could go wrong on the way. */
export const SAMPLE_ROWS = `
  insert into customer (name, mood, home, score, tags, photo, born, seen, ratio, exact, body)
    select 'n' || i || case i % 4 when 0 then E' "quoted"\\n\\t\\\\' when 1 then ' {a,b} (x) '',''' when 2 then ' ação 🐝' else '' end,
      case i % 3 when 0 then 'glad' when 1 then 'it''s "odd"' end::mood, row('s,"', null)::address, i, array['a b', null, '"', '', 'NULL'],
      decode(lpad(to_hex(i), 8, '0'), 'hex'), date '2000-01-01' + i, case when i % 2 = 0 then timestamptz 'infinity' else now() end,
      case i % 5 when 0 then 'NaN' when 1 then 'Infinity' else 1.0 / (i + 1) end::float8, i / 7.0, jsonb_build_object('k', i, 'é', null)
    from generate_series(1, 500) i;
  insert into "Order Line" (customer, amount) select id, id * 1.5 from customer;
  insert into only_generated default values;
  insert into record (kind, owner, body) select 'note', gen_random_uuid(), '{}' from generate_series(1, 20);
  refresh materialized view totals;
  select nextval('ticket_no')`;
