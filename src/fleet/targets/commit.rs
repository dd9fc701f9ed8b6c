//! Commits of targets, which may be abbreviated.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::names::is_commit;

/// Returns a commit in lower case; `''` for a text that is none.
pub(crate) fn tidy_commit(text: &str) -> String {
    if is_commit(text) { text.to_ascii_lowercase() } else { String::new() }
}

/// Tells whether two commits may be the same one: one begins the other. `''` may be any.
pub(crate) fn may_be_same(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Returns the known commit that `commit` means: itself, the one that it begins, or the one that begins it.
///
/// The longest of several known ones that begin it is meant. If several begin with it, none of them is meant: counts of
/// one commit must not become those of another.
pub(crate) fn known_commit<'k>(commit: &str, known: &'k BTreeSet<String>) -> Option<&'k str> {
    if commit.is_empty() {
        return None;
    }
    let mut longer = known
        .range::<str, _>((Bound::Included(commit), Bound::Unbounded))
        .take_while(|known| known.starts_with(commit));
    match (longer.next(), longer.next()) {
        (Some(same), _) if same == commit => return Some(same),
        (Some(only), None) => return Some(only),
        _ => {}
    }
    let beginnings = (1..commit.len()).rev().filter_map(|end| commit.get(..end));
    beginnings.filter_map(|beginning| known.get(beginning)).map(String::as_str).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seven_to_sixty_four_hex_digits_are_a_commit_and_nothing_else_is() {
        let hex = "0123456789abcdef".repeat(5);
        for (text, expected) in [
            ("845820727E", "845820727e"),
            ("8458207", "8458207"),
            (&hex[..64], &hex[..64]),
            ("845820", ""),
            (&hex[..65], ""),
            ("v1.2.3", ""),
            ("845820727g", ""),
            ("", ""),
        ] {
            assert_eq!(tidy_commit(text), expected);
        }
    }

    #[test]
    fn a_commit_is_the_known_one_that_it_abbreviates_or_that_abbreviates_it() {
        let known =
            ["845820727e", "8458207aaa", "1234567", "1234567abc", "fedcba9"].map(str::to_owned).into();
        for (commit, expected) in [
            ("845820727e", Some("845820727e")),
            ("84582072", Some("845820727e")),
            // Two known ones begin so.
            ("8458207", None),
            ("845820727e0011", Some("845820727e")),
            // Itself, though a longer one is known, too.
            ("1234567", Some("1234567")),
            ("1234567abcdef", Some("1234567abc")),
            ("1234567a", Some("1234567abc")),
            ("1234567b", Some("1234567")),
            ("fedcba98", Some("fedcba9")),
            ("0000000", None),
        ] {
            assert_eq!(known_commit(commit, &known), expected, "{commit}");
        }
        assert_eq!(
            known_commit("8458207", &["", "845820727e"].map(str::to_owned).into()),
            Some("845820727e")
        );
        assert_eq!(known_commit("", &known), None);
    }

    proptest! {
        #[test]
        fn the_known_commit_and_the_given_one_begin_alike(
            commit in "[ab]{7,9}",
            known in prop::collection::btree_set("[ab]{7,9}", 0..6),
        ) {
            let found = known_commit(&commit, &known);
            prop_assert!(found.is_none_or(|found| found.starts_with(&commit) || commit.starts_with(found)));
            prop_assert_eq!(found == Some(commit.as_str()), known.contains(&commit));
        }
    }
}
