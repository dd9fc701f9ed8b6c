//! Codecov's own JSON (its "custom coverage" format). Each line has a count, or `"1/2"` when only some of its blocks
//! were executed. The first key is for people; Codecov ignores it.

use std::io::{self, Write};

use super::forms::{Form, FormNeed, Renderer};
use super::readers::int_count;
use super::{LineState, Report, text};
use crate::json;

pub(super) const FORM: Form = Form {
    needs: &[FormNeed::Source, FormNeed::Lines],
    is_for_coverage_tools: true,
    ..Form::new("codecov", "JSON that Codecov reads", Renderer::Report(write))
};

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"goc-watchdog\":")?;
    json::write(&mut *out, &text::row_and_source_line(report))?;
    out.write_all(b",\n\"coverage\":{")?;
    let mut number = itoa::Buffer::new();
    // A file is written in one piece, because for a large service one call for each number takes as long as the rest.
    let mut text = Vec::new();
    for (index, file) in report.files.iter().enumerate() {
        if index > 0 {
            out.write_all(b",\n")?;
        }
        text.clear();
        json::write(&mut text, &file.best_path())?;
        text.extend_from_slice(b":{");
        for (index, line) in file.lines.iter().enumerate() {
            let comma: &[u8] = if index > 0 { b",\"" } else { b"\"" };
            text.extend_from_slice(comma);
            text.extend_from_slice(number.format(line.line).as_bytes());
            text.extend_from_slice(b"\":");
            match line.state() {
                LineState::Partly => write!(text, "\"{}/{}\"", line.hit_blocks, line.blocks)?,
                LineState::Hit | LineState::Missed => {
                    text.extend_from_slice(number.format(int_count(line.hits)).as_bytes());
                }
            }
        }
        text.push(b'}');
        out.write_all(&text)?;
    }
    out.write_all(b"}}\n")
}
