//! Messages about the configuration file: each names the line, the key, the value found, and the form
//! expected.

use std::borrow::Cow;
use std::fmt::Display;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::names::{nearest_word, printable};

/// A fault in the configuration file, with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {fault}")]
pub struct ConfigError {
    /// The given name of the file.
    pub(crate) path: String,
    /// The number of the line, from 1.
    pub(crate) line: usize,
    /// The key, the offending value, and the form expected.
    pub(crate) fault: String,
}

/// A fault at a byte of the text.
pub(super) struct Fault {
    at: usize,
    message: String,
}

impl From<toml::de::Error> for Fault {
    fn from(error: toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        Fault { at, message: error.message().trim_end().replace('\n', ", ") }
    }
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Display) -> Fault {
        Fault { at, message: message.to_string() }
    }

    /// Adds the key at the fault, the value found there, and for an unknown key the known key that is nearest to it.
    pub(super) fn in_document(self, document: &DeTable) -> Fault {
        let Some(entry) = Entry::at(document, self.at) else { return self };
        let is_unknown = self.message.starts_with("unknown field `") && !self.message.contains(DATE);
        let message = if is_unknown { entry.unknown(&self.message) } else { entry.unfit(&self.message) };
        Fault { message, ..self }
    }

    /// Returns the error for the user; `path` is the name of the file that has this `text`.
    pub(super) fn in_file(self, path: &str, text: &str) -> ConfigError {
        ConfigError {
            path: path.to_owned(),
            line: 1 + text.bytes().take(self.at).filter(|byte| *byte == b'\n').count(),
            fault: printable(&self.message).into_owned(),
        }
    }
}

/// A key of the file with its value.
struct Entry<'a> {
    /// The names of the tables around the key, the innermost last.
    tables: Vec<&'a str>,
    /// The innermost table is one of several of its name.
    is_in_array: bool,
    key: &'a str,
    /// The value, or the element of an array at the fault.
    value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    /// Returns the innermost entry whose key or value contains the byte `at`.
    fn at(table: &'a DeTable<'a>, at: usize) -> Option<Entry<'a>> {
        // The span of a table is that of its header, or of a key after it, so it does not show whether an entry is in
        // the table.
        let inner = table.iter().find_map(|(key, value)| {
            let elements = value.get_ref().as_array().into_iter().flat_map(|array| array.iter());
            let several = elements.filter_map(|element| element.get_ref().as_table());
            let mut tables = value.get_ref().as_table().into_iter().chain(several);
            let mut entry = tables.find_map(|table| Entry::at(table, at))?;
            entry.is_in_array |= entry.tables.is_empty() && value.get_ref().is_array();
            entry.tables.insert(0, key.get_ref());
            Some(entry)
        });
        inner.or_else(|| {
            let (key, value) =
                table.iter().find(|(key, value)| key.span().contains(&at) || value.span().contains(&at))?;
            let value = element_at(value, at);
            Some(Entry { tables: Vec::new(), is_in_array: false, key: key.get_ref(), value })
        })
    }

    /// Returns the table of the entry, such as ` in [pull]`; empty for a key before all tables.
    fn place(&self) -> String {
        match &self.tables[..] {
            [] => String::new(),
            tables if self.is_in_array => format!(" in [[{}]]", path(tables)),
            tables => format!(" in [{}]", path(tables)),
        }
    }

    /// Rewrites serde's message about an unknown key.
    fn unknown(&self, message: &str) -> String {
        let kind = if self.value.is_table() { "table" } else { "key" };
        format!("unknown {kind} \"{}\"{}, {}", self.key, self.place(), hint(self.key, &known_keys(message)))
    }

    /// Rewrites a message about a value that does not have the form expected.
    fn unfit(&self, message: &str) -> String {
        let found = found(self.value);
        match form(message) {
            Some("a table") => {
                let path = path(&[&self.tables[..], &[self.key]].concat());
                format!("{path}: {found}, expected a table [{path}]")
            }
            Some(form) => format!("{}{}: {found}, expected {form}", toml_key(self.key), self.place()),
            None => format!("{}{}: {message}", toml_key(self.key), self.place()),
        }
    }
}

/// The name of the key in the table of one key that the toml crate makes of a date.
const DATE: &str = "$__toml_private_datetime";

/// Returns the expected form in `message`, if the message lacks the value found or has it in the words of serde or of
/// the toml crate.
fn form(message: &str) -> Option<&str> {
    if message.ends_with("number overflowed") {
        return Some("a smaller number");
    }
    if message.starts_with("unknown field `") {
        return Some("a table");
    }
    let form = match message.strip_prefix("invalid type: ") {
        Some(rest) => rest.rsplit_once(", expected ")?.1,
        None => message.strip_prefix("expected ")?,
    };
    Some(match form {
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "an array [...]",
        "any value" => "a smaller number",
        // The toml crate represents a date as a table whose key is not in the text.
        "a map" | "a spanned value" => "a table",
        form => form,
    })
}

/// Joins names of tables and keys.
fn path(names: &[&str]) -> String {
    names.iter().map(|name| toml_key(name)).collect::<Vec<_>>().join(".")
}

/// Returns a name as a key of TOML, in quotes if TOML needs them.
pub(crate) fn toml_key(name: &str) -> Cow<'_, str> {
    let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare && !name.is_empty() { name.into() } else { format!("{name:?}").into() }
}

/// Returns the element of an array that contains the byte `at`, or else the value itself. If the array itself is at
/// fault, it begins at that byte.
fn element_at<'a>(value: &'a Spanned<DeValue<'a>>, at: usize) -> &'a DeValue<'a> {
    if value.span().start == at {
        return value.get_ref();
    }
    let elements = value.get_ref().as_array().into_iter().flat_map(|array| array.iter());
    let mut around = elements.filter(|element| element.span().contains(&at));
    around.next().map_or(value.get_ref(), |element| element_at(element, at))
}

/// Returns the keys that serde lists in its message about an unknown one, each in backticks.
fn known_keys(message: &str) -> Vec<&str> {
    let list = message.rsplit_once(", expected ").map_or("", |(_, list)| list);
    list.split('`').skip(1).step_by(2).collect()
}

/// Returns the known key that is nearest to `key`, or all known keys if none is near.
fn hint(key: &str, known: &[&str]) -> String {
    match (nearest_word(key, known), known) {
        (Some(near), _) => format!("did you mean \"{near}\"?"),
        (_, [only]) => format!("expected {only}"),
        _ => format!("expected one of {}", known.join(", ")),
    }
}

fn found(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => format!("found \"{text}\""),
        DeValue::Integer(number) => format!("found {number}"),
        DeValue::Float(number) => format!("found {number}"),
        DeValue::Boolean(switch) => format!("found {switch}"),
        DeValue::Datetime(time) => format!("found {time}"),
        DeValue::Array(array) if array.is_empty() => "found an empty array".to_owned(),
        DeValue::Array(_) => "found an array".to_owned(),
        DeValue::Table(_) => "found a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_fault_names_its_line_its_value_and_what_is_expected() {
        let cases = [
            ("\ncentre = \"http://a\"", "2: unknown key \"centre\", did you mean \"center\"?"),
            ("[pull]\nstep = []", "2: unknown key \"step\" in [pull], did you mean \"steps\"?"),
            (
                "[pull]\nconcurrency = 0",
                "2: concurrency in [pull]: found 0, expected a whole number from 1 to 1024",
            ),
            ("[prune]\nconfirm_runs = 0", "confirm_runs in [prune]: found 0, expected a whole number from 1"),
            ("[pull]\npeek = \"no\"", "2: peek in [pull]: found \"no\", expected true or false"),
            ("[pull]\nmax_body = 0", "expected a number of bytes above zero"),
            ("[pull]\ntimeout = \"0s\"", "expected more than zero"),
            ("[pull]\ntimeout = \"soon\"", "\"soon\" is not a duration"),
            ("[pull]\ntimeout = \"a\\nb\"", "\"a\\nb\" is not a duration"),
            ("[pull]\nping = \"hc.example/key\"", "2: ping in [pull]: the scheme is missing, expected a URL"),
            ("center = \"a:7777\"", "1: center: found \"a:7777\", expected a URL that starts with http://"),
            (
                "center = \"http://a\"\ncenters = []",
                "centers: found an empty array, expected at least one URL",
            ),
            ("center = \"http://a\"\ncenters = [\"http://b\"]", "2: both center and centers"),
            ("pull = 3", "pull: found 3, expected a table [pull]"),
            ("[apps.x]\nrepos = 1", "unknown key \"repos\" in [apps.x], did you mean \"repo\"?"),
            (
                "[git]\ntrust_owner = []",
                "2: unknown key \"trust_owner\" in [git], did you mean \"trust_owners\"?",
            ),
            (
                "[git]\ntrust_owners = [\n-1]",
                "3: trust_owners in [git]: found -1, expected the name of a user",
            ),
            (
                "[git]\ntrust_owners = [\"\"]",
                "found \"\", expected the name of a user in quotes, or a user id",
            ),
            ("[pull]\nsteps = [\n\"1m\",\n\"soon\"]", "4: steps in [pull]: \"soon\" is not a duration"),
            ("pull = []", "1: pull: found an empty array, expected a table [pull]"),
            ("[[pull]]\npeek = true", "1: pull: found an array, expected a table [pull]"),
            ("pull = 2026-11-29", "1: pull: found 2026-11-29, expected a table [pull]"),
            ("[pull]\nproxy = 2026-11-29", "2: proxy in [pull]: found 2026-11-29, expected a text in quotes"),
            ("[apps.x]\npackages = 2026-11-29", "found 2026-11-29, expected a table [apps.x.packages]"),
            ("[apps.\"a.b\"]\nrepo = 1", "2: repo in [apps.\"a.b\"]: found 1, expected a text in quotes"),
            ("[apps.x.packages]\n\"[\" = 1", "2: \"[\" in [apps.x.packages]: \"[\" is not a glob"),
            ("[pull]\nmax_body = 1e999", "2: max_body in [pull]: found 1e999, expected a smaller number"),
            ("[naming]\npattern = \"(\"", "2: pattern in [naming]: "),
            ("agent_files = [\n\"[\"]", "2: agent_files: \"[\" is no glob: "),
            ("agent_files = \"a\"", "1: agent_files: found \"a\", expected an array"),
            ("[tls]\nca = \"\"", "2: ca in [tls]: found \"\", expected the path of a file in quotes"),
            ("[files]\nx = 1", "2: unknown key \"x\" in [files], expected group_write"),
            ("[prune]\n[prune.keeps]", "2: unknown table \"keeps\" in [prune], did you mean \"keep\"?"),
            ("[pull", "1: "),
        ];
        for (text, expected) in cases {
            let fault = Config::parse(text, "goc-watchdog.toml").unwrap_err().to_string();
            assert!(fault.starts_with("goc-watchdog.toml:") && fault.contains(expected), "{text:?}: {fault}");
        }
    }
}
