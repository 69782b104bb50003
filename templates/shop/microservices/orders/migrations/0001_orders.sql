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

-- Rows are for the company's own services; `authenticated` and `anon` get a policy and a grant where they need one.
do $$ declare t text; begin
  foreach t in array array['customer', 'customer_order'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format($p$create policy service on %I using ((select auth.role()) = 'service_role')
      with check ((select auth.role()) = 'service_role')$p$, t);
    execute format('revoke all on %I from anon, authenticated', t);
    execute format('grant all on %I to service_role', t);
  end loop;
end $$;
