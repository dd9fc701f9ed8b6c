//! Collects, keeps and reports the coverage of running Go services built with goc.

pub mod coverage;
pub mod generation;
pub mod lock;
pub mod names;
pub mod profile;
pub mod schedule;
pub mod workdir;
