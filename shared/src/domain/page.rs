//! Pages of a list: how many at once, and where to go on. A cursor names the last row seen, so a
//! list stays in step while rows are added at its head; its text is opaque to callers.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use time::OffsetDateTime;
use uuid::Uuid;

/// Rows of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u16);

impl PageSize {
    /// Most rows of one page.
    pub const MAX: u16 = 200;

    /// One more row than the page holds: whether it exists tells if there is a next page.
    pub fn and_one(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// Splits rows read with [`PageSize::and_one`] into the page and whether more follow.
    pub fn cut<T>(self, mut rows: Vec<T>) -> (Vec<T>, bool) {
        let more = rows.len() > usize::from(self.0);
        rows.truncate(usize::from(self.0));
        (rows, more)
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(50)
    }
}

impl FromStr for PageSize {
    type Err = PageError;

    fn from_str(text: &str) -> Result<Self, PageError> {
        match text.parse() {
            Ok(rows) if (1..=Self::MAX).contains(&rows) => Ok(Self(rows)),
            _ => Err(PageError::Size),
        }
    }
}

/// Why a page cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Not a number of rows within bounds.
    #[error("must be a whole number from 1 to {}", PageSize::MAX)]
    Size,
    /// Not a cursor that was given out.
    #[error("is not a cursor of this list; take 'next_cursor' from the page before")]
    Cursor,
}

/// Behind the row with this id, in a list ordered by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdCursor(pub Uuid);

impl fmt::Display for IdCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for IdCursor {
    type Err = PageError;

    fn from_str(text: &str) -> Result<Self, PageError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| PageError::Cursor)?;
        Uuid::from_slice(&bytes).map(Self).map_err(|_| PageError::Cursor)
    }
}

/// Behind one line of a function's log, in time order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogCursor {
    /// When the line was read.
    pub at: OffsetDateTime,
    /// Whose line.
    pub execution: Uuid,
    /// Of which attempt.
    pub attempt: i32,
    /// Its place in that attempt.
    pub seq: i32,
}

impl fmt::Display for LogCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(32);
        // Until the year 2262.
        let nanos = i64::try_from(self.at.unix_timestamp_nanos()).unwrap_or(i64::MAX);
        bytes.extend(nanos.to_be_bytes());
        bytes.extend(self.execution.as_bytes());
        bytes.extend(self.attempt.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for LogCursor {
    type Err = PageError;

    fn from_str(text: &str) -> Result<Self, PageError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| PageError::Cursor)?;
        let (at, rest) = bytes.split_first_chunk::<8>().ok_or(PageError::Cursor)?;
        let (execution, rest) = rest.split_first_chunk::<16>().ok_or(PageError::Cursor)?;
        let (attempt, rest) = rest.split_first_chunk::<4>().ok_or(PageError::Cursor)?;
        let seq = <&[u8; 4]>::try_from(rest).map_err(|_| PageError::Cursor)?;
        Ok(Self {
            at: OffsetDateTime::from_unix_timestamp_nanos(i64::from_be_bytes(*at).into())
                .map_err(|_| PageError::Cursor)?,
            execution: Uuid::from_bytes(*execution),
            attempt: i32::from_be_bytes(*attempt),
            seq: i32::from_be_bytes(*seq),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_their_text() {
        let id = IdCursor(Uuid::now_v7());
        assert_eq!(id.to_string().parse(), Ok(id));
        let line = LogCursor {
            at: OffsetDateTime::from_unix_timestamp_nanos(1_766_743_200_123_456_000).unwrap(),
            execution: Uuid::now_v7(),
            attempt: 2,
            seq: 70_000,
        };
        assert_eq!(line.to_string().parse(), Ok(line));
    }

    #[test]
    fn what_was_never_given_out_is_no_cursor() {
        for bad in ["", "x", "AAAA", "!!!!", &IdCursor(Uuid::now_v7()).to_string()[1..]] {
            assert_eq!(bad.parse::<IdCursor>(), Err(PageError::Cursor), "{bad}");
            assert_eq!(bad.parse::<LogCursor>(), Err(PageError::Cursor), "{bad}");
        }
    }

    #[test]
    fn a_page_tells_whether_more_rows_follow() {
        let size: PageSize = "2".parse().unwrap();
        assert_eq!(size.and_one(), 3);
        assert_eq!(size.cut(vec![1, 2, 3]), (vec![1, 2], true));
        assert_eq!(size.cut(vec![1, 2]), (vec![1, 2], false));
        for bad in ["0", "201", "-1", "x", ""] {
            assert_eq!(bad.parse::<PageSize>(), Err(PageError::Size), "{bad}");
        }
    }
}
