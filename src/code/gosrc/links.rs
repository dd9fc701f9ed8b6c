//! The symbolic links of a tree. They are followed as the kernel follows those of a checkout, but never out of the
//! tree.

use std::collections::{HashMap, VecDeque};

/// The targets of the symbolic links of a tree, by path of the link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    targets: HashMap<String, String>,
}

/// The reason for which a link leads to no file of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LostLink {
    /// The link leads out of the tree.
    Outside,
    /// The link leads back to itself, or through more links than Linux follows.
    Circle,
}

impl std::fmt::Display for LostLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Outside => "a symbolic link leads out of the repository",
            Self::Circle => "symbolic links lead in a circle",
        })
    }
}

impl Links {
    /// Takes the path of each link with its target, which is relative to the folder of the link.
    #[must_use]
    pub(crate) fn new(targets: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { targets: targets.into_iter().collect() }
    }

    /// Returns the target of a path that leads through links, without links; `None` for a path without links.
    #[must_use]
    pub(crate) fn follow(&self, path: &str) -> Option<Result<String, LostLink>> {
        let passes_one = || {
            let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
            folders.chain([path]).any(|part| self.targets.contains_key(part))
        };
        (!self.targets.is_empty() && passes_one()).then(|| self.followed(path))
    }

    fn followed(&self, path: &str) -> Result<String, LostLink> {
        /// The limit of Linux (`MAXSYMLINKS`).
        const MOST: usize = 40;
        let mut left: VecDeque<&str> = path.split('/').collect();
        let (mut passed, mut followed) = (String::new(), 0);
        while let Some(part) = left.pop_front() {
            let above = passed.rfind('/').unwrap_or(0);
            match part {
                "" | "." => continue,
                ".." if passed.is_empty() => return Err(LostLink::Outside),
                ".." => {
                    passed.truncate(above);
                    continue;
                }
                _ => {}
            }
            let length = passed.len();
            if length > 0 {
                passed.push('/');
            }
            passed.push_str(part);
            let Some(target) = self.targets.get(&passed) else { continue };
            followed += 1;
            if followed > MOST {
                return Err(LostLink::Circle);
            }
            if target.starts_with('/') {
                return Err(LostLink::Outside);
            }
            passed.truncate(length);
            for part in target.split('/').rev() {
                left.push_front(part);
            }
        }
        Ok(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_within_the_tree_alone() {
        let links = [
            ("a.go", "shared/a.txt"),
            ("linked", "real"),
            ("cmd/deep", "../real"),
            ("twice", "linked/sub"),
            ("real/sub/up.go", "../../a.go"),
            ("root", "."),
            ("out.go", "/etc/hostname"),
            ("up.go", "../../etc/hostname"),
            ("loop1.go", "loop2.go"),
            ("loop2.go", "loop1.go"),
            ("grow", "grow/x"),
        ];
        let links = Links::new(links.map(|(path, target)| (path.to_owned(), target.to_owned())));
        let to = |path: &str| Some(Ok(path.to_owned()));
        let cases = [
            ("real/r.go", None),
            ("a.go", to("shared/a.txt")),
            ("linked/r.go", to("real/r.go")),
            ("cmd/deep/r.go", to("real/r.go")),
            ("twice/up.go", to("shared/a.txt")),
            ("root/root/linked/r.go", to("real/r.go")),
            ("out.go", Some(Err(LostLink::Outside))),
            ("up.go", Some(Err(LostLink::Outside))),
            ("loop1.go", Some(Err(LostLink::Circle))),
            ("grow/y.go", Some(Err(LostLink::Circle))),
        ];
        for (path, wanted) in cases {
            assert_eq!(links.follow(path), wanted, "{path}");
        }
        assert_eq!(Links::default().follow("a.go"), None);
    }
}
