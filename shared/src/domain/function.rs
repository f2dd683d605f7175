//! States of functions and builds.

use super::text_enum::text_enum;

text_enum!(
    /// Pending until the first version is built; active as long as any version serves.
    FunctionStatus { Pending = "pending", Active = "active", Failed = "failed" }
);

text_enum!(
    /// One compile job.
    BuildStatus { Pending = "pending", Running = "running", Succeeded = "succeeded", Failed = "failed" }
);

text_enum!(
    /// What calls a function besides its invoke endpoints.
    Trigger { Http = "http", Event = "event" }
);

text_enum!(
    /// What a list of functions shows only when asked.
    FunctionPart { Stats = "stats" }
);
