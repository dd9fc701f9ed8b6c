//! Go source text: its functions with their places, its lines with code, and the files of a repository that import
//! paths mean.
//!
//! Pure: the input is text, the output is values. Nothing is compiled or type-checked, and no file is opened.

mod blocks;
mod bodies;
mod build_tags;
mod constraints;
mod extents;
mod faults;
mod lines;
mod links;
mod marks;
mod modfile;
mod modules;
mod outline;
mod packages;
mod paths;
mod positions;
mod scanner;
mod tokens;

pub(crate) use blocks::{CoverBlock, CoveredPart, CoveredText};
pub(crate) use build_tags::{BuildTags, ConstrainedFile};
pub(crate) use constraints::FileConstraint;
pub(crate) use extents::{FuncExtent, ScannedFile, SyntaxError, scan};
pub(crate) use lines::CodeLines;
pub(crate) use links::{Links, LostLink};
pub(crate) use marks::{Mark, MarkedCode, Marks};
pub(crate) use modules::{AmbiguousModule, Modules, ResolvedPaths, concerns_modules, is_module_file};
pub(crate) use packages::{
    ModuleFolders, fault_of_import_path, import_path_of_module, is_of_builds, name_in_profiles,
};
pub(crate) use paths::parent;
pub(crate) use tokens::{DeclaredFunctions, FuncTokens};
