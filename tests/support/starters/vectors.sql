-- Documents that are found by what they mean, in the words of the provider's own role.
create extension vector;
create table public.documents (
    id bigint generated always as identity primary key,
    owner uuid not null default auth.uid() references auth.users (id) on delete cascade,
    content text not null,
    embedding vector(1536)
);
create index documents_of_owner on public.documents (owner);
create index documents_by_meaning on public.documents using hnsw (embedding vector_cosine_ops);
alter table public.documents enable row level security;
create policy "own documents" on public.documents to authenticated
using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner);
create function public.nearest(asked vector, most integer) returns setof public.documents
language sql stable set search_path = public, extensions
as $$
    select * from public.documents order by embedding <=> asked limit most
$$;
