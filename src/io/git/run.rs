//! The command line of git, without any environment that could change its output.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::address::shown_url;

/// Time that one run of git may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeout(pub Duration);

/// Environment variables that git needs to run at all.
const KEPT: [&str; 4] = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"];

/// Returns a git that asks for no password, reads no configuration but that of its folder, runs no hooks and no monitor
/// of a file system, shows objects unreplaced, and reaches no other machine.
///
/// Its folder is a [`View`](super::view::View), never a clone.
pub(super) fn command() -> Command {
    let mut git = bare_command();
    git.env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        // Missing blobs of a partial clone are reported, not fetched one by one. Git before 2.45 does not know the first
        // variable; the second one ends its fetch before it runs a program.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "")
        // Grafts of a clone would fake its history (gitrepository-layout(5)).
        .env("GIT_GRAFT_FILE", "/dev/null/none");
    git
}

/// Returns a git that may reach other machines by these protocols. The user's own ssh command is used unchanged.
pub(super) fn network_command(protocols: &[String], has_ssh_command: bool) -> Command {
    let mut git = bare_command();
    git.env("GIT_ALLOW_PROTOCOL", protocols.join(":")).env("GCM_INTERACTIVE", "never");
    if !has_ssh_command {
        git.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    }
    if let Some(agent) = std::env::var_os("SSH_AUTH_SOCK") {
        git.env("SSH_AUTH_SOCK", agent);
    }
    git
}

fn bare_command() -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that runs git")]
    let mut git = Command::new(program());
    git.env_clear();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            git.env(name, value);
        }
    }
    git.env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        // The service was built of the original object.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass="]);
    git
}

/// Returns the path of git, looked up once. A program that is named by its path is started without a copy of this
/// process, which would cost more than the short run of git.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let programs = std::env::split_paths(&folders).map(|folder| folder.join("git"));
        let is_program = |path: &PathBuf| {
            path.is_absolute()
                && path.is_file()
                && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
        };
        // A missing git is reported when it is started.
        programs.into_iter().find(is_program).unwrap_or_else(|| "git".into())
    })
}

/// Returns a text without users, passwords and query values in its URLs.
pub(super) fn without_credentials(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let begin = rest[..at].trim_end_matches(is_of_scheme).len();
        let (before, url) = rest.split_at(begin);
        let word = url.split(char::is_whitespace).next().unwrap_or_default();
        // Git quotes a URL, and text follows the quote.
        let quote = before.chars().next_back().filter(|c| matches!(c, '\'' | '"'));
        let end = quote.and_then(|quote| word.rfind(quote)).unwrap_or(word.len());
        cleaned.extend([before, &shown_url(&without_inner(&word[..end]))]);
        rest = &url[end..];
    }
    cleaned + rest
}

/// Returns git's message without the advice at its end, which does not know the configuration here, and without a full
/// stop, because a next step follows. The advice alone stays.
pub(super) fn without_advice(message: &str) -> &str {
    const ADVICE: &str = "fatal: Could not read from remote repository.\n\n\
                          Please make sure you have the correct access rights\nand the repository exists.";
    let message = message.trim();
    let cause = message.strip_suffix(ADVICE).map(str::trim_end).filter(|cause| !cause.is_empty());
    cause.unwrap_or(message).trim_end_matches('.')
}

/// Returns a URL that has another one in its path, such as that of a mirror, without all before its last `@`.
fn without_inner(url: &str) -> Cow<'_, str> {
    match (url.find("://"), url.rfind("://"), url.rfind('@')) {
        (Some(first), Some(last), Some(at)) if first < last && last < at => {
            Cow::Owned(format!("{}***{}", &url[..first + 3], &url[at..]))
        }
        _ => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_failure_stays_without_the_advice_of_git() {
        let advice = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access \
                      rights\nand the repository exists.\n";
        for (said, cause) in [
            (
                "git@h: Permission denied (publickey).\r\n".to_owned() + advice,
                "git@h: Permission denied (publickey)",
            ),
            (advice.to_owned(), advice.trim().trim_end_matches('.')),
            ("fatal: early EOF\n".to_owned(), "fatal: early EOF"),
        ] {
            assert_eq!(without_advice(&said), cause);
        }
    }

    #[test]
    fn secrets_are_cut_out_of_every_url() {
        for (said, shown) in [
            (
                "cannot read 'https://me:p@ss@host/x.git' or ssh://git@h:22/y, not a@b",
                "cannot read 'https://***@host/x.git' or ssh://git@h:22/y, not a@b",
            ),
            (
                "unable to access 'https://me:p/w@host/x.git/': URL using bad/illegal format",
                "unable to access 'https://***@host/x.git/': URL using bad/illegal format",
            ),
            (
                "repository 'https://host/x.git?token=hu'sh/' not found\nsee https://host/?a=hush next",
                "repository 'https://host/x.git?token=***' not found\nsee https://host/?a=*** next",
            ),
            ("https://mirror/https://me:hush@host/x.git", "https://***@host/x.git"),
            ("://", "://"),
        ] {
            assert_eq!(without_credentials(said), shown);
        }
    }
}
