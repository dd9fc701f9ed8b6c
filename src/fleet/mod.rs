//! The records of services and the decisions about them.
//!
//! Pure: nothing here does I/O, reads a clock, takes a lock or starts a thread. The adapters import these records and
//! turn them into SQL or HTTP, never the reverse.

pub mod change;
pub mod edition;
pub mod generation;
pub mod ids;
pub mod liveness;
pub mod records;
pub mod removal;
pub mod retention;
pub mod row;
pub mod schedule;
pub mod snapshot;
