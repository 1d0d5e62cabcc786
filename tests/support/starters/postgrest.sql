-- An API over a schema of views: the token's claims say who asks, and the tables stand behind it.
create schema api;
create schema private;
create function private.account() returns uuid language sql stable set search_path = '' as $$
    select (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub')::uuid
$$;
create table private.items (
    id bigint generated always as identity primary key,
    account_id uuid not null default private.account(),
    title text not null,
    done boolean not null default false
);
create index items_of_account on private.items (account_id);
alter table private.items enable row level security;
alter table private.items force row level security;
create policy own on private.items for all to web_user
using (account_id = (select private.account())) with check (account_id = (select private.account()));

create view api.items with (security_invoker) as
select id, title, done from private.items;

grant usage on schema api to web_anon, web_user;
grant usage on schema private to web_user;
grant execute on function private.account() to web_user;
grant select, insert, update, delete on private.items to web_user;
grant select, insert, update, delete on api.items to web_user;
