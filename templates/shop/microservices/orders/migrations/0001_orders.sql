create table customer (
  id bigint generated always as identity primary key,
  name text not null,
  email text not null unique,
  created_at timestamptz not null default now()
);
create table customer_order (
  id bigint generated always as identity primary key,
  customer_id bigint not null references customer,
  state text not null default 'open' check (state in ('open', 'paid', 'sent', 'cancelled')),
  total_cents bigint not null check (total_cents >= 0),
  created_at timestamptz not null default now()
);
create index customer_order_by_customer on customer_order (customer_id);

alter table customer enable row level security;
alter table customer force row level security;
create policy own_rows on customer using (true) with check (true);

alter table customer_order enable row level security;
alter table customer_order force row level security;
create policy own_rows on customer_order using (true) with check (true);
