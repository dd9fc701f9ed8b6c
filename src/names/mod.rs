//! Service names: their fields, their form in the file system and on a terminal, and the choice of one by a part of it.

mod escape;
mod naming;
mod printable;
mod resolve;

pub(crate) use escape::escape;
pub(crate) use naming::{Naming, ParsedName, is_commit};
pub(crate) use printable::{in_message, is_unprintable, printable, shortened};
pub(crate) use resolve::{ResolveError, resolve};
