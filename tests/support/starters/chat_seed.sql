insert into auth.users (id, email) values
('11111111-1111-4111-8111-111111111111', 'ann@example.com'),
('22222222-2222-4222-8222-222222222222', 'bob@example.com');
insert into public.rooms (id, name, made_by) values
('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'garden', '11111111-1111-4111-8111-111111111111'),
('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 'kitchen', '22222222-2222-4222-8222-222222222222');
insert into public.messages (room_id, user_id, content) values
('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', '11111111-1111-4111-8111-111111111111', 'beans are up'),
('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', '22222222-2222-4222-8222-222222222222', 'soup at eight');
