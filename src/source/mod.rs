//! The source text that belongs to a stored row: its clone, its commit, and what changed since a base.

pub(crate) mod changes;
pub(crate) mod reader;
