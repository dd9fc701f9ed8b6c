//! The requirements that a report has to meet: for the whole, for packages, and for changed lines.

use chrono::{DateTime, Utc};

use super::Report;
use super::diff::{DiffReport, LineCategory};
use crate::coverage::{Coverage, Threshold};
use crate::filter::Glob;
use crate::gate::{Gate, GateData, below, doubt};
use crate::names::in_message;
use crate::phrases::count;

/// The requirements of options and configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requirements<'a> {
    /// The gate from the options.
    pub(crate) gate: Gate,
    /// No unchanged line that was executed in the other state may be missed now (an option).
    pub(crate) forbids_lost_coverage: bool,
    /// The threshold from the app's configuration, which an option overrides.
    pub(crate) fail_under: Option<Threshold>,
    /// The thresholds from the app's configuration for packages that a glob matches.
    pub(crate) packages: &'a [(Glob, Threshold)],
}

impl Requirements<'_> {
    /// Returns the requirements that are not met, each as a clause. If the changes are known, the threshold of the
    /// options applies to the changed lines, and the thresholds of the configuration do not apply.
    pub(crate) fn unmet(
        &self,
        report: &Report<'_>,
        diff: Option<&DiffReport>,
        last_pull: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Vec<String> {
        let data = |coverage: Coverage| GateData {
            coverage: Some(coverage),
            percent: coverage.percent(),
            last_pull,
            replicas: report.head.replicas,
        };
        let whole = data(report.coverage());
        if let Some(diff) = diff {
            let mut unmet = self.gate.without_threshold().unmet(&whole, now);
            unmet.extend(self.gate.fail_under.and_then(|threshold| changes_below(diff, threshold)));
            unmet.extend(Some(diff).filter(|_| self.forbids_lost_coverage).and_then(lost));
            return unmet;
        }
        let mut unmet = self.gate.unmet(&whole, now);
        if let (None, Some(threshold)) = (self.gate.fail_under, self.fail_under) {
            unmet.extend(below(&whole, threshold));
        }
        for package in report.packages() {
            if let Some(threshold) = self.of_package(package.name) {
                let message = below(&data(package.coverage), threshold);
                unmet.extend(
                    message.map(|message| format!("package {}: {message}", in_message(package.name))),
                );
            }
        }
        unmet
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

/// Returns the part by which the changed lines are below a threshold, as a clause.
fn changes_below(diff: &DiffReport, threshold: Threshold) -> Option<String> {
    let lines = diff.coverage();
    (lines.total > 0 && !lines.meets(threshold)).then(|| {
        format!(
            "{lines} of the changed lines ({} of {}) is below {threshold}, {} more to cover",
            lines.covered,
            lines.total,
            lines.missing_for(threshold)
        )
    })
}

fn lost(diff: &DiffReport) -> Option<String> {
    let lost = diff.comparison.as_ref().map_or(0, |comparison| comparison.number(LineCategory::Lbc));
    (lost > 0).then(|| {
        let lines = count(usize::try_from(lost).unwrap_or(usize::MAX), "lines");
        format!("lost coverage of code that did not change: {lines}")
    })
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
            requirements.unmet(&report, None, None, report.head.stored_at)
        })
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
                requirements.unmet(&report, Some(&diff), None, report.head.stored_at)
            })
        };
        let below = "50.0% of the changed lines (1 of 2) is below 51%, 1 more to cover";
        assert_eq!((judged("50"), judged("51")), (vec![], vec![below.to_owned()]));
    }

    #[test]
    fn lost_coverage_fails_only_where_that_is_asked_for() {
        let before = PROFILE.replace("4.11,6.3 1 0", "4.11,6.3 1 9");
        let judged = |forbids_lost_coverage| {
            let requirements = Requirements { forbids_lost_coverage, ..Requirements::default() };
            let changes = testing::changes("");
            with_report(PROFILE, &SOURCES, |report| {
                let mut diff = DiffReport::new(&report, &changes, &Filter::default());
                diff.comparison = with_report(&before, &SOURCES, |before| {
                    Some(Comparison::new("row 6".to_owned(), &report, &before, &[]))
                });
                requirements.unmet(&report, Some(&diff), None, report.head.stored_at)
            })
        };
        assert_eq!(judged(false), [""; 0]);
        assert_eq!(judged(true), ["lost coverage of code that did not change: 1 line"]);
    }
}
