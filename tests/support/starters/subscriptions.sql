-- Software by subscription: products and prices are for everybody, what a customer pays is his own.
create type public.subscription_status as enum ('trialing', 'active', 'past_due', 'canceled');
create type public.pricing_interval as enum ('month', 'year');

create table public.customers (
    id uuid primary key references auth.users (id) on delete cascade,
    payment_id text
);
alter table public.customers enable row level security;

create table public.products (
    id text primary key,
    active boolean not null default true,
    name text not null,
    metadata jsonb not null default '{}'
);
alter table public.products enable row level security;
create policy "products are public" on public.products for select to anon, authenticated using (true);

create table public.prices (
    id text primary key,
    product_id text not null references public.products (id),
    unit_amount bigint not null,
    currency text not null check (char_length(currency) = 3),
    every public.pricing_interval not null
);
alter table public.prices enable row level security;
create policy "prices are public" on public.prices for select to anon, authenticated using (true);

create table public.subscriptions (
    id text primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    status public.subscription_status not null,
    price_id text references public.prices (id),
    quantity integer not null default 1,
    period_start timestamptz not null default now(),
    period_end timestamptz not null default now() + interval '1 month'
);
create index subscriptions_of_user on public.subscriptions (user_id);
alter table public.subscriptions enable row level security;
create policy "own subscriptions" on public.subscriptions
for select to authenticated using ((select auth.uid()) = user_id);

alter publication supabase_realtime add table public.products, public.prices;
