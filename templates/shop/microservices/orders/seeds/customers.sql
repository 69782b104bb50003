insert into customer (name, email) values
  ('Ana Souza', 'ana@customers.example'),
  ('Bruno Lima', 'bruno@customers.example')
on conflict (email) do nothing;

insert into customer_order (customer_id, total_cents)
select id, 12900 from customer where email = 'ana@customers.example';
