//! A self-contained page for browsers. The totals and the table of files are plain HTML. The source with its counts is
//! compressed, and the page's script unpacks it when a file is opened.
//!
//! The page loads nothing, and its policy forbids loading: only the script whose hash the policy names may run. Markup
//! and all English sentences, including those of the script, are in `page.html`. askama fills it in and escapes every
//! value that is not marked as safe.

mod apps;
mod carried;
mod catalog;
mod changes;
mod facts;
mod host;
mod labels;
mod map;
mod marked;
mod owners;
mod packs;
mod places;
pub(super) mod script;
mod tree;
mod trend;
mod unused;

pub(crate) use facts::PullFacts;
pub(crate) use packs::Packer;
pub(super) use packs::{FileFigures, PackSlot};

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

use super::forms::{Form, FormNeed, Renderer};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::diff::{Changes, DiffReport};
use super::head::{ONLY_CHANGED, ReportHead};
use super::{FileReport, NoSource, Report};
use crate::coverage::Coverage;
use crate::names::printable;
use crate::together::MOST_RUNS;

use apps::AppsTable;
use carried::{PageCarried, own_shares};
use catalog::Catalog;
use changes::{Cell, PageChanges};
use facts::Facts;
use host::PageLinks;
use labels::PageLabels;
use map::FileMap;
use marked::PageMarks;
use owners::OwnersTable;
use tree::{Folder, Tree};
use trend::TrendChart;
use unused::UnusedTable;

pub(in crate::report) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines, FormNeed::PackedText, FormNeed::KnownChanges],
    size_hint,
    stored_suffix: Some("_report.html"),
    is_for_browsers: true,
    ..Form::new(
        "html",
        "One self-contained page: files, functions, the source with its coverage, and the changed lines",
        Renderer::Page(write),
    )
};

/// Style and script must be in the page unchanged, because its policy has their hashes.
const STYLE: &str = concat!(
    include_str!("base.css"),
    include_str!("overview.css"),
    include_str!("style.css"),
    include_str!("apps.css"),
    include_str!("changes.css"),
    include_str!("carried.css"),
    include_str!("marked.css"),
    include_str!("labels.css"),
    include_str!("finder.css"),
    include_str!("unused.css"),
    include_str!("../treemap/treemap.css")
);
static SCRIPT: LazyLock<String> =
    LazyLock::new(|| script::without_comments(&[script::SHARED, script::OF_REPORT]));
/// The templates of the page: the page itself, and those that it includes.
const MARKUP: [&str; 8] = [
    include_str!("page.html"),
    include_str!("apps.html"),
    include_str!("changes.html"),
    include_str!("owners.html"),
    include_str!("parts.html"),
    include_str!("places.html"),
    include_str!("unused.html"),
    include_str!("../treemap/treemap.html"),
];

pub(super) fn write(
    report: &Report<'_>,
    diffed: Option<(&DiffReport, &Changes)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let head = &report.head;
    let tree = Tree::new(report);
    let files = &tree.files;
    let (index, packs) = index(&tree.folders);
    let changes = diffed.map(|(diff, changes)| PageChanges::new(files, diff, changes)).transpose()?;
    let catalog = Catalog::new(files);
    let missing: Vec<&FileReport<'_>> =
        files.iter().copied().filter(|file| file.no_source.is_some()).collect();
    let commit = Some(head.best_commit()).filter(|commit| !commit.is_empty());
    let links = head.links.as_ref().zip(commit);
    let links = links.map(|(links, commit)| PageLinks::new(links, commit, files)).transpose()?;
    let owners =
        report.owners.as_ref().map(|owners| OwnersTable::new(owners, files, changes.as_ref())).transpose()?;
    let is_whole = head.filters.is_empty();
    let filters = head.filters.join(", ");
    let page = ReportPage {
        style: STYLE,
        script: &SCRIPT,
        style_hash: hash(STYLE),
        script_hash: hash(&SCRIPT),
        icon: icon(report.coverage()),
        service: &printable(&head.service),
        above: head.above.as_deref(),
        app: printable(&head.app).into_owned(),
        version: env!("CARGO_PKG_VERSION"),
        total: CoverageView(report.coverage()),
        statements_of: statements_of(head),
        change: facts::change(report),
        labels: PageLabels::new(head, files)?,
        chart: (is_whole && head.together.is_none())
            .then(|| TrendChart::from_trend(&head.trend, head.confirmed_at))
            .flatten(),
        facts: Facts::new(head),
        filters: &printable(&filters),
        missing_statements: missing.iter().map(|file| file.coverage.total).sum(),
        // A report without any source has one sentence about it, not one for each file.
        was_read: missing.iter().any(|file| file.no_source != Some(NoSource::NotRead)),
        missing: missing.into_iter().map(FileRow::new).collect(),
        file_count: files.len(),
        map: FileMap::new(&tree),
        tree: &tree,
        catalog: catalog.as_ref(),
        index: json_in_markup(&index)?,
        packs,
        changes: changes.as_ref(),
        apps: AppsTable::new(report),
        carried: PageCarried::new(head, files)?,
        marked: PageMarks::new(report, files)?,
        owners,
        unused: UnusedTable::new(report, files)?,
        links: links.as_ref(),
    };
    page.write_into(out)?;
    out.write_all(b"\n")
}

pub(super) fn size_hint(report: &Report<'_>) -> usize {
    // Approximate size of the row and the index entry of a file.
    const FILE_BYTES: usize = 256;
    // Approximate size of an area of the map with its label.
    const AREA_BYTES: usize = 192;
    let slots = report.files.iter().filter_map(|file| file.pack_slot.as_ref());
    let first = slots.filter(|slot| slot.index == 0);
    let packs: usize = first.map(|slot| slot.pack.packed().len()).sum();
    let areas = report.files.len().min(map::MOST_AREAS);
    packs + FILE_BYTES * report.files.len() + AREA_BYTES * areas + STYLE.len() + SCRIPT.len()
}

#[derive(Template)]
#[template(path = "page.html")]
struct ReportPage<'p> {
    style: &'static str,
    script: &'static str,
    style_hash: String,
    script_hash: String,
    /// Address of the icon, which contains it.
    icon: String,
    service: &'p str,
    above: Option<&'p str>,
    app: String,
    version: &'static str,
    total: CoverageView,
    /// Heading of the total beside that of changed lines.
    statements_of: &'static str,
    change: Option<String>,
    /// The runs that count together; `None` if the service counts alone.
    labels: Option<PageLabels>,
    chart: Option<TrendChart>,
    facts: Facts,
    filters: &'p str,
    missing: Vec<FileRow<'p>>,
    missing_statements: u64,
    was_read: bool,
    file_count: usize,
    /// The treemap; `None` without statements.
    map: Option<FileMap>,
    tree: &'p Tree<'p>,
    /// The functions; `None` without source.
    catalog: Option<&'p Catalog>,
    index: String,
    packs: Vec<Arc<str>>,
    changes: Option<&'p PageChanges<'p>>,
    apps: Option<AppsTable<'p>>,
    /// What is carried from other commits; `None` if nothing of the kind is shown.
    carried: Option<PageCarried>,
    /// Marks in the source; `None` if they mean nothing.
    marked: Option<PageMarks>,
    owners: Option<OwnersTable>,
    /// The functions that nobody executed for some time, if the report is about them.
    unused: Option<UnusedTable>,
    links: Option<&'p PageLinks<'p>>,
}

impl ReportPage<'_> {
    /// Returns the address of the commit at the host, if that is known.
    fn commit_address(&self) -> Option<&str> {
        self.links?.commit.as_deref()
    }

    /// Returns the change since the row before; `None` beside a comparison, whose difference is told already.
    fn told_change(&self) -> Option<&str> {
        let is_compared = self.changes.is_some_and(|changes| changes.against.is_some());
        self.change.as_deref().filter(|_| !is_compared)
    }

    /// Tells whether the page has the source of a file.
    fn has_source(&self) -> bool {
        self.missing.len() < self.file_count
    }

    /// Tells whether a file changed. In a comparison of one commit none did.
    fn has_changed_files(&self) -> bool {
        self.changes.is_some_and(|changes| !changes.is_empty())
    }

    /// Returns the filters that the page has besides the one by name, in words that follow it.
    fn other_filters(&self) -> &'static str {
        let has_authors = self.changes.is_some_and(|changes| !changes.authors.is_empty());
        match (self.owners.is_some(), has_authors) {
            (true, true) => ", owner or author",
            (true, false) => " or owner",
            (false, true) => " or author",
            (false, false) => "",
        }
    }

    /// Returns the address of the base of the changes at the host, if both are known.
    fn base_address(&self) -> Option<String> {
        self.links?.of(self.changes?.base_commit()?)
    }
}

/// A coverage with its representations in the page: bar, colour classes, uncovered statements.
struct CoverageView(Coverage);

impl CoverageView {
    fn uncovered(&self) -> u64 {
        self.0.total - self.0.covered
    }

    /// Returns the length of its bar, of 100 units.
    fn bar(&self) -> String {
        format!("{:.1}", self.0.percent())
    }

    /// Returns the classes of the tens and units of its percentage, by which the style draws the bar of a row.
    fn shares(&self) -> String {
        classes_of(self.0, ["t", "u"])
    }

    fn grade(&self) -> &'static str {
        if self.0.total == 0 { "none" } else { grade(self.0.percent()) }
    }
}

/// Returns the classes of the tens and units of a percentage; empty without statements. The page's policy allows no style
/// in the markup.
fn classes_of(Coverage { covered, total }: Coverage, [tens, units]: [&str; 2]) -> String {
    match total {
        0 => String::new(),
        total => {
            let percent = 100 * u128::from(covered) / u128::from(total);
            format!("{tens}{} {units}{}", percent / 10, percent % 10)
        }
    }
}

/// Returns an icon in the colour of a coverage as an address of the kind `data:`. It is a ring of which the covered
/// share is filled. The browser draws it outside of the page, so it knows none of the style's colours.
pub(super) fn icon(coverage: Coverage) -> String {
    let view = CoverageView(coverage);
    let color = match view.grade() {
        "high" => "2e7d46",
        "fair" => "c08a00",
        "low" => "bb3a2a",
        _ => "75808d",
    };
    // The circumference of the ring is 100, so that its dash is a percentage.
    let ring = "fill='none' stroke-width='8' cx='20' cy='20' r='15.915'";
    format!(
        "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 40'>\
         <circle {ring} stroke='%23{color}' stroke-opacity='.3'/>\
         <circle {ring} stroke='%23{color}' stroke-dasharray='{} 100' transform='rotate(-90 20 20)'/></svg>",
        view.bar()
    )
    .replace('<', "%3C")
    .replace('>', "%3E")
}

/// Returns the heading of the total of the files that filters left.
fn statements_of(head: &ReportHead) -> &'static str {
    match &head.filters[..] {
        _ if head.since.is_some() => "Statements executed in between",
        [] => "All statements",
        [_] if head.ignores_marked => "Statements but ignored ones",
        [filter] if filter == ONLY_CHANGED => "Statements of changed files",
        _ => "Statements of these files",
    }
}

/// Returns the colour class of a percentage.
pub(super) fn grade(percent: f64) -> &'static str {
    match percent {
        percent if percent >= 80.0 => "high",
        percent if percent >= 60.0 => "fair",
        _ => "low",
    }
}

/// Returns a digest that changes when the page of the same data changes its look or behaviour.
pub(super) fn version() -> String {
    let parts = [env!("CARGO_PKG_VERSION"), STYLE, &SCRIPT].into_iter().chain(MARKUP);
    let digest = parts.fold(Sha256::new(), Digest::chain_update);
    STANDARD.encode(&digest.finalize()[..12])
}

struct FileRow<'r> {
    file: &'r FileReport<'r>,
    figure: CoverageView,
    /// Coverage at this commit alone; `None` unless what is carried is shown.
    own: Option<Coverage>,
}

impl<'r> FileRow<'r> {
    fn new(file: &'r FileReport<'r>) -> Self {
        Self { file, figure: CoverageView(file.coverage), own: file.own }
    }

    fn base_name(&self) -> String {
        printable(self.file.base_name()).into_owned()
    }

    /// Returns the classes of its percentage at this commit alone.
    fn own_shares(&self) -> String {
        own_shares(self.own)
    }

    fn name(&self) -> String {
        printable(self.file.name).into_owned()
    }

    fn why(&self) -> String {
        self.file.no_source.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

/// The index for the script: depth and path of each folder, and its files, in the order of the table's rows.
///
/// The entry of a file has its name in the folder, covered statements, all statements, number of its stream, number in
/// the stream, and the reason for missing source.
type FileIndex<'r> = Vec<(usize, &'r str, Vec<IndexedFile<'r>>)>;
type IndexedFile<'r> = (&'r str, u64, u64, usize, usize, Option<String>);

/// Returns the index, and the streams in the order of their numbers.
fn index<'r>(folders: &'r [Folder<'r>]) -> (FileIndex<'r>, Vec<Arc<str>>) {
    let mut numbers = HashMap::new();
    let mut packs = Vec::new();
    let mut indexed = |&FileRow { file, .. }: &FileRow<'r>| {
        let slot = file.pack_slot.as_ref().expect("a report that is written as a page was packed for it");
        let pack = *numbers.entry(Arc::as_ptr(&slot.pack)).or_insert_with(|| {
            packs.push(slot.pack.packed());
            packs.len() - 1
        });
        let name = file.name.strip_prefix(file.package()).and_then(|name| name.strip_prefix('/'));
        let name = name.filter(|_| !file.package().is_empty()).unwrap_or(file.name);
        let why = file.no_source.as_ref().map(ToString::to_string);
        (name, file.coverage.covered, file.coverage.total, pack, slot.index, why)
    };
    let index = folders
        .iter()
        .map(|folder| (folder.depth, &*folder.path, folder.files.iter().map(&mut indexed).collect()));
    (index.collect(), packs)
}

/// Returns a value as JSON without characters that an HTML parser takes for markup.
pub(super) fn json_in_markup(value: &impl Serialize) -> io::Result<String> {
    // In JSON `<` occurs only in strings, where the escape means the same.
    Ok(serde_json::to_string(value)?.replace('<', "\\u003c"))
}

/// Returns the hash of a script or style in the form that a policy needs.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// Returns a number with thousands separators: `1,234,567`.
pub(super) fn grouped(number: impl std::borrow::Borrow<u64>) -> String {
    let digits = number.borrow().to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a number with thousands separators; nothing for 0.
fn grouped_if_any(number: impl std::borrow::Borrow<u64>) -> String {
    if *number.borrow() == 0 { String::new() } else { grouped(number) }
}

/// Returns the noun for a number of things: `line` of 1, otherwise `lines`.
fn noun(number: impl std::borrow::Borrow<u64>, thing: &str) -> String {
    format!("{thing}{}", if *number.borrow() == 1 { "" } else { "s" })
}

/// Returns a number of things in words: `1 line`, `2,000 lines`.
fn counted(number: impl std::borrow::Borrow<u64>, thing: &str) -> String {
    let number = number.borrow();
    format!("{} {}", grouped(number), noun(number, thing))
}

/// Returns a part of a number of things in words: `1 of 2,000 lines`, `0 of 1 line`.
pub(super) fn part_of(
    part: impl std::borrow::Borrow<u64>,
    all: impl std::borrow::Borrow<u64>,
    thing: &str,
) -> String {
    format!("{} of {}", grouped(part), counted(all, thing))
}

/// Returns a text as a part of an address. Slashes stay.
pub(in crate::report) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::{HOSTILE, PROFILE, SOURCES, render, with_report, written};
    use super::super::{TextLayout, TrendPoint};
    use super::*;

    /// Returns the text between the first `from` and the `to` after it.
    fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
        let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
        rest.split_once(to).unwrap_or_else(|| panic!("no {to}")).0
    }

    #[test]
    fn each_template_of_the_page_is_part_of_its_version() {
        let included: BTreeSet<&str> = MARKUP
            .iter()
            .flat_map(|markup| markup.split("{% include \"").skip(1))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(included.len(), MARKUP.len() - 1, "{included:?}");
    }

    #[test]
    fn the_policy_allows_nothing_but_the_style_and_the_script_of_the_page() {
        let page = written("html", PROFILE, &SOURCES);
        let (style, script) =
            (between(&page, "<style>", "</style>"), between(&page, "<script>", "</script>"));
        assert_eq!(
            between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\""),
            format!(
                "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
                hash(script),
                hash(style)
            )
        );
        // The hash comes from: printf '' | openssl dgst -sha256 -binary | base64
        assert_eq!(hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        // An HTML parser changes these characters, so that the hash would no longer match.
        assert!(![style, script].iter().any(|text| text.contains(['\r', '\0'])));
        assert_eq!((style, script), (STYLE, &**SCRIPT));
    }

    #[test]
    fn an_icon_has_the_colour_of_the_grade() {
        let page = written("html", PROFILE, &SOURCES);
        let icon = between(&page, "<link rel=\"icon\" href=\"", "\"");
        assert!(icon.starts_with("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' "), "{icon}");
        assert!(icon.contains("stroke='%23c08a00' stroke-dasharray='66.7 100'"), "{icon}");
        assert!(!icon.contains(['<', '>', '"']), "{icon}");
    }

    #[test]
    fn the_page_asks_nobody_for_anything() {
        let page = written("html", PROFILE, &SOURCES);
        for of_others in ["http:", "https:", "src=", "<link", "@import", "url(", " style=", " onclick"] {
            let own = if of_others == "url(" { STYLE } else { &page };
            let own = own
                .replace("http://www.w3.org/2000/svg", "")
                .replace("<link rel=\"icon\" href=\"data:image", "");
            assert!(!own.contains(of_others), "{of_others}");
        }
    }

    #[test]
    fn totals_and_files_stand_there_without_the_script() {
        let page = written("html", PROFILE, &SOURCES);
        let plain = page.replace(&**SCRIPT, "").replace(STYLE, "");
        let table = between(&plain, "<table", "</table>");
        let rows: Vec<String> = table
            .split("<tr")
            .skip(2)
            .map(|row| {
                let texts =
                    row.split('<').filter_map(|part| part.split_once('>').map(|(_, text)| text.trim()));
                texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
            })
            .collect();
        let wanted = [
            "m 66.7% 6 3 9",
            "api 100.0% 4 0 4",
            "x.go 100.0% 4 0 4",
            "app 40.0% 2 3 5",
            "made.go 0.0% 0 2 2",
            "main.go 66.7% 2 1 3",
        ];
        assert_eq!(rows, wanted);
        let bars: Vec<&str> =
            table.split("<td class=\"").skip(1).map(|cell| cell.split('"').next().unwrap()).collect();
        assert_eq!(bars, ["t6 u6", "t10 u0", "t10 u0", "t4 u0", "t0 u0", "t6 u6"]);
    }

    #[test]
    fn names_from_outside_are_text() {
        let profile = format!("mode: set\n{}:1.1,2.2 1 0\n", HOSTILE.replace('\n', "\u{b}"));
        let page = written("html", &profile, &[None]);
        let plain = page.replace(&**SCRIPT, "").replace(STYLE, "");
        assert!(!plain.contains("<c>") && !plain.contains('\u{1b}'), "{plain}");
        assert!(plain.contains("b&#60;c&#62;&#38;&#39;d|`e`,=cmd\\u{1b}[31m"), "{plain}");
        assert_eq!(json_in_markup(&"</script><!--").unwrap(), "\"\\u003c/script>\\u003c!--\"");
    }

    #[test]
    fn numbers_stand_in_groups_of_three() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn what_was_not_looked_at_has_no_trend() {
        with_report(PROFILE, &SOURCES, |mut report| {
            report.head.trend =
                [10.0, 20.0].map(|percent| TrendPoint::new(report.head.stored_at, "c", percent)).into();
            let written =
                |report: &Report<'_>| render("html", report, None, TextLayout::default()).replace(STYLE, "");
            assert!(written(&report).contains("class=\"trend\""));
            report.head.filters = vec!["--include m/app".to_owned()];
            assert!(
                !written(&report).contains("class=\"trend\""),
                "a part cannot be compared with the whole"
            );
        });
    }
}
