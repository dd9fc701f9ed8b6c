//! The requested forms of a report, with their files and their common needs.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};

use crate::commands::report::ReportArgs;
use crate::io::workdir::{self, FillError};
use crate::names::in_message;
use crate::parallel;
use crate::phrases::listed;
use crate::report::forms::{
    DEFAULT, DEFAULT_OF_CHANGES, DEFAULT_OF_FUNCTIONS, FORMS, FORMS_OF_FUNCTIONS, FORMS_OF_UNUSED, Form,
    FormNeed,
};
use crate::report::{FileNeeds, Packer, TextLayout};
use crate::source::SourceDemand;

/// Default number of files that are shown on a terminal.
const FILES_ON_A_TERMINAL: usize = 100;
/// Default number of runs of missed lines that are shown of a changed file.
const RUNS_OF_A_FILE: usize = 10;

/// A requested form and the file for it.
#[derive(Clone, Debug)]
pub(crate) struct RequestedOutput {
    pub(crate) form: &'static Form,
    pub(crate) file: Option<PathBuf>,
}

/// The parser of `FORM[=FILE]`, which gives the forms to completions and help.
#[derive(Clone)]
pub(crate) struct RequestedOutputParser;

impl TypedValueParser for RequestedOutputParser {
    type Value = RequestedOutput;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<RequestedOutput, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, argument, value)?;
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name.to_owned(), Some(PathBuf::from(file))),
            None => (text, None),
        };
        let parser = PossibleValuesParser::new(FORMS.iter().copied().map(possible_value));
        let name = parser.parse_ref(command, argument, name.as_ref())?;
        if file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            let parser = clap::builder::NonEmptyStringValueParser::new();
            parser.parse_ref(command, argument, "".as_ref())?;
        }
        let form = Form::by_name(&name).expect("the parser lets through names of forms alone");
        Ok(RequestedOutput { form, file })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(FORMS.iter().copied().map(possible_value)))
    }
}

fn possible_value(form: &Form) -> PossibleValue {
    PossibleValue::new(form.name).help(form.help)
}

/// The properties of stdout.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StdoutTerminal {
    pub(crate) is_terminal: bool,
    pub(crate) width: Option<usize>,
    pub(crate) has_color: bool,
}

/// A form with its file.
#[derive(Debug)]
struct Output {
    form: &'static Form,
    layout: TextLayout,
    /// The file; `None` for stdout.
    file: Option<PathBuf>,
}

/// The forms to write, with their files.
#[derive(Debug)]
pub(crate) struct Outputs {
    all: Vec<Output>,
    /// The file of a page for which no file was given.
    page_file: Option<PathBuf>,
    /// An option sets the base of the changes, or requires something of them.
    asks_about_changes: bool,
    /// All forms have only files that changed.
    only_changed: bool,
}

impl Outputs {
    /// Finds the file of each form; fails if two forms have the same one.
    pub(crate) fn new(args: &ReportArgs, screen: StdoutTerminal) -> Result<Self, String> {
        let asks_about_changes = args.asks_about_changes();
        let mut outputs: Vec<Output> = Vec::new();
        for RequestedOutput { form, file } in requested(args, asks_about_changes)? {
            let file = file.or_else(|| args.output.clone());
            let is_taken = |file: &Path| {
                let mut others = outputs.iter().filter_map(|output| output.file.as_deref());
                others.any(|other| workdir::is_same_place(file, other))
            };
            if let Some(file) = file.as_deref().filter(|file| is_taken(file)) {
                return Err(format!(
                    "two forms would go to the same file \"{}\"",
                    in_message(&file.display().to_string())
                ));
            }
            if form.is_folder() {
                return Err("a site has all services: give --all in place of SERVICE, and the folder by -o"
                    .to_owned());
            }
            outputs.push(Output { form, layout: layout(args, file.is_none(), screen), file });
        }
        let outputs =
            Self { all: outputs, page_file: None, asks_about_changes, only_changed: args.only_changed };
        if let Some((option, known)) = list_of_functions(args) {
            let are_lists = outputs.forms().all(|form| known.contains(&form));
            let names: Vec<String> = known.iter().map(|form| form.name.to_owned()).collect();
            return are_lists
                .then_some(outputs)
                .ok_or_else(|| format!("{option} has the forms {}", listed(&names)));
        }
        if args.needs_changes() && !outputs.have_changes() {
            return Err("--base, --against and --diff-file are for html, the forms that begin with diff, and --only-changed; so are --fail-missed, --min-changed and --fail-on lost or unmeasured"
                .to_owned());
        }
        let ignores_marked = args.marks.ignore_marked;
        args.changes_gate.check(args.gate.gate(), args.against.is_some(), ignores_marked)?;
        if args.blame && !outputs.have_page() {
            return Err("--blame names authors and owners in a page: give --format html".to_owned());
        }
        Ok(outputs)
    }

    /// Gives a page that would go to a terminal a file in the current folder.
    pub(crate) fn name_page(&mut self, name: &str, screen: StdoutTerminal) {
        let shown = |output: &&mut Output| output.form.is_for_browsers && output.file.is_none();
        let page = self.all.iter_mut().find(shown).filter(|_| screen.is_terminal);
        if let Some(page) = page {
            page.file = Some(PathBuf::from(name));
            self.page_file.clone_from(&page.file);
        }
    }

    /// Returns the forms, each once.
    pub(crate) fn forms(&self) -> impl Iterator<Item = &'static Form> {
        FORMS.iter().copied().filter(|form| self.all.iter().any(|output| output.form == *form))
    }

    /// Tells whether one of the forms is a page.
    pub(crate) fn have_page(&self) -> bool {
        self.forms().any(|form| form.is_for_browsers)
    }

    /// Tells whether at least one form needs the changes.
    pub(crate) fn have_changes(&self) -> bool {
        self.forms().any(|form| self.needs_changes(form))
    }

    /// Tells whether a form needs the changes. A page shows changes whenever they are known, and needs them only if an
    /// option is about them.
    pub(crate) fn needs_changes(&self, form: &Form) -> bool {
        form.needs(FormNeed::Changes)
            || self.only_changed
            || self.asks_about_changes && form.needs(FormNeed::KnownChanges)
    }

    /// Tells whether every form has only files that changed.
    pub(crate) fn are_all_of_changes(&self) -> bool {
        self.only_changed || self.forms().all(|form| form.needs(FormNeed::Changes))
    }

    /// Returns the data that the forms need of each file. `packer` takes the files of a page.
    pub(crate) fn file_needs<'p>(&self, packer: Option<&'p Packer<'p>>) -> FileNeeds<'p> {
        let quotes = self.have_changes() && self.forms().any(|form| form.needs(FormNeed::KnownChanges));
        // Gates judge changed lines, whatever the forms show.
        let of_changes = FileNeeds { lines: self.have_changes(), quotes, ..FileNeeds::default() };
        self.forms().fold(of_changes, |all, form| {
            let needs = form.file_needs(packer);
            FileNeeds { lines: all.lines || needs.lines, packer: all.packer.or(needs.packer), ..all }
        })
    }

    /// Tells whether at least one form is for other tools that know coverage.
    pub(crate) fn have_form_for_tools(&self) -> bool {
        self.forms().any(|form| form.is_for_coverage_tools)
    }

    /// Returns the forms' need for source.
    pub(crate) fn demand(&self) -> SourceDemand {
        let is_needed = |form: &Form| form.needs(FormNeed::Functions) || self.needs_changes(form);
        SourceDemand {
            is_useful: self.forms().any(|form| form.needs(FormNeed::Source)),
            is_needed: self.forms().any(is_needed),
            is_needed_by_all: self.forms().all(is_needed),
        }
    }

    /// Writes all forms for which `can` is true. Forms with files are written at the same time.
    pub(crate) fn write(
        &self,
        can: impl Fn(&Form) -> bool,
        write: impl Fn(&'static Form, TextLayout, &mut dyn Write) -> io::Result<()> + Sync,
    ) -> Result<()> {
        let possible = || self.all.iter().filter(|output| can(output.form));
        let with_files = possible().filter_map(|output| Some((output, output.file.as_deref()?)));
        let written = parallel::on_own_threads(with_files, |(output, file)| {
            write_file(file, |out| write(output.form, output.layout, out))
        });
        written.into_iter().collect::<Result<()>>()?;
        if let Some(file) = &self.page_file
            && possible().any(|output| output.form.is_for_browsers)
        {
            writeln!(io::stdout(), "the page is in {}", file.display())?;
        }
        for output in possible().filter(|output| output.file.is_none()) {
            let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
            write(output.form, output.layout, &mut out)?;
            out.flush()?;
        }
        Ok(())
    }
}

/// Returns the option that asks for a list of functions, with its forms.
fn list_of_functions(args: &ReportArgs) -> Option<(&'static str, &'static [&'static Form])> {
    [
        (args.by_mark, "--by-mark", &FORMS_OF_FUNCTIONS[..]),
        (args.unmeasured, "--unmeasured", &FORMS_OF_FUNCTIONS),
        (args.unused.is_given(), "--unused", &FORMS_OF_UNUSED),
    ]
    .into_iter()
    .find_map(|(is_given, option, forms)| is_given.then_some((option, forms)))
}

/// Returns the requested forms; fails unless each has a file or stdout, and `--output` has a form.
fn requested(args: &ReportArgs, asks_about_changes: bool) -> Result<Vec<RequestedOutput>, String> {
    let requested = match args.formats.is_empty() {
        true if list_of_functions(args).is_some() => {
            vec![RequestedOutput { form: DEFAULT_OF_FUNCTIONS, file: None }]
        }
        true if asks_about_changes => vec![RequestedOutput { form: DEFAULT_OF_CHANGES, file: None }],
        true => vec![RequestedOutput { form: DEFAULT, file: None }],
        false => args.formats.clone(),
    };
    let without_file = requested.iter().filter(|requested| requested.file.is_none()).count();
    if without_file > 1 {
        return Err(
            "only one form can go to stdout or to --output; give each other form a file, as in --format lcov=FILE".to_owned()
        );
    }
    if let (0, Some(output)) = (without_file, &args.output) {
        let output = output.display().to_string();
        return Err(format!(
            "every form has its own file, so no form is left for --output \"{}\"",
            in_message(&output)
        ));
    }
    Ok(requested)
}

/// Returns the layout of a form that goes to stdout or to a file.
fn layout(args: &ReportArgs, is_to_stdout: bool, screen: StdoutTerminal) -> TextLayout {
    let is_shown = is_to_stdout && screen.is_terminal;
    TextLayout {
        order: args.sort.into(),
        most_files: match args.limit {
            Some(0) => None,
            None if is_shown => Some(FILES_ON_A_TERMINAL),
            limit => limit,
        },
        most_ranges: (!args.all).then_some(RUNS_OF_A_FILE),
        width: screen.width.filter(|_| is_shown),
        has_color: screen.has_color && is_to_stdout,
    }
}

fn write_file(file: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    workdir::write_whole(file, |out| write(out)).map_err(|error| match error {
        FillError::Workdir(error) => error.into(),
        FillError::Content(error) => {
            anyhow!(error).context(format!("cannot write \"{}\"", in_message(&file.display().to_string())))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::report::testing::args;

    fn outputs(options: &[&str]) -> Result<Outputs, String> {
        Outputs::new(&args(options), StdoutTerminal::default())
    }

    #[test]
    fn the_demand_is_that_of_all_forms_together() {
        for (options, expected) in [
            (&[][..], "useful needed by-all"),
            (&["--format=json"], "useful"),
            (&["--format=badge"], ""),
            (&["--format=func", "--format=json=f"], "useful needed"),
            (&["--format=diff"], "useful needed by-all"),
            (&["--format=html"], "useful"),
            (&["--format=html", "--base=main"], "useful needed by-all"),
            (&["--format=badge", "--only-changed"], "needed by-all"),
            (&["--format=badge", "--format=diff=f"], "useful needed"),
        ] {
            let SourceDemand { is_useful, is_needed, is_needed_by_all } = outputs(options).unwrap().demand();
            let words = [(is_useful, "useful"), (is_needed, "needed"), (is_needed_by_all, "by-all")];
            let words: Vec<&str> = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
            assert_eq!(words.join(" "), expected, "{options:?}");
        }
    }

    #[test]
    fn a_form_that_is_not_named_follows_from_the_base() {
        let form = |options| outputs(options).unwrap().forms().map(|form| form.name).collect::<Vec<_>>();
        assert_eq!(form(&[]), ["func"]);
        assert_eq!(form(&["--base=main"]), ["diff"]);
        assert_eq!(form(&["--against=7", "--format=html"]), ["html"]);
        assert_eq!(form(&["--fail-missed=3"]), ["diff"]);
        assert_eq!(form(&["--max-drop=1"]), ["func"]);
        assert_eq!(form(&["--max-drop=1", "--against=7"]), ["diff"]);
        assert_eq!(form(&["--max-drop=1", "--against=7", "--format=json"]), ["json"]);
    }

    #[test]
    fn two_forms_never_go_to_one_place() {
        for (options, error) in [
            (&["--format=json", "--format=lcov"][..], "only one form can go to stdout or to --output"),
            (&["--format=json=f", "--format=lcov=./f"], "two forms would go to the same file \"./f\""),
            (&["--format=json=f", "--format=lcov", "-o", "f"], "two forms would go to the same file \"f\""),
            (&["--format=json=f", "-o", "g"], "no form is left for --output \"g\""),
            (&["--format=lcov", "--base=main"], "--base, --against and --diff-file are for html"),
            (
                &["--format=lcov", "--fail-missed=1"],
                "so are --fail-missed, --min-changed and --fail-on lost or unmeasured",
            ),
            (&["--fail-on=lost"], "give --against ROW|MARK|SERVICE"),
            (&["--fail-on=stale-mark"], "give --ignore-marked"),
            (&["--min-changed=5"], "--min-changed is for --fail-under or --fail-missed"),
            (&["--blame"], "give --format html"),
            (&["--format=site"], "a site has all services"),
        ] {
            let found = outputs(options).unwrap_err();
            assert!(found.contains(error), "{options:?}: {found}");
        }
    }

    #[test]
    fn a_terminal_gets_colours_and_no_page() {
        let screen = StdoutTerminal { is_terminal: true, width: Some(80), has_color: true };
        let output = |options: &[&str]| {
            let mut outputs = Outputs::new(&args(options), screen).unwrap();
            outputs.name_page("page.html", screen);
            let Output { layout, file, .. } = outputs.all.remove(0);
            (layout.has_color, layout.most_files, layout.width, file.map(|file| file.display().to_string()))
        };
        let file = |name: &str| Some(name.to_owned());
        assert_eq!(output(&["--format=text"]), (true, Some(100), Some(80), None));
        assert_eq!(output(&["--format=text", "--limit=0"]), (true, None, Some(80), None));
        assert_eq!(output(&["--format=text=f"]), (false, None, None, file("f")));
        assert_eq!(output(&["--format=html"]).3, file("page.html"));
        assert_eq!(output(&["--format=html=own.html"]).3, file("own.html"));
    }
}
