//! The changes since a base in the page: figures, lists and table cells as HTML, and lines as JSON for the script.

use std::collections::{BTreeMap, HashMap};
use std::io;

use serde::Serialize;

use super::places::{AuthorView, Places};
use super::{CoverageView, counted, grouped, json_in_markup, part_of};
use crate::code::patch::FilePatch;
use crate::coverage::{Coverage, Delta};
use crate::names::printable;
use crate::phrases::short_commit;
use crate::report::diff::{
    Base, ChangedFile, Changes, ComparedFile, Comparison, DiffReport, LeftOut, LineCategory,
};
use crate::report::{FileReport, LineState};

/// The changes in the page.
pub(super) struct PageChanges<'r> {
    diff: &'r DiffReport,
    pub(super) figure: CoverageView,
    /// Short form of the base: a short commit, or its name.
    pub(super) since: String,
    /// The base, and the reason for its choice.
    pub(super) base: String,
    /// Number of changed lines in counted files without code.
    pub(super) without_code: u64,
    pub(super) statements: Coverage,
    pub(super) missed: Places,
    /// The authors of missed changed lines, those of most lines first; empty if they are not named.
    pub(super) authors: Vec<AuthorView>,
    /// Changed files that are not counted.
    pub(super) left_out: &'r [LeftOut],
    pub(super) against: Option<ComparisonView>,
    cells: HashMap<&'r str, Cell>,
    /// Numbers of unchanged lines that lost and that gained coverage, by path.
    turned: HashMap<&'r str, (u64, u64)>,
    pub(super) json: String,
}

/// Comparison of each line with another state.
pub(super) struct ComparisonView {
    pub(super) with: String,
    /// Short names of this state and the other.
    pub(super) sides: [String; 2],
    /// Covered and all statements of the other state.
    pub(super) before: Coverage,
    /// The total without what is carried from other commits.
    pub(super) now: Coverage,
    /// The class and the words for the difference of the totals.
    pub(super) difference: (&'static str, String),
    /// Number of unchanged lines that were not executed and are now.
    pub(super) gained: String,
    /// Number of unchanged lines that were executed and are not now.
    pub(super) lost_lines: String,
    /// Name, number of lines and meaning of each category that has lines.
    pub(super) categories: Vec<(&'static str, u64, &'static str)>,
    pub(super) lost: Places,
}

/// Table cell of a changed file or package.
pub(super) enum Cell {
    /// Changed lines that were executed, and all that count.
    Lines(CoverageView),
    /// Reason why no line counts.
    NotCounted(String),
}

/// Lines of a file that changed or whose coverage differs from before, for the script.
#[derive(Default, Serialize)]
struct FileMarks {
    covered: u64,
    total: u64,
    /// The text changed, perhaps only in lines that do not count.
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// First and last line of each run of new or changed lines.
    added: Vec<(u32, u32)>,
    /// First line, last line and category of each run of unchanged lines whose coverage differs from before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    turned: Vec<(u32, u32, &'static str)>,
}

#[derive(Serialize)]
struct Document<'d> {
    /// The marks of each file, by its index among all files of the page.
    files: &'d BTreeMap<usize, FileMarks>,
    missed: &'d [(usize, u32, u32)],
    lost: &'d [(usize, u32, u32)],
    /// Indexes of the authors of each place in `missed`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<Vec<usize>>,
    /// Meaning of each category; `None` without a comparison.
    categories: Option<BTreeMap<&'static str, &'static str>>,
}

impl<'r> PageChanges<'r> {
    /// Collects the changes of these files, which are in the order of the page.
    pub(super) fn new(
        files: &[&'r FileReport<'r>],
        diff: &'r DiffReport,
        changes: &'r Changes,
    ) -> io::Result<Self> {
        let by_path: HashMap<&str, usize> =
            files.iter().enumerate().filter_map(|(at, file)| Some((file.path.as_deref()?, at))).collect();
        let patches: HashMap<&str, &FilePatch> =
            changes.patches.iter().filter_map(|patch| Some((patch.new_path.as_deref()?, patch))).collect();
        let (marks, cells) = marked(&by_path, &patches, diff);
        let missed = diff.files.iter().filter(|file| !file.missed.is_empty()).filter_map(|file| {
            let at = *by_path.get(&*file.path)?;
            Some((at, files[at], note(file), file.missed.clone()))
        });
        let mut missed = Places::from_lines(missed);
        let (authors, by) = match &diff.blame {
            Some(blame) => {
                let uncovered = uncovered_lines(diff, &by_path);
                missed.name_authors(blame, |at| (files[at].best_path(), &uncovered[&at]))
            }
            None => (Vec::new(), Vec::new()),
        };
        let against =
            diff.comparison.as_ref().map(|comparison| ComparisonView::new(comparison, files, &by_path));
        let document = Document {
            files: &marks,
            missed: &missed.walk,
            lost: against.as_ref().map_or(&[], |against| &against.lost.walk),
            by,
            categories: against.is_some().then(|| {
                LineCategory::ALL.iter().map(|category| (category.name(), category.meaning())).collect()
            }),
        };
        let came = |file: &ChangedFile| -> u64 {
            let added = patches.get(&*file.path).into_iter().flat_map(|patch| patch.added());
            added.map(|(first, end)| u64::from(end - first)).sum()
        };
        let (since, base) = base_in_words(&diff.base);
        Ok(Self {
            diff,
            figure: CoverageView(diff.coverage()),
            since,
            base,
            without_code: diff
                .files
                .iter()
                .map(|file| came(file).saturating_sub(file.coverage().total))
                .sum(),
            statements: diff.statements(),
            json: json_in_markup(&document)?,
            missed,
            authors,
            left_out: &diff.left_out,
            against,
            cells,
            turned: diff
                .comparison
                .iter()
                .flat_map(|comparison| &comparison.files)
                .map(turned_lines)
                .collect(),
        })
    }

    /// Returns the executed and all changed lines of a file.
    pub(super) fn lines_of(&self, file: &FileReport<'_>) -> Coverage {
        match self.cell(file) {
            Some(Cell::Lines(figure)) => figure.0,
            Some(Cell::NotCounted(_)) | None => Coverage::default(),
        }
    }

    /// Returns the hash of the base; `None` for changes that were read from a file.
    pub(super) fn base_commit(&self) -> Option<&'r str> {
        self.diff.base.commit.as_deref()
    }

    pub(super) fn partly(&self) -> u64 {
        let lines = self.diff.files.iter().flat_map(|file| &file.lines);
        lines.filter(|line| line.state() == LineState::Partly).count() as u64
    }

    pub(super) fn nothing_counted(&self) -> String {
        self.diff.nothing_counted()
    }

    /// Tells whether no file changed, as when two regions are compared at one commit.
    pub(super) fn is_empty(&self) -> bool {
        self.diff.files.is_empty() && self.left_out.is_empty()
    }

    /// Tells whether there is more to say than the comparison says.
    pub(super) fn has_own_section(&self) -> bool {
        !self.is_empty() || self.against.is_none()
    }

    /// Returns the number of places of lost coverage; 0 without a comparison.
    pub(super) fn lost_places(&self) -> u64 {
        self.against.as_ref().map_or(0, |against| against.lost.number)
    }

    pub(super) fn counted_files(&self) -> u64 {
        self.diff.files.len() as u64
    }

    pub(super) fn cell(&self, file: &FileReport<'_>) -> Option<&Cell> {
        self.cells.get(file.path.as_deref()?)
    }

    /// Returns the sum of the changed lines of some files; `None` if no line counts.
    pub(super) fn of_files(&self, files: &[&FileReport<'_>]) -> Option<Cell> {
        let sum: Coverage = files.iter().map(|file| self.lines_of(file)).sum();
        (sum.total > 0).then_some(Cell::Lines(CoverageView(sum)))
    }

    /// Returns the numbers of unchanged lines of a file that lost and that gained coverage.
    pub(super) fn turned_of(&self, file: &FileReport<'_>) -> (u64, u64) {
        file.path.as_deref().and_then(|path| self.turned.get(path)).copied().unwrap_or_default()
    }

    /// Returns the numbers of unchanged lines of some files that lost and that gained coverage.
    pub(super) fn turned(&self, files: &[&FileReport<'_>]) -> (u64, u64) {
        let lines = files.iter().map(|file| self.turned_of(file));
        lines
            .fold((0, 0), |(lost, gained), (more_lost, more_gained)| (lost + more_lost, gained + more_gained))
    }
}

/// Returns the changed lines of each file that were not executed, by its index.
fn uncovered_lines(diff: &DiffReport, by_path: &HashMap<&str, usize>) -> HashMap<usize, Vec<u32>> {
    let files = diff.files.iter().filter_map(|file| Some((*by_path.get(&*file.path)?, file)));
    let lines = |file: &ChangedFile| {
        let missed = file.lines.iter().filter(|line| line.state() == LineState::Missed);
        missed.map(|line| line.line).collect()
    };
    files.map(|(at, file)| (at, lines(file))).collect()
}

/// Returns the marks of the files of a page that changed, or that are covered differently than before, by the index
/// of each, and the table cells by path.
fn marked<'r>(
    by_path: &HashMap<&str, usize>,
    patches: &HashMap<&str, &FilePatch>,
    diff: &'r DiffReport,
) -> (BTreeMap<usize, FileMarks>, HashMap<&'r str, Cell>) {
    let mut marks: BTreeMap<usize, FileMarks> = BTreeMap::new();
    for (path, patch) in patches {
        let Some(&at) = by_path.get(path) else { continue };
        let added = patch.added().map(|(first, end)| (first, end - 1)).collect();
        marks.insert(at, FileMarks { added, changed: true, ..FileMarks::default() });
    }
    let mut cells = HashMap::new();
    for file in &diff.files {
        let Some(mark) = by_path.get(&*file.path).and_then(|at| marks.get_mut(at)) else { continue };
        Coverage { covered: mark.covered, total: mark.total } = file.coverage();
        cells.insert(&*file.path, Cell::Lines(CoverageView(file.coverage())));
    }
    for LeftOut { path, why } in &diff.left_out {
        let Some(mark) = by_path.get(&**path).and_then(|at| marks.get_mut(at)) else { continue };
        mark.why = Some(why.to_string());
        cells.insert(&**path, Cell::NotCounted(why.to_string()));
    }
    let compared = diff.comparison.iter().flat_map(|comparison| &comparison.files);
    for file in compared.filter(|file| !file.turned.is_empty()) {
        let Some(&at) = by_path.get(&*file.path) else { continue };
        marks.entry(at).or_default().turned = runs(&file.turned);
    }
    (marks, cells)
}

fn turned_lines(file: &ComparedFile) -> (&str, (u64, u64)) {
    let number = |category| file.lines.get(&category).copied().unwrap_or_default();
    (&*file.path, (number(LineCategory::Lbc), number(LineCategory::Gbc)))
}

/// Returns the base of changes in short, and with the reason why it was chosen.
fn base_in_words(base: &Base) -> (String, String) {
    let how = printable(&base.how);
    match &base.commit {
        Some(commit) => (short_commit(commit), format!("{}, {how}", short_commit(commit))),
        None => (how.to_string(), how.into_owned()),
    }
}

impl ComparisonView {
    fn new(comparison: &Comparison, files: &[&FileReport<'_>], by_path: &HashMap<&str, usize>) -> Self {
        let now: Coverage = files.iter().map(|file| file.own.unwrap_or(file.coverage)).sum();
        let categories = LineCategory::ALL
            .into_iter()
            .map(|category| (category.name(), comparison.number(category), category.meaning()));
        let lost = comparison.files.iter().filter(|file| !file.lost.is_empty()).filter_map(|file| {
            let at = *by_path.get(&*file.path)?;
            let lines = file.lost.chunk_by(|a, b| a + 1 == *b);
            let lines = lines.map(|run| (run[0], run[run.len() - 1])).collect();
            Some((at, files[at], format!("{} lost", counted(file.lost.len() as u64, "line")), lines))
        });
        Self {
            with: printable(&comparison.with).into_owned(),
            sides: comparison.sides.each_ref().map(|side| printable(side).into_owned()),
            now,
            before: comparison.coverage_before,
            difference: difference(now.since(comparison.coverage_before)),
            gained: grouped(comparison.number(LineCategory::Gbc)),
            lost_lines: counted(comparison.number(LineCategory::Lbc), "line"),
            categories: categories.filter(|(_, number, _)| *number > 0).collect(),
            lost: Places::from_lines(lost),
        }
    }
}

fn difference(delta: Delta) -> (&'static str, String) {
    match delta.to_string() {
        same if same == "=" => ("same", "no difference".to_owned()),
        points => (if points.starts_with('-') { "worse" } else { "better" }, format!("{points} points")),
    }
}

/// Returns the number of a file's missed changed lines in words, with its earlier path or that it is new.
fn note(file: &ChangedFile) -> String {
    let Coverage { covered, total } = file.coverage();
    let from = match (&file.old_path, file.is_new) {
        (Some(old), _) => format!(", was {}", printable(old)),
        (None, true) => ", new".to_owned(),
        (None, false) => String::new(),
    };
    format!("{} uncovered{from}", part_of(total - covered, total, "changed line"))
}

fn runs(lines: &[(u32, LineCategory)]) -> Vec<(u32, u32, &'static str)> {
    let runs = lines.chunk_by(|a, b| a.0 + 1 == b.0 && a.1 == b.1);
    runs.map(|run| (run[0].0, run[run.len() - 1].0, run[0].1.name())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::filter::Filter;
    use crate::report::TextLayout;
    use crate::report::testing::{self, DIFF, PROFILE, SOURCES, with_report};

    /// Applies a diff to the sample report, and calls a function with the changes and the page.
    fn with_changes<T>(profile: &str, diff: &str, then: impl FnOnce(&PageChanges<'_>, &str) -> T) -> T {
        let changes = testing::changes(diff);
        with_report(profile, &SOURCES, |report| {
            let diff = DiffReport::new(&report, &changes, &Filter::default());
            let page = testing::render("html", &report, Some((&diff, &changes)), TextLayout::default());
            let files: Vec<&FileReport<'_>> = report.files.iter().collect();
            then(&PageChanges::new(&files, &diff, &changes).unwrap(), &page)
        })
    }

    #[test]
    fn a_changed_line_is_marked_counted_and_listed() {
        with_changes(PROFILE, DIFF, |changes, page| {
            let found: Value = serde_json::from_str(&changes.json).unwrap();
            let wanted = json!({
                "files": {
                    "0": {"covered": 0, "total": 0, "changed": true, "why": "no code changed", "added": [[2, 2]]},
                    "2": {"covered": 1, "total": 2, "changed": true, "added": [[1, 1], [5, 5], [10, 10]]},
                },
                "missed": [[2, 5, 5]],
                "lost": [],
                "categories": null,
            });
            assert_eq!(found, wanted);
            assert_eq!((changes.figure.0, changes.without_code), (Coverage { covered: 1, total: 2 }, 1));
            assert_eq!((&*changes.since, &*changes.base), ("0123456789", "0123456789, which is <main>"));
            let [file] = &changes.missed.files[..] else { panic!("one file") };
            let [place] = &file.places[..] else { panic!("one place") };
            assert_eq!((&*file.path, &*file.note), ("app/main.go", "1 of 2 changed lines uncovered"));
            assert_eq!([&place.lines, &place.code, &place.function], ["5", "panic(1)", "main"]);
            assert!(
                page.contains("<dd title=\"0123456789abcdef\"><bdi>0123456789, which is &#60;main&#62;"),
                "{page}"
            );
            assert!(page.contains("<td class=\"changed\"><span>1 of 2</span>"), "{page}");
            assert!(page.contains("<span class=\"why\">no code changed</span>"), "{page}");
        });
    }

    #[test]
    fn where_no_code_changed_there_is_no_percentage() {
        let (_, of_api) = DIFF.split_once("--- api").unwrap();
        with_changes(PROFILE, &format!("--- api{of_api}"), |changes, page| {
            assert_eq!((changes.figure.0.total, changes.missed.number), (0, 0));
            assert!(page.contains("no line that counts changed since <bdi>0123456789</bdi>"), "{page}");
            assert!(!page.contains("id=\"first-missed\""), "{page}");
        });
    }
}
