//! Sources of targets: standard input, files, and commands. Their text is read as it comes, within bounds of time and size.

mod command;
mod time_limit;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::config::{SourceInput, TargetSource};
use crate::fleet::targets::{ServiceTemplate, TargetLimits, TargetList, TargetsError, read};
use crate::io::clock::Deadline;
use crate::io::signals::Signals;
use crate::time::rounded;
use command::{Ended, LeftRunning, Running};
use time_limit::{TimeLimit, TimedReader};

/// A source that gave no list.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot read {:?}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: io::Error },
    #[error("cannot start {program:?}: {reason}")]
    NotStarted { program: String, reason: io::Error },
    /// The command ended with a failure, whatever it printed.
    #[error("{0}")]
    Failed(Ended),
    #[error("nothing was complete after {}", humantime::format_duration(rounded(*.0)))]
    TimedOut(Duration),
    #[error("a signal ended this run")]
    Stopped,
    #[error("{0}")]
    List(#[from] TargetsError),
    /// The command gave no list, and is still at work.
    #[error("{error}; {left}")]
    Unended { error: Box<SourceError>, left: LeftRunning },
}

/// The bounds within which sources are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceBounds<'a> {
    /// End of the time for all sources of a run together, which is half of the run's: the other half is for centers, and
    /// for the addresses that failed sources listed last.
    pub(crate) deadline: Deadline,
    pub(crate) signals: &'a Signals,
    pub(crate) max_targets: usize,
}

impl SourceBounds<'_> {
    fn limits(&self) -> TargetLimits {
        TargetLimits { max_bytes: TargetLimits::MAX_BYTES, max_targets: self.max_targets }
    }
}

/// Reads the list of a source.
pub(crate) fn list(source: &TargetSource, bounds: SourceBounds<'_>) -> Result<TargetList, SourceError> {
    let TargetSource { input, deadline, template, .. } = source;
    let left = bounds.deadline.left();
    let within = match input {
        SourceInput::Stdin => left,
        _ => Some(left.map_or(*deadline, |left| left.min(*deadline))),
    };
    let time_limit = TimeLimit::new(within, bounds.signals);
    match input {
        SourceInput::Stdin => time_limit.list(read(
            TimedReader::new(rustix::stdio::stdin(), &time_limit),
            template,
            bounds.limits(),
        )),
        SourceInput::File(path) => from_file(path, template, &time_limit, bounds.limits()),
        SourceInput::Command { command, folder } => {
            from_command(command, folder, template, &time_limit, bounds.limits())
        }
    }
}

fn from_file(
    path: &Path,
    template: &ServiceTemplate,
    time_limit: &TimeLimit<'_>,
    limits: TargetLimits,
) -> Result<TargetList, SourceError> {
    let file = open(path).map_err(|reason| SourceError::Unreadable { path: path.to_owned(), reason })?;
    time_limit.list(read(TimedReader::new(file, time_limit), template, limits))
}

/// Opens a file. Opening a pipe, such as that of `<(kubectl ...)` in a shell, does not wait for its other end.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn from_command(
    command: &[String],
    folder: &Path,
    template: &ServiceTemplate,
    time_limit: &TimeLimit<'_>,
    limits: TargetLimits,
) -> Result<TargetList, SourceError> {
    let mut running = Running::start(command, folder, time_limit)?;
    let listed = read(&mut running, template, limits);
    // Text that ends early, or is no list, is the fault of a command that failed, whose own message says more.
    let failed = match &listed {
        _ if running.is_at_end() => running.finish().err(),
        Err(TargetsError::OtherForm(_)) => running.failure(),
        _ => None,
    };
    let listed = failed.map_or_else(|| time_limit.list(listed), Err);
    match (listed, running.end()) {
        (Err(error), Err(left)) => Err(SourceError::Unended { error: Box::new(error), left }),
        (listed, _) => listed,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;
    use crate::io::clock::Stopwatch;

    const LIST: &str = r#"[{"targets": ["a:1", "b:2"]}]"#;

    fn source(input: SourceInput) -> TargetSource {
        let template = ServiceTemplate::default();
        TargetSource { name: "x".to_owned(), input, deadline: Duration::from_secs(20), template }
    }

    fn command(command: &[&str]) -> TargetSource {
        let command = command.iter().map(|&argument| argument.to_owned()).collect();
        source(SourceInput::Command { command, folder: "/".into() })
    }

    fn shell(script: &str) -> TargetSource {
        command(&["sh", "-c", script])
    }

    fn read_within(source: &TargetSource, time_left: Option<Duration>) -> Result<usize, String> {
        let deadline = Deadline::after(time_left);
        let bounds = SourceBounds { deadline, signals: &Signals::default(), max_targets: 10 };
        list(source, bounds).map(|list| list.targets.len()).map_err(|error| error.to_string())
    }

    fn read_all(source: &TargetSource) -> Result<usize, String> {
        read_within(source, None)
    }

    #[test]
    fn a_command_is_run_without_a_shell_and_its_list_is_read() {
        let echo = |text: &str| command(&["printf", "%s", text]);
        assert_eq!(read_all(&echo(LIST)), Ok(2));
        assert_eq!(read_all(&shell(&format!("cat /dev/stdin; echo '{LIST}'"))), Ok(2), "stdin is empty");
        let spelled = read_all(&echo("$HOME; [] > x")).unwrap_err();
        assert!(spelled.starts_with("no list of targets: "), "{spelled}");
    }

    #[test]
    fn a_command_that_fails_is_told_by_its_status_and_the_last_line_of_its_messages() {
        let failed = |script: &str| read_all(&shell(script)).unwrap_err();
        assert_eq!(
            failed("echo one >&2; printf 'no \\033[31maccess\\n\\n' >&2; exit 3"),
            "\"sh\" ended with exit status: 3: no \\u{1b}[31maccess"
        );
        // A list that is whole does not count either.
        assert_eq!(failed(&format!("echo '{LIST}'; exit 1")), "\"sh\" ended with exit status: 1");
        assert_eq!(failed("kill -9 $$"), "\"sh\" ended with signal: 9 (SIGKILL)");
        assert_eq!(failed("true"), "it is empty");
        // Text that is no list is not the fault that counts, however long it is.
        let refused = "echo Permission denied >&2; exit 255";
        for text in ["echo connecting...", "seq 20000", "echo connecting...; exec >&-"] {
            assert_eq!(
                failed(&format!("{text}; {refused}")),
                "\"sh\" ended with exit status: 255: Permission denied",
                "{text}"
            );
        }
        assert!(failed("echo connecting...").starts_with("no list of targets: expected value at line 1"));
        let many = failed("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done >&2; exit 1");
        assert_eq!(many, "\"sh\" ended with exit status: 1: line 19999");
        let missing = read_all(&command(&["/nowhere/kubectl"])).unwrap_err();
        assert!(missing.starts_with("cannot start \"/nowhere/kubectl\": No such file"), "{missing}");
    }

    #[test]
    fn a_command_is_ended_with_all_that_it_started_when_its_time_is_over() {
        let home = TempDir::new().unwrap();
        let pid = home.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; echo '['; sleep 600", pid.display());
        let started = Stopwatch::start();
        let hung = TargetSource { deadline: Duration::from_millis(500), ..shell(&script) };
        assert_eq!(read_all(&hung), Err("nothing was complete after 500ms".to_owned()));
        assert_eq!(
            read_within(&shell("sleep 600"), Some(Duration::ZERO)),
            Err("nothing was complete after 0s".to_owned())
        );
        assert!(started.elapsed() < Duration::from_secs(60));
        #[expect(clippy::disallowed_methods, reason = "a file of a test")]
        let pid = fs::read_to_string(&pid).unwrap();
        let gone = || {
            !Path::new("/proc").join(pid.trim()).exists()
                || procfs::process::Process::new(pid.trim().parse().unwrap())
                    .and_then(|process| process.stat())
                    .is_ok_and(|stat| stat.state == 'Z')
        };
        assert!((0..1000).any(|_| {
            let _ = crate::io::clock::wait(Duration::from_millis(10), &Signals::default());
            gone()
        }));
    }

    #[test]
    fn a_command_that_closed_its_output_and_hangs_is_ended_too() {
        let hung = TargetSource {
            deadline: Duration::from_millis(500),
            ..shell(&format!("echo '{LIST}'; exec >&- 2>&-; sleep 600"))
        };
        assert_eq!(read_all(&hung), Err("nothing was complete after 500ms".to_owned()));
    }

    #[test]
    fn output_without_end_is_broken_off() {
        let text = "printf '[{\"targets\": [\"'; exec tr '\\0' a < /dev/zero";
        for (script, bound) in [
            (
                "yes",
                "no list of targets: expected value at line 1 column 1; expected JSON, \
                 [{\"targets\": [\"host:port\"]}] or what \"kubectl get pods -o json\" prints",
            ),
            ("yes '['", "more than 128 of its lists and objects are inside each other"),
            (text, "a text of it is longer than 1048576 bytes"),
        ] {
            assert_eq!(read_all(&shell(script)), Err(bound.to_owned()), "{script}");
        }
    }

    #[test]
    fn a_file_is_read_also_where_it_is_a_pipe() {
        let home = TempDir::new().unwrap();
        let path = home.path().join("targets.json");
        let file = source(SourceInput::File(path.clone()));
        let missing = read_all(&file).unwrap_err();
        assert!(
            missing.starts_with("cannot read ")
                && missing.ends_with("No such file or directory (os error 2)")
        );
        #[expect(clippy::disallowed_methods, reason = "a file of a test")]
        fs::write(&path, LIST).unwrap();
        assert_eq!(read_all(&file), Ok(2));
        let folder = read_all(&source(SourceInput::File(home.path().to_owned()))).unwrap_err();
        assert!(folder.contains("Is a directory"), "{folder}");

        let pipe = home.path().join("pipe");
        #[expect(clippy::disallowed_methods, reason = "a pipe of a test")]
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let from_pipe = source(SourceInput::File(pipe.clone()));
        let nobody = TargetSource { deadline: Duration::from_millis(100), ..from_pipe.clone() };
        assert_eq!(read_all(&nobody), Err("nothing was complete after 100ms".to_owned()));
        std::thread::scope(|scope| {
            #[expect(clippy::disallowed_methods, reason = "the other end of a pipe of a test")]
            scope.spawn(|| {
                let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
                writer.write_all(LIST.as_bytes()).unwrap();
            });
            assert_eq!(read_all(&from_pipe), Ok(2));
        });
    }
}
