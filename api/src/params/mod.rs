//! Parameters of path, query and headers. A malformed one is a bad request that names it; an id of
//! another kind names nothing here.

mod extract;
mod value;

pub(crate) use extract::{Header, Needed, Path, Query};
pub(crate) use value::{
    AnyId, Duration, LineCount, Parameter, Prefer, SearchText, VersionCursor, Wait,
};
