//! The paths of packages and folders: prefixes, parents, `vendor` folders.

use std::collections::HashMap;

pub(super) const VENDOR: &str = "vendor";

/// Returns the import path of the tree's root by which most names are found; of several, the longest.
pub(super) fn common_prefix<'a>(
    names: &[&'a str],
    paths: &[Option<String>],
    exists: &impl Fn(&str) -> bool,
) -> Option<&'a str> {
    let mut votes: HashMap<&str, usize> = HashMap::new();
    let unknown = names.iter().zip(paths).filter(|(_, path)| path.is_none()).map(|(name, _)| *name);
    for name in unknown.filter(|name| is_import_path(name)) {
        for (at, _) in name.match_indices('/').filter(|(at, _)| exists(&name[at + 1..])) {
            *votes.entry(&name[..at]).or_default() += 1;
        }
    }
    let best = votes.into_iter().max_by_key(|(prefix, votes)| (*votes, prefix.len(), *prefix));
    best.map(|(prefix, _)| prefix)
}

pub(super) fn is_work(path: &str) -> bool {
    path.ends_with("go.work")
}

/// Returns the folder of a path; empty for the root.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

pub(super) fn depth(folder: &str) -> usize {
    if folder.is_empty() { 0 } else { 1 + folder.matches('/').count() }
}

/// Tells whether a name belongs to a module.
pub(super) fn is_within(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn within(folder: &str, rest: &str) -> String {
    if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") }
}

/// Joins a relative path to a folder; `None` if it leaves the repository.
pub(super) fn joined(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Tells whether Go leaves a folder out of `./...`.
pub(super) fn is_set_apart(folder: &str) -> bool {
    folder
        .split('/')
        .any(|part| matches!(part, "testdata" | "vendor") || part.starts_with('_') || part.starts_with('.'))
}

/// Returns the length of a path up to the end of its first folder called `vendor`.
pub(super) fn position_of_vendor(path: &str) -> Option<usize> {
    if path.starts_with("vendor/") {
        return Some(VENDOR.len());
    }
    path.find("/vendor/").map(|at| at + 1 + VENDOR.len())
}

/// Tells whether a name is an import path and a file: neither absolute nor relative, and without `..`.
pub(super) fn is_import_path(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".." | "_"))
}
