//! Source in, verified native binary or diagnostics out. Knows no database, queue or HTTP.
