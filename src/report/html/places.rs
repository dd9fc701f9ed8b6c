//! The places of a page to look at, which are runs of lines: those that were missed, and those that lost coverage.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::code::blame::{Authorship, Blame};
use crate::names::printable;
use crate::report::FileReport;
use crate::report::text::range;
use crate::time::{day, iso};

/// Largest number of places in a list. The script has all of them.
const LISTED: usize = 500;
/// Number of characters of a place's first line in a list.
const EXCERPT: usize = 100;

/// Runs of lines to look at, by file.
pub(super) struct Places {
    pub(super) files: Vec<PlacesOfFile>,
    /// Number of all places.
    pub(super) number: u64,
    /// Number of places that are not listed.
    pub(super) more: u64,
    /// Index of the file, first and last line of each place.
    pub(super) walk: Vec<(usize, u32, u32)>,
}

pub(super) struct PlacesOfFile {
    pub(super) path: String,
    /// The number of its missed changed lines, and its earlier path.
    pub(super) note: String,
    pub(super) places: Vec<ReviewPlace>,
}

pub(super) struct ReviewPlace {
    pub(super) lines: String,
    pub(super) function: String,
    pub(super) code: String,
    /// Its authors, if they are named.
    pub(super) by: Option<PlaceAuthors>,
}

impl ReviewPlace {
    /// Tells whether its function or its authors are known.
    pub(super) fn has_facts(&self) -> bool {
        !self.function.is_empty() || self.by.is_some()
    }
}

/// The authors of a place.
pub(super) struct PlaceAuthors {
    /// Their indexes among all authors.
    pub(super) of: Vec<usize>,
    /// Their names, those of most lines first.
    pub(super) names: String,
    /// The last time at which one of them wrote such a line: in full, and its day.
    pub(super) at: Option<(String, String)>,
}

/// An author of missed changed lines.
pub(super) struct AuthorView {
    pub(super) name: String,
    pub(super) lines: u64,
}

impl Places {
    pub(super) fn from_lines<'f>(
        files: impl Iterator<Item = (usize, &'f FileReport<'f>, String, Vec<(u32, u32)>)>,
    ) -> Self {
        let mut places = Self { files: Vec::new(), number: 0, more: 0, walk: Vec::new() };
        for (at, file, note, lines) in files {
            let listed = &lines[..lines.len().min(LISTED.saturating_sub(places.walk.len()))];
            places.number += lines.len() as u64;
            places.more += (lines.len() - listed.len()) as u64;
            places.walk.extend(lines.iter().map(|(first, last)| (at, *first, *last)));
            if listed.is_empty() {
                continue;
            }
            let text: Vec<&[u8]> = file
                .text
                .as_deref()
                .map(|text| text.split(|byte| *byte == b'\n').collect())
                .unwrap_or_default();
            let listed = listed.iter().map(|&(first, last)| ReviewPlace {
                by: None,
                lines: range(first, last),
                function: function_at(file, first),
                code: (first as usize)
                    .checked_sub(1)
                    .and_then(|at| text.get(at))
                    .map(|line| excerpt(line))
                    .unwrap_or_default(),
            });
            let path = printable(file.best_path()).into_owned();
            places.files.push(PlacesOfFile { path, note, places: listed.collect() });
        }
        places
    }

    /// Gives each listed place its authors; `lines_of` returns the path of a file and its lines that count, ascending. Returns
    /// all authors, those of most lines first, and the indexes of the authors of each place of the walk.
    pub(super) fn name_authors<'f>(
        &mut self,
        blame: &Blame,
        lines_of: impl Fn(usize) -> (&'f str, &'f [u32]),
    ) -> (Vec<AuthorView>, Vec<Vec<usize>>) {
        let of_place = |&(at, first, last): &(usize, u32, u32)| {
            let (path, lines) = lines_of(at);
            let from = lines.partition_point(|line| *line < first);
            let to = lines.partition_point(|line| *line <= last);
            blame.authors_of(path, &lines[from..to])
        };
        let of_places: Vec<Vec<Authorship<'_>>> = self.walk.iter().map(of_place).collect();
        let mut lines: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for authorship in of_places.iter().flatten() {
            *lines.entry(authorship.author).or_default() += u64::from(authorship.lines);
        }
        let mut lines: Vec<(Option<&str>, u64)> = lines.into_iter().collect();
        // Lines of nobody stand last.
        lines.sort_by_key(|(author, lines)| (author.is_none(), Reverse(*lines)));
        let index: HashMap<_, usize> = lines.iter().zip(0..).map(|((author, _), at)| (*author, at)).collect();
        // The list has the first places of the walk.
        let listed = self.files.iter_mut().flat_map(|file| &mut file.places);
        for (place, authors) in listed.zip(&of_places) {
            let names: Vec<String> = authors.iter().map(|it| author_name(it.author)).collect();
            place.by = Some(PlaceAuthors {
                of: indexes(authors, &index),
                names: names.join(", "),
                at: authors.iter().filter_map(|it| it.at).max().map(|at| (iso(at), day(at))),
            });
        }
        let authors =
            lines.iter().map(|(author, lines)| AuthorView { name: author_name(*author), lines: *lines });
        (authors.collect(), of_places.iter().map(|authors| indexes(authors, &index)).collect())
    }
}

fn author_name(author: Option<&str>) -> String {
    author.map_or_else(|| "author unknown".to_owned(), |name| printable(name).into_owned())
}

fn indexes(authors: &[Authorship<'_>], index: &HashMap<Option<&str>, usize>) -> Vec<usize> {
    authors.iter().map(|it| index[&it.author]).collect()
}

fn function_at(file: &FileReport<'_>, line: u32) -> String {
    let around = |extent: &crate::code::gosrc::FuncExtent| (extent.start.0..=extent.end.0).contains(&line);
    let function = file.functions.iter().find(|function| around(&function.extent));
    function.map(|function| printable(&function.extent.qualified_name()).into_owned()).unwrap_or_default()
}

fn excerpt(line: &[u8]) -> String {
    let line = line.trim_ascii();
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * EXCERPT + 64)]);
    let mut text: String = text.chars().take(EXCERPT + 1).collect();
    if text.chars().count() > EXCERPT {
        text.pop();
        text.push('…');
    }
    printable(&text.replace('\t', " ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::blame::AuthoredLines;
    use crate::report::testing::{PROFILE, SOURCES, with_report};

    #[test]
    fn a_list_ends_and_the_walk_does_not() {
        let lines: Vec<(u32, u32)> = (0..300).map(|line| (2 * line + 1, 2 * line + 1)).collect();
        with_report(PROFILE, &SOURCES, |report| {
            let of = |at: usize| (at, &report.files[at], String::new(), lines.clone());
            let places = Places::from_lines([of(0), of(1), of(2)].into_iter());
            let listed: Vec<usize> = places.files.iter().map(|file| file.places.len()).collect();
            assert_eq!((listed, places.number, places.more), (vec![300, 200], 900, 400));
            assert_eq!(places.walk.len(), 900);
        });
    }

    #[test]
    fn places_name_their_authors_and_the_lines_of_each() {
        let wrote = |first, last, author: &str| AuthoredLines {
            first,
            last,
            author: author.to_owned(),
            at: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        };
        let lines = vec![wrote(1, 2, "Ann <b>"), wrote(3, 3, "Bob"), wrote(8, 9, "Bob")];
        with_report(PROFILE, &SOURCES, |report| {
            let of = |at: usize| (at, &report.files[at], String::new(), vec![(1, 4), (8, 9)]);
            let blame = Blame { files: HashMap::from([(report.files[0].best_path().to_owned(), lines)]) };
            let mut places = Places::from_lines([of(0), of(1)].into_iter());
            // Line 2 has no code, though its place spans it.
            let lines_of = |at: usize| (report.files[at].best_path(), &[1, 3, 4, 8, 9][..]);
            let (authors, by) = places.name_authors(&blame, lines_of);
            let authors: Vec<_> = authors.iter().map(|it| (&*it.name, it.lines)).collect();
            assert_eq!(authors, [("Bob", 3), ("Ann <b>", 1), ("author unknown", 6)]);
            assert_eq!(by, [vec![1, 0, 2], vec![0], vec![2], vec![2]]);
            let listed: Vec<_> = places.files.iter().flat_map(|file| &file.places).collect();
            let names = |at: usize| &*listed[at].by.as_ref().unwrap().names;
            assert_eq!(
                (names(0), names(1), names(2)),
                ("Ann <b>, Bob, author unknown", "Bob", "author unknown")
            );
        });
    }

    #[test]
    fn an_excerpt_is_short_and_can_be_seen() {
        assert_eq!(excerpt(b"\t\tx := \"\x1b\xff\"\t// y\r"), "x := \"\\u{1b}\u{fffd}\" // y");
        let long = excerpt("ü".repeat(300).as_bytes());
        assert_eq!((long.chars().count(), long.chars().last()), (EXCERPT + 1, Some('…')));
    }
}
