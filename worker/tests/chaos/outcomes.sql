-- What the chaos test adds to the schema: a record of every time an execution became final, and a
-- short way to a function that serves.

create table outcome (execution_id uuid not null);

create function note_outcome() returns trigger language plpgsql as $$
begin
    insert into outcome values (new.id);
    return null;
end $$;

create trigger note_outcome after update on execution
for each row when (new.status in ('completed', 'failed', 'cancelled')) execute function note_outcome();

create function add_function(tenant_id uuid, plan text, user_id uuid, function_id uuid, max_concurrency int)
returns void language plpgsql as $$
#variable_conflict use_variable
begin
    insert into tenant (id, name, plan) values (tenant_id, 't', plan) on conflict do nothing;
    insert into user_account (id, realm_id, email, name, password_hash)
    values (user_id, '00000000-0000-0000-0000-000000000000', user_id::text, 'u', '') on conflict do nothing;
    insert into tenant_member (tenant_id, user_id, role) values (tenant_id, user_id, 'member') on conflict do nothing;
    insert into project (id, tenant_id, name, created_by)
    values (tenant_id, tenant_id, 'p', user_id) on conflict do nothing;
    insert into function (id, tenant_id, project_id, name, trigger, status, current_version, latest_version, created_by)
    values (function_id, tenant_id, tenant_id, function_id::text, 'http', 'active', 1, 1, user_id);
    insert into artifact (key, sha256, size_bytes, toolchain)
    values (sha256('k'), sha256('k'), 1, 'none') on conflict do nothing;
    insert into function_version (id, tenant_id, function_id, number, runtime, timeout_seconds, memory_mib,
                                  artifact_key, created_by, max_concurrency)
    values (function_id, tenant_id, function_id, 1, 'rust', 30, 128, sha256('k'), user_id, max_concurrency);
end $$;
