//! What goes into and out of the token endpoints.

use shared::{
    domain::{Role, TokenId, TokenName, UserId},
    store::project_token,
};

use crate::{
    body::SHORT_BYTES,
    examples::{MOMENT, USER},
    shape::{Days, Timestamp, body, view},
};

const ID: &str = "tok-019b5a3c-3c4d-7e5f-9a6b-7c8d9e0f1a2b";

body! {
    /// A token to be created.
    NewToken [|_| SHORT_BYTES] {
        /// What it is for.
        name: TokenName = "deploys from CI",
        /// What it may do; at most what you may.
        role: Role = "member",
        /// How many days it is good: 1 to 3650; until it is revoked when left out.
        expires_in_days: Option<Days<3650>> = 90,
    }
}

view! {
    /// A token that was created.
    TokenCreated {
        /// Names it, for listing and revoking.
        token_id: TokenId = ID,
        /// The token itself. Shown this once.
        token: String = "apprun_pt_9d1e…",
        /// What it is for.
        name: String = "deploys from CI",
        /// What it may do.
        role: Role = "member",
        /// The user that it acts as.
        user_id: UserId = USER,
        /// When it was created.
        created_at: Timestamp = MOMENT,
        /// Until when it is good; null when it is until it is revoked.
        expires_at: Option<Timestamp> = "2026-03-26T10:00:00Z",
    }
}

view! {
    /// A token as its project sees it.
    ProjectToken {
        /// Names it.
        token_id: TokenId = ID,
        /// What it is for.
        name: String = "deploys from CI",
        /// What it may do.
        role: Role = "member",
        /// The user that it acts as.
        user_id: UserId = USER,
        /// Who created it.
        created_by: UserId = USER,
        /// When.
        created_at: Timestamp = MOMENT,
        /// Until when it is good; null when it is until it is revoked.
        expires_at: Option<Timestamp> = "2026-03-26T10:00:00Z",
        /// When it was used last, to the minute; null when it never was.
        last_used_at: Option<Timestamp> = "2025-12-27T08:30:00Z",
    }
}

impl From<project_token::ProjectToken> for ProjectToken {
    fn from(row: project_token::ProjectToken) -> Self {
        Self {
            token_id: row.id,
            name: row.name,
            role: row.role,
            user_id: row.machine,
            created_by: row.created_by,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.map(Timestamp::from),
            last_used_at: row.last_used_at.map(Timestamp::from),
        }
    }
}

view! {
    /// Nobody gets in with it any more.
    TokenRevoked {
        /// The token.
        token_id: TokenId = ID,
        /// Always true.
        revoked: bool = true,
    }
}
