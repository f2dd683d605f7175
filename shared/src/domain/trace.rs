//! Where a piece of work stands in its caller's trace, as W3C Trace Context (level 1) spells it in
//! `traceparent`, and what set a piece of work off.

use std::{
    fmt,
    num::{NonZeroU64, NonZeroU128},
    str::FromStr,
};

use super::RequestId;

/// One span of a trace: what work that it sets off names as its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: NonZeroU128,
    span_id: NonZeroU64,
    flags: u8,
}

/// Why a text is no `traceparent`. Whoever gets one starts a trace of its own instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a traceparent, as in 00-<32 hexadecimal digits>-<16>-01")]
pub struct NotATraceParent;

impl TraceContext {
    /// Somebody records this trace, and wants it whole.
    const SAMPLED: u8 = 1;
    /// A field of a later version may be followed by others.
    const LENGTH: usize = 55;

    /// The beginning of a trace that is recorded.
    pub fn root() -> Self {
        Self { trace_id: rand::random(), span_id: rand::random(), flags: Self::SAMPLED }
    }

    /// Another span of the same trace.
    pub fn child(self) -> Self {
        Self { span_id: rand::random(), ..self }
    }

    /// Of the whole trace.
    pub fn trace_id(self) -> NonZeroU128 {
        self.trace_id
    }

    /// Of this span.
    pub fn span_id(self) -> NonZeroU64 {
        self.span_id
    }

    /// Whether the trace is recorded.
    pub fn is_sampled(self) -> bool {
        self.flags & Self::SAMPLED != 0
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl FromStr for TraceContext {
    type Err = NotATraceParent;

    /// Reads version 00, and of later versions what 00 has.
    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let (own, rest) = text.split_at_checked(Self::LENGTH).ok_or(NotATraceParent)?;
        let is_spelled_so = |byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f');
        let parts: Vec<_> = own.split('-').collect();
        let [version, trace_id, span_id, flags] = parts[..] else { return Err(NotATraceParent) };
        let lengths = [version.len(), trace_id.len(), span_id.len(), flags.len()];
        let may_go_on = rest.is_empty() || (version != "00" && rest.starts_with('-'));
        if lengths != [2, 32, 16, 2]
            || !own.bytes().all(is_spelled_so)
            || version == "ff"
            || !may_go_on
        {
            return Err(NotATraceParent);
        }
        Ok(Self {
            trace_id: hexadecimal(u128::from_str_radix(trace_id, 16).map(NonZeroU128::new))?,
            span_id: hexadecimal(u64::from_str_radix(span_id, 16).map(NonZeroU64::new))?,
            // The others are reserved, and are not passed on.
            flags: hexadecimal(u8::from_str_radix(flags, 16).map(Some))? & Self::SAMPLED,
        })
    }
}

fn hexadecimal<T, E>(number: Result<Option<T>, E>) -> Result<T, NotATraceParent> {
    number.ok().flatten().ok_or(NotATraceParent)
}

/// What set a piece of work off: stands on every row and job that came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The request.
    pub request: RequestId,
    /// The request's span.
    pub trace: TraceContext,
}

impl From<RequestId> for Cause {
    /// Of a request that belongs to no caller's trace.
    fn from(request: RequestId) -> Self {
        Self { request, trace: TraceContext::root() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parsed(text: &str) -> Result<TraceContext, NotATraceParent> {
        text.parse()
    }

    #[test]
    fn a_traceparent_survives_its_text_and_a_child_stays_in_the_trace() {
        let parent = parsed(PARENT).unwrap();
        assert_eq!(parent.to_string(), PARENT);
        let child = parent.child();
        assert_eq!((child.trace_id(), child.is_sampled()), (parent.trace_id(), true));
        assert_ne!(child.span_id(), parent.span_id());
        assert!(!parsed(&PARENT.replace("-01", "-00")).unwrap().is_sampled());
    }

    #[test]
    fn a_later_version_is_read_as_far_as_this_one_goes() {
        let later = PARENT.replacen("00", "cc", 1);
        for text in [later.clone(), format!("{later}-what-comes-then")] {
            assert_eq!(parsed(&text).unwrap().to_string(), PARENT);
        }
        assert_eq!(parsed(&format!("{later}.and")), Err(NotATraceParent));
    }

    #[test]
    fn what_the_standard_forbids_is_no_traceparent() {
        for bad in [
            String::new(),
            PARENT.to_uppercase(),
            PARENT.replacen("00", "ff", 1),
            PARENT.replace("b7ad6b7169203331", "0000000000000000"),
            PARENT.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            format!("{PARENT}-more"),
            PARENT[..54].to_owned(),
            PARENT.replace("-b7ad6b7169203331", "b7-ad6b7169203331"),
            PARENT.replace('a', "é"),
        ] {
            assert_eq!(parsed(&bad), Err(NotATraceParent), "{bad}");
        }
    }
}
