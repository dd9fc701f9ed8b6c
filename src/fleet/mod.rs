//! The records of services and the decisions about them.
//!
//! Pure: nothing here does I/O, reads a clock, takes a lock or starts a thread. The adapters import these records and
//! turn them into SQL or HTTP, never the reverse.

pub(crate) mod address_states;
pub(crate) mod adoption;
pub(crate) mod app_group;
pub(crate) mod assembly;
pub(crate) mod assignment;
pub(crate) mod branches;
pub(crate) mod build_group;
pub(crate) mod center_address;
pub(crate) mod center_list;
pub(crate) mod change;
pub(crate) mod completion;
pub(crate) mod counters;
pub(crate) mod earlier_commits;
pub(crate) mod election;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod ids;
pub(crate) mod key_entry;
pub(crate) mod key_state;
pub(crate) mod left_pool;
pub(crate) mod left_process;
pub(crate) mod life;
pub(crate) mod liveness;
pub(crate) mod missing_app;
pub(crate) mod named_answer;
pub(crate) mod pending;
pub(crate) mod pick;
pub(crate) mod pick_error;
pub(crate) mod plan;
#[cfg(test)]
mod pod_restarts;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod process_snapshots;
pub(crate) mod pull_rules;
pub(crate) mod pulled_key;
pub(crate) mod records;
pub(crate) mod registration;
pub(crate) mod removal;
pub(crate) mod retention;
pub(crate) mod row;
pub(crate) mod row_decision;
pub(crate) mod schedule;
pub(crate) mod service_state;
pub(crate) mod services;
pub(crate) mod shared_address;
pub(crate) mod situation;
pub(crate) mod snapshot;
pub(crate) mod stored_key;
pub(crate) mod succession;
pub(crate) mod targets;
pub(crate) mod tombstone;
pub(crate) mod votes;
pub(crate) mod waiting_address;
pub(crate) mod waits;
pub(crate) mod watch;
