//! The search for one name by a part of it.

use std::collections::BTreeSet;
use std::fmt;

use super::escape::LONGEST_ESCAPED;
use super::printable;

/// Number of candidates in the message about an ambiguous query.
const SHOWN_CANDIDATES: usize = 10;

/// The reason for which a query does not choose one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResolveError {
    /// The query is part of several names.
    Ambiguous {
        /// The part of a name that was given.
        query: String,
        /// All names that fit, sorted.
        candidates: Vec<String>,
    },
    /// The query is part of no name.
    NotFound {
        /// The part of a name that was given.
        query: String,
        /// The nearest name, if one is near.
        nearest: Option<String>,
    },
}

impl std::error::Error for ResolveError {}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolveError::Ambiguous { query, candidates } => {
                write!(
                    f,
                    "\"{}\" fits {} services, give more of the name:",
                    printable(query),
                    candidates.len()
                )?;
                for candidate in candidates.iter().take(SHOWN_CANDIDATES) {
                    write!(f, "\n  {}", printable(candidate))?;
                }
                match candidates.len().saturating_sub(SHOWN_CANDIDATES) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
            ResolveError::NotFound { query, nearest: Some(nearest) } => {
                write!(
                    f,
                    "no service fits \"{}\", did you mean \"{}\"?",
                    printable(query),
                    printable(nearest)
                )
            }
            ResolveError::NotFound { query, nearest: None } => {
                write!(f, "no service fits \"{}\", `goc-watchdog list` shows them all", printable(query))
            }
        }
    }
}

/// Returns the candidate that `query` means: the one with this full name, or the only one that contains it.
///
/// A part may also have the form of [`printable`], which people copy from the output. The empty query fits no name,
/// because an unset variable of a script must not choose a service.
pub(crate) fn resolve<'a>(query: &str, candidates: &[&'a str]) -> Result<&'a str, ResolveError> {
    if let Some(exact) = candidates.iter().find(|candidate| **candidate == query) {
        return Ok(exact);
    }
    if query.is_empty() {
        return Err(ResolveError::NotFound { query: String::new(), nearest: None });
    }
    let fits = |candidate: &str| candidate.contains(query) || printable(candidate).contains(query);
    let fitting: BTreeSet<&'a str> = candidates.iter().copied().filter(|candidate| fits(candidate)).collect();
    let mut rest = fitting.iter();
    match (rest.next(), rest.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(ResolveError::Ambiguous {
            query: query.to_owned(),
            candidates: fitting.into_iter().map(str::to_owned).collect(),
        }),
        (None, _) => {
            Err(ResolveError::NotFound { query: query.to_owned(), nearest: nearest(query, candidates) })
        }
    }
}

/// Finds the candidate with a run of segments that is at most a quarter of the query away from it.
fn nearest(query: &str, candidates: &[&str]) -> Option<String> {
    // A name of this length is not typed by hand, and the time for the distance grows with the product of both lengths.
    if query.len() > 2 * LONGEST_ESCAPED {
        return None;
    }
    let near = (query.chars().count() / 4).max(1);
    candidates
        .iter()
        .filter_map(|candidate| Some((distance(query, candidate, near)?, *candidate)))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Returns the smallest edit distance, at most `near`, between `query` and a run of segments of
/// `candidate` as long in segments as it is.
fn distance(query: &str, candidate: &str, near: usize) -> Option<usize> {
    let run = query.split('_').count();
    let starts: Vec<usize> =
        std::iter::once(0).chain(candidate.match_indices('_').map(|(at, _)| at + 1)).collect();
    let ends = starts.iter().skip(run).map(|next| next - 1).chain(std::iter::once(candidate.len()));
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &candidate[*start..end])
        .filter(|part| part.len().abs_diff(query.len()) <= 4 * near)
        .map(|part| strsim::osa_distance(query, part))
        .filter(|distance| *distance <= near)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FLEET: [&str; 4] = [
        "staging_th_echo_master_845820727e",
        "staging_th_echo_v2_master_845820727e",
        "staging_sg_apa_goc_gateway_master_1234567",
        "odd\u{1b}name",
    ];

    #[test]
    fn a_full_name_or_an_unambiguous_part_resolves() {
        for (query, name) in [
            (FLEET[0], FLEET[0]),
            ("echo_master", FLEET[0]),
            ("apa_goc_gateway", FLEET[2]),
            ("odd\\u{1b}", FLEET[3]),
        ] {
            assert_eq!(resolve(query, &FLEET), Ok(name));
        }
        // A full name is taken even if it is a part of another name. A name listed twice is one candidate.
        assert_eq!(resolve("ab", &["abc", "ab"]), Ok("ab"));
        assert_eq!(resolve("ab", &["abc", "abc"]), Ok("abc"));
    }

    #[test]
    fn an_ambiguous_part_lists_the_candidates() {
        assert_eq!(
            resolve("echo", &FLEET).unwrap_err().to_string(),
            "\"echo\" fits 2 services, give more of the name:\n  \
             staging_th_echo_master_845820727e\n  staging_th_echo_v2_master_845820727e"
        );
        let many: Vec<String> = (10..25).map(|n| format!("svc\n{n}")).collect();
        let candidates: Vec<&str> = many.iter().map(String::as_str).collect();
        let message = resolve("svc", &candidates).unwrap_err().to_string();
        assert!(message.starts_with("\"svc\" fits 15 services, give more of the name:\n  svc\\n10\n"));
        assert!(message.ends_with("\n  svc\\n19\n  and 5 more"), "{message}");
    }

    #[test]
    fn a_miss_names_the_nearest_when_it_is_near() {
        let message = |query: &str| resolve(query, &FLEET).unwrap_err().to_string();
        assert_eq!(
            message("apa_goc_gatewya"),
            "no service fits \"apa_goc_gatewya\", did you mean \"staging_sg_apa_goc_gateway_master_1234567\"?"
        );
        assert_eq!(
            message("staging_th_echo_mastre_845820727e"),
            "no service fits \"staging_th_echo_mastre_845820727e\", did you mean \"staging_th_echo_master_845820727e\"?"
        );
        assert_eq!(
            message("billing\n"),
            "no service fits \"billing\\n\", `goc-watchdog list` shows them all"
        );
        assert_eq!(message(""), "no service fits \"\", `goc-watchdog list` shows them all");
    }

    proptest! {
        #[test]
        fn resolving_never_panics(query in any::<String>(), names in prop::collection::vec("[aé_]{0,9}", 0..4)) {
            let candidates: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = resolve(&query, &candidates);
        }
    }
}
