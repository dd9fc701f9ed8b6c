//! The engine of `prune`: surveys and probes what is listed, removes what is dead, registers again what is missed, and
//! drops what has been kept long enough.

pub(crate) mod lists;
pub(crate) mod probing;
pub(crate) mod registering;
pub(crate) mod removing;
pub(crate) mod thinning;
pub(crate) mod watch;
