//! The search for the files of a commit that the names in a diff mean.
//!
//! A name begins with a prefix that the maker of the diff chose: git's `a/` and `b/`, those of `diff.mnemonicPrefix`,
//! any other, or none. It may also be relative to a folder. All names of a diff have the same form, so the prefixes are
//! found for all files together.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::FilePatch;
use crate::names::printable;

/// The error for a diff that does not fit the files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceError {
    /// The commit has none of the diff's Go files.
    #[error("none of its {files} Go files is there, such as \"{}\"", printable(example))]
    NoneIsThere {
        /// Number of Go files that are not deleted.
        files: usize,
        /// Name of the first of them.
        example: String,
    },
    /// The diff has two parts for one file.
    #[error("\"{}\" stands twice; give one diff from base to commit", printable(path))]
    Twice {
        /// The file.
        path: String,
    },
}

/// Number of names that are checked to find prefixes, and the folder to which names are relative.
const LOOKED_AT: usize = 32;

/// Replaces the names in a diff by paths of a tree, whose keys are its paths.
pub(crate) fn place<V>(patches: &mut [FilePatch], tree: &HashMap<String, V>) -> Result<(), PlaceError> {
    let places = PathMapping::candidates(patches, tree);
    let best = places.into_iter().max_by_key(|place| place.rank(patches, tree));
    let best = best.expect("names as they are can always be meant");
    for patch in patches.iter_mut() {
        let is_exact = patch.has_exact_paths;
        let set = |name: &mut Option<String>, prefix| {
            if let Some(name) = name {
                *name = best.path(name, prefix, is_exact).into_owned();
            }
        };
        set(&mut patch.old_path, &best.old_prefix);
        set(&mut patch.new_path, &best.new_prefix);
    }
    let mut seen = HashSet::new();
    for patch in patches.iter() {
        // A link that became a file is one deleted and one new entry.
        if let Some(path) = patch.path().filter(|path| !seen.insert((*path, patch.new_path.is_some()))) {
            return Err(PlaceError::Twice { path: path.to_owned() });
        }
    }
    let go: Vec<&str> = go_names(patches).collect();
    match go.first() {
        Some(example) if !go.iter().any(|path| tree.contains_key(*path)) => {
            Err(PlaceError::NoneIsThere { files: go.len(), example: (*example).to_owned() })
        }
        _ => Ok(()),
    }
}

fn go_names(patches: &[FilePatch]) -> impl Iterator<Item = &str> {
    patches.iter().filter_map(|patch| patch.new_path.as_deref()).filter(|name| is_go(name))
}

fn is_go(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|name| name.strip_suffix(".go").is_some())
}

/// The way from names to paths: a prefix is removed, and a folder is put before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PathMapping {
    old_prefix: String,
    new_prefix: String,
    /// The folder; empty for the root.
    folder: String,
}

impl PathMapping {
    /// Returns the possible places of the first names.
    fn candidates<V>(patches: &[FilePatch], tree: &HashMap<String, V>) -> BTreeSet<Self> {
        let mut candidates = BTreeSet::new();
        let mut add = |new_prefix: &str, folder: &str| {
            let old_prefix = old_prefix(patches, new_prefix);
            let (new_prefix, folder) = (new_prefix.to_owned(), folder.to_owned());
            candidates.insert(Self { old_prefix, new_prefix, folder });
        };
        add("", "");
        let (go, others): (Vec<_>, Vec<_>) =
            patches.iter().partition(|patch| patch.new_path.as_deref().is_some_and(is_go));
        for patch in go.into_iter().chain(others).take(LOOKED_AT) {
            let name = patch.names_in_header.as_ref().map(|(_, new)| new.as_str());
            let Some(name) = name.or(patch.path()) else { continue };
            let slashes = name.match_indices('/').filter(|_| !patch.has_exact_paths);
            let prefixes = std::iter::once("").chain(slashes.map(|(at, _)| &name[..=at]));
            for prefix in prefixes {
                add(prefix, "");
                if let Some(folder) = folder_above(&name[prefix.len()..], tree) {
                    add(prefix, folder);
                }
            }
        }
        candidates
    }

    fn path<'n>(&self, name: &'n str, prefix: &str, is_exact: bool) -> Cow<'n, str> {
        let name = name.strip_prefix(prefix).filter(|_| !is_exact).unwrap_or(name);
        match &*self.folder {
            "" => Cow::Borrowed(name),
            folder => Cow::Owned(format!("{folder}/{name}")),
        }
    }

    /// Returns a sort key of places. The last place is taken.
    fn rank<V>(&self, patches: &[FilePatch], tree: &HashMap<String, V>) -> impl Ord + use<V> {
        let (mut contradictions, mut go_files, mut files, mut pairs) = (0_usize, 0_usize, 0_usize, 0_usize);
        for patch in patches {
            let is_exact = patch.has_exact_paths;
            if let Some((old, new)) = patch.names_in_header.as_ref().filter(|_| !is_exact) {
                // git names a file that was not renamed twice, and only the prefixes differ.
                contradictions += usize::from(!self.is_pair(old, new));
            }
            if let (Some(old), Some(new)) = (&patch.old_path, &patch.new_path) {
                pairs += usize::from(self.is_pair(old, new));
            }
            if let Some(name) = &patch.new_path
                && tree.contains_key(&*self.path(name, &self.new_prefix, is_exact))
            {
                files += 1;
                go_files += usize::from(is_go(name));
            }
        }
        let simplicity = (self.folder.is_empty(), Reverse(self.new_prefix.len()));
        (Reverse(contradictions), go_files, files, pairs, simplicity)
    }

    /// Tells whether two names mean one path.
    fn is_pair(&self, old: &str, new: &str) -> bool {
        let path = new.strip_prefix(&*self.new_prefix);
        path.is_some() && old.strip_prefix(&*self.old_prefix) == path
    }
}

/// Returns the prefix of the old names that belongs to a prefix of the new names.
fn old_prefix(patches: &[FilePatch], new_prefix: &str) -> String {
    let pairs = patches.iter().filter(|patch| !patch.has_exact_paths).filter_map(|patch| {
        let names = patch.names_in_header.as_ref().map(|(old, new)| (old.as_str(), new.as_str()));
        names.or(patch.old_path.as_deref().zip(patch.new_path.as_deref()))
    });
    let mut prefixes = pairs.filter_map(|(old, new)| old.strip_suffix(new.strip_prefix(new_prefix)?));
    prefixes.next().unwrap_or(if new_prefix == "b/" { "a/" } else { new_prefix }).to_owned()
}

/// Returns the only folder below which a tree has a name.
fn folder_above<'t, V>(name: &str, tree: &'t HashMap<String, V>) -> Option<&'t str> {
    let mut above = tree.keys().filter_map(|known| known.strip_suffix(name)?.strip_suffix('/'));
    let only = above.next()?;
    above.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn tree(paths: &[&str]) -> HashMap<String, u8> {
        paths.iter().map(|path| ((*path).to_owned(), 0)).collect()
    }

    /// A changed file in git's form with these prefixes.
    fn changed(old_prefix: &str, new_prefix: &str, path: &str) -> String {
        let (old, new) = (format!("{old_prefix}{path}"), format!("{new_prefix}{path}"));
        format!("diff --git {old} {new}\nindex 1..2 100644\n--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n")
    }

    fn added(old_prefix: &str, new_prefix: &str, path: &str) -> String {
        let (old, new) = (format!("{old_prefix}{path}"), format!("{new_prefix}{path}"));
        format!("diff --git {old} {new}\nnew file mode 100644\n--- /dev/null\n+++ {new}\n@@ -0,0 +1 @@\n+b\n")
    }

    fn deleted(old_prefix: &str, new_prefix: &str, path: &str) -> String {
        let (old, new) = (format!("{old_prefix}{path}"), format!("{new_prefix}{path}"));
        format!(
            "diff --git {old} {new}\ndeleted file mode 100644\n--- {old}\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
        )
    }

    fn moved(old_prefix: &str, new_prefix: &str, from: &str, to: &str) -> String {
        format!(
            "diff --git {old_prefix}{from} {new_prefix}{to}\nsimilarity index 90%\nrename from {from}\nrename to {to}\n\
             --- {old_prefix}{from}\n+++ {new_prefix}{to}\n@@ -1 +1 @@\n-a\n+b\n"
        )
    }

    type Paths = (Option<String>, Option<String>);

    fn placed(diff: &str, known: &[&str]) -> Result<Vec<Paths>, PlaceError> {
        let mut patches = parse(diff.as_bytes()).unwrap();
        place(&mut patches, &tree(known))?;
        Ok(patches.into_iter().map(|patch| (patch.old_path, patch.new_path)).collect())
    }

    fn paths(paths: &[(&str, &str)]) -> Vec<Paths> {
        let path = |path: &str| (!path.is_empty()).then(|| path.to_owned());
        paths.iter().map(|(old, new)| (path(old), path(new))).collect()
    }

    #[test]
    fn a_diff_means_the_same_files_whatever_prefixes_it_was_made_with() {
        // Folders that are called like prefixes, each with a file of the same name as another.
        let known = ["x.go", "a/x.go", "b/x.go", "b/new.go", "new.go", "w/to.go", "to.go", "README.md"];
        for (old, new) in [
            ("a/", "b/"),
            ("", ""),
            ("i/", "w/"),
            ("c/", "i/"),
            ("o/", "w/"),
            ("old/", "new/"),
            ("x/y/", "x/z/"),
            ("b/", "a/"),
            ("same/", "same/"),
        ] {
            let diff = [
                changed(old, new, "b/x.go"),
                changed(old, new, "README.md"),
                added(old, new, "b/new.go"),
                deleted(old, new, "a/gone.go"),
                moved(old, new, "w/from.go", "w/to.go"),
            ];
            let wanted = [
                ("b/x.go", "b/x.go"),
                ("README.md", "README.md"),
                ("", "b/new.go"),
                ("a/gone.go", ""),
                ("w/from.go", "w/to.go"),
            ];
            assert_eq!(placed(&diff.concat(), &known), Ok(paths(&wanted)), "{old} {new}");
        }
    }

    #[test]
    fn one_file_is_told_by_what_its_two_names_share() {
        let known = ["x.go", "b/x.go", "w/x.go"];
        let one = |diff: &str| placed(diff, &known).unwrap().remove(0).1.unwrap();
        assert_eq!(one(&changed("a/", "b/", "x.go")), "x.go");
        assert_eq!(one(&changed("i/", "w/", "x.go")), "x.go");
        assert_eq!(one(&changed("", "", "b/x.go")), "b/x.go");
        assert_eq!(one(&added("a/", "b/", "x.go")), "x.go");
        assert_eq!(one(&added("", "", "b/x.go")), "b/x.go", "the first line names it twice");
        assert_eq!(one("--- a/x.go\n+++ b/x.go\n@@ -1 +1 @@\n-a\n+b\n"), "x.go");
        assert_eq!(one("--- b/x.go\n+++ b/x.go\n@@ -1 +1 @@\n-a\n+b\n"), "b/x.go");
    }

    #[test]
    fn a_diff_that_was_made_in_a_folder_is_of_that_folder() {
        let known = ["main.go", "svc/main.go", "svc/run/run.go", "svc/to.go"];
        for (old, new) in [("a/", "b/"), ("", ""), ("i/", "w/")] {
            let diff = [
                changed(old, new, "main.go"),
                changed(old, new, "run/run.go"),
                moved(old, new, "from.go", "to.go"),
            ];
            let wanted = [
                ("svc/main.go", "svc/main.go"),
                ("svc/run/run.go", "svc/run/run.go"),
                ("svc/from.go", "svc/to.go"),
            ];
            assert_eq!(placed(&diff.concat(), &known), Ok(paths(&wanted)), "{old} {new}");
        }
    }

    #[test]
    fn a_diff_of_other_files_or_of_one_file_twice_is_refused() {
        let known = ["x.go"];
        let error = |diff: &str| placed(diff, &known).unwrap_err().to_string();
        assert_eq!(
            error(&changed("a/", "b/", "sub/y.go")),
            "none of its 1 Go files is there, such as \"sub/y.go\""
        );
        let twice = "\"x.go\" stands twice; give one diff from base to commit";
        assert_eq!(error(&changed("a/", "b/", "x.go").repeat(2)), twice);
        let renamed_and_changed = moved("a/", "b/", "from.go", "x.go") + &changed("a/", "b/", "x.go");
        assert_eq!(error(&renamed_and_changed), twice);
        assert_eq!(placed("", &known), Ok(Vec::new()));
        assert_eq!(placed(&deleted("a/", "b/", "y.go"), &known), Ok(paths(&[("y.go", "")])));
        let link_to_file = deleted("a/", "b/", "x.go") + &added("a/", "b/", "x.go");
        assert_eq!(placed(&link_to_file, &known), Ok(paths(&[("x.go", ""), ("", "x.go")])));
    }
}
