//! Service names: their fields, their form in the file system and on a terminal, and the choice of one by a part of it.

mod commit_choice;
mod escape;
mod fit;
mod naming;
mod printable;

pub(crate) use commit_choice::CommitChoice;
pub(crate) use escape::escape;
pub(crate) use fit::{Fit, fit, is_name, nearest, nearest_word, nearness, with_short_commit};
pub(crate) use naming::{Naming, ParsedName, is_commit};
pub(crate) use printable::{in_message, is_unprintable, printable, shortened};
