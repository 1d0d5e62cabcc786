-- Rooms whose members read and write messages; who is a member is asked past the policies.
create table public.rooms (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    made_by uuid not null default auth.uid() references auth.users (id) on delete cascade
);
create table public.members (
    room_id uuid not null references public.rooms (id) on delete cascade,
    user_id uuid not null references auth.users (id) on delete cascade,
    primary key (room_id, user_id)
);
create table public.messages (
    id bigint generated always as identity primary key,
    room_id uuid not null references public.rooms (id) on delete cascade,
    user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
    content text not null,
    sent_at timestamptz not null default now()
);
create index messages_of_room on public.messages (room_id, sent_at);
alter table public.rooms enable row level security;
alter table public.members enable row level security;
alter table public.messages enable row level security;

create function public.is_member(of_room uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
    select exists (
        select from public.members where room_id = of_room and user_id = (select auth.uid())
    )
$$;
revoke execute on function public.is_member(uuid) from public, anon;
create function public.join_as_maker() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.members (room_id, user_id) values (new.id, new.made_by);
    return new;
end;
$$;
create trigger maker_joins after insert on public.rooms
for each row execute function public.join_as_maker();

create policy "rooms of members" on public.rooms
for select to authenticated using (public.is_member(id));
create policy "rooms are made by users" on public.rooms
for insert to authenticated with check ((select auth.uid()) = made_by);
create policy "members see each other" on public.members
for select to authenticated using (public.is_member(room_id));
create policy "members leave" on public.members
for delete to authenticated using ((select auth.uid()) = user_id);
create policy "messages of members" on public.messages
for select to authenticated using (public.is_member(room_id));
create policy "members write" on public.messages
for insert to authenticated
with check (public.is_member(room_id) and (select auth.uid()) = user_id);

alter publication supabase_realtime add table public.messages;
