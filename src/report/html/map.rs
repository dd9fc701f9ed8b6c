//! The treemap of a page: the files, or folders of many files.

use super::FileRow;
use super::tree::{Folder, Tree};
use crate::coverage::Coverage;
use crate::names::printable;
use crate::report::treemap::{Part, PartKind, Treemap};

/// Largest number of areas. A map of more files has an area for each folder.
pub(super) const MOST_AREAS: usize = 1000;
/// Deepest level of folders that a map tells apart.
const DEEPEST: usize = 12;

/// The map of the files of a report.
pub(super) struct FileMap {
    pub(super) treemap: Treemap,
    /// Level at which a folder has one area with all that is in it; `None` for an area for each file.
    pub(super) level: Option<usize>,
}

impl FileMap {
    /// Returns the map of all files; `None` without statements.
    pub(super) fn new(tree: &Tree<'_>) -> Option<Self> {
        let level = (tree.files.len() > MOST_AREAS).then(|| level_of_areas(&tree.folders));
        let treemap = Treemap::new(&parts(&tree.folders, level)?)?;
        Some(Self { treemap, level })
    }
}

/// Returns the deepest level at which an area for each folder makes no more than the largest number of areas.
fn level_of_areas(folders: &[Folder<'_>]) -> usize {
    let areas = |level: usize| folders.iter().filter(|folder| folder.depth <= level).count();
    (1..=DEEPEST).rev().find(|&level| areas(level) <= MOST_AREAS).unwrap_or(1)
}

/// Returns the files or folders as parts of groups, in the order of the table.
fn parts(folders: &[Folder<'_>], level: Option<usize>) -> Option<Part> {
    let root = &folders.first()?.path;
    let deepest = level.map_or(DEEPEST, |level| level - 1);
    // Groups of folders around the present one, the first for the path that all share.
    let mut around = vec![Part::group(String::new(), String::new())];
    for (at, folder) in folders.iter().enumerate() {
        while around.len() > folder.depth.max(1) {
            let inner = around.pop()?;
            around.last_mut()?.add(inner);
        }
        let has_inner = folders.get(at + 1).is_some_and(|next| next.depth > folder.depth);
        if folder.depth > 0 && folder.depth <= deepest && (level.is_none() || has_inner) {
            around.push(Part::group(folder.name.clone(), at.to_string()));
        }
        let group = around.last_mut()?;
        match level {
            None => folder.files.iter().for_each(|row| group.add(area_of_file(row, root))),
            Some(level) if folder.depth > level => {}
            Some(level) => group.add(area_of_folder(folder, root, has_inner && folder.depth < level)),
        }
    }
    while around.len() > 1 {
        let inner = around.pop()?;
        around.last_mut()?.add(inner);
    }
    around.pop()
}

fn area_of_file(row: &FileRow<'_>, root: &str) -> Part {
    let title = printable(below(root, row.file.name)).into_owned();
    area(row.base_name(), row.file.coverage, title)
}

/// Returns the area of a folder: of its own files, or of all files below it.
fn area_of_folder(folder: &Folder<'_>, root: &str, has_others: bool) -> Part {
    let path = below(root, &folder.path);
    let path = printable(if path.is_empty() { "." } else { path }).into_owned();
    if has_others {
        let own = folder.files.iter().map(|row| row.file.coverage).sum();
        return area(".".to_owned(), own, format!("{path}, without its folders"));
    }
    area(folder.name.clone(), folder.figure.0, path)
}

fn area(name: String, coverage: Coverage, title: String) -> Part {
    let kind = PartKind::Area { title, address: String::new() };
    Part { name, coverage, key: String::new(), kind }
}

/// Returns a path below the one that all share.
fn below<'p>(root: &str, path: &'p str) -> &'p str {
    path.strip_prefix(root).map_or(path, |rest| rest.strip_prefix('/').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::with_report;

    /// Calls a function with the map of files of one statement each, of which the first is covered.
    fn with_map<T>(files: &[String], then: impl FnOnce(Option<FileMap>) -> T) -> T {
        let mut names = files.to_vec();
        names.sort_unstable();
        let block = |name: &String| format!("{name}:1.1,2.2 1 {}\n", u8::from(*name == files[0]));
        let profile = format!("mode: set\n{}", names.iter().map(block).collect::<String>());
        with_report(&profile, &vec![None; files.len()], |report| then(FileMap::new(&Tree::new(&report))))
    }

    fn titles(map: &FileMap) -> Vec<&str> {
        map.treemap.areas.iter().map(|area| area.title.split(',').next().unwrap()).collect()
    }

    #[test]
    fn a_map_has_each_file_in_the_order_of_the_table() {
        let files = ["m/app/z/a.go", "m/app/b.go", "m/app/z/y/c.go", "m/app/z/y/d.go"].map(str::to_owned);
        with_map(&files, |map| {
            let map = map.unwrap();
            assert_eq!(map.level, None);
            assert_eq!(titles(&map), ["b.go: 0.0%", "z/a.go: 100.0%", "z/y/c.go: 0.0%", "z/y/d.go: 0.0%"]);
            let groups: Vec<(&str, &str)> = map
                .treemap
                .labels
                .iter()
                .filter_map(|label| Some((label.text.as_str(), label.key.as_deref()?)))
                .collect();
            assert_eq!(groups, [("z 33.3%", "1"), ("y 0.0%", "2")], "with their numbers in the table");
        });
    }

    #[test]
    fn a_map_of_many_files_has_their_folders() {
        let mut files: Vec<String> = (0..1001).map(|at| format!("m/app/a/f{at:04}.go")).collect();
        with_map(&files[..1000], |map| assert_eq!(map.unwrap().treemap.areas.len(), 1000));
        files.extend(
            ["m/app/b/c/x.go", "m/app/b/d/e/y.go", "m/app/b/d/z.go", "m/app/v.go"].map(str::to_owned),
        );
        with_map(&files, |map| {
            let map = map.unwrap();
            assert_eq!(map.level, Some(DEEPEST));
            let wanted = ["., without its folders", "a", "b/c", "b/d, without its folders", "b/d/e"];
            let titles = map.treemap.areas.iter().map(|area| area.title.split(':').next().unwrap());
            assert_eq!(titles.collect::<Vec<_>>(), wanted);
        });
    }

    #[test]
    fn too_many_folders_are_joined_with_those_around_them() {
        let name = |at: usize| format!("m/app/a{}/b{at:04}/x.go", at % 10);
        let files: Vec<String> = (0..1100).map(name).collect();
        with_map(&files, |map| {
            let map = map.unwrap();
            assert_eq!((map.level, map.treemap.areas.len()), (Some(1), 10));
            assert_eq!(map.treemap.areas[0].title, "a0: 0.9%, 1 of 110 statements covered");
        });
    }

    #[test]
    fn nothing_to_show_has_no_map() {
        with_map(&[], |map| assert!(map.is_none()));
        with_report("mode: set\nm/a.go:1.1,2.2 0 1\n", &[None], |report| {
            assert!(FileMap::new(&Tree::new(&report)).is_none(), "no statement, no area");
        });
    }

    #[test]
    fn names_with_any_number_of_folders_are_drawn() {
        let deep = "d/".repeat(40);
        let names: Vec<String> = (0..40).map(|at| format!("{}f.go", &deep[..2 * at])).collect();
        with_map(&names, |map| assert_eq!(map.unwrap().treemap.areas.len(), 40));
    }
}
