//! The table of `go tool cover -func`, byte for byte.

use std::io::{self, Write};

use super::Report;
use super::forms::{Form, FormNeed, Renderer};
use crate::coverage::Coverage;
use crate::names::printable;

pub(super) const FORM: Form = Form {
    needs: &[FormNeed::Functions, FormNeed::Source],
    stored_suffix: Some("_report.txt"),
    has_heading: false,
    ..Form::new("func", "Byte for byte the table of `go tool cover -func`", Renderer::Report(write))
};

/// Go's text/tabwriter starts its columns at multiples of this width.
const TAB: usize = 8;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut widths = (width("total:"), width("(statements)"));
    // The name of a file is measured once, not for each of its functions.
    for file in &report.files {
        let name = width(&printable(file.name));
        for function in &file.functions {
            let place = name + 2 + digits(function.extent.start.0);
            widths = (widths.0.max(place), widths.1.max(width(&function.extent.name)));
        }
    }
    // A column is at least one wider than its longest cell, up to the next multiple.
    let columns = ((widths.0 / TAB + 1) * TAB, (widths.1 / TAB + 1) * TAB);
    let mut total = Coverage::default();
    let mut place = String::new();
    for file in &report.files {
        let name = printable(file.name);
        let mut line = itoa::Buffer::new();
        for function in &file.functions {
            place.clear();
            for part in [&*name, ":", line.format(function.extent.start.0), ":"] {
                place.push_str(part);
            }
            // The table is Go's, which knows no marks.
            let coverage = function.coverage + function.ignored;
            row(out, columns, &place, &function.extent.name, coverage)?;
            total += coverage;
        }
    }
    row(out, columns, "total:", "(statements)", total)
}

fn row(
    out: &mut dyn Write,
    columns: (usize, usize),
    place: &str,
    name: &str,
    coverage: Coverage,
) -> io::Result<()> {
    const TABS: &str = "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t";
    for (cell, column) in [(place, columns.0), (name, columns.1)] {
        out.write_all(cell.as_bytes())?;
        let mut tabs = (column - width(cell)).div_ceil(TAB);
        while tabs > 0 {
            let some = tabs.min(TABS.len());
            out.write_all(&TABS.as_bytes()[..some])?;
            tabs -= some;
        }
    }
    // Most functions are covered fully or not at all, and the digits of a fraction are slow to compute.
    match (coverage.covered, coverage.total) {
        (0, _) => out.write_all(b"0.0%\n"),
        (covered, total) if covered == total => out.write_all(b"100.0%\n"),
        // Go's tool rounds to 100.0 and 0.0, too.
        _ => writeln!(out, "{:.1}%", coverage.percent()),
    }
}

fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

fn digits(number: u32) -> usize {
    1 + number.checked_ilog10().unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::super::testing::{with_report, written};
    use super::*;

    fn func(profile: &str, sources: &[Option<&str>]) -> String {
        written("func", profile, sources)
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell_in_characters() {
        let source = "package p\nfunc größer() {}\nfunc 日本語日本語日() {}\n";
        assert_eq!(
            func("mode: set\nexample.com/p.go:2.15,2.16 0 0\n", &[Some(source)]),
            "example.com/p.go:2:\tgrößer\t\t0.0%\nexample.com/p.go:3:\t日本語日本語日\t\t0.0%\ntotal:\t\t\t(statements)\t0.0%\n"
        );
    }

    #[test]
    fn a_file_without_source_counts_and_has_no_rows() {
        let profile = "mode: set\na/x.go:1.1,2.2 3 1\nb/y.go:3.1,4.2 1 1\n";
        assert_eq!(
            func(profile, &[None, Some("package p\n\nfunc f() {\n}")]),
            "b/y.go:3:\tf\t\t100.0%\ntotal:\t\t(statements)\t100.0%\n"
        );
        with_report(profile, &[None, None], |report| {
            assert_eq!(report.coverage(), Coverage { covered: 4, total: 4 });
        });
        assert_eq!(func("mode: set\n", &[]), "total:\t(statements)\t0.0%\n");
    }
}
