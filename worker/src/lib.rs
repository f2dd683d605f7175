//! Claims jobs and carries them out: load, run, record.
