//! `list --complete`: the services that a shell offers for the last word of a command line.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Arg, Command, CommandFactory as _};

use crate::access::Caller;
use crate::cli::{Cli, GlobalOptions};
use crate::config::Config;
use crate::exit::ExitCode;
use crate::fleet::app_group::AppGroup;
use crate::fleet::completion::completions;
use crate::io::store::{self, Store};
use crate::io::workdir::Workdir;

/// Prints the services that may stand at the end of a command line, one in a line. Without a database that can be read,
/// nothing is printed: a person who types a command line waits for no message.
pub(crate) fn run(line: &[String], global: &GlobalOptions, caller: Caller) -> Result<ExitCode> {
    let mut command = Cli::command();
    command.build();
    let Some(wanted) = WantedService::from_line(&command, line) else { return Ok(ExitCode::Done) };
    store::never_wait();
    let root = wanted.root.map_or_else(|| global.root.clone(), below_home);
    let workdir = Workdir::new(&root, caller, global.trust_root || wanted.trusts_root).ok();
    let known = workdir.as_ref().and_then(|workdir| {
        Store::open_read_only(&workdir.database()).ok()?.names_beginning_with(wanted.word).ok()
    });
    let groups = workdir.as_ref().filter(|_| wanted.takes_groups).map(groups).unwrap_or_default();
    let known = known.unwrap_or_default();
    let mut text = String::new();
    for name in completions(wanted.word, &known, &groups) {
        text.push_str(name);
        text.push('\n');
    }
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::Done)
}

/// Returns the groups of the configuration; none if it cannot be read.
fn groups(workdir: &Workdir) -> Vec<AppGroup> {
    let text =
        workdir.configuration().ok().flatten().map(|(_, text)| text).filter(|text| text.contains("groups"));
    let config = text.and_then(|text| Config::parse(&text, "").ok());
    config.map(|config| config.groups).unwrap_or_default()
}

/// Returns a path that a shell has not read yet: `~` is the home folder.
fn below_home(path: &str) -> PathBuf {
    let home = path.strip_prefix("~/").zip(std::env::var_os("HOME"));
    home.map_or_else(|| PathBuf::from(path), |(below, home)| Path::new(&home).join(below))
}

/// A word in a command line where a service is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WantedService<'l> {
    /// The beginning of the service that was typed so far.
    word: &'l str,
    /// The work directory that the line names.
    root: Option<&'l str>,
    trusts_root: bool,
    /// The command takes the name of a group there, too.
    takes_groups: bool,
}

/// Commands whose SERVICE may be a group.
const WITH_GROUPS: [&str; 4] = ["total", "report", "list", "pull"];

/// Options beside which such a command takes services of one app alone.
const OF_ONE_APP: [&str; 4] = ["raw", "address", "adopt", "id"];

impl<'l> WantedService<'l> {
    /// Reads a line, whose first word is the program and whose last word is being typed; `None` if no service belongs
    /// there.
    fn from_line(program: &Command, line: &'l [String]) -> Option<Self> {
        let (word, before) = line.split_last()?;
        let word = word.as_str();
        let mut command = program;
        let (mut root, mut trusts_root, mut is_of_one_app) = (None, false, false);
        // The option whose value comes next.
        let mut option: Option<&Arg> = None;
        let (mut places, mut options_end) = (0, false);
        for typed in before.get(1..)?.iter().map(String::as_str) {
            if let Some(named) = option {
                // bash makes a word of the sign in `--root=DIR`.
                if typed != "=" {
                    root = if named.get_id() == "root" { Some(typed) } else { root };
                    option = None;
                }
            } else if typed == "--" {
                options_end = true;
            } else if typed.starts_with('-') && !options_end {
                let Some((named, value)) = named_option(command, typed) else { continue };
                root = value.filter(|_| named.get_id() == "root").or(root);
                trusts_root |= named.get_id() == "trust_root";
                is_of_one_app |= OF_ONE_APP.contains(&named.get_id().as_str());
                option = (named.get_action().takes_values() && value.is_none()).then_some(named);
            } else if let Some(found) = command.find_subcommand(typed) {
                command = found;
            } else {
                places += 1;
            }
        }
        let in_word = if option.is_none() && !options_end { named_option(command, word) } else { None };
        let (option, word) = match in_word {
            Some((named, Some(value))) => (Some(named), value),
            _ => (option, word),
        };
        let argument = option.or_else(|| command.get_positionals().nth(places)).or_else(|| {
            let last = command.get_positionals().last();
            last.filter(|last| last.get_num_args().is_some_and(|n| n.max_values() > 1))
        });
        let is_service = |argument: &Arg| {
            let values = argument.get_value_names().unwrap_or_default();
            values.iter().any(|name| name.split('|').any(|name| name == "SERVICE"))
        };
        // bash makes a word of the sign in `--explain=cart`.
        let word = if word == "=" && option.is_some() { "" } else { word };
        let takes_groups = option.is_none() && !is_of_one_app && WITH_GROUPS.contains(&command.get_name());
        argument.is_some_and(is_service).then_some(Self { word, root, trusts_root, takes_groups })
    }
}

/// Returns the option that a word names, and the value that the word has behind `=`.
fn named_option<'c, 'l>(command: &'c Command, word: &'l str) -> Option<(&'c Arg, Option<&'l str>)> {
    let word = word.strip_prefix('-')?;
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let named = command.get_arguments().find(|argument| match name.strip_prefix('-') {
        Some(name) => argument.get_long() == Some(name),
        None => name.chars().last().is_some_and(|short| argument.get_short() == Some(short)),
    });
    Some((named?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_wanted_at_its_places_alone() {
        let mut program = Cli::command();
        program.build();
        let wanted = |line: &str| {
            let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let wanted = WantedService::from_line(&program, &line)?;
            let takes_groups = ["total", "report", "list", "pull"].iter().any(|name| {
                line.contains(&(*name).to_owned())
                    && !line.iter().any(|word| {
                        ["--explain", "--against", "--raw", "--ad", "--id"]
                            .iter()
                            .any(|of_one| word.starts_with(of_one))
                    })
            });
            assert_eq!(wanted.takes_groups, takes_groups, "{line:?}");
            Some((wanted.word.to_owned(), wanted.root.map(str::to_owned), wanted.trusts_root))
        };
        let word = |word: &str| Some((word.to_owned(), None, false));
        let below = |word: &str, root: &str| Some((word.to_owned(), Some(root.to_owned()), false));
        for (line, expected) in [
            ("goc-watchdog total ", word("")),
            ("goc-watchdog total ca", word("ca")),
            ("goc-watchdog report ca", word("ca")),
            ("goc-watchdog history ca", word("ca")),
            ("goc-watchdog list cart pay ca", word("ca")),
            ("goc-watchdog pull -f cart ca", word("ca")),
            ("goc-watchdog list --explain ca", word("ca")),
            ("goc-watchdog list --explain = ca", word("ca")),
            ("goc-watchdog list --explain =", word("")),
            ("goc-watchdog list --explain=ca", word("ca")),
            ("goc-watchdog list --format=ca", None),
            ("goc-watchdog report cart --against ca", word("ca")),
            ("goc-watchdog report --id 7 ca", word("ca")),
            ("goc-watchdog pull --raw ca", word("ca")),
            ("goc-watchdog pull --address=http://a:1 ca", word("ca")),
            ("goc-watchdog pull --adopt abcdef ca", word("ca")),
            ("goc-watchdog total --fail-under 80 ca", word("ca")),
            ("goc-watchdog total --fail-under=80 ca", word("ca")),
            ("goc-watchdog total -- ca", word("ca")),
            ("goc-watchdog total list", word("list")),
            ("goc-watchdog --root /r total ca", below("ca", "/r")),
            ("goc-watchdog total --root = /r ca", below("ca", "/r")),
            ("goc-watchdog total --root=/r ca", below("ca", "/r")),
            ("goc-watchdog --trust-root total ca", Some(("ca".to_owned(), None, true))),
            ("goc-watchdog total cart ca", None),
            ("goc-watchdog total --fail-under ca", None),
            ("goc-watchdog total --root ca", None),
            ("goc-watchdog prune ca", None),
            ("goc-watchdog ca", None),
            ("goc-watchdog", None),
        ] {
            assert_eq!(wanted(line), expected, "{line}");
        }
    }
}
