-- Answers to requests that carried an idempotency key, for a day: the same request again gets the
-- same answer again.
create table idempotency_key (
    tenant_id uuid not null references tenant (id),
    user_id uuid not null references user_account (id),
    key text not null,
    -- sha256 over method, path and body: what "the same request" means.
    fingerprint bytea not null check (length(fingerprint) = 32),
    -- The id that an execution made by this request has or will have.
    execution_id uuid not null,
    created_at timestamptz not null default now(),
    -- While it runs, whoever runs it says so again and again; a process that died stops saying so.
    held_until timestamptz not null,
    -- The answer, once there is one: its HTTP status, where to look it up, and its inside as JSON text.
    status int,
    location text,
    answer text,
    primary key (tenant_id, user_id, key)
);
create index idempotency_key_age on idempotency_key (created_at);
