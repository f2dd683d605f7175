-- Telling a caller how a call ended: what is to be sent, what was tried, and with what it is signed.

-- One row per execution that ended and has a callback URL.
create table callback (
    -- Also the id of the message, the same in every attempt.
    execution_id uuid primary key,
    tenant_id uuid not null,
    project_id uuid not null,
    url text not null,
    status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
    -- Attempts begun; the number fences off those that took too long.
    attempts int not null default 0,
    -- When to try (again); while an attempt is under way, when it counts as lost. Null at the end.
    due_at timestamptz default now(),
    created_at timestamptz not null default now(),
    check ((due_at is null) = (status <> 'pending'))
) with (fillfactor = 70);
create index callback_due on callback (due_at) where due_at is not null;
create index callback_age on callback (created_at);

-- One row per attempt that came to an end.
create table callback_attempt (
    execution_id uuid not null references callback (execution_id) on delete cascade,
    attempt int not null,
    tenant_id uuid not null,
    at timestamptz not null,
    worker text not null,
    -- What the receiver answered; null when it did not.
    status_code int,
    -- Why there was no answer.
    error text,
    duration_ms double precision not null,
    -- Null: no other attempt follows.
    next_at timestamptz,
    primary key (execution_id, attempt)
);

-- What a project's messages are signed with. For a while after a rotation they carry both signatures.
create table callback_secret (
    project_id uuid primary key references project (id),
    tenant_id uuid not null references tenant (id),
    secret bytea not null,
    previous bytea,
    previous_until timestamptz,
    created_by uuid not null references user_account (id),
    created_at timestamptz not null default now()
);

-- Whoever ends an execution, in whatever way: its callback is due in the same transaction.
create function queue_callback() returns trigger language plpgsql as $$
begin
    insert into callback (execution_id, tenant_id, project_id, url)
    values (new.id, new.tenant_id, new.project_id, new.callback_url);
    return null;
end $$;

create trigger execution_ended after update of status on execution
for each row when (new.callback_url is not null
                   and new.status in ('completed', 'failed', 'cancelled')
                   and old.status in ('pending', 'running'))
execute function queue_callback();
