//! What goes into and out of the invitation endpoints.

use shared::{
    config::Secret,
    domain::{Email, InvitationId, ProjectId, Role, TenantId, UserId},
    store::invitation,
};

use crate::{
    body::SHORT_BYTES,
    examples::{MOMENT, PROJECT, TENANT, USER},
    shape::{Days, Timestamp, body, view},
};

const INVITATION: &str = "inv-019b5a3c-2b3c-7d4e-8f5a-6b7c8d9e0f1a";
const TOKEN: &str = "apprun_inv_3f0c…";

body! {
    /// Somebody to be invited.
    NewInvitation [|_| SHORT_BYTES] {
        /// Only whoever has this address may accept.
        email: Email = "bob@example.com",
        /// What they may do then.
        role: Role = "member",
        /// How many days it is good: 1 to 30, 7 when left out.
        expires_in_days: Option<Days<30>> = 7,
    }
}

view! {
    /// An invitation that was created.
    InvitationCreated {
        /// The invitation.
        invitation_id: InvitationId = INVITATION,
        /// Opens it. Shown this once.
        token: String = TOKEN,
        /// For whom.
        email: String = "bob@example.com",
        /// What they may do then.
        role: Role = "member",
        /// Until when it is good.
        expires_at: Timestamp = "2026-01-02T10:00:00Z",
    }
}

view! {
    /// An invitation that can still be accepted.
    Invitation {
        /// The invitation.
        invitation_id: InvitationId = INVITATION,
        /// For whom.
        email: String = "bob@example.com",
        /// What they may do then.
        role: Role = "member",
        /// Who invited.
        invited_by: UserId = USER,
        /// When.
        created_at: Timestamp = MOMENT,
        /// Until when it is good.
        expires_at: Timestamp = "2026-01-02T10:00:00Z",
    }
}

impl From<invitation::Invitation> for Invitation {
    fn from(row: invitation::Invitation) -> Self {
        Self {
            invitation_id: row.id,
            email: row.email,
            role: row.role,
            invited_by: row.invited_by,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
        }
    }
}

view! {
    /// Nobody can accept it any more.
    InvitationRevoked {
        /// The invitation.
        invitation_id: InvitationId = INVITATION,
        /// Always true.
        revoked: bool = true,
    }
}

body! {
    /// What opens an invitation.
    AcceptedInvitation [|_| SHORT_BYTES] {
        /// As it was shown to whoever invited.
        token: Secret = TOKEN,
    }
}

view! {
    /// You are in.
    Accepted {
        /// The project.
        project_id: ProjectId = PROJECT,
        /// Its tenant.
        tenant_id: TenantId = TENANT,
        /// What you may do in the project.
        role: Role = "member",
    }
}
