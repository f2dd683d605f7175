-- A project with a secret for its callbacks, and executions that end.
insert into user_account (id, realm_id, email, name, password_hash)
values ('00000000-0000-7000-8000-000000000001', '00000000-0000-0000-0000-000000000000', 'ann@example.com', 'Ann', '');
insert into tenant (id, name, plan) values ('00000000-0000-7000-8000-000000000002', 'Ann', 'free');
insert into project (id, tenant_id, name, created_by)
values ('00000000-0000-7000-8000-000000000003', '00000000-0000-7000-8000-000000000002', 'shop',
        '00000000-0000-7000-8000-000000000001');
insert into callback_secret (project_id, tenant_id, secret, created_by)
values ('00000000-0000-7000-8000-000000000003', '00000000-0000-7000-8000-000000000002',
        decode(repeat('07', 32), 'hex'), '00000000-0000-7000-8000-000000000001');

create function end_execution(subject uuid, url text, answer text) returns void language sql as $$
    insert into execution (id, tenant_id, project_id, function_id, version_id, version_number, mode,
                           status, input, request_id, callback_url)
    values (subject, '00000000-0000-7000-8000-000000000002',
            '00000000-0000-7000-8000-000000000003', gen_random_uuid(), gen_random_uuid(), 1, 'async',
            'running', 'null', gen_random_uuid(), url);
    update execution set status = 'completed', output = answer, completed_at = now()
    where id = subject;
$$;
