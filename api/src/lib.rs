//! HTTP in, rows and jobs out. This room never starts a process and holds no SQL.
