-- Who may act in a project besides its tenant's own members: people by invitation, machines by token.

-- A machine is a user too, so whatever asks for somebody's role needs no second way: it has neither
-- address nor password, and a role in one project. People of an outside issuer have no password.
alter table user_account
    add kind text not null default 'person' check (kind in ('person', 'machine')),
    alter email drop not null,
    alter password_hash drop not null;

-- Every row of a tenant says so itself.
alter table project_member add tenant_id uuid references tenant (id);
update project_member m set tenant_id = p.tenant_id from project p where p.id = m.project_id;
alter table project_member alter tenant_id set not null;
create index project_member_tenant on project_member (tenant_id, user_id);

-- Whoever creates a project owns it.
insert into project_member (project_id, tenant_id, user_id, role)
select id, tenant_id, created_by, 'owner' from project
on conflict (project_id, user_id) do update set role = 'owner';

-- A way into one project for one address. The token itself is shown once and not kept.
create table invitation (
    id uuid primary key,
    tenant_id uuid not null references tenant (id),
    project_id uuid not null references project (id),
    email text not null,
    role text not null check (role in ('viewer', 'member', 'admin', 'owner')),
    token_sha256 bytea not null unique check (length(token_sha256) = 32),
    invited_by uuid not null references user_account (id),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    accepted_at timestamptz,
    accepted_by uuid references user_account (id),
    revoked_at timestamptz
);
create index invitation_project on invitation (project_id, id desc);

-- What a machine shows. Its role is kept here too, for the record of revoked ones.
create table project_token (
    id uuid primary key,
    tenant_id uuid not null references tenant (id),
    project_id uuid not null references project (id),
    machine_id uuid not null unique references user_account (id),
    name text not null,
    role text not null check (role in ('viewer', 'member', 'admin', 'owner')),
    token_sha256 bytea not null unique check (length(token_sha256) = 32),
    created_by uuid not null references user_account (id),
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    -- To the minute.
    last_used_at timestamptz,
    revoked_at timestamptz
);
create index project_token_project on project_token (project_id, id desc);
