//! The lines that executions wrote, as the API reads them.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{StoreError, Tx, db::word, execution_report::plan_for_values};
use crate::domain::{
    ExecutionId, ExecutionStatus, FunctionId, Level, LogCursor, LogStream, PageSize, TenantId,
};

/// One line that an execution of a function wrote.
#[derive(Debug)]
pub struct LogEntry {
    /// Its place among all lines of the function.
    pub place: LogCursor,
    /// Where it came from.
    pub stream: LogStream,
    /// How grave it says it is; None in lines from before levels were kept.
    pub level: Option<Level>,
    /// Without its line end.
    pub text: String,
}

impl LogEntry {
    /// Who wrote it.
    pub fn execution(&self) -> ExecutionId {
        ExecutionId(self.place.execution)
    }
}

/// Which lines: all conditions hold together.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this execution.
    pub execution: Option<ExecutionId>,
    /// Of executions in this state.
    pub status: Option<ExecutionStatus>,
    /// At least as grave.
    pub level: Option<Level>,
    /// That hold this text, without regard to case.
    pub text: Option<String>,
    /// Read at this moment or later.
    pub from: Option<OffsetDateTime>,
    /// Read before this moment.
    pub to: Option<OffsetDateTime>,
    /// Behind this line of the execution.
    pub after_seq: Option<u32>,
    /// Before this line of the execution.
    pub before_seq: Option<u32>,
}

impl Filter {
    /// The words of all levels that are grave enough.
    fn levels(&self) -> Option<Vec<String>> {
        let least = self.level?;
        let grave = Level::ALL.iter().skip_while(|level| **level != least);
        Some(grave.map(|level| level.as_str().to_owned()).collect())
    }
}

/// The order in which lines are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// For following what is written.
    OldestFirst,
    /// For looking back.
    NewestFirst,
}

/// Lines that the executions of a function wrote. Whoever asks has been let in to the function.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    filter: &Filter,
    order: Order,
    behind: Option<LogCursor>,
    size: PageSize,
) -> Result<Vec<LogEntry>, StoreError> {
    plan_for_values(tx).await?;
    let seq = |seq: u32| i32::try_from(seq).unwrap_or(i32::MAX);
    macro_rules! read {
        ($file:literal) => {
            sqlx::query_file_as!(
                Row,
                $file,
                tenant.0,
                function.0,
                filter.execution.map(|id| id.0),
                filter.status.map(ExecutionStatus::as_str),
                filter.levels() as Option<Vec<String>>,
                filter.text,
                filter.from,
                filter.to,
                filter.after_seq.map(seq),
                filter.before_seq.map(seq),
                behind.map(|cursor| cursor.at),
                behind.map(|cursor| cursor.execution) as Option<Uuid>,
                behind.map(|cursor| cursor.attempt) as Option<i32>,
                behind.map(|cursor| cursor.seq) as Option<i32>,
                size.and_one(),
            )
            .fetch_all(&mut **tx)
            .await?
        };
    }
    let rows = match order {
        Order::NewestFirst => read!("src/store/log_newest_first.sql"),
        Order::OldestFirst => read!("src/store/log_oldest_first.sql"),
    };
    rows.into_iter().map(LogEntry::try_from).collect()
}

struct Row {
    execution_id: Uuid,
    attempt: i32,
    seq: i32,
    at: OffsetDateTime,
    stream: String,
    level: Option<String>,
    line: String,
}

impl TryFrom<Row> for LogEntry {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            place: LogCursor {
                at: row.at,
                execution: row.execution_id,
                attempt: row.attempt,
                seq: row.seq,
            },
            stream: word(&row.stream)?,
            level: row.level.as_deref().map(word).transpose()?,
            text: row.line,
        })
    }
}
