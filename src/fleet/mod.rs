//! The records of services and the decisions about them.
//!
//! Pure: nothing here does I/O, reads a clock, takes a lock or starts a thread. The adapters import these records and
//! turn them into SQL or HTTP, never the reverse.

pub mod assembly;
pub mod center_list;
pub mod change;
pub mod edition;
pub mod generation;
pub mod ids;
pub mod key_entry;
pub mod liveness;
pub(crate) mod pick;
pub mod records;
pub mod removal;
pub mod retention;
pub mod row;
pub mod schedule;
pub mod snapshot;
pub(crate) mod state;
