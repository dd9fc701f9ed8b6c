//! Go source text: which functions it declares and where, which of its lines are code, and which file of
//! a repository an import path means.
//!
//! Pure: text in, values out. Nothing here is compiled or type-checked, and no file is opened.

mod extents;
mod lines;
mod links;
mod modfile;
mod modules;
mod paths;
mod positions;
mod scanner;

pub(crate) use extents::{FuncExtent, ScannedFile, SyntaxError, scan};
pub(crate) use lines::CodeLines;
pub(crate) use links::{Links, LostLink};
pub(crate) use modules::{AmbiguousModule, Modules, ResolvedPaths, is_module_file};
