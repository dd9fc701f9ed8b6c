//! The dates of functions: when a function of the same text was first stored, and last executed, at whatever commit.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{FunctionBlocks, FunctionKey};
use crate::code::gosrc::{DeclaredFunctions, FuncExtent};
use crate::profile::{Mode, Profile, grown};

/// The digest of a function: of its folder in the repository, its package, its receiver, its name and its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FunctionDigest(pub(crate) [u8; 16]);

/// The functions of a text, each with its digest.
#[derive(Debug)]
pub(crate) struct DigestedText {
    pub(crate) functions: Vec<FuncExtent>,
    pub(crate) digests: Vec<FunctionDigest>,
}

impl DigestedText {
    /// Takes the functions of a text in a folder of the repository.
    pub(crate) fn new(declared: &DeclaredFunctions<'_>, folder: &str) -> Self {
        let digest = |(index, function): (usize, &FuncExtent)| {
            let FunctionKey { receiver, name } = FunctionKey::of(function);
            let mut hash = Sha256::new();
            // None of these can contain a NUL.
            for part in [folder, declared.package, &receiver, &name] {
                hash.update(part);
                hash.update([0]);
            }
            hash.update(declared.tokens(index).text());
            let mut digest = [0; 16];
            digest.copy_from_slice(&hash.finalize()[..16]);
            FunctionDigest(digest)
        };
        let digests = declared.functions.iter().enumerate().map(digest).collect();
        Self { functions: declared.functions.clone(), digests }
    }

    /// Returns the digest of a function with blocks, and its blocks.
    pub(crate) fn dated(&self, function: &FunctionBlocks) -> (FunctionDigest, Range<usize>) {
        (self.digests[function.function], function.blocks.clone())
    }
}

/// The last execution of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastExecution {
    /// The time by which it was executed: the row before does not show it yet.
    pub(crate) at: DateTime<Utc>,
    /// Number of the row that shows it.
    pub(crate) row: i64,
}

/// The dates of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FunctionDates {
    /// Time of the first row of a commit that has the function.
    pub(crate) first_at: DateTime<Utc>,
    /// `None`: never since.
    pub(crate) executed: Option<LastExecution>,
}

impl FunctionDates {
    /// Returns the dates of a function that has these dates in two places.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let executed = [self.executed, other.executed].into_iter().flatten().max_by_key(|last| last.at);
        Self { first_at: self.first_at.min(other.first_at), executed }
    }
}

/// The part of a commit's rows whose executions are dated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatedUntil {
    /// Number of the newest row that was read.
    pub(crate) row: i64,
    /// The time until which that row tells what was executed.
    pub(crate) at: DateTime<Utc>,
}

/// The dates of the functions of an app in an environment and region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlaceDates {
    pub(crate) functions: HashMap<FunctionDigest, FunctionDates>,
    /// By commits as rows have them.
    pub(crate) commits: HashMap<String, DatedUntil>,
    /// The functions whose dates are not stored yet.
    pub(crate) changed: HashSet<FunctionDigest>,
}

impl PlaceDates {
    /// Notes that a row, which was stored at a time, has a function, and when it was executed by what the row tells.
    pub(crate) fn note(
        &mut self,
        digest: FunctionDigest,
        (row, stored_at): (i64, DateTime<Utc>),
        executed_at: Option<DateTime<Utc>>,
    ) {
        let executed = executed_at.map(|at| LastExecution { at, row });
        let new = FunctionDates { first_at: stored_at, executed };
        let known = self.functions.get(&digest).copied();
        let dates = known.map_or(new, |known| known.and(new));
        if known != Some(dates) {
            self.functions.insert(digest, dates);
            self.changed.insert(digest);
        }
    }
}

/// Returns the counts that tell what was executed since an earlier state of the same build; all counts if there is none, or
/// if a count fell, so that others may have begun anew, too. In mode `set` a count tells only that a block was executed at
/// some time, so that a block may have been executed again at any time.
pub(crate) fn executed_since(before: Option<&Profile>, now: &Profile) -> Vec<u64> {
    let grown = before.filter(|_| now.mode != Mode::Set).and_then(|before| grown(before, now).ok());
    grown.filter(|grown| grown.fallen == 0).map_or_else(|| now.counts.clone(), |grown| grown.profile.counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Limits, parse};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(60 * minute, 0).unwrap()
    }

    fn profile(text: &str) -> Profile {
        parse(text.as_bytes(), Limits::default()).unwrap()
    }

    fn digests(folder: &str, text: &str) -> Vec<FunctionDigest> {
        DigestedText::new(&DeclaredFunctions::of(text.as_bytes()).unwrap(), folder).digests
    }

    #[test]
    fn a_digest_is_that_of_folder_package_name_and_tokens() {
        let text = "package p\nfunc a() {\n\tb()\n}\n";
        let own = digests("pkg", text)[0];
        assert_eq!(digests("pkg", "package p\n\n// a calls b.\nfunc a() { // so\n\tb()\n}\n")[0], own);
        for (folder, text) in [
            ("other", text),
            ("pkg", "package q\nfunc a() {\n\tb()\n}\n"),
            ("pkg", "package p\nfunc c() {\n\tb()\n}\n"),
            ("pkg", "package p\nfunc a() {\n\tc()\n}\n"),
            ("pkg", "package p\nfunc (T) a() {\n\tb()\n}\n"),
        ] {
            assert_ne!(digests(folder, text)[0], own, "{folder} {text}");
        }
    }

    #[test]
    fn the_last_execution_and_the_first_row_are_kept() {
        let digest = FunctionDigest([7; 16]);
        let mut dates = PlaceDates::default();
        dates.note(digest, (3, at(30)), None);
        let never = FunctionDates { first_at: at(30), executed: None };
        assert_eq!(dates.functions[&digest], never);
        dates.note(digest, (4, at(40)), Some(at(40)));
        dates.note(digest, (5, at(50)), None);
        let last = |row, minute| Some(LastExecution { at: at(minute), row });
        assert_eq!(dates.functions[&digest], FunctionDates { first_at: at(30), executed: last(4, 40) });
        dates.changed.clear();
        dates.note(digest, (2, at(20)), Some(at(20)));
        assert_eq!(dates.functions[&digest], FunctionDates { first_at: at(20), executed: last(4, 40) });
        assert!(dates.changed.contains(&digest), "the first row is an earlier one");
        dates.changed.clear();
        dates.note(digest, (3, at(30)), Some(at(30)));
        assert!(dates.changed.is_empty(), "nothing is new");
        let elsewhere = FunctionDates { first_at: at(10), executed: last(9, 90) };
        assert_eq!(dates.functions[&digest].and(elsewhere), elsewhere);
        assert_eq!(never.and(elsewhere), elsewhere);
    }

    #[test]
    fn what_was_executed_since_a_row_is_what_grew_except_in_mode_set() {
        let text = |mode: &str, a: u32, b: u32| {
            format!("mode: {mode}\nm/a.go:1.1,2.2 1 {a}\nm/a.go:3.1,4.2 1 {b}\n")
        };
        let [before, now] = [profile(&text("count", 5, 1)), profile(&text("count", 5, 4))];
        assert_eq!(executed_since(Some(&before), &now), [0, 3]);
        assert_eq!(executed_since(None, &now), [5, 4]);
        let other = profile("mode: count\nm/b.go:1.1,2.2 1 9\n");
        assert_eq!(executed_since(Some(&other), &now), [5, 4], "another build counts from the begin");
        let fallen = profile(&text("count", 3, 4));
        assert_eq!(executed_since(Some(&now), &fallen), [3, 4], "a count that fell may hide others");
        let [before, now] = [profile(&text("set", 1, 0)), profile(&text("set", 1, 1))];
        assert_eq!(executed_since(Some(&before), &now), [1, 1]);
    }
}
