//! The functions of all files: their number in the summary, and a compressed list for the script.
//!
//! The list has a table with the number of functions of each file, then a table of all functions, then their names. The
//! streams of files have the functions, too, but unpacking all source for a list of names would take seconds.
//! `script/catalog.js` reads the list.

use super::packs::{packed, table};
use crate::coverage::Coverage;
use crate::report::{FileReport, FunctionReport};

/// The functions of a page.
pub(super) struct Catalog {
    /// Number of functions with statements.
    pub(super) number: u64,
    /// Number of functions with statements that were entered.
    pub(super) entered: u64,
    /// The list as characters.
    pub(super) packed: String,
}

impl Catalog {
    /// Lists the functions of files, which are in the order of the page; `None` if no source was read.
    pub(super) fn new(files: &[&FileReport<'_>]) -> Option<Self> {
        let functions = || files.iter().flat_map(|file| &file.functions);
        let counted = || functions().filter(|function| function.coverage.total > 0);
        let number = counted().count() as u64;
        if number == 0 {
            return None;
        }
        let (mut bytes, mut cells) = (Vec::new(), Vec::new());
        table(&mut bytes, files.iter().map(|file| [file.functions.len() as u64]), &mut cells);
        let rows = files.iter().flat_map(|file| {
            let mut line = 0;
            file.functions.iter().map(move |function| {
                let (extent, coverage) = (&function.extent, function.coverage);
                // `//line` comments can put a function before the one above it.
                let lines = extent.start.0.wrapping_sub(line);
                let lengths = [extent.receiver.len() as u64, extent.name.len() as u64];
                line = extent.start.0;
                let Coverage { covered, total } = coverage;
                [lengths[0], lengths[1], lines.into(), covered, total, function.own_hits()]
            })
        });
        table(&mut bytes, rows, &mut cells);
        for function in functions() {
            bytes.extend_from_slice(function.extent.receiver.as_bytes());
            bytes.extend_from_slice(function.extent.name.as_bytes());
        }
        // Each choice of runs has a column behind the names.
        let choices =
            files.first().and_then(|file| file.labels.as_ref()).map_or(0, |labels| labels.covered.len());
        for choice in 0..choices {
            let shares = files.iter().filter_map(|file| file.labels.as_ref());
            let functions = shares.flat_map(|labels| &labels.functions[choice]);
            table(&mut bytes, functions.map(|covered| [*covered]), &mut cells);
        }
        // Of a function that began before its counters, only later blocks have counts.
        let is_entered = |function: &&FunctionReport| function.hits > 0 || function.coverage.covered > 0;
        let entered = counted().filter(is_entered).count() as u64;
        Some(Self { number, entered, packed: packed(&bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{PROFILE, SOURCES, with_report};
    use super::*;

    #[test]
    fn functions_with_statements_are_counted_and_all_are_listed() {
        // Nothing entered `x`.
        with_report(&PROFILE.replace("5.2 4 1", "5.2 4 0"), &SOURCES, |report| {
            let files: Vec<&FileReport<'_>> = report.files.iter().collect();
            let catalog = Catalog::new(&files).unwrap();
            assert_eq!((catalog.number, catalog.entered), (3, 2));
            assert!(!catalog.packed.contains('<'));
        });
        with_report(PROFILE, &[None; 3], |report| {
            assert!(Catalog::new(&report.files.iter().collect::<Vec<_>>()).is_none());
        });
    }
}
