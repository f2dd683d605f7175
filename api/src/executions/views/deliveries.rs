//! How callbacks look from outside: what became of one, and what they are signed with.

use serde_json::Value;
use shared::{domain::CallbackStatus, store::callback};

use crate::{
    examples::MOMENT,
    shape::{Timestamp, milliseconds, view},
};

view! {
    /// What became of the message about an execution's end.
    Deliveries {
        /// Where it goes.
        callback_url: String = "https://example.com/hooks/apprun",
        /// How far it is; null while the execution has not ended.
        status: Option<CallbackStatus> = "pending",
        /// When it is tried next; null at the end.
        next_attempt_at: Option<Timestamp> = MOMENT,
        /// What was tried, oldest first.
        attempts: Vec<DeliveryAttempt> = [DeliveryAttempt::example()],
    }
}

view! {
    /// One attempt to deliver a message.
    DeliveryAttempt {
        /// From 1; a number is missing where a worker was lost.
        attempt: u32 = 1,
        /// When it began.
        at: Timestamp = MOMENT,
        /// The worker that made it.
        worker: String = "host-17",
        /// What the receiver answered; null when it did not.
        status_code: Option<u16> = 503,
        /// Why it did not answer.
        error: Option<String> = Value::Null,
        /// How long it took, in milliseconds.
        duration: f64 = 31.5,
    }
}

impl From<callback::Deliveries> for Deliveries {
    fn from(row: callback::Deliveries) -> Self {
        let attempt = |row: callback::AttemptRow| DeliveryAttempt {
            attempt: row.attempt.unsigned_abs(),
            at: row.at.into(),
            worker: row.worker,
            status_code: row.status_code.and_then(|status| u16::try_from(status).ok()),
            error: row.error,
            duration: milliseconds(row.duration_ms),
        };
        Self {
            callback_url: row.url,
            status: row.status,
            next_attempt_at: row.due_at.map(Timestamp::from),
            attempts: row.attempts.into_iter().map(attempt).collect(),
        }
    }
}

view! {
    /// What a project's callbacks are signed with.
    CallbackSecret {
        /// The secret itself. Shown this once.
        secret: String = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw9Zb0…",
        /// When it was made.
        created_at: Timestamp = MOMENT,
        /// Until when the one before it signs too; null when there was none.
        previous_until: Option<Timestamp> = Value::Null,
    }
}
