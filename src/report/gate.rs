//! The requirements that a report has to meet: for the whole, for packages, and for changed lines.

use chrono::{DateTime, Utc};

use super::Report;
use super::diff::{DiffReport, LineCategory};
use super::marked::{ListedMark, stale};
use crate::coverage::{Coverage, Threshold};
use crate::filter::Glob;
use crate::gate::{Gate, GateData, GateResult, Requirement, Verdict, doubt, judge_coverage};
use crate::names::in_message;
use crate::phrases::count;

/// Number of files without profile that a verdict names.
const NAMED_FILES: usize = 5;

/// The requirements of options and configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requirements<'a> {
    /// The gate from the options.
    pub(crate) gate: Gate,
    /// The requirements of the changes, which are options, too.
    pub(crate) changes: ChangesGate,
    /// No mark in the source may be stale.
    pub(crate) forbids_stale_marks: bool,
    /// The threshold from the app's configuration, which an option overrides.
    pub(crate) fail_under: Option<Threshold>,
    /// The thresholds from the app's configuration for packages that a glob matches.
    pub(crate) packages: &'a [(Glob, Threshold)],
}

/// The requirements of the changes; the threshold of the changed lines is that of the [`Gate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangesGate {
    /// The most changed lines that may be missed.
    pub(crate) fail_missed: Option<u64>,
    /// The fewest changed lines that are judged by the threshold and by the number of missed ones.
    pub(crate) min_changed: Option<u64>,
    /// No unchanged line that was executed in the other state may be missed now.
    pub(crate) forbids_lost: bool,
    /// No changed code may be missing in the profile.
    pub(crate) forbids_unmeasured: bool,
}

impl Requirements<'_> {
    /// Judges a report. If the changes are known, the threshold of the options applies to the changed lines, and the
    /// thresholds of the configuration do not apply.
    pub(crate) fn judge(
        &self,
        report: &Report<'_>,
        diff: Option<&DiffReport>,
        last_pull: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Vec<Verdict> {
        let data = |coverage: Coverage| GateData {
            coverage: Some(coverage),
            percent: coverage.percent(),
            last_pull,
            replicas: report.head.replicas,
        };
        let whole = data(report.coverage());
        if let Some(diff) = diff {
            let mut verdicts = self.gate.without_threshold().judge(&whole, now);
            verdicts.extend(self.changes.judge(diff, self.gate.fail_under));
            verdicts.extend(self.judge_marks(report));
            return verdicts;
        }
        let mut verdicts = self.gate.judge(&whole, now);
        if let (None, Some(threshold)) = (self.gate.fail_under, self.fail_under) {
            verdicts.push(judge_coverage(Requirement::FailUnder, &whole, threshold));
        }
        for package in report.packages() {
            if let Some(threshold) = self.of_package(package.name) {
                let of_package = data(package.coverage);
                let verdict = judge_coverage(Requirement::FailUnderPackage, &of_package, threshold);
                let message = format!("package {}: {}", in_message(package.name), verdict.message);
                verdicts.push(Verdict { message, ..verdict });
            }
        }
        verdicts.extend(self.judge_marks(report));
        verdicts
    }

    fn judge_marks(&self, report: &Report<'_>) -> Option<Verdict> {
        self.forbids_stale_marks.then(|| judge_stale_marks(report.marks()))
    }

    /// Returns the threshold of a package, which is that of the longest matching glob.
    fn of_package(&self, package: &str) -> Option<Threshold> {
        let fitting = self.packages.iter().filter(|(glob, _)| glob.fits(package));
        fitting.max_by_key(|(glob, _)| glob.as_str().len()).map(|(_, threshold)| *threshold)
    }

    /// Returns warnings about the thresholds of the configuration: those that were probably meant as shares, and those
    /// whose globs match no package.
    pub(crate) fn warnings(&self, report: &Report<'_>) -> Vec<String> {
        let of_packages = self.packages.iter().map(|(glob, threshold)| {
            let setting = format!("the threshold of \"{}\" in the configuration:", in_message(glob.as_str()));
            (setting, *threshold)
        });
        let of_app =
            self.fail_under.map(|threshold| ("fail_under in the configuration:".to_owned(), threshold));
        let all = of_app.into_iter().chain(of_packages);
        let doubts = all.filter_map(|(setting, threshold)| doubt(&setting, threshold));
        doubts.chain(self.idle_globs(report)).collect()
    }

    /// Returns a warning for each glob that matches no package of an unfiltered report.
    fn idle_globs(&self, report: &Report<'_>) -> Vec<String> {
        if !report.head.filters.is_empty() {
            return Vec::new();
        }
        let packages = report.packages();
        let idle = self.packages.iter().filter(|(glob, _)| !packages.iter().any(|one| glob.fits(one.name)));
        let warning = |(glob, threshold): &(Glob, Threshold)| {
            let glob = in_message(glob.as_str());
            format!("\"{glob}\" matches no package, so no package has to reach {threshold}")
        };
        idle.map(warning).collect()
    }
}

impl ChangesGate {
    fn judge(self, diff: &DiffReport, fail_under: Option<Threshold>) -> Vec<Verdict> {
        let Self { fail_missed, min_changed, forbids_lost, forbids_unmeasured } = self;
        let lines = diff.coverage();
        let of_lines = [
            fail_under.map(|threshold| judge_changed(lines, threshold)),
            fail_missed.map(|most| judge_missed(lines, most)),
        ];
        let reason = match min_changed {
            _ if lines.total == 0 => Some(format!("{}, gate not applied", diff.nothing_counted())),
            Some(least) if lines.total < least => Some(format!(
                "{}, gate not applied (--min-changed {least})",
                lines_of(lines.total, "changed lines")
            )),
            _ => None,
        };
        let mut verdicts: Vec<Verdict> = of_lines.into_iter().flatten().collect();
        if let Some(reason) = reason {
            for Verdict { result, figure, message, .. } in &mut verdicts {
                *result = GateResult::NotApplied;
                *figure = figure.filter(|_| lines.total > 0);
                message.clone_from(&reason);
            }
        }
        verdicts.extend(forbids_lost.then(|| judge_lost(diff)));
        verdicts.extend(forbids_unmeasured.then(|| judge_unmeasured(diff)));
        verdicts
    }
}

/// Judges the percentage of the changed lines.
fn judge_changed(lines: Coverage, threshold: Threshold) -> Verdict {
    let shown = format!("{lines} of the changed lines ({} of {})", lines.covered, lines.total);
    let (result, message) = match lines.meets(threshold) {
        true => (GateResult::Met, format!("{shown}, at least {threshold} required")),
        false => {
            let more = lines.missing_for(threshold);
            (GateResult::Unmet, format!("{shown} is below {threshold}, {more} more to cover"))
        }
    };
    let gate = Requirement::FailUnderChanged;
    Verdict { gate, result, figure: Some(lines.percent()), threshold: threshold.percent(), message }
}

/// Judges the number of changed lines that were missed.
fn judge_missed(lines: Coverage, most: u64) -> Verdict {
    let missed = lines.total - lines.covered;
    let shown = format!("{missed} of {} missed", lines_of(lines.total, "changed lines"));
    let (result, message) = match missed <= most {
        true => (GateResult::Met, format!("{shown}, at most {most} allowed")),
        false => (GateResult::Unmet, format!("{shown}, more than {most}")),
    };
    number(Requirement::FailMissed, result, missed, most, message)
}

/// Judges whether coverage of code that did not change was lost.
fn judge_lost(diff: &DiffReport) -> Verdict {
    let lost = diff.comparison.as_ref().map_or(0, |comparison| comparison.number(LineCategory::Lbc));
    let (result, message) = match lost {
        0 => (GateResult::Met, "no lost coverage of code that did not change".to_owned()),
        _ => {
            let lines = lines_of(lost, "lines");
            (GateResult::Unmet, format!("lost coverage of code that did not change: {lines}"))
        }
    };
    number(Requirement::FailOnLost, result, lost, 0, message)
}

/// Judges whether all changed code is in the profile.
fn judge_unmeasured(diff: &DiffReport) -> Verdict {
    let lines = diff.unmeasured_lines();
    let (result, message) = match lines {
        0 => (GateResult::Met, "all changed code is in the profile".to_owned()),
        _ => {
            let named = diff.unmeasured.iter().take(NAMED_FILES);
            let named: Vec<String> =
                named.map(|file| format!("{} ({})", in_message(&file.path), file.lines.len())).collect();
            let more = if diff.unmeasured.len() > NAMED_FILES { ", ..." } else { "" };
            let lines = count(lines, "changed lines");
            (GateResult::Unmet, format!("{lines} of code in no profile: {}{more}", named.join(", ")))
        }
    };
    number(Requirement::FailOnUnmeasured, result, lines as u64, 0, message)
}

/// Judges whether marks in the source are stale.
pub(crate) fn judge_stale_marks<'r>(marks: impl Iterator<Item = ListedMark<'r>>) -> Verdict {
    let marks: Vec<ListedMark<'r>> = marks.collect();
    let stale: Vec<String> = stale(marks.iter().copied()).collect();
    let (result, message) = match stale.len() {
        0 => (GateResult::Met, format!("{}, none is stale", count(marks.len(), "marks"))),
        number => {
            let named = stale.iter().take(NAMED_FILES).map(|mark| in_message(mark).into_owned());
            let more = if number > NAMED_FILES { "; ..." } else { "" };
            let named = named.collect::<Vec<_>>().join("; ");
            let all = count(marks.len(), "marks");
            (GateResult::Unmet, format!("{number} of {all} stale: {named}{more}"))
        }
    };
    number(Requirement::FailOnStaleMark, result, stale.len() as u64, 0, message)
}

/// Returns a verdict about a number of lines or marks.
fn number(gate: Requirement, result: GateResult, figure: u64, most: u64, message: String) -> Verdict {
    #[expect(clippy::cast_precision_loss, reason = "a number of lines or marks")]
    let [figure, threshold] = [figure, most].map(|lines| lines as f64);
    Verdict { gate, result, figure: Some(figure), threshold, message }
}

/// Returns `1 line` or `2 lines`.
fn lines_of(number: u64, what: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), what)
}

#[cfg(test)]
mod tests {
    use super::super::diff::Comparison;
    use super::super::testing::{self, DIFF, PROFILE, SOURCES, with_report};
    use super::*;
    use crate::filter::Filter;

    fn percent(text: &str) -> Threshold {
        text.parse().unwrap()
    }

    fn packages(globs: &[(&str, &str)]) -> Vec<(Glob, Threshold)> {
        globs.iter().map(|(glob, threshold)| (glob.parse().unwrap(), threshold.parse().unwrap())).collect()
    }

    /// Judges the sample: 6 of 9 statements in all, m/api 4 of 4 and m/app 2 of 5.
    fn unmet(requirements: &Requirements<'_>) -> Vec<String> {
        with_report(PROFILE, &SOURCES, |report| {
            unmet_of(&requirements.judge(&report, None, None, report.head.stored_at))
        })
    }

    fn unmet_of(verdicts: &[Verdict]) -> Vec<String> {
        verdicts.iter().filter(|verdict| verdict.is_unmet()).map(|verdict| verdict.message.clone()).collect()
    }

    #[test]
    fn an_option_is_stronger_than_the_configuration() {
        let with = |option: Option<&str>, configured: Option<&str>| {
            let gate = Gate { fail_under: option.map(percent), ..Gate::default() };
            let fail_under = configured.map(percent);
            unmet(&Requirements { gate, fail_under, ..Requirements::default() }).join("\n")
        };
        let below = |percent: &str, more| {
            format!("66.7% (6 of 9 statements) is below {percent}, {more} more to cover")
        };
        assert_eq!(with(None, None), "");
        assert_eq!(with(None, Some("70")), below("70%", 1));
        assert_eq!(with(Some("80"), Some("70")), below("80%", 2));
        assert_eq!(with(Some("60"), Some("70")), "");
    }

    #[test]
    fn the_longest_glob_that_fits_decides_about_a_package() {
        for (globs, expected) in [
            (
                &[("m/**", "50")][..],
                &["package m/app: 40.0% (2 of 5 statements) is below 50%, 1 more to cover"][..],
            ),
            (&[("m/**", "50"), ("m/app", "40")], &[]),
            (&[("m/app", "40"), ("m/**", "50")], &[]),
            (&[("app", "41")], &["package m/app: 40.0% (2 of 5 statements) is below 41%, 1 more to cover"]),
        ] {
            let packages = packages(globs);
            let requirements = Requirements { packages: &packages, ..Requirements::default() };
            assert_eq!(unmet(&requirements), expected, "{globs:?}");
        }
    }

    #[test]
    fn a_glob_that_fits_no_package_is_told_for_a_whole_report() {
        let packages = packages(&[("m/api", "1"), ("x", "2")]);
        let requirements = Requirements { packages: &packages, ..Requirements::default() };
        with_report(PROFILE, &SOURCES, |mut report| {
            let warning = "\"x\" matches no package, so no package has to reach 2%";
            assert_eq!(requirements.warnings(&report), [warning]);
            report.head.filters = vec!["include m/api".to_owned()];
            assert_eq!(requirements.warnings(&report), [""; 0]);
        });
    }

    #[test]
    fn a_threshold_that_looks_like_a_share_is_doubted() {
        let packages = packages(&[("m/api", "0.5"), ("m/app", "50")]);
        let fail_under = Some(percent("0.8"));
        let requirements = Requirements { fail_under, packages: &packages, ..Requirements::default() };
        with_report(PROFILE, &SOURCES, |report| {
            assert_eq!(
                requirements.warnings(&report),
                [
                    "fail_under in the configuration: 0.8% is less than one percent; write 80 for 80 percent",
                    "the threshold of \"m/api\" in the configuration: 0.5% is less than one percent; write 50 for 50 percent",
                ]
            );
        });
    }

    #[test]
    fn the_threshold_is_of_changed_lines_where_changes_are_known() {
        let changes = testing::changes(DIFF);
        let packages = packages(&[("m/**", "100")]);
        let judged = |option| {
            let gate = Gate { fail_under: Some(percent(option)), ..Gate::default() };
            let requirements = Requirements { gate, packages: &packages, ..Requirements::default() };
            with_report(PROFILE, &SOURCES, |report| {
                let diff = DiffReport::new(&report, &changes, &Filter::default());
                unmet_of(&requirements.judge(&report, Some(&diff), None, report.head.stored_at))
            })
        };
        let below = "50.0% of the changed lines (1 of 2) is below 51%, 1 more to cover";
        assert_eq!((judged("50"), judged("51")), (vec![], vec![below.to_owned()]));
    }

    /// Judges changes of the sample by their gate, and returns the results with the messages.
    fn judged(gate: ChangesGate, fail_under: Option<&str>, diff: &str) -> Vec<String> {
        let gate_of_all = Gate { fail_under: fail_under.map(percent), ..Gate::default() };
        let requirements = Requirements { gate: gate_of_all, changes: gate, ..Requirements::default() };
        let changes = testing::changes(diff);
        with_report(PROFILE, &SOURCES, |report| {
            let diff = DiffReport::new(&report, &changes, &Filter::default());
            let verdicts = requirements.judge(&report, Some(&diff), None, report.head.stored_at);
            verdicts.iter().map(|it| format!("{:?} {:?}: {}", it.result, it.figure, it.message)).collect()
        })
    }

    #[test]
    fn missed_lines_may_be_counted() {
        let missed = |most| {
            judged(ChangesGate { fail_missed: Some(most), ..ChangesGate::default() }, None, DIFF).join("")
        };
        assert_eq!(missed(0), "Unmet Some(1.0): 1 of 2 changed lines missed, more than 0");
        assert_eq!(missed(1), "Met Some(1.0): 1 of 2 changed lines missed, at most 1 allowed");
    }

    #[test]
    fn few_changed_lines_are_not_judged_if_an_option_says_so() {
        let with = |min_changed| {
            let gate = ChangesGate {
                fail_missed: Some(0),
                min_changed: Some(min_changed),
                ..ChangesGate::default()
            };
            judged(gate, Some("60"), DIFF)
        };
        let few = "2 changed lines, gate not applied (--min-changed 3)";
        assert_eq!(
            with(3),
            [format!("NotApplied Some(50.0): {few}"), format!("NotApplied Some(1.0): {few}")]
        );
        assert_eq!(
            with(2),
            [
                "Unmet Some(50.0): 50.0% of the changed lines (1 of 2) is below 60%, 1 more to cover",
                "Unmet Some(1.0): 1 of 2 changed lines missed, more than 0",
            ]
        );
    }

    /// Changes of a file that is in no profile: line 1 (no code), 3 (begins a function), 4 to 6 and 10 (code).
    const OF_OTHER: &str = "--- app/other.go\n+++ app/other.go\n@@ -1 +1 @@\n-x\n+package app\n@@ -3,4 +3,4 @@\n-x\n-x\n-x\n-x\n+func main() {\n+\tif run() { // c\n+\t\tpanic(1)\n+\t}\n@@ -10 +10 @@\n-x\n+\tclose(t.c)\n";

    #[test]
    fn changed_code_that_is_in_no_profile_is_told_apart_from_no_change() {
        let gate = ChangesGate { forbids_unmeasured: true, ..ChangesGate::default() };
        assert_eq!(
            judged(gate, Some("80"), OF_OTHER),
            [
                "NotApplied None: no changed line was measured (3 lines of code are in no profile), gate not applied",
                "Unmet Some(3.0): 3 changed lines of code in no profile: app/other.go (3)",
            ]
        );
        let nothing = "--- api/x.go\n+++ api/x.go\n@@ -2 +2 @@\n-x\n+\n";
        assert_eq!(
            judged(gate, Some("80"), nothing),
            [
                "NotApplied None: no line that counts changed, gate not applied",
                "Met Some(0.0): all changed code is in the profile",
            ]
        );
    }

    #[test]
    fn lost_coverage_fails_only_where_that_is_asked_for() {
        let before = PROFILE.replace("4.11,6.3 1 0", "4.11,6.3 1 9");
        let judged = |forbids_lost| {
            let changes = ChangesGate { forbids_lost, ..ChangesGate::default() };
            let requirements = Requirements { changes, ..Requirements::default() };
            let changes = testing::changes("");
            with_report(PROFILE, &SOURCES, |report| {
                let mut diff = DiffReport::new(&report, &changes, &Filter::default());
                diff.comparison = with_report(&before, &SOURCES, |before| {
                    Some(Comparison::new(Default::default(), &report, &before, &[]))
                });
                unmet_of(&requirements.judge(&report, Some(&diff), None, report.head.stored_at))
            })
        };
        assert_eq!(judged(false), [""; 0]);
        assert_eq!(judged(true), ["lost coverage of code that did not change: 1 line"]);
    }
}
