-- An album: pictures in a bucket, each in the folder of its user, and what is told of them.
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
values ('pictures', 'pictures', false, 5242880, '{image/png,image/jpeg}')
on conflict (id) do nothing;

create table public.pictures (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
    path text not null,
    title text not null default '',
    taken_at timestamptz
);
create index pictures_of_user on public.pictures (user_id);
alter table public.pictures enable row level security;
create policy "own pictures" on public.pictures for all to authenticated
using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);

create policy "own folder is read" on storage.objects for select to authenticated
using (bucket_id = 'pictures' and (storage.foldername(name))[1] = (select auth.uid())::text);
create policy "own folder is written" on storage.objects for insert to authenticated
with check (bucket_id = 'pictures' and (storage.foldername(name))[1] = (select auth.uid())::text);
create policy "own folder is emptied" on storage.objects for delete to authenticated
using (bucket_id = 'pictures' and owner_id = (select auth.uid())::text);
