-- A list of things to do: a profile for each user, made when the user signs up, and tasks.
create table public.profiles (
    id uuid primary key references auth.users (id) on delete cascade,
    full_name text,
    avatar_url text,
    updated_at timestamptz not null default now()
);
alter table public.profiles enable row level security;
create policy "profiles are seen by their user" on public.profiles
for select to authenticated using ((select auth.uid()) = id);
create policy "profiles are changed by their user" on public.profiles
for update to authenticated using ((select auth.uid()) = id) with check ((select auth.uid()) = id);

create function public.welcome() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.profiles (id, full_name, avatar_url)
    values (
        new.id, new.raw_user_meta_data ->> 'full_name', new.raw_user_meta_data ->> 'avatar_url'
    );
    return new;
end;
$$;
create trigger on_auth_user_created after insert on auth.users
for each row execute function public.welcome();

create table public.tasks (
    id bigint generated always as identity primary key,
    user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
    title text not null check (char_length(title) > 0),
    is_complete boolean not null default false,
    inserted_at timestamptz not null default now()
);
create index tasks_of_user on public.tasks (user_id);
alter table public.tasks enable row level security;
create policy "own tasks" on public.tasks for all to authenticated
using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
