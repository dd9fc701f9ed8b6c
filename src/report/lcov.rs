//! An lcov tracefile (`geninfo(1)`), which `genhtml`, editors and most coverage services read.
//!
//! Percentages count lines, so they differ from those of statements.

use std::io::{self, Write};

use super::forms::{Form, FormNeed, Renderer};
use super::readers::{DistinctFunction, distinct, int_count};
use super::{FileReport, Report, text};
use crate::coverage::Coverage;
use crate::names::printable;

pub(super) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines],
    advice_on_missing_files: Some(
        "genhtml fails at files that the commit lacks; --exclude-without-source leaves them out",
    ),
    is_for_coverage_tools: true,
    ..Form::new("lcov", "Tracefile of lcov, which genhtml and editors read", Renderer::Report(write))
};

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let test_name = test_name(report);
    let mut lines = Vec::new();
    for file in &report.files {
        writeln!(out, "TN:{test_name}")?;
        // A line end inside a name would start another record.
        writeln!(out, "SF:{}", printable(file.best_path()))?;
        functions(file, out)?;
        // A file is written in one piece, because for a large service one call for each number takes as long as the
        // rest.
        lines.clear();
        let mut number = itoa::Buffer::new();
        for line in &file.lines {
            lines.extend_from_slice(b"DA:");
            lines.extend_from_slice(number.format(line.line).as_bytes());
            lines.push(b',');
            lines.extend_from_slice(number.format(int_count(line.hits)).as_bytes());
            lines.push(b'\n');
        }
        out.write_all(&lines)?;
        let Coverage { covered, total } = file.line_coverage;
        writeln!(out, "LF:{total}\nLH:{covered}\nend_of_record")?;
    }
    Ok(())
}

/// Returns the name of the service and row as the test name, which all readers accept. lcov allows only one word there.
/// Some readers do not accept comments.
fn test_name(report: &Report<'_>) -> String {
    let line = text::row_and_source_line(report);
    let words = line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

fn functions(file: &FileReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    // A function without statements can be neither hit nor missed, and readers would count it as missed.
    let functions = distinct(&file.functions).filter(|distinct| distinct.function.coverage.total > 0);
    let functions: Vec<DistinctFunction<'_>> = functions.collect();
    for DistinctFunction { function, name, suffix } in &functions {
        writeln!(out, "FN:{},{name}{suffix}", function.extent.start.0)?;
    }
    for DistinctFunction { function, name, suffix } in &functions {
        writeln!(out, "FNDA:{},{name}{suffix}", int_count(function.hits))?;
    }
    let hit = functions.iter().filter(|distinct| distinct.function.hits > 0).count();
    writeln!(out, "FNF:{}\nFNH:{hit}", functions.len())
}
