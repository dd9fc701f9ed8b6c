//! The forms of a check: lines for people, and JSON.

use std::io::{self, Write};

use super::finding::{FindingLevel, SetupFinding, exit_code};
use crate::commands::show::flowed;
use crate::exit::ExitCode;

/// Columns of the level and of the check, each with the gap behind it.
const LEVEL: usize = 9;
const CHECK: usize = 15;

/// Writes one line for each finding. On a terminal with `width` columns a longer text goes on below itself, and no word
/// is broken.
pub(super) fn write_text(
    findings: &[SetupFinding],
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    const BEFORE: usize = LEVEL + CHECK;
    for finding in findings {
        let check = finding.check.replace('_', " ");
        let text = flowed(&finding.text(), width, BEFORE, BEFORE);
        writeln!(out, "{:LEVEL$}{check:CHECK$}{text}", finding.level.word())?;
    }
    match reason(findings) {
        Some(reason) => writeln!(out, "{reason}"),
        None => Ok(()),
    }
}

/// Returns the line about the exit code; `None` if it is 0.
fn reason(findings: &[SetupFinding]) -> Option<String> {
    let (level, what) = match exit_code(findings) {
        ExitCode::Done => return None,
        ExitCode::Partly => (FindingLevel::TargetsFailed, "pull works, and some targets fail"),
        _ => (FindingLevel::Failed, "pull cannot work"),
    };
    let mut checks: Vec<String> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.level == level) {
        let check = finding.check.replace('_', " ");
        if !checks.contains(&check) {
            checks.push(check);
        }
    }
    Some(format!("exit code {}: {what} ({})", exit_code(findings).number(), checks.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(width: Option<usize>) -> String {
        let findings = [
            SetupFinding::ok("root", "/srv/g, 42 services"),
            SetupFinding::new(
                "free_space",
                FindingLevel::Warning,
                "512.0 MiB of 20.0 GiB are free (2%)",
                "make room: prune drops old profiles ([prune] keep, keep_days)",
            ),
        ];
        let mut out = Vec::new();
        write_text(&findings, width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_last_line_says_why_the_exit_code_is_not_0() {
        let finding = |check, level| SetupFinding::without_step(check, level, "x");
        let ok = SetupFinding::ok("root", "x");
        let failed = [finding("free_space", FindingLevel::Failed), finding("center", FindingLevel::Failed)];
        let target = finding("agent", FindingLevel::TargetsFailed);
        assert_eq!(reason(&[ok.clone(), finding("git", FindingLevel::Warning)]), None);
        assert_eq!(
            reason(&[ok.clone(), target.clone(), target.clone()]).unwrap(),
            "exit code 3: pull works, and some targets fail (agent)"
        );
        let [space, center] = failed;
        assert_eq!(
            reason(&[space, target, center]).unwrap(),
            "exit code 1: pull cannot work (free space, center)"
        );
    }

    #[test]
    fn a_long_text_goes_on_below_itself_at_a_terminal_alone() {
        assert_eq!(
            text(Some(80)),
            "ok       root           /srv/g, 42 services\n\
             warning  free space     512.0 MiB of 20.0 GiB are free (2%); make room: prune\n                        \
             drops old profiles ([prune] keep, keep_days)\n"
        );
        assert_eq!(
            text(None),
            "ok       root           /srv/g, 42 services\n\
             warning  free space     512.0 MiB of 20.0 GiB are free (2%); make room: prune drops old profiles \
             ([prune] keep, keep_days)\n"
        );
    }
}
