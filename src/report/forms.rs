//! The table of report forms: the name and help of each form, the data that it needs, its writer, and the suffix of its
//! stored file.
//!
//! A form is a file in this folder with its `FORM`, a line in [`FORMS`], and a fixture in `tests/fixtures/forms`. The
//! values of `--format` and their help, the decision to read source, and the files beside a profile follow from the
//! table.

use std::fmt;
use std::io::{self, Write};

use super::diff::{self, Changes, DiffReport};
use super::html::Packer;
use super::model::Report;
use super::source::FileNeeds;
use super::text::TextLayout;
use super::{badge, cobertura, codecov, func, html, json, lcov, markdown, profile, site, text};

/// All forms, in the order of the help.
pub(crate) static FORMS: &[&Form] = &[
    &func::FORM,
    &text::FORM,
    &json::FORM,
    &lcov::FORM,
    &cobertura::FORM,
    &codecov::FORM,
    &profile::FORM,
    &markdown::FORM,
    &badge::FORM,
    &html::FORM,
    &site::FORM,
    &diff::text::FORM,
    &diff::json::FORM,
    &diff::markdown::FORM,
    &diff::github::FORM,
    &diff::gitlab::FORM,
    &diff::rdjson::FORM,
];

/// The form of a report when no form is named.
pub(crate) const DEFAULT: &Form = &func::FORM;
/// The form of a report when a base is named and no form.
pub(crate) const DEFAULT_OF_CHANGES: &Form = &diff::text::FORM;
/// The form of a list of functions, such as those by marks, when no form is named.
pub(crate) const DEFAULT_OF_FUNCTIONS: &Form = &text::FORM;
/// The forms of such lists.
pub(crate) static FORMS_OF_FUNCTIONS: [&Form; 2] = [&text::FORM, &json::FORM];
/// The forms that list the functions that nobody executes.
pub(crate) static FORMS_OF_UNUSED: [&Form; 3] = [&text::FORM, &json::FORM, &html::FORM];
/// The page for browsers.
pub(crate) const PAGE: &Form = &html::FORM;

/// A form in which a report is written.
pub(crate) struct Form {
    /// Value of `--format`.
    pub(crate) name: &'static str,
    /// Help of that value, without a full stop.
    pub(crate) help: &'static str,
    pub(crate) needs: &'static [FormNeed],
    pub(crate) renderer: Renderer,
    /// Returns the approximate size of the form in bytes if it is large, else 0.
    pub(crate) size_hint: fn(&Report<'_>) -> usize,
    /// Suffix of the stored file of the form, which replaces `.cov` in the profile's name.
    pub(crate) stored_suffix: Option<&'static str>,
    /// A browser shows the form, and a terminal cannot.
    pub(crate) is_for_browsers: bool,
    /// Other tools read the form, and take its counts for those of one commit. What is carried from other commits is not in
    /// it unless that is asked for.
    pub(crate) is_for_coverage_tools: bool,
    /// The form itself names its service and row.
    pub(crate) has_heading: bool,
    /// Advice for a report with files that the commit lacks.
    pub(crate) advice_on_missing_files: Option<&'static str>,
}

/// Data that a form needs beyond the statements of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormNeed {
    /// The functions of the source; the form is empty without them.
    Functions,
    /// The source; the form has less data without it.
    Source,
    /// The lines of each file.
    Lines,
    /// The text of each file, packed for a browser.
    PackedText,
    /// The changes since a base; the form is empty without them.
    Changes,
    /// The changes since a base, if they are known.
    KnownChanges,
}

/// The writer of a form, by the data that it takes.
pub(crate) enum Renderer {
    /// Writes the report.
    Report(fn(&Report<'_>, &mut dyn Write) -> io::Result<()>),
    /// Writes the report for a terminal.
    Text(fn(&Report<'_>, TextLayout, &mut dyn Write) -> io::Result<()>),
    /// Writes the report with the changes, if they are known.
    Page(fn(&Report<'_>, KnownChanges<'_>, &mut dyn Write) -> io::Result<()>),
    /// Writes the changes.
    Changes(fn(&DiffReport, TextLayout, &mut dyn Write) -> io::Result<()>),
    /// A folder with the reports of all services, which the engine `site` writes.
    Folder,
}

/// The changes, if they are known.
pub(crate) type KnownChanges<'d> = Option<(&'d DiffReport, &'d Changes)>;

/// A report with the changes, if they are known.
#[derive(Clone, Copy)]
pub(crate) struct FormInput<'d, 'a> {
    pub(crate) report: &'d Report<'a>,
    pub(crate) changes: KnownChanges<'d>,
}

impl Form {
    /// Returns a form that needs nothing beyond the statements of each file.
    pub(in crate::report) const fn new(name: &'static str, help: &'static str, renderer: Renderer) -> Self {
        Self {
            name,
            help,
            needs: &[],
            renderer,
            size_hint: |_| 0,
            stored_suffix: None,
            is_for_browsers: false,
            is_for_coverage_tools: false,
            has_heading: true,
            advice_on_missing_files: None,
        }
    }

    /// Finds a form by its name.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        FORMS.iter().copied().find(|form| form.name == name)
    }

    /// Tells whether the form needs something.
    pub(crate) fn needs(&self, need: FormNeed) -> bool {
        self.needs.contains(&need)
    }

    /// Tells whether the form is a folder of all services.
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.renderer, Renderer::Folder)
    }

    /// Returns the data that the form needs of each file. `packer` takes the files of a page.
    pub(crate) fn file_needs<'p>(&self, packer: Option<&'p Packer<'p>>) -> FileNeeds<'p> {
        FileNeeds {
            lines: self.needs(FormNeed::Lines),
            packer: packer.filter(|_| self.needs(FormNeed::PackedText)),
            quotes: false,
            carried: None,
            labels: None,
            marks: false,
        }
    }

    /// Writes the form. A form of changes writes nothing if the changes are not known.
    pub(crate) fn write(
        &self,
        input: FormInput<'_, '_>,
        layout: TextLayout,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let FormInput { report, changes } = input;
        match (&self.renderer, changes) {
            (Renderer::Report(write), _) => write(report, out),
            (Renderer::Text(write), _) => write(report, layout, out),
            (Renderer::Page(write), changes) => write(report, changes, out),
            (Renderer::Changes(write), Some((diff, _))) => write(diff, layout, out),
            (Renderer::Changes(_), None) | (Renderer::Folder, _) => Ok(()),
        }
    }

    /// Returns the bytes that [`Self::write`] writes.
    pub(crate) fn render(&self, input: FormInput<'_, '_>) -> io::Result<Vec<u8>> {
        let mut text = Vec::with_capacity((self.size_hint)(input.report));
        self.write(input, TextLayout::default(), &mut text)?;
        Ok(text)
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Forms are equal if their names are, because names are unique.
impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Returns the suffixes of all forms that are stored beside a profile.
pub(crate) fn stored_suffixes() -> impl Iterator<Item = &'static str> {
    FORMS.iter().filter_map(|form| form.stored_suffix)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::testing::{self, DIFF, HOSTILE, PROFILE, SOURCES, with_report, written};
    use super::super::text::FileOrder;
    use super::*;
    use crate::filter::Filter;

    /// Replaces the text between two marks.
    fn blank(text: &mut String, from: &str, to: &str, with: &str) {
        let start = text.find(from).map(|at| at + from.len()).unwrap();
        let length = text[start..].find(to).unwrap();
        text.replace_range(start..start + length, with);
    }

    /// Writes a form of the example, without the texts that change with each release and with the script of a page.
    fn sample(form: &Form) -> String {
        let layout = TextLayout { order: FileOrder::Uncovered, most_files: Some(2), ..TextLayout::default() };
        let changes = testing::changes(DIFF);
        let mut text = with_report(PROFILE, &SOURCES, |report| {
            let diff = DiffReport::new(&report, &changes, &Filter::default());
            testing::render(form.name, &report, Some((&diff, &changes)), layout)
        });
        if form.is_for_browsers {
            blank(&mut text, "<style>", "</style>", "STYLE");
            blank(&mut text, "<script>", "</script>", "SCRIPT");
            blank(&mut text, "script-src '", "'", "HASH");
            blank(&mut text, "style-src '", "'", "HASH");
        }
        text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    /// `GOC_WATCHDOG_UPDATE_FORMS=1 cargo test --lib forms` rewrites the existing fixtures.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "fixtures are files")]
    fn each_form_has_its_fixture_and_is_written_as_that() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/forms");
        let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let mut fixtures: BTreeMap<String, _> =
            files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect();
        // A site is a folder, whose files tests/site.rs checks.
        for form in FORMS.iter().filter(|form| !form.is_folder()) {
            let path = fixtures.remove(form.name).unwrap_or_else(|| panic!("{form:?} has no fixture"));
            let written = sample(form);
            if std::env::var_os("GOC_WATCHDOG_UPDATE_FORMS").is_some() {
                std::fs::write(&path, &written).unwrap();
            }
            assert_eq!(written, std::fs::read_to_string(&path).unwrap(), "{form:?}");
        }
        assert!(fixtures.is_empty(), "fixtures of no form: {fixtures:?}");
    }

    #[test]
    fn names_and_stored_files_of_forms_are_unique() {
        let names: BTreeMap<&str, &Form> = FORMS.iter().map(|form| (form.name, *form)).collect();
        assert_eq!(names.len(), FORMS.len());
        assert_eq!(stored_suffixes().collect::<Vec<_>>(), ["_report.txt", "_report.html"]);
    }

    #[test]
    fn a_form_needs_what_its_renderer_takes() {
        for form in FORMS {
            let is_of_changes = matches!(form.renderer, Renderer::Changes(_));
            assert_eq!(form.needs(FormNeed::Changes), is_of_changes, "{form:?}");
            let may_show_changes = matches!(form.renderer, Renderer::Page(_));
            assert_eq!(form.needs(FormNeed::KnownChanges), may_show_changes, "{form:?}");
            assert!(
                !form.needs(FormNeed::Lines) || form.needs(FormNeed::Source),
                "{form:?}: lines need the source"
            );
        }
    }

    #[test]
    fn hostile_names_stay_inside_their_place() {
        let profile = format!("mode: set\n{}:1.1,2.2 1 0\n", HOSTILE.replace('\n', "\u{b}"));
        let written = |form| written(form, &profile, &[None]);
        let is_of_text =
            |form: &&&Form| !form.needs(FormNeed::Changes) && !form.is_for_browsers && !form.is_folder();
        for form in FORMS.iter().filter(is_of_text) {
            let text = written(form.name);
            // The table of functions has tabs between its columns.
            let controls = text.chars().filter(|c| c.is_control() && !matches!(c, '\n' | '\t')).count();
            assert_eq!(controls, 0, "{form:?}: {text}");
        }
        assert!(!written("cobertura").contains("<c>"));
        assert!(!written("markdown").contains("<c>") && !written("markdown").contains("|`"));
        let mut records = written("lcov");
        records.retain(|c| c != '\n');
        assert_eq!(records.matches("end_of_record").count(), 1);
    }
}
