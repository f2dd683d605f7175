//! The words of the queue: what a job is about, how urgent it is, and the proof of a claim.

use uuid::Uuid;

use crate::domain::{FunctionId, RequestId, TenantId, text_enum::text_enum};

text_enum!(
    /// What a worker has to do, and so which table `subject` points into.
    JobKind { Execute = "execute", Compile = "compile" }
);

/// How urgent; the lower class is claimed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Somebody waits for the answer.
    Sync = 0,
    /// Accepted, to be done soon.
    Async = 1,
    /// Long and dear; has slots of its own.
    Build = 2,
}

impl Class {
    /// All of them, the most urgent first; a class's place is its number.
    pub const ALL: [Self; 3] = [Self::Sync, Self::Async, Self::Build];

    /// For people and for labels of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
            Self::Build => "build",
        }
    }

    /// The class with a number; None when there is none.
    pub(super) fn numbered(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|class| *class as i16 == number)
    }
}

/// A job to be pushed, in the transaction that wrote the row it is about.
#[derive(Debug, Clone, Copy)]
pub struct NewJob {
    /// What to do.
    pub kind: JobKind,
    /// How urgent.
    pub class: Class,
    /// The execution or build, as the bare UUID of its row.
    pub subject: Uuid,
    /// Who pays.
    pub tenant: TenantId,
    /// Which function.
    pub function: FunctionId,
    /// The request that set it off; goes into every log line about the job.
    pub request: RequestId,
}

/// A worker's right to one job: good for one settle, and only as long as the token is the job's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The row in `q.job`.
    pub job_id: i64,
    /// The fencing token of this claim.
    pub token: i64,
    /// For counting.
    pub class: Class,
}

/// A job together with the right to settle it.
#[derive(Debug, Clone)]
pub struct ClaimedJob {
    /// The right.
    pub claim: Claim,
    /// What to do.
    pub kind: JobKind,
    /// The execution or build.
    pub subject: Uuid,
    /// Who pays.
    pub tenant: TenantId,
    /// The request that set it off.
    pub request: RequestId,
    /// 1 for the first try; grows by the user's retry policy only.
    pub attempt: i16,
    /// How often a worker was lost, or failed, while it held this job.
    pub redeliveries: i16,
    /// Not to be run any more: to be settled as cancelled.
    pub cancel_requested: bool,
}
