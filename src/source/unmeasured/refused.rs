//! The packages that Go cannot build, as far as that is seen without compiling.

use std::collections::BTreeMap;
use std::fmt;

use super::files::{CodeFile, Content};
use crate::code::gosrc::{BuildTags, fault_of_import_path, parent};
use crate::names::in_message;

/// The reason for which Go cannot build a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal<'f> {
    ImportPath(String),
    File {
        path: &'f str,
        reason: &'f str,
    },
    /// The files at these paths have these names of packages.
    TwoNames([(&'f str, &'f str); 2]),
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImportPath(reason) => write!(f, "{}", in_message(reason)),
            Self::File { path, reason } => write!(f, "\"{}\": {reason}", in_message(path)),
            Self::TwoNames([(path, name), (other_path, other)]) => write!(
                f,
                "\"{}\" is of package {}, and \"{}\" of package {}",
                in_message(path),
                in_message(name),
                in_message(other_path),
                in_message(other)
            ),
        }
    }
}

/// Returns the packages without measured files that Go cannot build, by import path.
pub(super) fn refused_packages<'f>(
    files: &'f [CodeFile],
    tags: &BuildTags,
) -> BTreeMap<&'f str, Refusal<'f>> {
    let mut names: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut refused = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_of_measured_package && file.constraint.is_met(tags)) {
        let package = parent(&file.name);
        let mut refuse = |why| {
            refused.entry(package).or_insert(why);
        };
        if let Some(reason) = fault_of_import_path(package) {
            refuse(Refusal::ImportPath(reason));
        }
        let path = &*file.path;
        if let Some(reason) = file.constraint.refused {
            refuse(Refusal::File { path, reason });
        }
        match &file.content {
            Content::Refused(reason) => refuse(Refusal::File { path, reason }),
            // Go ignores the package of documentation.
            Content::Read { package: name, .. } if name != "documentation" => {
                let first = *names.entry(package).or_insert((path, name));
                if first.1 != name {
                    refuse(Refusal::TwoNames([first, (path, name)]));
                }
            }
            _ => {}
        }
    }
    refused
}
