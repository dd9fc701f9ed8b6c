//! The text profile that `go tool covdata textfmt` makes of coverage data, byte for byte.
//!
//! Snapshots of one process are added here as Go adds them, and packages stand in another order than in what is stored
//! (see [`super::super::write()`]). So this is for comparison, and for output that nobody stores.

use std::collections::{BTreeMap, HashMap};

use super::super::Block;
use super::super::Mode;
use super::super::write::{push_number, push_tail};
use super::counters::CounterFile;
use super::error::DataError;
use super::meta::Meta;

/// Programs that count in different ways have no common text profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the first program counts in mode \"{first}\", another in mode \"{other}\"")]
pub struct ModeClash {
    /// The mode of the first program.
    pub first: Mode,
    /// The first other mode.
    pub other: Mode,
}

/// A program's blocks with the sum of its counter files, as Go's tool groups and adds them.
#[derive(Clone, Debug)]
pub struct MetaCounts<'a> {
    meta: &'a Meta,
    /// Sums in the order of the meta.
    counts: Vec<u32>,
    /// Counts of the file that is being added.
    file: Vec<u32>,
}

impl<'a> MetaCounts<'a> {
    /// Starts without counts.
    #[must_use]
    pub fn new(meta: &'a Meta) -> Self {
        Self { meta, counts: vec![0; meta.blocks().len()], file: Vec::new() }
    }

    /// Adds a counter file; nothing is added where it does not fit the meta.
    pub fn add(&mut self, file: &CounterFile<'_>) -> Result<(), DataError> {
        let mode = self.meta.mode();
        file.counts_into(self.meta.shape(), mode, &mut self.file)?;
        for (sum, &count) in self.counts.iter_mut().zip(&self.file) {
            *sum = combine(mode, *sum, count);
        }
        Ok(())
    }
}

/// Adds two counts as Go does.
fn combine(mode: Mode, one: u32, other: u32) -> u32 {
    match mode {
        Mode::Set => u32::from(one | other != 0),
        Mode::Count | Mode::Atomic => one.saturating_add(other),
    }
}

/// Writes the text profile of programs in the order of their meta files; nothing of none.
pub fn textfmt(programs: &[MetaCounts<'_>]) -> Result<Vec<u8>, ModeClash> {
    let Some(first) = programs.first().map(|program| program.meta.mode()) else { return Ok(Vec::new()) };
    if let Some(other) = programs.iter().map(|program| program.meta.mode()).find(|&mode| mode != first) {
        return Err(ModeClash { first, other });
    }
    let mut packages: BTreeMap<&str, Vec<(&MetaCounts<'_>, usize)>> = BTreeMap::new();
    for program in programs {
        for (index, package) in program.meta.packages().enumerate() {
            packages.entry(package.import_path).or_default().push((program, index));
        }
    }
    let mut text = format!("mode: {first}\n").into_bytes();
    let mut head = Vec::new();
    for parts in packages.values() {
        let (files, lines) = lines(first, parts);
        for file in lines.chunk_by(|a, b| a.file == b.file) {
            head.clear();
            head.extend_from_slice(files[file[0].file as usize].as_bytes());
            head.push(b':');
            for line in file {
                text.extend_from_slice(&head);
                push_tail(&mut text, &line.block());
                push_number(&mut text, line.count.into());
                text.push(b'\n');
            }
        }
    }
    Ok(text)
}

/// A line of the text, its fields in the order in which Go compares them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TextLine {
    /// Index among the files of the package, sorted.
    file: u32,
    /// Lines of start and end before their columns.
    lines: (u32, u32),
    columns: (u32, u32),
    statements: u32,
    /// Go leaves the order of functions with equal positions to chance; here it is that of the meta.
    function: u32,
    count: u32,
}

impl TextLine {
    fn block(&self) -> Block {
        let (start, end) = ((self.lines.0, self.columns.0), (self.lines.1, self.columns.1));
        Block { start, end, statements: self.statements }
    }

    /// Tells whether Go holds both to be one block.
    fn is_twin(&self, other: &Self) -> bool {
        Self { count: 0, ..*self } == Self { count: 0, ..*other }
    }
}

/// Returns the files of a package that is in several programs, sorted, and its lines.
fn lines<'a>(mode: Mode, parts: &[(&'a MetaCounts<'_>, usize)]) -> (Vec<&'a str>, Vec<TextLine>) {
    let functions = || {
        parts.iter().flat_map(|&(program, package)| {
            program
                .meta
                .shape()
                .functions(package)
                .map(move |index| (program, index, program.meta.function(index)))
        })
    };
    let mut files: Vec<&str> = functions().map(|(_, _, function)| function.file).collect();
    files.sort_unstable();
    files.dedup();
    let mut numbers = HashMap::new();
    let mut lines = Vec::new();
    for (program, index, function) in functions() {
        let file = as_u32(files.binary_search(&function.file).expect("a file of one of the functions"));
        let count = as_u32(numbers.len());
        let number = *numbers.entry((function.file, function.name, function.is_literal)).or_insert(count);
        let counts = &program.counts[program.meta.shape().blocks(index)];
        lines.extend(function.blocks.iter().zip(counts).map(|(block, &count)| TextLine {
            file,
            lines: (block.start.0, block.end.0),
            columns: (block.start.1, block.end.1),
            statements: block.statements,
            function: number,
            count,
        }));
    }
    lines.sort_unstable();
    lines.dedup_by(|line, kept| {
        let is_twin = line.is_twin(kept);
        if is_twin {
            kept.count = combine(mode, kept.count, line.count);
        }
        is_twin
    });
    (files, lines)
}

fn as_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a meta has fewer than 2^32 functions and files")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Limits;
    use crate::profile::gocover::fixtures::{ModelPackage, counter_bytes, meta_bytes};

    fn meta(mode: Mode, packages: &[ModelPackage]) -> Meta {
        Meta::from_bytes(&meta_bytes(mode, packages), Limits::default()).unwrap()
    }

    fn program<'a>(meta: &'a Meta, counts: &[Vec<u32>]) -> MetaCounts<'a> {
        let mut program = MetaCounts::new(meta);
        for counters in counts {
            let bytes = counter_bytes(&[(0, 0, counters.clone())], &[]);
            program.add(&CounterFile::from_bytes(&bytes).unwrap()).unwrap();
        }
        program
    }

    fn said(programs: &[MetaCounts<'_>]) -> String {
        String::from_utf8(textfmt(programs).unwrap()).unwrap()
    }

    fn package(import_path: &str, file: &str, places: &[[u32; 4]]) -> ModelPackage {
        let block = |&[a, b, c, d]: &[u32; 4]| Block { start: (a, b), end: (c, d), statements: 1 };
        let blocks = places.iter().map(block).collect();
        ModelPackage::new(import_path, [("F".to_owned(), file.to_owned(), blocks)])
    }

    #[test]
    fn packages_are_in_order_of_import_paths_and_blocks_in_that_of_lines_before_columns() {
        let packages = [
            package("x/calc-x", "x/calc-x/x.go", &[[1, 1, 2, 2]]),
            package("x/calc", "x/calc/c.go", &[[3, 1, 9, 9], [3, 5, 4, 4], [1, 9, 2, 1]]),
        ];
        assert_eq!(
            said(&[program(&meta(Mode::Count, &packages), &[vec![7]])]),
            "mode: count\n\
             x/calc/c.go:1.9,2.1 1 0\n\
             x/calc/c.go:3.5,4.4 1 0\n\
             x/calc/c.go:3.1,9.9 1 0\n\
             x/calc-x/x.go:1.1,2.2 1 7\n"
        );
    }

    #[test]
    fn files_and_programs_that_share_a_package_are_added_up_to_what_go_counts_to() {
        let package = [package("p", "p/a.go", &[[1, 1, 2, 2], [3, 1, 4, 2]])];
        let [one, other] = [Mode::Count, Mode::Count].map(|mode| meta(mode, &package));
        let most = u32::MAX;
        let programs = [program(&one, &[vec![1, most], vec![2, 1]]), program(&other, &[vec![4, 1]])];
        assert_eq!(said(&programs), "mode: count\np/a.go:1.1,2.2 1 7\np/a.go:3.1,4.2 1 4294967295\n");
        let set = meta(Mode::Set, &package);
        let programs = [program(&set, &[vec![1, 0]]), program(&set, &[vec![1, 0]])];
        assert_eq!(said(&programs), "mode: set\np/a.go:1.1,2.2 1 1\np/a.go:3.1,4.2 1 0\n");
    }

    #[test]
    fn programs_of_different_modes_have_no_text() {
        let package = [package("p", "p/a.go", &[[1, 1, 2, 2]])];
        let [count, set] = [Mode::Count, Mode::Set].map(|mode| meta(mode, &package));
        let clash = textfmt(&[MetaCounts::new(&count), MetaCounts::new(&set)]).unwrap_err();
        assert_eq!(clash.to_string(), "the first program counts in mode \"count\", another in mode \"set\"");
    }

    #[test]
    fn no_program_is_no_text() {
        assert_eq!(said(&[]), "");
        assert_eq!(said(&[MetaCounts::new(&meta(Mode::Atomic, &[]))]), "mode: atomic\n");
    }

    #[test]
    fn a_file_that_does_not_fit_adds_nothing() {
        let meta = meta(Mode::Count, &[package("p", "p/a.go", &[[1, 1, 2, 2]])]);
        let mut program = program(&meta, &[vec![3]]);
        let bytes = counter_bytes(&[(0, 0, vec![4]), (0, 1, vec![5])], &[]);
        assert!(program.add(&CounterFile::from_bytes(&bytes).unwrap()).is_err());
        assert_eq!(said(&[program]), "mode: count\np/a.go:1.1,2.2 1 3\n");
    }
}
