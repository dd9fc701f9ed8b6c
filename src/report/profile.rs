//! A Go coverage profile of the files that the filters leave, for editors (`vscode-go`, `vim-go`), Sonar and Go's tools.
//!
//! Without a filter its bytes are those of the stored profile. Files have their import paths, as all readers expect them.

use std::io::{self, Write};

use super::Report;
use super::forms::{Form, Renderer};
use crate::names::printable;
use crate::profile::push_file;

pub(super) const FORM: Form = Form {
    is_for_coverage_tools: true,
    ..Form::new("profile", "Go coverage profile, for editors, Sonar and Go's tools", Renderer::Report(write))
};

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "mode: {}", report.mode)?;
    let mut lines = Vec::new();
    for file in &report.files {
        lines.clear();
        let (blocks, counts) = file.profile;
        push_file(&mut lines, &printable(file.name), blocks, counts);
        out.write_all(&lines)?;
    }
    Ok(())
}
