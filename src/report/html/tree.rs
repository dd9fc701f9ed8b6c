//! The tree of folders and files in the table of a page.
//!
//! A folder has a row if it has files of the profile or at least two folders with rows. So folders with a single child
//! are joined with it, and the first row is the path that all files share.

use std::ops::Range;

use super::carried::own_shares;
use super::{CoverageView, FileRow};
use crate::coverage::Coverage;
use crate::names::printable;
use crate::report::{FileReport, Report};

/// Deepest level that the style indents further.
const DEEPEST: usize = 12;

/// Folders with their files, each folder before those inside it.
pub(super) struct Tree<'r> {
    pub(super) folders: Vec<Folder<'r>>,
    /// All files, in the order of the table.
    pub(super) files: Vec<&'r FileReport<'r>>,
}

/// A folder with a row.
pub(super) struct Folder<'r> {
    /// Import path of the folder; empty above all modules.
    pub(super) path: String,
    /// Its path below the folder around it, with invisible characters escaped; empty above all modules.
    pub(super) name: String,
    /// Number of folders around it.
    pub(super) depth: usize,
    /// Coverage of all files below it.
    pub(super) figure: CoverageView,
    /// The same at this commit alone; `None` unless what is carried is shown.
    pub(super) own: Option<Coverage>,
    /// Files directly in it.
    pub(super) files: Vec<FileRow<'r>>,
    /// Indexes of all files below it.
    below: Range<usize>,
}

impl<'r> Tree<'r> {
    pub(super) fn new(report: &'r Report<'r>) -> Self {
        let mut packages: Vec<_> =
            report.packages().into_iter().map(|package| (components(package.name), package)).collect();
        packages.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut rows: Vec<Vec<&str>> = packages.iter().map(|(path, _)| path.clone()).collect();
        rows.extend(packages.windows(2).map(|pair| shared(&pair[0].0, &pair[1].0)));
        rows.sort();
        rows.dedup();

        let mut packages = packages.into_iter().peekable();
        let mut tree = Self { folders: Vec::with_capacity(rows.len()), files: Vec::new() };
        // Indexes of the folders around the present one.
        let mut around: Vec<(usize, Vec<&str>)> = Vec::new();
        for path in rows {
            while around.pop_if(|(_, outer)| !path.starts_with(outer)).is_some() {}
            let outer = around.last().map(|(at, _)| &tree.folders[*at]);
            let start = tree.files.len();
            let own = packages.next_if(|(own, _)| *own == path).map(|(_, package)| package.files);
            let own = own.unwrap_or_default();
            let whole = path.join("/");
            // A folder above all modules has no slash after its path.
            let before = outer.map_or(0, |outer| outer.path.len() + usize::from(!outer.path.is_empty()));
            let folder = Folder {
                name: printable(&whole[before..]).into_owned(),
                path: whole,
                depth: around.len(),
                figure: CoverageView(Coverage::default()),
                own: None,
                files: own.iter().copied().map(FileRow::new).collect(),
                below: start..start + own.len(),
            };
            tree.files.extend(own);
            around.push((tree.folders.len(), path));
            let covered: Coverage = folder.files.iter().map(|row| row.file.coverage).sum();
            let own = folder.files.iter().map(|row| row.own).sum::<Option<Coverage>>();
            let own = own.filter(|_| report.head.carried.is_some());
            tree.folders.push(folder);
            for (at, _) in &around {
                let around = &mut tree.folders[*at];
                around.figure.0 += covered;
                around.own = own.map(|own| own + around.own.unwrap_or_default());
                tree.folders[*at].below.end = tree.files.len();
            }
        }
        tree
    }

    /// Returns the number of statements that marks take out of all files below a folder.
    pub(super) fn ignored_below(&self, folder: &Folder<'_>) -> u64 {
        self.below(folder).iter().map(|file| file.ignored.total).sum()
    }

    /// Returns all files below a folder.
    pub(super) fn below(&self, folder: &Folder<'_>) -> &[&'r FileReport<'r>] {
        &self.files[folder.below.clone()]
    }
}

impl Folder<'_> {
    /// Returns the classes of its percentage at this commit alone.
    pub(super) fn own_shares(&self) -> String {
        own_shares(self.own)
    }

    /// Returns the level to which the style indents it.
    pub(super) fn level(&self) -> usize {
        self.depth.min(DEEPEST)
    }
}

/// Splits a path into the names of its folders; files without a path are in no folder.
fn components(path: &str) -> Vec<&str> {
    if path.is_empty() { Vec::new() } else { path.split('/').collect() }
}

/// Returns the folders that two paths begin with.
fn shared<'p>(a: &[&'p str], b: &[&'p str]) -> Vec<&'p str> {
    a.iter().zip(b).take_while(|(a, b)| a == b).map(|(a, _)| *a).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::with_report;
    use super::*;

    /// Draws the tree of files with one statement each, the first file of them covered.
    fn drawn(files: &[&str]) -> Vec<String> {
        let mut names = files.to_vec();
        names.sort_unstable();
        let blocks = names.iter().map(|name| format!("{name}:1.1,2.2 1 {}\n", u8::from(*name == files[0])));
        let profile = format!("mode: set\n{}", blocks.collect::<String>());
        with_report(&profile, &vec![None; files.len()], |report| {
            let tree = Tree::new(&report);
            let rows = tree.folders.iter().map(|folder| {
                let files: Vec<&str> = folder.files.iter().map(|row| row.file.base_name()).collect();
                let Coverage { covered, total } = folder.figure.0;
                assert_eq!(tree.below(folder).len() as u64, total, "{}", folder.path);
                let name = &folder.name;
                format!("{}{name} {covered}/{total} {}", "  ".repeat(folder.depth), files.join(" "))
            });
            rows.map(|row| row.trim_end().to_owned()).collect()
        })
    }

    #[test]
    fn folders_are_nested_and_single_children_are_joined() {
        let files = [
            "example.com/app/pkg/api/v1/types.go",
            "example.com/app/main.go",
            "example.com/app/pkg/api/v1/a.go",
            "example.com/app/pkg/api/v2/b.go",
            "example.com/app/pkg/api-server/c.go",
            "example.com/app/cmd/tool/internal/d.go",
        ];
        let wanted = [
            "example.com/app 1/6 main.go",
            "  cmd/tool/internal 0/1 d.go",
            "  pkg 1/4",
            "    api 1/3",
            "      v1 1/2 a.go types.go",
            "      v2 0/1 b.go",
            "    api-server 0/1 c.go",
        ];
        assert_eq!(drawn(&files), wanted);
    }

    #[test]
    fn one_package_is_the_whole_tree_and_modules_without_a_common_path_stand_below_nothing() {
        assert_eq!(drawn(&["m/app/x.go", "m/app/y.go"]), ["m/app 1/2 x.go y.go"]);
        assert_eq!(drawn(&["a.go", "n/b.go", "m/c/d.go"]), [" 1/3 a.go", "  m/c 0/1 d.go", "  n 0/1 b.go"]);
        assert_eq!(drawn(&["/x/a.go", "/y/b.go"]), [" 1/2", "  /x 1/1 a.go", "  /y 0/1 b.go"]);
    }
}
