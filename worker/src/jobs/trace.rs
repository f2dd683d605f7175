//! What a trace shows of a job: how long it waited, that it was carried out, and the parts of that, all
//! told once the job is over.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use shared::{
    domain::TraceContext,
    telemetry::{Attribute, Span, SpanKind, tell},
};

/// The part that is the function itself: its own spans belong below it.
pub(super) const RUN: &str = "run";

/// A job's place in the trace of the request that set it off.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobTrace {
    request: Option<TraceContext>,
    job: TraceContext,
    /// Of the part `RUN`.
    pub(super) run: TraceContext,
    began_at: SystemTime,
    worked_until: SystemTime,
}

impl JobTrace {
    /// A job begins now.
    pub(super) fn begin(request: Option<TraceContext>) -> Self {
        let job = request.map_or_else(TraceContext::root, TraceContext::child);
        let now = SystemTime::now();
        Self { request, job, run: job.child(), began_at: now, worked_until: now }
    }

    /// The work is done now; what follows is storing what came of it.
    pub(super) fn worked(&mut self) {
        self.worked_until = SystemTime::now();
    }

    /// It is over. `waited` is its time in the queue, if that is known; `parts` followed one another
    /// until the work was done.
    pub(super) fn end(
        &self,
        name: &'static str,
        waited: Option<Duration>,
        parts: &[(&'static str, Duration)],
        attributes: Vec<(&'static str, Attribute)>,
        failed: bool,
    ) {
        let now = SystemTime::now();
        if let Some(waited) = waited {
            let times = (self.began_at - waited, self.began_at);
            tell(|| part("queue", times, self.job.child(), self.request));
        }
        let mut until = self.worked_until;
        for (name, took) in parts.iter().rev() {
            let context = if *name == RUN { self.run } else { self.job.child() };
            let times = (until - *took, until);
            tell(|| part(name, times, context, Some(self.job)));
            until = times.0;
        }
        tell(|| part("store", (self.worked_until, now), self.job.child(), Some(self.job)));
        tell(|| Span {
            kind: SpanKind::Consumer,
            attributes,
            failed,
            ..part(name, (self.began_at, now), self.job, self.request)
        });
    }
}

fn part(
    name: &'static str,
    (began_at, ended_at): (SystemTime, SystemTime),
    context: TraceContext,
    parent: Option<TraceContext>,
) -> Span {
    Span {
        context,
        parent,
        name: Cow::Borrowed(name),
        kind: SpanKind::Part,
        began_at,
        // A clock that was set back meanwhile gives nothing.
        took: ended_at.duration_since(began_at).unwrap_or_default(),
        attributes: Vec::new(),
        failed: false,
    }
}
