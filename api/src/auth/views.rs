//! What goes into and out of the account endpoints.

use shared::{
    config::Secret,
    domain::{Email, PersonName, Plan, Role, TenantId, UserId},
};

use super::password::NewPassword;
use crate::{
    body::SHORT_BYTES,
    examples::{TENANT, USER},
    shape::{body, view},
};

body! {
    /// A new account.
    NewAccount [|_| SHORT_BYTES] {
        /// Unique without regard to case.
        email: Email = "ann@example.com",
        /// At least 8 characters.
        password: NewPassword = "correct horse battery staple",
        /// What you are called; the address's mailbox when left out.
        name: Option<PersonName> = "Ann Lee",
        /// The token of an invitation: you join its project instead of getting a tenant of your own.
        invitation: Option<Secret> = (),
        /// Makes the first account of a server, which prints it when it starts.
        setup_token: Option<Secret> = (),
    }
}

view! {
    /// An account that was created.
    Registered {
        /// The user.
        user_id: UserId = USER,
        /// Their tenant.
        tenant_id: TenantId = TENANT,
    }
}

body! {
    /// Who wants in.
    Login [|_| SHORT_BYTES] {
        /// As given when registering.
        email: Email = "ann@example.com",
        /// The password.
        password: Secret = "correct horse battery staple",
        /// Which of your tenants; the first one when left out.
        tenant_id: Option<TenantId> = (),
    }
}

body! {
    /// Where to go on.
    Switch [|_| SHORT_BYTES] {
        /// One of those that `/auth/me` lists.
        tenant_id: TenantId = TENANT,
    }
}

body! {
    /// A refresh token.
    RefreshToken [|_| SHORT_BYTES] {
        /// From the last login or refresh.
        refresh_token: Secret = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…",
    }
}

view! {
    /// Tokens of one session.
    TokenPair {
        /// Goes into the header `Authorization: Bearer …`.
        access_token: String = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…",
        /// Good for one refresh.
        refresh_token: String = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…",
        /// Always `Bearer`.
        token_type: &'static str = "Bearer",
        /// Seconds until the access token ends.
        expires_in: u64 = 900,
    }
}

view! {
    /// The session is over.
    LoggedOut {
        /// Always true.
        logged_out: bool = true,
    }
}

view! {
    /// Who is asking.
    Me {
        /// The user.
        user_id: UserId = USER,
        /// As typed when registering; null for a machine.
        email: Option<String> = "ann@example.com",
        /// What they are called.
        name: String = "Ann Lee",
        /// The tenant they act in.
        tenant_id: TenantId = TENANT,
        /// Their role over the whole tenant; null for machines and for guests in single projects.
        role: Option<Role> = "owner",
        /// What the tenant pays for.
        plan: Plan = "free",
        /// Where else they may act; see `/auth/switch`.
        tenants: Vec<Membership> = [Membership::example()],
    }
}

view! {
    /// A tenant in which somebody has a role.
    Membership {
        /// The tenant.
        tenant_id: TenantId = TENANT,
        /// What it is called.
        name: String = "Ann Lee",
        /// Their role over the whole of it; null for a guest in single projects.
        role: Option<Role> = "owner",
    }
}
