-- Who may do what: realms, users, tenants, projects, their members, and login sessions.

-- A realm is one population of users. Members of the platform live in the nil realm; an app's own
-- end users will live in a realm of their project, in the same table and through the same code.
create table realm (
    id uuid primary key,
    created_at timestamptz not null default now()
);
insert into realm (id) values ('00000000-0000-0000-0000-000000000000');

create table user_account (
    id uuid primary key,
    realm_id uuid not null references realm (id),
    -- Stored as typed; unique without regard to case.
    email text not null,
    name text not null,
    -- argon2id, PHC string.
    password_hash text not null,
    created_at timestamptz not null default now()
);
create unique index user_account_email on user_account (realm_id, lower(email));

create table tenant (
    id uuid primary key,
    name text not null,
    plan text not null check (plan in ('free', 'paid', 'enterprise')),
    created_at timestamptz not null default now()
);

create table tenant_member (
    tenant_id uuid not null references tenant (id),
    user_id uuid not null references user_account (id),
    role text not null check (role in ('viewer', 'member', 'admin', 'owner')),
    created_at timestamptz not null default now(),
    primary key (tenant_id, user_id)
);
create index tenant_member_user on tenant_member (user_id);

create table project (
    id uuid primary key,
    tenant_id uuid not null references tenant (id),
    name text not null,
    created_by uuid not null references user_account (id),
    created_at timestamptz not null default now(),
    deleted_at timestamptz
);
create unique index project_name on project (tenant_id, lower(name)) where deleted_at is null;

-- A role in one project; a member of the tenant has at least the tenant's role everywhere.
create table project_member (
    project_id uuid not null references project (id),
    user_id uuid not null references user_account (id),
    role text not null check (role in ('viewer', 'member', 'admin', 'owner')),
    created_at timestamptz not null default now(),
    primary key (project_id, user_id)
);
create index project_member_user on project_member (user_id);

-- One row per login. The refresh token names the session and its generation and is signed with a
-- key derived from the server's secret, so no token is stored: rotating is `generation + 1`, and a
-- generation that is long gone betrays a stolen token and revokes the session.
create table session (
    id uuid primary key,
    user_id uuid not null references user_account (id),
    tenant_id uuid not null references tenant (id),
    generation int not null default 1,
    rotated_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    created_at timestamptz not null default now()
);
create index session_of_user on session (user_id);

-- Who did what to which resource; written in the transaction of what it records, never changed.
create table audit (
    id bigint generated always as identity primary key,
    tenant_id uuid not null references tenant (id),
    actor_id uuid references user_account (id),
    action text not null,
    resource_id uuid,
    request_id uuid not null,
    remote_addr text,
    at timestamptz not null default now()
);
create index audit_tenant on audit (tenant_id, id desc);
