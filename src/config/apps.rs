//! The tables `[apps.NAME]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::fault::Fault;
use super::git::repo;
use super::values::{NumberOrText, duration, expected};
use crate::coverage::{Threshold, ThresholdError};
use crate::filter::Glob;
use crate::report::HostLinks;

/// Settings of one app.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AppConfig {
    /// URL of its git repository.
    pub(crate) repo: Option<String>,
    /// The commit or branch from which its changes are counted.
    pub(crate) base: Option<String>,
    /// The coverage that its reports must reach.
    pub(crate) fail_under: Option<Threshold>,
    /// The coverage that each of its packages must reach, by globs of import paths, in order of those.
    pub(crate) packages: Vec<(Glob, Threshold)>,
    /// Its pages tell the authors of missed changed lines, and the owners of files.
    pub(crate) blame: bool,
    /// Age of the oldest data of other commits that its pages show as carried; `None`: they show none.
    pub(crate) carry: Option<Duration>,
    /// Addresses of its commits and files at the host of its repository, where they do not follow from its URL.
    pub(crate) web: Option<HostLinks>,
}

/// The table of one app in the file. [`AppTable::read`] reads its percentages.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AppTable {
    #[serde(deserialize_with = "repo")]
    repo: Option<String>,
    base: Option<String>,
    fail_under: Option<Percentage>,
    packages: BTreeMap<Spanned<String>, Percentage>,
    blame: bool,
    #[serde(deserialize_with = "duration")]
    carry: Option<Duration>,
    web: Option<Spanned<String>>,
}

impl AppTable {
    /// Returns the settings; `text` is the file.
    pub(super) fn read(self, text: &str) -> Result<AppConfig, Fault> {
        let threshold = |percentage: &Percentage| threshold(percentage, text);
        let package = |(glob, percentage): (&Spanned<String>, &Percentage)| {
            let parsed = glob.get_ref().parse().map_err(|error| Fault::new(glob.span().start, error))?;
            Ok((parsed, threshold(percentage)?))
        };
        let web = |template: Spanned<String>| {
            template.get_ref().parse().map_err(|error: String| Fault::new(template.span().start, error))
        };
        Ok(AppConfig {
            fail_under: self.fail_under.as_ref().map(threshold).transpose()?,
            packages: self.packages.iter().map(package).collect::<Result<_, Fault>>()?,
            repo: self.repo,
            base: self.base,
            blame: self.blame,
            carry: self.carry,
            web: self.web.map(web).transpose()?,
        })
    }
}

/// A percentage in quotes or as a number.
type Percentage = Spanned<NumberOrText<f64>>;

fn threshold(percentage: &Percentage, text: &str) -> Result<Threshold, Fault> {
    let span = percentage.span();
    let parsed = match percentage.get_ref() {
        NumberOrText::Text(written) => written.parse(),
        // The digits come from the file: the nearest binary fraction would be another threshold. TOML allows
        // underscores between them.
        NumberOrText::Number(_) => text[span.clone()].replace('_', "").parse(),
        NumberOrText::Other(_) => return Err(Fault::new(span.start, expected(A_PERCENTAGE))),
    };
    parsed.map_err(|error: ThresholdError| Fault::new(span.start, error))
}

const A_PERCENTAGE: &str = "a percentage from 0 to 100 such as 80 or \"79.95\"";

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_threshold_keeps_every_digit_that_is_written() {
        for number in ["79.123456789012345", "80", "8_0.5", "100.0"] {
            let text = format!("[apps.x]\nfail_under = {number}\n[apps.x.packages]\ny = {number}");
            let app = &Config::parse(&text, "").unwrap().apps["x"];
            let threshold = number.replace('_', "").parse().unwrap();
            assert_eq!(app.fail_under, Some(threshold), "{number}");
            assert_eq!(app.packages, [("y".parse().unwrap(), threshold)], "{number}");
        }
        for number in ["8e1", "+80", "0x10", "inf", "100.1", "79.1234567890123456"] {
            assert!(Config::parse(&format!("[apps.x]\nfail_under = {number}"), "").is_err(), "{number}");
        }
    }
}
