//! The figures of a service together with other runs.

use serde::Serialize;

use crate::coverage::{Coverage, shown_percent};
use crate::names::printable;
use crate::phrases::listed;

/// The coverage of a service together with other runs. All figures are of the same statements: those that the service or
/// any of the others has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TogetherCoverage {
    /// The statements that anybody executed, and all.
    pub(crate) all: Coverage,
    /// The statements that the service executed.
    pub(crate) alone: u64,
    /// Those of them that no other run executed.
    pub(crate) alone_only: u64,
    /// The statements of blocks that the service has not.
    pub(crate) added: u64,
    pub(crate) with: Vec<LabelCoverage>,
}

/// The part of another run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LabelCoverage {
    pub(crate) label: String,
    /// The other commit from which it is carried.
    pub(crate) commit: Option<String>,
    /// The statements that it executed.
    pub(crate) covered: u64,
    /// Those of them that neither the service nor another run executed.
    pub(crate) only: u64,
}

/// The part of another run in the form for scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct WithJson {
    label: String,
    commit: Option<String>,
    percent: f64,
    only: f64,
}

impl TogetherCoverage {
    /// Begins without statements. Each label comes with the commit from which it is carried.
    pub(super) fn new(labels: impl Iterator<Item = (String, Option<String>)>) -> Self {
        let with = labels.map(|(label, commit)| LabelCoverage { label, commit, covered: 0, only: 0 });
        Self { all: Coverage::default(), alone: 0, alone_only: 0, added: 0, with: with.collect() }
    }

    /// Adds a block: whether the service executed it, `None` if the service has it not, and whether each of the others did.
    pub(super) fn add(
        &mut self,
        statements: u64,
        alone: Option<bool>,
        executed: impl Iterator<Item = bool> + Clone,
    ) {
        let is_alone = alone == Some(true);
        let others = executed.clone().filter(|executed| *executed).count();
        let covered = if is_alone || others > 0 { statements } else { 0 };
        self.all += Coverage { covered, total: statements };
        self.alone += if is_alone { statements } else { 0 };
        self.alone_only += if is_alone && others == 0 { statements } else { 0 };
        self.added += if alone.is_none() { statements } else { 0 };
        for (label, _) in self.with.iter_mut().zip(executed).filter(|(_, executed)| *executed) {
            label.covered += statements;
            label.only += if others == 1 && !is_alone { statements } else { 0 };
        }
    }

    /// Tells whether a run was at another commit, from which it is carried.
    pub(crate) fn is_partly_carried(&self) -> bool {
        self.with.iter().any(|with| with.commit.is_some())
    }

    /// Returns the percentage of what the service executed.
    pub(crate) fn alone_percent(&self) -> f64 {
        self.percent(self.alone)
    }

    fn percent(&self, covered: u64) -> f64 {
        Coverage { covered, total: self.all.total }.percent()
    }

    /// Returns all parts in words: `69.4 the service alone, 50.1 unit alone (11.8 only it)`.
    pub(crate) fn words(&self) -> String {
        let shown = |covered| shown_percent(self.percent(covered));
        let mut words = vec![format!("{} the service alone", shown(self.alone))];
        for LabelCoverage { label, commit, covered, only } in &self.with {
            let of = commit.as_ref().map(|commit| format!(" of commit {:.10}", printable(commit)));
            let (label, of) = (printable(label), of.unwrap_or_default());
            words.push(format!("{} {label}{of} alone ({} only it)", shown(*covered), shown(*only)));
        }
        words.extend(self.added_words(|number| number.to_string()));
        words.join(", ")
    }

    /// Returns how many statements the service lacks: `1 of 7 statements is not in the service`; `None` if it has all.
    pub(crate) fn added_words(&self, written: impl Fn(u64) -> String) -> Option<String> {
        let plural = if self.all.total == 1 { "" } else { "s" };
        let verb = if self.added == 1 { "is" } else { "are" };
        let (added, all) = (written(self.added), written(self.all.total));
        (self.added > 0).then(|| format!("{added} of {all} statement{plural} {verb} not in the service"))
    }

    /// Returns the labels in words: `unit and e2e`.
    pub(crate) fn labels(&self) -> String {
        let labels: Vec<_> = self.with.iter().map(|with| printable(&with.label).into_owned()).collect();
        listed(&labels)
    }

    /// Returns the parts in the form for scripts.
    pub(crate) fn json(&self) -> Vec<WithJson> {
        let json = |LabelCoverage { label, commit, covered, only }: &LabelCoverage| WithJson {
            label: label.clone(),
            commit: commit.clone(),
            percent: self.percent(*covered),
            only: self.percent(*only),
        };
        self.with.iter().map(json).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_told_in_words() {
        let mut coverage = TogetherCoverage::new(
            [("unit".to_owned(), None), ("e\n2e".to_owned(), Some("0123456789abcdef".to_owned()))]
                .into_iter(),
        );
        for (statements, alone, executed) in [
            (500, Some(true), [false, false]),
            (200, Some(true), [true, false]),
            (100, Some(false), [true, false]),
            (100, None, [true, true]),
            (100, None, [false, false]),
        ] {
            coverage.add(statements, alone, executed.into_iter());
        }
        assert_eq!(
            coverage.words(),
            "70.0 the service alone, 40.0 unit alone (10.0 only it), 10.0 e\\n2e of commit 0123456789 alone (0.0 only it), \
             200 of 1000 statements are not in the service"
        );
        assert_eq!(coverage.labels(), "unit and e\\n2e");
        assert_eq!(coverage.all, Coverage { covered: 900, total: 1000 });
        let words = |added, total| {
            let all = Coverage { covered: 0, total };
            TogetherCoverage { all, added, ..coverage.clone() }.added_words(|number| number.to_string())
        };
        assert_eq!(words(1, 7).unwrap(), "1 of 7 statements is not in the service");
        assert_eq!(words(1, 1).unwrap(), "1 of 1 statement is not in the service");
        assert_eq!(words(0, 7), None);
    }
}
