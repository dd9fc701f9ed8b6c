//! Which forms a report is written in, and where each goes.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};

use super::{Context, ReportArgs};
use crate::names::printable;
use crate::report::{Form, Layout, Report};
use crate::workdir;

/// Files that are shown at a terminal, unless more are asked for.
const FILES_ON_A_TERMINAL: usize = 100;

/// The forms by the names that the option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormName {
    /// To the byte what `go tool cover -func` prints
    Func,
    /// For people: packages and files, with the lines that are not covered
    Text,
    /// For scripts: totals, packages, files, functions, uncovered ranges
    Json,
    /// Tracefile of lcov, which genhtml and editors read
    Lcov,
    /// XML that Jenkins, GitLab, Azure and diff-cover read
    Cobertura,
    /// JSON that Codecov reads
    Codecov,
    /// Summary for a pull request or a CI job
    Markdown,
    /// SVG of the percentage
    Badge,
}

/// A form that was asked for, and the file it goes to.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    name: FormName,
    file: Option<PathBuf>,
}

/// Reads `FORM[=FILE]`; completions and help know the forms.
#[derive(Clone)]
pub(super) struct WantedParser;

/// Returns the parser of one `--format`.
pub(super) fn wanted_parser() -> WantedParser {
    WantedParser
}

impl TypedValueParser for WantedParser {
    type Value = Wanted;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Wanted, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name.to_owned(), Some(PathBuf::from(file))),
            None => (text, None),
        };
        let parser = clap::builder::EnumValueParser::<FormName>::new();
        let name = parser.parse_ref(command, argument, name.as_ref())?;
        if file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            let parser = clap::builder::NonEmptyStringValueParser::new();
            parser.parse_ref(command, argument, "".as_ref())?;
        }
        Ok(Wanted { name, file })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(FormName::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// The forms to write, and where to.
#[derive(Debug)]
pub(super) struct Outputs {
    /// `None` is stdout.
    outputs: Vec<(Form, Option<PathBuf>)>,
}

impl Outputs {
    /// Settles where each form goes; fails where two would go to one place.
    pub(super) fn new(args: &ReportArgs, context: &Context) -> Result<Self, String> {
        let asked = match args.formats.is_empty() {
            true => vec![Wanted { name: FormName::Func, file: None }],
            false => args.formats.clone(),
        };
        let unplaced = asked.iter().filter(|wanted| wanted.file.is_none()).count();
        if unplaced > 1 {
            return Err(
                "only one form can go to one place, give the others a file, as in --format lcov=FILE"
                    .to_owned(),
            );
        }
        if let (0, Some(output)) = (unplaced, &args.output) {
            let output = output.display().to_string();
            return Err(format!(
                "every form has a file of its own, so nothing is left for --output \"{}\"",
                printable(&output)
            ));
        }
        let mut outputs: Vec<(Form, Option<PathBuf>)> = Vec::new();
        for Wanted { name, file } in asked {
            let file = file.or_else(|| args.output.clone());
            if file.is_some() && outputs.iter().any(|(_, other)| *other == file) {
                let file = file.unwrap_or_default().display().to_string();
                return Err(format!("two forms would go to \"{}\"", printable(&file)));
            }
            let is_shown = file.is_none() && context.around.stdout_is_terminal;
            let form = match name {
                FormName::Func => Form::Func,
                FormName::Text => Form::Text(Layout {
                    order: args.sort,
                    most_files: match args.limit {
                        Some(0) => None,
                        None if is_shown => Some(FILES_ON_A_TERMINAL),
                        limit => limit,
                    },
                    width: context.around.stdout_width.filter(|_| is_shown),
                    has_color: context.has_color && file.is_none(),
                }),
                FormName::Json => Form::Json,
                FormName::Lcov => Form::Lcov,
                FormName::Cobertura => Form::Cobertura,
                FormName::Codecov => Form::Codecov,
                FormName::Markdown => Form::Markdown,
                FormName::Badge => Form::Badge,
            };
            outputs.push((form, file));
        }
        Ok(Self { outputs })
    }

    fn forms(&self) -> impl Iterator<Item = Form> {
        self.outputs.iter().map(|(form, _)| *form)
    }

    pub(super) fn have(&self, form: Form) -> bool {
        self.forms().any(|own| own == form)
    }

    /// Some form says less without source.
    pub(super) fn want_source(&self) -> bool {
        self.forms().any(Form::wants_source)
    }

    /// Some form is nothing without source.
    pub(super) fn need_source(&self) -> bool {
        self.have(Form::Func)
    }

    pub(super) fn are_all_in_need(&self) -> bool {
        self.forms().all(|form| form == Form::Func)
    }

    pub(super) fn want_lines(&self) -> bool {
        self.forms().any(Form::wants_lines)
    }

    /// Writes all forms, those to files beside each other. `table` is what [`Form::Func`] has come to; without
    /// source there is none, and that form is left out.
    pub(super) fn write(&self, report: &Report<'_>, table: Option<&[u8]>) -> Result<()> {
        let write = |form: Form, out: &mut dyn Write| match (form, table) {
            (Form::Func, Some(table)) => out.write_all(table),
            _ => report.write(form, out),
        };
        let write = &write;
        let possible = || self.outputs.iter().filter(|(form, _)| table.is_some() || *form != Form::Func);
        let written: Vec<Result<()>> = thread::scope(|scope| {
            let threads: Vec<_> = possible()
                .filter_map(|(form, file)| file.as_ref().map(|file| (*form, file)))
                .map(|(form, file)| scope.spawn(move || write_file(file, |out| write(form, out))))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        written.into_iter().collect::<Result<()>>()?;
        for (form, _) in possible().filter(|(_, file)| file.is_none()) {
            let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
            write(*form, &mut out)?;
            out.flush()?;
        }
        Ok(())
    }
}

fn write_file(file: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let written = workdir::write_whole(file, |out| write(out))?;
    written.with_context(|| format!("cannot write \"{}\"", printable(&file.display().to_string())))
}
