//! An lcov tracefile (`geninfo(1)`), which `genhtml`, editors and most coverage services read.
//!
//! It counts lines, so its percentages differ from those over statements.

use std::collections::HashMap;
use std::io::{self, Write};

use super::{FileReport, Report, text};
use crate::coverage::Coverage;
use crate::names::printable;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let test_name = test_name(report);
    let mut lines = Vec::new();
    for file in &report.files {
        writeln!(out, "TN:{test_name}")?;
        // A line end inside a name would begin another record.
        writeln!(out, "SF:{}", printable(file.best_path()))?;
        functions(file, out)?;
        // In one piece: a call for each number of a large service takes as long as finding them.
        lines.clear();
        let mut number = itoa::Buffer::new();
        for line in &file.lines {
            lines.extend_from_slice(b"DA:");
            lines.extend_from_slice(number.format(line.line).as_bytes());
            lines.push(b',');
            lines.extend_from_slice(number.format(line.hits).as_bytes());
            lines.push(b'\n');
        }
        out.write_all(&lines)?;
        let Coverage { covered, total } = file.line_coverage;
        writeln!(out, "LF:{total}\nLH:{covered}\nend_of_record")?;
    }
    Ok(())
}

/// Returns what the report is of, in the one field that readers let pass, as the one word that lcov takes
/// there. A comment would say it better, but not all readers know those.
fn test_name(report: &Report<'_>) -> String {
    let line = text::full_headline(report);
    let words = line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

fn functions(file: &FileReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    // One without statements can be neither hit nor missed, and readers would count it as missed.
    let functions = || file.functions.iter().filter(|function| function.coverage.total > 0);
    // lcov takes functions of one name for one, and a file may have `init` and `_` many times.
    let mut seen: HashMap<String, usize> = HashMap::new();
    let names: Vec<String> = functions()
        .map(|function| {
            let name = function.extent.qualified_name().into_owned();
            let times = seen.entry(name.clone()).or_default();
            *times += 1;
            if *times == 1 { name } else { format!("{name}#{times}") }
        })
        .collect();
    for (function, name) in functions().zip(&names) {
        writeln!(out, "FN:{},{name}", function.extent.start.0)?;
    }
    for (function, name) in functions().zip(&names) {
        writeln!(out, "FNDA:{},{name}", function.hits)?;
    }
    let hit = functions().filter(|function| function.hits > 0).count();
    writeln!(out, "FNF:{}\nFNH:{hit}", names.len())
}
