//! The tables `[[targets]]`, and the values of the option `--targets`.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::fault::Fault;
use super::values::{above_zero, expected, file, list, text};
use crate::fleet::targets::ServiceTemplate;
use crate::names::is_unprintable;

/// A source of targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetSource {
    /// Unique among the sources of a run; the lists of a source are remembered under its name.
    pub(crate) name: String,
    pub(crate) input: SourceInput,
    /// Limit of reading a file or running a command. Stdin is limited by the deadline of the run alone.
    pub(crate) deadline: Duration,
    pub(crate) template: ServiceTemplate,
}

/// The place where the list of a source comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceInput {
    Stdin,
    File(PathBuf),
    Command {
        /// A program with its arguments, run without a shell.
        command: Vec<String>,
        /// The folder in which it runs.
        folder: PathBuf,
    },
}

const DEADLINE: Duration = Duration::from_secs(30);

/// A value of `--targets` that names no source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected FILE, NAME=FILE, or - for stdin")]
pub(crate) struct NoSource;

impl FromStr for TargetSource {
    type Err = NoSource;

    /// Reads `[NAME=]FILE`. A name has no slash, so that a path may hold `=` behind one.
    fn from_str(text: &str) -> Result<Self, NoSource> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) if !name.contains('/') => (Some(name), file),
            _ => (None, text),
        };
        let input = match file {
            "" => return Err(NoSource),
            "-" => SourceInput::Stdin,
            file => SourceInput::File(file.into()),
        };
        let name = name.unwrap_or(if input == SourceInput::Stdin { "stdin" } else { file });
        if name.is_empty() || name.contains(is_unprintable) {
            return Err(NoSource);
        }
        Ok(Self { name: name.to_owned(), input, deadline: DEADLINE, template: ServiceTemplate::default() })
    }
}

impl TargetSource {
    /// Returns the source with its file or program below a folder, where the path is relative. A program without a slash
    /// is looked for by `PATH`.
    pub(super) fn below(self, folder: &Path) -> Self {
        let input = match self.input {
            SourceInput::File(path) => SourceInput::File(folder.join(path)),
            SourceInput::Command { mut command, .. } => {
                if command[0].contains('/') {
                    command[0] = folder.join(&command[0]).to_string_lossy().into_owned();
                }
                SourceInput::Command { command, folder: folder.to_owned() }
            }
            SourceInput::Stdin => SourceInput::Stdin,
        };
        Self { input, ..self }
    }

    /// Returns the file of a source that was given without a name, so that its path is the name.
    pub(crate) fn unnamed_file(&self) -> Option<&Path> {
        match &self.input {
            SourceInput::File(path) if path.as_os_str() == &*self.name => Some(path),
            _ => None,
        }
    }
}

/// Returns a name that two sources have.
pub(crate) fn doubled_name(sources: &[TargetSource]) -> Option<&str> {
    let is_doubled = |(at, source): &(usize, &TargetSource)| {
        sources[..*at].iter().any(|before| before.name == source.name)
    };
    sources.iter().enumerate().find(is_doubled).map(|(_, source)| source.name.as_str())
}

/// A table as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TargetTable {
    #[serde(deserialize_with = "name")]
    name: Option<String>,
    #[serde(deserialize_with = "file")]
    file: Option<PathBuf>,
    #[serde(deserialize_with = "command")]
    command: Option<Vec<String>>,
    #[serde(deserialize_with = "above_zero")]
    deadline: Option<Duration>,
    #[serde(deserialize_with = "template")]
    template: Option<ServiceTemplate>,
}

impl TargetTable {
    /// Returns the source; `at` is the place of the table.
    pub(super) fn read(self, at: usize) -> Result<TargetSource, Fault> {
        let Self { name, file, command, deadline, template } = self;
        let name =
            name.ok_or_else(|| Fault::new(at, "a source of targets without name, expected name = \"...\""))?;
        let input = match (file, command) {
            (Some(file), None) => SourceInput::File(file),
            (None, Some(command)) => SourceInput::Command { command, folder: PathBuf::new() },
            _ => {
                return Err(Fault::new(
                    at,
                    format!("source of targets {name:?}: expected either file or command"),
                ));
            }
        };
        let deadline = deadline.unwrap_or(DEADLINE);
        Ok(TargetSource { name, input, deadline, template: template.unwrap_or_default() })
    }
}

const A_NAME: &str = "a name in quotes, without control characters";
const A_COMMAND: &str =
    "a list such as [\"kubectl\", \"get\", \"pods\", \"-o\", \"json\"], which no shell reads";
const A_TEMPLATE: &str =
    "a template such as \"{namespace}_{label:region}_{label:app}_main_{annotation:commit}\"";

fn name<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let is_name = |name: &str| !name.is_empty() && !name.contains(is_unprintable);
    let parse = |name: &str| if is_name(name) { Ok(name.to_owned()) } else { Err(expected(A_NAME)) };
    text(value, A_NAME, parse).map(Some)
}

/// Reads a list. A text is an error, because only a shell could tell its arguments apart.
fn command<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<String>>, D::Error> {
    let command: Vec<String> = list(value).map_err(|error| match error.to_string() {
        wrong if wrong.starts_with("invalid type: ") => D::Error::custom(expected(A_COMMAND)),
        _ => error,
    })?;
    let names_a_program = command.first().is_some_and(|program| !program.is_empty());
    match names_a_program && command.iter().all(|argument| !argument.contains('\0')) {
        true => Ok(Some(command)),
        false => Err(D::Error::custom(expected(A_COMMAND))),
    }
}

fn template<'de, D: Deserializer<'de>>(value: D) -> Result<Option<ServiceTemplate>, D::Error> {
    text(value, A_TEMPLATE, str::parse).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_option_names_a_file_or_stdin_and_perhaps_the_source() {
        let source = |text: &str| {
            let source: Result<TargetSource, NoSource> = text.parse();
            source.map(|source| (source.name, source.input))
        };
        let file = |path: &str| SourceInput::File(path.into());
        for (text, name, input) in [
            ("/x/targets.json", "/x/targets.json", file("/x/targets.json")),
            ("kube=pods.json", "kube", file("pods.json")),
            ("kube=/x/a=b.json", "kube", file("/x/a=b.json")),
            ("./a=b.json", "./a=b.json", file("./a=b.json")),
            ("-", "stdin", SourceInput::Stdin),
            ("kube=-", "kube", SourceInput::Stdin),
        ] {
            assert_eq!(source(text), Ok((name.to_owned(), input)), "{text}");
        }
        for text in ["", "kube=", "=x", "a\nb=x", "a\u{202e}b"] {
            assert_eq!(source(text), Err(NoSource), "{text}");
        }
        let source: TargetSource = "x".parse().unwrap();
        assert_eq!((source.deadline, source.template), (Duration::from_secs(30), ServiceTemplate::default()));
    }

    #[test]
    fn a_relative_file_lies_below_the_folder_and_nothing_else_changes() {
        for (text, expected) in [("x/a.json", "/root/x/a.json"), ("/x/a.json", "/x/a.json"), ("-", "")] {
            let source: TargetSource = text.parse().unwrap();
            let input = match expected {
                "" => SourceInput::Stdin,
                path => SourceInput::File(path.into()),
            };
            assert_eq!(source.clone().below(Path::new("/root")), TargetSource { input, ..source });
        }
        let below = |program: &str| {
            let command = [program, "x/a.json"].map(str::to_owned).to_vec();
            let source: TargetSource = "x".parse().unwrap();
            let input = SourceInput::Command { command, folder: PathBuf::new() };
            TargetSource { input, ..source }.below(Path::new("/root")).input
        };
        for (program, expected) in
            [("bin/list", "/root/bin/list"), ("/bin/list", "/bin/list"), ("list", "list")]
        {
            let command = [expected, "x/a.json"].map(str::to_owned).to_vec();
            assert_eq!(below(program), SourceInput::Command { command, folder: "/root".into() });
        }
    }

    #[test]
    fn two_sources_of_one_name_are_noticed() {
        let sources = ["a", "b=x", "c=-"].map(|text| text.parse().unwrap());
        assert_eq!(doubled_name(&sources), None);
        let sources = ["a", "b", "a"].map(|text| text.parse().unwrap());
        assert_eq!(doubled_name(&sources), Some("a"));
    }

    #[test]
    fn each_table_is_a_source() {
        let text = r#"
            [[targets]]
            name = "static"
            file = "/etc/targets.json"

            [[targets]]
            name = "kube"
            command = ["kubectl", "get", "pods", "-o", "json"]
            deadline = "5s"
            template = "{namespace}_sg_{label:app}_main_{label:commit}"
        "#;
        let sources = Config::parse(text, "").unwrap().targets;
        let command = ["kubectl", "get", "pods", "-o", "json"].map(str::to_owned).to_vec();
        let expected = [
            TargetSource {
                name: "static".to_owned(),
                input: SourceInput::File("/etc/targets.json".into()),
                deadline: Duration::from_secs(30),
                template: ServiceTemplate::default(),
            },
            TargetSource {
                name: "kube".to_owned(),
                input: SourceInput::Command { command, folder: PathBuf::new() },
                deadline: Duration::from_secs(5),
                template: "{namespace}_sg_{label:app}_main_{label:commit}".parse().unwrap(),
            },
        ];
        assert_eq!(sources, expected);
    }

    #[test]
    fn a_fault_of_a_table_names_its_line_and_what_is_expected() {
        for (table, fault) in [
            ("file = \"x\"", "x:1: targets: a source of targets without name, expected name = \"...\""),
            ("name = \"a\"", "x:1: targets: source of targets \"a\": expected either file or command"),
            (
                "name = \"a\"\nfile = \"x\"\ncommand = [\"x\"]",
                "x:1: targets: source of targets \"a\": expected either file or command",
            ),
            (
                "name = \"a\"\ncommand = \"kubectl get pods\"",
                "x:3: command in [[targets]]: found \"kubectl get pods\", expected a list such as [\"kubectl\", \"get\", \
                 \"pods\", \"-o\", \"json\"], which no shell reads",
            ),
            (
                "name = \"a\"\ncommand = []",
                "x:3: command in [[targets]]: found an empty array, expected a list such as",
            ),
            (
                "name = \"a\"\ncommand = [\"\", \"x\"]",
                "x:3: command in [[targets]]: found an array, expected a list such as",
            ),
            ("name = \"\"", "x:2: name in [[targets]]: found \"\", expected a name in quotes"),
            (
                "name = \"a\"\nfile = \"\"",
                "x:3: file in [[targets]]: found \"\", expected the path of a file in quotes",
            ),
            ("nam = \"a\"", "x:2: unknown key \"nam\" in [[targets]], did you mean \"name\"?"),
            ("deadline = \"0s\"", "x:2: deadline in [[targets]]: found \"0s\", expected more than zero"),
            (
                "template = \"{x}\"",
                "x:2: template in [[targets]]: \"{x}\" is no template: {x} is no value, expected",
            ),
            (
                "name = \"a\"\nfile = \"x\"\n[[targets]]\nname = \"a\"\nfile = \"y\"",
                "x:4: a second source of targets \"a\", expected another name",
            ),
        ] {
            let found = Config::parse(&format!("[[targets]]\n{table}"), "x").unwrap_err().to_string();
            assert!(found.starts_with(fault), "{table}: {found}");
        }
        let single = Config::parse("[targets]\nname = \"a\"", "x").unwrap_err().to_string();
        assert!(single.starts_with("x:1: targets: found a table, expected an array"), "{single}");
    }
}
