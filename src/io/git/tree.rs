//! The files of a commit, listed within bounds: a few small objects can stand for billions of paths.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read as _};

use super::Repository;
use super::error::GitError;
use super::object::ObjectId;

const LS_TREE: &str = "ls-tree";
const DIFF_TREE: &str = "diff-tree";

/// Bytes of paths that are read for each entry that a listing may have.
const BYTES_OF_A_PATH: u64 = 256;

/// The files of a commit and its symbolic links, by their paths from the root of the repository; without submodules,
/// and names that are not UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    files: HashMap<String, ObjectId>,
    links: HashMap<String, ObjectId>,
}

/// The result of a listing.
#[derive(Debug, PartialEq, Eq)]
enum TreeListing {
    /// The whole listing.
    Whole(Tree),
    /// The listing exceeds the limit.
    TooMany,
    /// The beginning of an answer in an unknown form.
    Unexpected(String),
}

impl Tree {
    /// Returns the content of a file.
    #[must_use]
    pub(crate) fn blob(&self, path: &str) -> Option<&ObjectId> {
        self.files.get(path)
    }

    /// Tells whether it has a file, a link not counted.
    #[must_use]
    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Returns the content of each file by its path.
    #[must_use]
    pub(crate) fn files(&self) -> &HashMap<String, ObjectId> {
        &self.files
    }

    /// Returns the paths of all files, in no order.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Returns all links with the blobs that say where they lead, in no order.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, &ObjectId)> {
        self.links.iter().map(|(path, blob)| (path.as_str(), blob))
    }

    /// Reads what `git ls-tree -r -z` prints: `<mode> <type> <hash>\t<path>`, each ended by a zero byte. At most
    /// `most` entries are taken, and of paths at most 256 bytes for each of these.
    fn read(mut out: impl BufRead, most: usize) -> io::Result<TreeListing> {
        let mut tree = Self::default();
        let mut left = BYTES_OF_A_PATH.saturating_mul(most as u64);
        let mut entry = Vec::new();
        for _ in 0..=most {
            entry.clear();
            (&mut out).take(left.max(1)).read_until(0, &mut entry)?;
            if entry.is_empty() {
                return Ok(TreeListing::Whole(tree));
            }
            if entry.pop() != Some(0) {
                // Git ended early, which it tells by its exit code, or the path is longer than all may be.
                return Ok(if left > entry.len() as u64 + 1 {
                    TreeListing::Whole(tree)
                } else {
                    TreeListing::TooMany
                });
            }
            left = left.saturating_sub(entry.len() as u64);
            let (head, path) = entry.split_at(entry.iter().position(|&byte| byte == b'\t').unwrap_or(0));
            let head = String::from_utf8_lossy(head);
            let mut words = head.split(' ');
            let (mode, _, blob) = (words.next(), words.next(), words.next().and_then(ObjectId::parse));
            let (Some(mode), Some(blob)) = (mode, blob) else {
                return Ok(TreeListing::Unexpected(head.into_owned()));
            };
            let of_kind = match mode {
                mode if mode.starts_with("100") => &mut tree.files,
                "120000" => &mut tree.links,
                _ => continue,
            };
            if let Ok(path) = str::from_utf8(&path[1..]) {
                of_kind.insert(path.to_owned(), blob);
            }
        }
        Ok(TreeListing::TooMany)
    }
}

/// A tree that was made of another one, with the paths at which both differ.
#[derive(Debug)]
pub(crate) struct OtherTree {
    pub(crate) tree: Tree,
    pub(crate) changed: Vec<String>,
}

impl Tree {
    /// Applies what `git diff-tree -r --raw -z` prints: `:<mode> <mode> <hash> <hash> <status>`, then the path, each ended by
    /// a zero byte. Returns the paths; `None` if the answer is of another form, or has more than `most` entries.
    fn apply(&mut self, out: impl BufRead, most: usize) -> io::Result<Option<Vec<String>>> {
        let mut out = out.take(BYTES_OF_A_PATH.saturating_mul(most as u64));
        let mut changed = Vec::new();
        let (mut head, mut path) = (Vec::new(), Vec::new());
        loop {
            head.clear();
            path.clear();
            out.read_until(0, &mut head)?;
            if head.is_empty() {
                // A limit that is used up cut the answer off.
                return Ok((out.limit() > 0).then_some(changed));
            }
            out.read_until(0, &mut path)?;
            let words: Vec<&[u8]> = head.split(|&byte| byte == b' ').collect();
            if path.pop() != Some(0) || changed.len() == most {
                return Ok(None);
            }
            let [_, mode, _, hash, _] = words[..] else { return Ok(None) };
            // Names that are not UTF-8 are in no tree.
            let Ok(path) = str::from_utf8(&path) else { continue };
            self.files.remove(path);
            self.links.remove(path);
            let of_kind = match mode {
                mode if mode.starts_with(b"100") => Some(&mut self.files),
                b"120000" => Some(&mut self.links),
                _ => None,
            };
            let blob = str::from_utf8(hash).ok().and_then(ObjectId::parse);
            if let (Some(of_kind), Some(blob)) = (of_kind, blob) {
                of_kind.insert(path.to_owned(), blob);
            }
            changed.push(path.to_owned());
        }
    }
}

impl Repository {
    /// Returns the files and links of a commit, made of the `tree` of another one, of which git names only what differs.
    /// `None` if more than `most` entries do.
    pub(crate) fn other_tree(
        &self,
        (commit, tree): (&ObjectId, &Tree),
        other: &ObjectId,
        most: usize,
    ) -> Result<Option<OtherTree>, GitError> {
        let arguments = ["-r", "--raw", "-z", "--no-abbrev", "--no-renames", commit.as_str(), other.as_str()];
        let mut out = BufReader::with_capacity(64 << 10, self.start(DIFF_TREE, &arguments, Vec::new())?);
        let mut tree = tree.clone();
        let applied = tree.apply(&mut out, most);
        if !matches!(applied, Ok(None)) {
            out.into_inner().finish()?;
        }
        let changed = applied.map_err(|reason| GitError::Io { action: DIFF_TREE, reason })?;
        Ok(changed
            .filter(|_| tree.files.len() + tree.links.len() <= most)
            .map(|changed| OtherTree { tree, changed }))
    }

    /// Returns the files and links of a commit. Fails if there are more than `most`.
    pub(crate) fn files(&self, commit: &ObjectId, most: usize) -> Result<Tree, GitError> {
        let arguments = ["-r", "-z", "--full-tree", commit.as_str()];
        let mut out = BufReader::with_capacity(256 << 10, self.start(LS_TREE, &arguments, Vec::new())?);
        match Tree::read(&mut out, most) {
            Ok(TreeListing::Whole(tree)) => out.into_inner().finish().map(|()| tree),
            Ok(TreeListing::TooMany) => Err(GitError::TooManyFiles { commit: commit.clone(), most }),
            Ok(TreeListing::Unexpected(answer)) => Err(GitError::Unexpected { action: LS_TREE, answer }),
            Err(reason) => {
                out.into_inner().finish()?;
                Err(GitError::Io { action: LS_TREE, reason })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str, most: usize) -> TreeListing {
        Tree::read(text.as_bytes(), most).unwrap()
    }

    #[test]
    fn files_and_links_are_listed_within_bounds() {
        let hash = "a".repeat(40);
        let text = format!(
            "100644 blob {hash}\ta.go\0100755 blob {hash}\tb\tc.go\0120000 blob {hash}\tlinked\0160000 commit {hash}\tsub\0"
        );
        let TreeListing::Whole(tree) = listed(&text, 4) else { panic!("it is within bounds") };
        let mut paths: Vec<&str> = tree.paths().collect();
        paths.sort_unstable();
        assert_eq!(paths, ["a.go", "b\tc.go"]);
        assert_eq!(tree.links().map(|(path, _)| path).collect::<Vec<_>>(), ["linked"]);
        assert_eq!(listed(&text, 3), TreeListing::TooMany);
        assert_eq!(listed("", 0), TreeListing::Whole(Tree::default()));
        assert_eq!(listed("what is this\0", 9), TreeListing::Unexpected(String::new()));
        let long = format!("100644 blob {hash}\t{}\0", "d/".repeat(4096));
        assert_eq!(listed(&long, 1), TreeListing::TooMany);
    }

    #[test]
    fn a_tree_is_made_of_another_one_and_what_differs() {
        let [a, b] = ["a", "b"].map(|digit| digit.repeat(40));
        let none = "0".repeat(40);
        let listed =
            listed(&format!("100644 blob {a}\ta.go\0100644 blob {a}\tgone.go\0120000 blob {a}\tl\0"), 9);
        let TreeListing::Whole(tree) = listed else { panic!("it is within bounds") };
        let text = format!(
            ":100644 100755 {a} {b} M\0a.go\0:100644 000000 {a} {none} D\0gone.go\0:000000 120000 {none} {b} A\0new\0\
             :120000 100644 {a} {b} T\0l\0:000000 160000 {none} {b} A\0module\0"
        );
        let mut other = tree.clone();
        let changed = other.apply(text.as_bytes(), 5).unwrap().unwrap();
        assert_eq!(changed, ["a.go", "gone.go", "new", "l", "module"]);
        let blob = |path: &str| other.blob(path).map(ObjectId::as_str);
        assert_eq!((blob("a.go"), blob("gone.go"), blob("l")), (Some(&*b), None, Some(&*b)));
        assert_eq!(other.links().map(|(path, _)| path).collect::<Vec<_>>(), ["new"]);
        for (text, most) in [(&*text, 4), ("what is this\0", 9), (&text[..text.len() - 1], 9), (&text, 1)] {
            assert!(tree.clone().apply(text.as_bytes(), most).unwrap().is_none(), "{most}");
        }
    }

    #[test]
    fn of_a_listing_without_end_only_so_much_is_read() {
        struct Endless(u64);
        impl io::Read for Endless {
            fn read(&mut self, part: &mut [u8]) -> io::Result<usize> {
                let entry = format!("100644 blob {}\tf{}.go\0", "a".repeat(40), self.0);
                self.0 += 1;
                part[..entry.len()].copy_from_slice(entry.as_bytes());
                Ok(entry.len())
            }
        }
        let mut endless = io::BufReader::new(Endless(0));
        assert_eq!(Tree::read(&mut endless, 1000).unwrap(), TreeListing::TooMany);
        assert!(endless.get_ref().0 < 2000, "{} entries were read", endless.get_ref().0);
    }
}
