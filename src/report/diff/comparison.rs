//! A comparison of two states of a service line by line, in the categories of lcov's differential coverage (its
//! `genhtml --baseline-file`).
//!
//! The changes between the two commits align the lines, so that a line that only moved is the same line. "Lost"
//! coverage is code that was executed, did not change, and is not executed now.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::lines::LineReport;
use super::super::{FileReport, Report};
use crate::code::patch::FilePatch;
use crate::coverage::Coverage;

/// The category of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LineCategory {
    /// Code that did not change, was executed, and is not: lost baseline coverage.
    Lbc,
    /// New code that is not executed: uncovered new code.
    Unc,
    /// Code that did not change and is counted now, not executed: uncovered included code.
    Uic,
    /// Code that did not change and was never executed: uncovered baseline code.
    Ubc,
    /// Code that did not change, was not executed, and is now: gained baseline coverage.
    Gbc,
    /// Code that did not change and is counted now, executed: gained included code.
    Gic,
    /// New code that is executed: gained new coverage.
    Gnc,
    /// Code that did not change and is executed as it was: covered baseline code.
    Cbc,
    /// Code that did not change, was not executed, and is counted no longer: excluded uncovered baseline.
    Eub,
    /// Code that did not change, was executed, and is counted no longer: excluded covered baseline.
    Ecb,
    /// Code that is gone and was not executed: deleted uncovered baseline.
    Dub,
    /// Code that is gone and was executed: deleted covered baseline.
    Dcb,
}

impl LineCategory {
    /// All categories, beginning with those that need attention.
    pub(crate) const ALL: [Self; 12] = [
        Self::Lbc,
        Self::Unc,
        Self::Uic,
        Self::Ubc,
        Self::Gbc,
        Self::Gic,
        Self::Gnc,
        Self::Cbc,
        Self::Eub,
        Self::Ecb,
        Self::Dub,
        Self::Dcb,
    ];

    /// Returns lcov's name of the category.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lbc => "LBC",
            Self::Unc => "UNC",
            Self::Uic => "UIC",
            Self::Ubc => "UBC",
            Self::Gbc => "GBC",
            Self::Gic => "GIC",
            Self::Gnc => "GNC",
            Self::Cbc => "CBC",
            Self::Eub => "EUB",
            Self::Ecb => "ECB",
            Self::Dub => "DUB",
            Self::Dcb => "DCB",
        }
    }

    /// Returns the meaning of the category in words.
    #[must_use]
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Lbc => "unchanged code that was covered and is not now",
            Self::Unc => "new code that is not covered",
            Self::Uic => "unchanged code, counted now, that is not covered",
            Self::Ubc => "unchanged code that was not covered and is not now",
            Self::Gbc => "unchanged code that was not covered and is now",
            Self::Gic => "unchanged code, counted now, that is covered",
            Self::Gnc => "new code that is covered",
            Self::Cbc => "unchanged code that was covered and is now",
            Self::Eub => "unchanged code, counted no longer, that was not covered",
            Self::Ecb => "unchanged code, counted no longer, that was covered",
            Self::Dub => "deleted code that was not covered",
            Self::Dcb => "deleted code that was covered",
        }
    }
}

/// The lines of a service by category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// The other state, in words.
    pub with: String,
    /// Short names of this state and the other, which tell them apart.
    pub sides: [String; 2],
    /// Covered and all statements of the other state, in the files that filters leave.
    pub coverage_before: Coverage,
    /// Number of lines in each category.
    pub lines: BTreeMap<LineCategory, u64>,
    /// Files with any difference, the one with most lost lines first.
    pub files: Vec<ComparedFile>,
}

/// The lines of a file by category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ComparedFile {
    /// Path from the root of the repository; the former path of a deleted file.
    pub path: String,
    /// Number of lines in each category.
    pub lines: BTreeMap<LineCategory, u64>,
    /// Lines of lost baseline coverage, by their present numbers.
    pub lost: Vec<u32>,
    /// Unchanged lines whose coverage differs from before, by their present numbers. The category of any other line
    /// follows from whether it changed and whether it was executed.
    pub turned: Vec<(u32, LineCategory)>,
}

impl Comparison {
    /// Compares a report with an earlier one; `patches` are the changes from the earlier commit to this one. `with` is
    /// the other state in words, `sides` are short names of both.
    #[must_use]
    pub(crate) fn new(
        (with, sides): (String, [String; 2]),
        now: &Report<'_>,
        before: &Report<'_>,
        patches: &[FilePatch],
    ) -> Self {
        let by_path = |report| -> HashMap<&str, &FileReport<'_>> {
            let files: &[FileReport<'_>] = report;
            files.iter().filter_map(|file| Some((file.path.as_deref()?, file))).collect()
        };
        let (new_files, old_files) = (by_path(&now.files), by_path(&before.files));
        let by_new: HashMap<&str, &FilePatch> =
            patches.iter().filter_map(|patch| Some((patch.new_path.as_deref()?, patch))).collect();
        let went: HashSet<&str> = patches.iter().filter_map(|patch| patch.old_path.as_deref()).collect();
        let unchanged = FilePatch::default();
        let mut files = Vec::new();
        let mut paths: Vec<&str> = new_files.keys().copied().collect();
        // Unchanged files that are only in the earlier report are compared, too.
        paths.extend(old_files.keys().filter(|path| !new_files.contains_key(*path) && !went.contains(*path)));
        // A changed file may be only in the earlier report.
        paths.extend(by_new.keys());
        paths.sort_unstable();
        paths.dedup();
        for path in paths {
            let patch = by_new.get(path).copied();
            // The categories of these lines are unknown. The list of changed files names the file.
            if patch.is_some_and(|patch| patch.unread.is_some()) {
                continue;
            }
            let old_path = match patch {
                Some(patch) => patch.old_path.as_deref(),
                None => Some(path),
            };
            let new = new_files.get(path).map_or(&[][..], |file| &file.lines[..]);
            let old = old_path.and_then(|path| old_files.get(path)).map_or(&[][..], |file| &file.lines[..]);
            files.push(compared(path, new, old, patch.unwrap_or(&unchanged)));
        }
        for patch in patches.iter().filter(|patch| patch.new_path.is_none()) {
            let Some(old) = patch.old_path.as_deref().and_then(|path| old_files.get(path)) else { continue };
            let mut file = ComparedFile { path: old.best_path().to_owned(), ..ComparedFile::default() };
            for line in &old.lines {
                file.add(if line.hit_blocks > 0 { LineCategory::Dcb } else { LineCategory::Dub });
            }
            files.push(file);
        }
        let mut lines = BTreeMap::new();
        for (category, number) in files.iter().flat_map(|file| &file.lines) {
            *lines.entry(*category).or_default() += number;
        }
        files.retain(|file| {
            file.lines.keys().any(|category| !matches!(category, LineCategory::Cbc | LineCategory::Ubc))
        });
        files.sort_by(|a, b| b.lost.len().cmp(&a.lost.len()).then_with(|| a.path.cmp(&b.path)));
        Self { with, sides, coverage_before: before.coverage(), lines, files }
    }

    /// Returns the number of lines in a category.
    #[must_use]
    pub(crate) fn number(&self, category: LineCategory) -> u64 {
        self.lines.get(&category).copied().unwrap_or_default()
    }
}

impl ComparedFile {
    fn add(&mut self, category: LineCategory) {
        *self.lines.entry(category).or_default() += 1;
    }
}

fn compared(path: &str, new: &[LineReport], old: &[LineReport], changed: &FilePatch) -> ComparedFile {
    let mut file = ComparedFile { path: path.to_owned(), ..ComparedFile::default() };
    let are_alike =
        |(a, b): (&LineReport, &LineReport)| (a.line, a.hit_blocks > 0) == (b.line, b.hit_blocks > 0);
    if changed.hunks.is_empty() && new.len() == old.len() && new.iter().zip(old).all(are_alike) {
        let hit = new.iter().filter(|line| line.hit_blocks > 0).count() as u64;
        let numbers = [(LineCategory::Cbc, hit), (LineCategory::Ubc, new.len() as u64 - hit)];
        file.lines.extend(numbers.into_iter().filter(|(_, number)| *number > 0));
        return file;
    }
    let before: HashMap<u32, bool> = old.iter().map(|line| (line.line, line.hit_blocks > 0)).collect();
    let mut is_met: HashSet<u32> = HashSet::new();
    for line in new {
        let is_hit = line.hit_blocks > 0;
        let category = match changed.line_before(line.line) {
            None if is_hit => LineCategory::Gnc,
            None => LineCategory::Unc,
            Some(old_line) => {
                is_met.insert(old_line);
                match (before.get(&old_line), is_hit) {
                    (Some(true), true) => LineCategory::Cbc,
                    (Some(true), false) => LineCategory::Lbc,
                    (Some(false), true) => LineCategory::Gbc,
                    (Some(false), false) => LineCategory::Ubc,
                    (None, true) => LineCategory::Gic,
                    (None, false) => LineCategory::Uic,
                }
            }
        };
        if category == LineCategory::Lbc {
            file.lost.push(line.line);
        }
        if matches!(category, LineCategory::Lbc | LineCategory::Gbc | LineCategory::Gic | LineCategory::Uic) {
            file.turned.push((line.line, category));
        }
        file.add(category);
    }
    for line in old.iter().filter(|line| !is_met.contains(&line.line)) {
        file.add(match (changed.has_removed(line.line), line.hit_blocks > 0) {
            (true, true) => LineCategory::Dcb,
            (true, false) => LineCategory::Dub,
            (false, true) => LineCategory::Ecb,
            (false, false) => LineCategory::Eub,
        });
    }
    file
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::with_report;
    use super::*;
    use crate::code::patch::parse;

    fn lines(hits: &[(u32, u32)]) -> Vec<LineReport> {
        let report = |&(line, hit)| LineReport {
            line,
            blocks: 1,
            hit_blocks: hit,
            carried_blocks: 0,
            hits: hit.into(),
        };
        hits.iter().map(report).collect()
    }

    #[test]
    fn each_line_falls_into_its_category_wherever_it_moved() {
        // Line 2 is replaced by two lines and line 6 is deleted, so lines 3 to 5 move down by one and lines 7 to 9
        // stay.
        let patch = parse(b"--- a\n+++ b\n@@ -2 +2,2 @@\n-x\n+y\n+z\n@@ -6 +6,0 @@\n-w\n").unwrap().remove(0);
        let old = lines(&[(1, 1), (2, 1), (3, 1), (4, 0), (5, 0), (6, 0), (7, 1), (9, 0)]);
        let new = lines(&[(1, 1), (2, 0), (3, 1), (4, 0), (5, 1), (6, 0), (8, 1), (9, 0)]);
        let file = compared("f", &new, &old, &patch);
        let counted: Vec<(&str, u64)> =
            file.lines.iter().map(|(category, number)| (category.name(), *number)).collect();
        assert_eq!(
            counted,
            [
                ("LBC", 1), // 3, now 4
                ("UNC", 1), // now 2
                ("UBC", 2), // 5, now 6, and 9
                ("GBC", 1), // 4, now 5
                ("GIC", 1), // now 8
                ("GNC", 1), // now 3
                ("CBC", 1), // 1
                ("ECB", 1), // 7
                ("DUB", 1), // 6
                ("DCB", 1), // 2
            ]
        );
        assert_eq!(file.lost, [4]);
        assert_eq!(file.turned, [(4, LineCategory::Lbc), (5, LineCategory::Gbc), (8, LineCategory::Gic)]);
    }

    #[test]
    fn a_changed_file_that_is_built_no_longer_loses_its_lines() {
        let text = Some("package a\n\nfunc f() {\n\tg()\n\th()\n}\n");
        let before = "mode: count\nm/a.go:3.10,6.2 2 1\nm/kept.go:3.10,6.2 2 1\nm/tagged.go:3.10,6.2 2 0\n";
        let now = "mode: count\nm/kept.go:3.10,6.2 2 1\n";
        let patches = parse(
            b"--- a.go\n+++ a.go\n@@ -4 +4 @@\n-\tg()\n+\tz()\n--- tagged.go\n+++ tagged.go\n@@ -1 +0,0 @@\n-x\n",
        )
        .unwrap();
        let compared = with_report(before, &[text, text, text], |before| {
            with_report(now, &[text], |now| Comparison::new(Default::default(), &now, &before, &patches))
        });
        let counted: Vec<_> = compared.files.iter().map(|file| (&*file.path, file.lines.clone())).collect();
        assert_eq!(
            counted,
            [
                ("a.go", [(LineCategory::Ecb, 1), (LineCategory::Dcb, 1)].into()),
                ("tagged.go", [(LineCategory::Eub, 2)].into()),
            ]
        );
        assert_eq!(compared.number(LineCategory::Cbc), 2);
    }
}
