//! The errors of git.

use std::io;
use std::path::PathBuf;

use super::object::{ObjectId, lines};
use crate::names::printable;
use crate::time::rounded;

/// Git failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// No repository is there.
    #[error("{:?} is not a git repository", path.display())]
    NoRepository {
        /// The folder that should be one.
        path: PathBuf,
    },
    /// A repository is of a user whose repositories are not read.
    #[error("{:?} belongs to user {owner}, whose repositories are not read", path.display())]
    NotTrusted {
        /// A part of the repository.
        path: PathBuf,
        /// User id.
        owner: u32,
    },
    /// A part of a repository cannot be looked at.
    #[error("cannot read {:?}: {reason}", path.display())]
    Unreadable {
        /// The part.
        path: PathBuf,
        /// The reason.
        reason: io::Error,
    },
    /// The folder to fetch into cannot be written.
    #[error("nothing can be fetched, because {:?} cannot be written: {reason}", path.display())]
    NotWritable {
        /// The folder that is fetched into.
        path: PathBuf,
        /// The reason.
        reason: io::Error,
    },
    /// The folder through which git reads cannot be made.
    #[error(
        "git reads a repository through a folder of links, and {:?} cannot be made (set TMPDIR to a folder that can be written): {reason}",
        path.display()
    )]
    NoView {
        /// The folder.
        path: PathBuf,
        /// The reason.
        reason: io::Error,
    },
    /// The folder to fetch into belongs to another user.
    #[error("{:?} belongs to user {owner}, so nothing is fetched into it; remove it or move it away, and it is made again", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// User id.
        owner: u32,
    },
    /// Fetching failed, perhaps for want of settings that only the clone has.
    #[error(
        "{error}; the clone's own configuration has {keys}, which is ignored; set it in the git configuration of the user who runs this (git config --global), or in the URL of {setting}"
    )]
    SettingsUnheeded {
        /// The failure itself.
        error: Box<GitError>,
        /// Names of settings.
        keys: String,
        /// Name of this program's own setting.
        setting: String,
    },
    /// Git is not installed, or could not be started.
    #[error("cannot run git: {}", why_not_started(.0))]
    NotStarted(io::Error),
    /// Talking to git failed.
    #[error("git {action}: {reason}")]
    Io {
        /// The git command.
        action: &'static str,
        /// The failure itself.
        reason: io::Error,
    },
    /// Git ended with an error.
    #[error("git {action}: {message}{}", next_step(message))]
    Failed {
        /// The git command.
        action: &'static str,
        /// Its message, without credentials.
        message: String,
        /// Its exit code; `None` if a signal ended it.
        code: Option<i32>,
    },
    /// Git took too long.
    #[error("git {action}: did not finish within {}", humantime::format_duration(rounded(*after)))]
    TimedOut {
        /// The git command.
        action: &'static str,
        /// The timeout.
        after: std::time::Duration,
    },
    /// Git answered in an unknown form.
    #[error("git {action}: unexpected answer {answer:?}")]
    Unexpected {
        /// The git command.
        action: &'static str,
        /// The start of the answer.
        answer: String,
    },
    /// A commit has more files than are listed.
    #[error(
        "commit {commit} has more than {most} files, or paths that are too long, so it is not read ([git] max_files)"
    )]
    TooManyFiles {
        /// The commit.
        commit: ObjectId,
        /// The limit.
        most: usize,
    },
    /// The repository has no such commit.
    #[error("{:?} has no commit \"{}\"", path.display(), printable(revision))]
    NoCommit {
        /// The repository.
        path: PathBuf,
        /// The requested revision.
        revision: String,
    },
    /// The default branch is unknown.
    #[error("{:?} has no known default branch; give the base with --base REV", path.display())]
    NoDefaultBranch {
        /// The repository.
        path: PathBuf,
    },
    /// The clone has no remote.
    #[error("{:?} has no remote to fetch from", path.display())]
    NoRemote {
        /// The repository.
        path: PathBuf,
    },
    /// A short hash fits several commits.
    #[error("commit \"{}\" is ambiguous in {:?}; give more digits:{}", printable(revision), path.display(),
        lines(candidates, "\n  ", ""))]
    Ambiguous {
        /// The repository.
        path: PathBuf,
        /// The requested revision.
        revision: String,
        /// Full hashes.
        candidates: Vec<ObjectId>,
    },
}

fn why_not_started(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "no folder of PATH has it; install git, or add its folder to the PATH of this run".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Returns the next step after a failure for want of a right, as the end of a message; empty for any other failure.
fn next_step(message: &str) -> String {
    const LOGIN: &str = "the repository wants a login, and nobody is asked here: give git a credential helper (git config \
                         --global credential.helper store), or put a token into the URL (https://TOKEN@host/...)";
    const KEY: &str = "the server knows no ssh key of this user: make one (ssh-keygen), and add it to the repository as a \
                       deploy key with the right to read";
    const HOST: &str = "this user's ~/.ssh/known_hosts lacks the server: ssh-keyscan HOST prints the line, which is to be \
                        compared with the one that the server's owner publishes";
    const SIGNS: [(&str, &str); 7] = [
        ("terminal prompts disabled", LOGIN),
        ("could not read Username", LOGIN),
        ("could not read Password", LOGIN),
        ("Authentication failed", LOGIN),
        ("returned error: 403", LOGIN),
        ("Permission denied (publickey", KEY),
        ("Host key verification failed", HOST),
    ];
    if let Some((_, step)) = SIGNS.iter().find(|(sign, _)| message.contains(sign)) {
        return format!("; {step}");
    }
    let refused = message.split_once("transport '").and_then(|(_, rest)| rest.split_once("' not allowed"));
    refused.map_or_else(String::new, |(protocol, _)| {
        let protocol = printable(protocol);
        let doubt = if matches!(&*protocol, "http" | "git") { ", if the network is trusted" } else { "" };
        format!("; protocols in [git] lacks \"{protocol}\": add it{doubt}")
    })
}

impl GitError {
    /// Tells whether the message says what to do.
    #[must_use]
    pub(crate) fn has_next_step(&self) -> bool {
        match self {
            Self::Failed { message, .. } => !next_step(message).is_empty(),
            Self::TimedOut { .. } => false,
            _ => true,
        }
    }

    /// Tells whether another machine, or git itself, took too long.
    #[must_use]
    pub(crate) fn is_timed_out(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::SettingsUnheeded { error, .. } => error.is_timed_out(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_for_want_of_a_right_has_a_next_step_and_no_other_has_one() {
        for (message, step) in [
            (
                "could not read Username for 'https://h': terminal prompts disabled",
                "; the repository wants a login",
            ),
            ("Authentication failed for 'https://h/r.git/'", "; the repository wants a login"),
            (
                "unable to access 'https://h/r.git/': The requested URL returned error: 403",
                "; the repository wants a login",
            ),
            ("git@h: Permission denied (publickey).", "; the server knows no ssh key of this user"),
            ("Host key verification failed.", "; this user's ~/.ssh/known_hosts lacks the server"),
            (
                "transport 'http' not allowed",
                "; protocols in [git] lacks \"http\": add it, if the network is trusted",
            ),
            ("transport 'file' not allowed", "; protocols in [git] lacks \"file\": add it"),
        ] {
            assert!(next_step(message).starts_with(step), "{message}: {}", next_step(message));
        }
        assert_eq!(next_step("unable to access 'https://h/r.git/': Could not resolve host: h"), "");
    }
}
