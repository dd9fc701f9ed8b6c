//! Which forms a report is written in, and where each goes.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};

use crate::commands::report::{Context, ReportArgs};
use crate::io::workdir;
use crate::names::in_message;
use crate::parallel::{self, Begun};
use crate::report::diff::{DiffForm, Excerpts};
use crate::report::{Form, Layout, Packer, Wants};

/// Files that are shown at a terminal, unless more are asked for.
const FILES_ON_A_TERMINAL: usize = 100;
/// Runs of missed lines that are shown of a changed file, unless all are asked for.
const PLACES_OF_A_FILE: usize = 10;

/// The forms by the names that the option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormName {
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
    /// One self-contained page: files, functions, and the source with what of it was executed, and what changed
    Html,
    /// With --all: a folder of static pages of everything that is stored, with reports, badges and JSON
    Site,
    /// Which of the lines that changed since --base were executed, for people
    Diff,
    /// The same for scripts
    DiffJson,
    /// The same as a comment for a pull request
    DiffMarkdown,
    /// The same as annotations of a GitHub workflow
    DiffGithub,
}

/// A form, settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Of the whole profile.
    Whole(Form),
    /// Of what changed.
    Changes(DiffForm),
}

/// A form that was asked for, and the file it goes to.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    name: FormName,
    file: Option<PathBuf>,
}

/// Reads `FORM[=FILE]`; completions and help know the forms.
#[derive(Clone)]
pub(crate) struct WantedParser;

impl Wanted {
    /// Tells whether it is the form of all services.
    pub(crate) fn is_site(&self) -> bool {
        self.name == FormName::Site
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
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
pub(crate) struct Outputs {
    /// `None` is stdout.
    forms: Vec<(Output, Option<PathBuf>)>,
    /// The page's file, where nobody named it.
    named: Option<PathBuf>,
    /// It was said what changes are counted from.
    names_base: bool,
    /// Every form is of files that changed.
    only_changed: bool,
}

impl Outputs {
    /// Settles where each form goes; fails where two would go to one place.
    pub(crate) fn new(args: &ReportArgs, context: &Context) -> Result<Self, String> {
        let names_base = args.base.is_some() || args.diff_file.is_some() || args.against.is_some();
        let asked = match args.formats.is_empty() {
            true if names_base => vec![Wanted { name: FormName::Diff, file: None }],
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
                in_message(&output)
            ));
        }
        let mut outputs: Vec<(Output, Option<PathBuf>)> = Vec::new();
        for Wanted { name, file } in asked {
            let file = file.or_else(|| args.output.clone());
            let is_taken = |file: &Path| {
                outputs.iter().any(|(_, other)| {
                    other.as_deref().is_some_and(|other| workdir::is_same_place(file, other))
                })
            };
            if file.as_deref().is_some_and(is_taken) {
                let file = file.unwrap_or_default().display().to_string();
                return Err(format!("two forms would go to \"{}\"", in_message(&file)));
            }
            let is_shown = file.is_none() && context.around.stdout_is_terminal;
            let has_color = context.has_color && file.is_none();
            let layout = Layout {
                order: args.sort,
                most_files: match args.limit {
                    Some(0) => None,
                    None if is_shown => Some(FILES_ON_A_TERMINAL),
                    limit => limit,
                },
                width: context.around.stdout_width.filter(|_| is_shown),
                has_color,
            };
            let most_ranges = (!args.all).then_some(PLACES_OF_A_FILE);
            outputs.push((
                match name {
                    FormName::Site => {
                        return Err(
                            "site is of all services: give --all in place of SERVICE, and the folder by -o"
                                .to_owned(),
                        );
                    }
                    FormName::Func => Output::Whole(Form::Func),
                    FormName::Text => Output::Whole(Form::Text(layout)),
                    FormName::Json => Output::Whole(Form::Json),
                    FormName::Lcov => Output::Whole(Form::Lcov),
                    FormName::Cobertura => Output::Whole(Form::Cobertura),
                    FormName::Codecov => Output::Whole(Form::Codecov),
                    FormName::Markdown => Output::Whole(Form::Markdown),
                    FormName::Badge => Output::Whole(Form::Badge),
                    FormName::Html => Output::Whole(Form::Html),
                    FormName::Diff => Output::Changes(DiffForm::Text(Excerpts { most_ranges, has_color })),
                    FormName::DiffJson => Output::Changes(DiffForm::Json),
                    FormName::DiffMarkdown => Output::Changes(DiffForm::Markdown),
                    FormName::DiffGithub => Output::Changes(DiffForm::Github),
                },
                file,
            ));
        }
        let outputs = Self { forms: outputs, named: None, names_base, only_changed: args.only_changed };
        if names_base && !outputs.have_changes() {
            return Err("--base, --against and --diff-file are for html, the forms that begin with diff, and --only-changed"
                .to_owned());
        }
        Ok(outputs)
    }

    /// Gives the page a file in the current folder, where it would go to a terminal, which has no use for it.
    pub(crate) fn name_page(&mut self, name: &str, context: &Context) {
        let shown = (Output::Whole(Form::Html), None);
        let page = self.forms.iter_mut().find(|output| **output == shown);
        if let Some((_, file)) = page.filter(|_| context.around.stdout_is_terminal) {
            *file = Some(PathBuf::from(name));
            self.named.clone_from(file);
        }
    }

    fn all(&self) -> impl Iterator<Item = Output> {
        self.forms.iter().map(|(output, _)| *output)
    }

    pub(crate) fn have(&self, form: Form) -> bool {
        self.all().any(|output| output == Output::Whole(form))
    }

    /// Some form needs what changed.
    pub(crate) fn have_changes(&self) -> bool {
        self.all().any(|output| self.needs_changes(output))
    }

    /// A form is nothing without what changed. A page shows that wherever it is known, and is in need of it where a
    /// base was named.
    pub(crate) fn needs_changes(&self, output: Output) -> bool {
        match output {
            Output::Whole(form) => self.only_changed || form == Form::Html && self.names_base,
            Output::Changes(_) => true,
        }
    }

    /// Every form is of what changed.
    pub(crate) fn are_all_of_changes(&self) -> bool {
        self.only_changed || self.all().all(|output| matches!(output, Output::Changes(_)))
    }

    /// Some form says less without source.
    pub(crate) fn want_source(&self) -> bool {
        self.all().any(|output| match output {
            Output::Whole(form) => form.wants_source(),
            Output::Changes(_) => true,
        })
    }

    /// Returns what they ask of each file; a page's files go to `packer`.
    pub(crate) fn wants<'p>(&self, packer: &'p Packer<'p>) -> Wants<'p> {
        let quotes = self.have(Form::Html) && self.have_changes();
        let nothing = Wants { quotes, ..Wants::default() };
        self.all().fold(nothing, |wants, output| match output {
            Output::Whole(form) => Wants {
                lines: wants.lines || form.wants_lines(),
                packer: wants.packer.or(form.wants_text().then_some(packer)),
                ..wants
            },
            Output::Changes(_) => Wants { lines: true, ..wants },
        })
    }

    /// Returns those that are nothing without source, and whether that is all.
    pub(crate) fn in_need_of_source(&self) -> (bool, bool) {
        let is_in_need = |output| output == Output::Whole(Form::Func) || self.needs_changes(output);
        (self.all().any(is_in_need), self.all().all(is_in_need))
    }

    /// Writes all forms that `can` be, those to files beside each other.
    pub(crate) fn write(
        &self,
        can: impl Fn(Output) -> bool,
        write: impl Fn(Output, &mut dyn Write) -> io::Result<()> + Sync,
    ) -> Result<()> {
        let write = &write;
        let possible = || self.forms.iter().filter(|(output, _)| can(*output));
        let written: Vec<Result<()>> = thread::scope(|scope| {
            let threads: Vec<_> = possible()
                .filter_map(|(output, file)| file.as_ref().map(|file| (*output, file)))
                .map(|(output, file)| {
                    parallel::begin(scope, move || write_file(file, |out| write(output, out)))
                })
                .collect();
            threads.into_iter().map(Begun::join).collect()
        });
        written.into_iter().collect::<Result<()>>()?;
        if let Some(page) = self.named.as_ref().filter(|_| can(Output::Whole(Form::Html))) {
            writeln!(io::stdout(), "the page is in {}", page.display())?;
        }
        for (output, _) in possible().filter(|(_, file)| file.is_none()) {
            let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
            write(*output, &mut out)?;
            out.flush()?;
        }
        Ok(())
    }
}

fn write_file(file: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let written = workdir::write_whole(file, |out| write(out))?;
    written.with_context(|| format!("cannot write \"{}\"", in_message(&file.display().to_string())))
}
