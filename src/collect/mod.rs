//! The engine of `pull`: it fetches answers, has their meaning decided by `fleet`, and stores the result.

pub(crate) mod address_pull;
pub(crate) mod asking;
pub(crate) mod binary_answer;
pub(crate) mod end_of_pull;
pub(crate) mod fault;
pub(crate) mod fleet;
pub(crate) mod fold;
pub(crate) mod group_pull;
mod hook_port;
pub(crate) mod inbox;
pub(crate) mod known_lives;
pub(crate) mod known_meta;
pub(crate) mod last_pull;
pub(crate) mod leave_snapshot;
pub(crate) mod mending;
pub(crate) mod open_key;
pub(crate) mod outcome;
pub(crate) mod program_check;
pub(crate) mod pull;
pub(crate) mod run;
mod settling;
pub(crate) mod store_thread;
pub(crate) mod stored_sum;
pub(crate) mod taking_in;
pub(crate) mod target_programs;
pub(crate) mod whole_answer;
pub(crate) mod workers;
