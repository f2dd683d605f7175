//! What goes into and out of the member endpoints.

use shared::{
    domain::{Email, Role, UserId},
    store::member,
};

use crate::{
    body::SHORT_BYTES,
    examples::{MOMENT, USER},
    shape::{Timestamp, body, view},
};

body! {
    /// Somebody to be added.
    NewMember [|_| SHORT_BYTES] {
        /// Their address, as they log in with it.
        email: Email = "bob@example.com",
        /// What they may do.
        role: Role = "member",
    }
}

body! {
    /// A role.
    NewRole [|_| SHORT_BYTES] {
        /// What they may do.
        role: Role = "member",
    }
}

view! {
    /// Somebody with a role in a project.
    Member {
        /// Who.
        user_id: UserId = USER,
        /// As typed when registering.
        email: Option<String> = "bob@example.com",
        /// What they are called.
        name: String = "Bob",
        /// What they may do in the project: the higher of the two.
        role: Role = "member",
        /// Given in this project.
        project_role: Option<Role> = "member",
        /// Given over the whole tenant.
        tenant_role: Option<Role> = (),
        /// Since when.
        since: Timestamp = MOMENT,
    }
}

impl From<member::Member> for Member {
    fn from(row: member::Member) -> Self {
        Self {
            user_id: row.user,
            email: row.email,
            name: row.name,
            role: row.role,
            project_role: row.project_role,
            tenant_role: row.tenant_role,
            since: row.since.into(),
        }
    }
}

view! {
    /// They have no role of their own in the project any more.
    MemberRemoved {
        /// Who.
        user_id: UserId = USER,
        /// Always true.
        removed: bool = true,
    }
}
