//! The engine of `pull`: fetches answers, decides what they mean, and stores the result.

pub(crate) mod crew;
pub(crate) mod election;
pub(crate) mod fault;
pub(crate) mod fleet;
pub(crate) mod fold;
pub(crate) mod group_pull;
pub(crate) mod intake;
pub(crate) mod last_pull;
pub(crate) mod ledger;
pub(crate) mod mending;
pub(crate) mod pending;
pub(crate) mod settlement;
pub(crate) mod shared;
pub(crate) mod succession;
