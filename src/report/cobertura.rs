//! Cobertura's XML (`coverage-04.dtd`), which Jenkins, GitLab, Azure and diff-cover read.
//!
//! Rates count lines, so they differ from the percentage of statements. Go's blocks are not branches, so all branch
//! figures are 0.

use std::io::{self, Write};
use std::ops::Range;

use super::forms::{Form, FormNeed, Renderer};
use super::lines::{self, LineReport};
use super::readers::{DistinctFunction, distinct, int_count};
use super::xml::escaped;
use super::{FileReport, Report, text};
use crate::coverage::Coverage;

pub(super) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines],
    is_for_coverage_tools: true,
    ..Form::new("cobertura", "XML that Jenkins, GitLab, Azure and diff-cover read", Renderer::Report(write))
};

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let lines: Coverage = report.files.iter().map(|file| file.line_coverage).sum();
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE coverage SYSTEM \"http://cobertura.sourceforge.net/xml/coverage-04.dtd\">"
    )?;
    writeln!(out, "<!-- {} -->", in_comment(&text::row_and_source_line(report)))?;
    writeln!(
        out,
        "<coverage {} lines-covered=\"{}\" lines-valid=\"{}\" branches-covered=\"0\" branches-valid=\"0\" \
         version=\"goc-watchdog {}\" timestamp=\"{}\">\n<sources><source>.</source></sources>\n<packages>",
        rates(lines),
        lines.covered,
        lines.total,
        env!("CARGO_PKG_VERSION"),
        report.head.stored_at.timestamp_millis(),
    )?;
    for package in report.packages() {
        let lines = package.files.iter().map(|file| file.line_coverage).sum();
        writeln!(out, "<package name=\"{}\" {}>\n<classes>", escaped(package.name), rates(lines))?;
        package.files.iter().try_for_each(|file| class(file, out))?;
        writeln!(out, "</classes>\n</package>")?;
    }
    writeln!(out, "</packages>\n</coverage>")
}

fn class(file: &FileReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<class name=\"{}\" filename=\"{}\" {}>\n<methods>",
        escaped(file.base_name()),
        escaped(file.best_path()),
        rates(file.line_coverage)
    )?;
    // The class repeats the lines of its methods, so each line's text is made once and used twice.
    let lines = WrittenLines::from_lines(&file.lines);
    // Jenkins refuses a file in which two methods of a class have the same name and signature.
    let is_counted =
        |it: &DistinctFunction<'_>| it.function.coverage.total > 0 || it.function.ignored.total == 0;
    for DistinctFunction { function, name, suffix } in distinct(&file.functions).filter(is_counted) {
        let own = lines::within(&file.lines, &function.extent);
        writeln!(
            out,
            "<method name=\"{}\" signature=\"{suffix}\" {}>\n<lines>",
            escaped(&name),
            rates(lines::coverage(&file.lines[own.clone()]))
        )?;
        out.write_all(lines.between(own))?;
        out.write_all(b"</lines>\n</method>\n")?;
    }
    out.write_all(b"</methods>\n<lines>\n")?;
    out.write_all(&lines.text)?;
    out.write_all(b"</lines>\n</class>\n")
}

/// The lines of a file as text.
struct WrittenLines {
    text: Vec<u8>,
    /// The offset at which each line ends in `text`.
    ends: Vec<usize>,
}

impl WrittenLines {
    fn from_lines(lines: &[LineReport]) -> Self {
        let mut number = itoa::Buffer::new();
        let (mut text, mut ends) = (Vec::with_capacity(40 * lines.len()), Vec::with_capacity(lines.len()));
        for line in lines {
            text.extend_from_slice(b"<line number=\"");
            text.extend_from_slice(number.format(line.line).as_bytes());
            text.extend_from_slice(b"\" hits=\"");
            text.extend_from_slice(number.format(int_count(line.hits)).as_bytes());
            text.extend_from_slice(b"\"/>\n");
            ends.push(text.len());
        }
        Self { text, ends }
    }

    fn between(&self, range: Range<usize>) -> &[u8] {
        let end_of = |count: usize| count.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.text[end_of(range.start)..end_of(range.end)]
    }
}

fn rates(lines: Coverage) -> String {
    format!("line-rate=\"{:.4}\" branch-rate=\"0\" complexity=\"0\"", lines.percent() / 100.0)
}

/// Returns a text for an XML comment, which must not contain two hyphens in a row.
fn in_comment(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escaped(text).chars() {
        if c == '-' && safe.ends_with('-') {
            safe.push(' ');
        }
        safe.push(c);
    }
    safe
}
