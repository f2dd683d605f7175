-- Who somebody is that an outside OpenID Connect issuer vouches for. A subject is unique within its
-- issuer only, and never taken for somebody with the same e-mail address here: whether an address
-- belongs to whoever registered it, nobody has checked.
create table outside_identity (
    issuer text not null,
    subject text not null,
    user_id uuid not null references user_account (id),
    created_at timestamptz not null default now(),
    primary key (issuer, subject)
);
create index outside_identity_user on outside_identity (user_id);

-- Which people an issuer knows is no tenant's business.
alter table outside_identity enable row level security;
alter table outside_identity force row level security;
create policy of_platform on outside_identity to current_user
    using ((select current_tenant()) is null);

-- Whoever comes with a verified address finds the invitations that wait for it.
create index invitation_waiting on invitation (lower(email))
    where accepted_at is null and revoked_at is null;
