//! Go source text: which functions it declares and where, which of its lines are code, and which file of
//! a repository an import path means.
//!
//! Pure: text in, values out. Nothing here is compiled or type-checked, and no file is opened.

mod extents;
mod lines;
mod links;
mod modfile;
mod modules;

pub use extents::{FuncExtent, Scanned, Spanning, SyntaxError, scan};
pub use lines::CodeLines;
pub use links::{Links, LostLink};
pub use modules::{Doubt, Modules, Resolved, is_module_file};
