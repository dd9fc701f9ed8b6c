//! The paths of a site. Names from outside become parts of paths; other pages embed these paths, so they must never
//! change.

use crate::names::escape;

/// Names of the site's own files, which lie beside folders with names from outside.
const OWN: [&str; 6] = [INDEX, INDEX_JSON, BADGE, LATEST, HISTORY, REPORT];
pub(super) const INDEX: &str = "index.html";
pub(super) const INDEX_JSON: &str = "index.json";
pub(super) const BADGE: &str = "badge.svg";
pub(super) const LATEST: &str = "latest.json";
pub(super) const HISTORY: &str = "history.json";
pub(super) const REPORT: &str = "report.html";

/// The mark that escapes the first byte of a name that a file of the site has, or that a system reserves.
const MARK: char = '=';
/// The part for the empty name. No other name becomes this.
const NOTHING: &str = "-";

/// Returns a name as one part of a path, and of a URL without further encoding. Different names give different parts,
/// even on systems that ignore case.
///
/// The part is the result of [`escape`] with `=` in place of `%`, which a URL would have to encode as `%25`. The empty
/// name is `-`.
#[must_use]
pub(super) fn segment(name: &str) -> String {
    if name.is_empty() {
        return NOTHING.to_owned();
    }
    let escaped = escape(name).replace('%', "=");
    if OWN.contains(&escaped.as_str()) || is_device(&escaped) {
        let (first, rest) = escaped.split_at(1);
        return format!("{MARK}{:02x}{rest}", first.as_bytes()[0]);
    }
    escaped
}

/// Tells whether Windows takes the name for a device, with any extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let numbered = |prefix| {
        stem.strip_prefix(prefix)
            .is_some_and(|number| matches!(number.as_bytes(), [digit] if digit.is_ascii_digit()))
    };
    matches!(stem, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

/// Tells whether a relative path with `/` is one that a site could have.
pub(super) fn is_possible(path: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'=');
    path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain))
        && path.rsplit('/').next().is_some_and(|name| OWN.contains(&name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_names_stand_as_they_are_and_others_are_harmless() {
        let long = segment(&"Ä".repeat(300));
        for (name, part) in [
            ("apa_goc_echoserver", "apa_goc_echoserver"),
            ("release-1.4", "release-1.4"),
            ("", "-"),
            ("-", "=2d"),
            ("..", "=2e=2e"),
            (".git", "=2egit"),
            ("Main", "=4dain"),
            ("a/b\\c:d", "a=2fb=5cc=3ad"),
            ("<script>", "=3cscript=3e"),
            ("a=b%", "a=3db=25"),
            ("index.html", "=69ndex.html"),
            ("badge.svg", "=62adge.svg"),
            ("con", "=63on"),
            ("com1.txt", "=63om1.txt"),
            ("com10", "com10"),
            ("\u{0}", "=00"),
        ] {
            assert_eq!(segment(name), part, "{name:?}");
        }
        assert!(long.len() <= 200 && long.contains("=-"), "{long}");
    }

    #[test]
    fn only_paths_of_sites_are_possible() {
        for good in ["index.html", "app/index.html", "app/-/=2e=2e/main/report.html"] {
            assert!(is_possible(good), "{good}");
        }
        for bad in [
            "",
            "/index.html",
            "../index.html",
            "a//index.html",
            "a/.git/index.html",
            "A/index.html",
            "a/notes.txt",
            "a/index.html/",
        ] {
            assert!(!is_possible(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn different_names_stand_in_different_places(names in prop::collection::btree_set("\\PC{0,5}|[a-c.%=-]{0,4}|[cC][oO][nN1]|[ib](ndex.html|adge.svg)", 2..40)) {
            let parts: std::collections::BTreeSet<String> = names.iter().map(|name| segment(name).to_lowercase()).collect();
            prop_assert_eq!(parts.len(), names.len());
            for part in parts {
                let path = format!("{part}/index.html");
                prop_assert!(is_possible(&path), "{}", part);
            }
        }
    }
}
