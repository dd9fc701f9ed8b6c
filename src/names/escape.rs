//! The form of a name in the file system, which is safe, reversible, and different for different names.

use sha2::{Digest, Sha256};

/// The longest result of [`escape`] in bytes. With `_<N>_report.html` and a temporary suffix after it, a file name
/// still fits the 255 bytes of common file systems.
pub(super) const LONGEST_ESCAPED: usize = 200;

/// The mark between prefix and hash of a long name. No escape looks like it, so no other name contains it.
const HASH_MARK: &str = "%-";

/// Names of this program's own entries in the work directory.
const OWN_ENTRIES: [&str; 1] = ["inbox"];

/// Prefixes of this program's own entries in the work directory: the database with its `-wal`, `-shm` and `-journal`,
/// the configuration, the lock. Temporary files begin with a dot, which no escaped name does.
const OWN_BEGINNINGS: [&str; 2] = ["sqlite.db", "goc-watchdog."];

/// Returns `name` as one safe file name. Different names give different results, even on file systems that ignore case
/// or normalise Unicode.
///
/// `a-z 0-9 _ - .` stay, and every other byte becomes `%` and two lower-case hex digits. So do a `.` or `-` at the
/// start, a `.` at the end, and the first byte of a name that one of this program's files has. The empty name is `%`. A
/// result over 200 bytes becomes a prefix, `%-`, and the SHA-256 of the name. Only that form cannot be reversed; the
/// database has the original.
#[must_use]
pub(crate) fn escape(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let own = OWN_ENTRIES.contains(&name) || OWN_BEGINNINGS.iter().any(|own| name.starts_with(own));
    let last = name.len() - 1;
    let hash_bytes = HASH_MARK.len() + 2 * Sha256::output_size();
    let mut prefix_bytes = 0;
    let mut escaped = String::new();
    for (at, byte) in name.bytes().enumerate() {
        let stays = match byte {
            b'.' => at != 0 && at != last,
            b'-' => at != 0,
            b'a'..=b'z' => at != 0 || !own,
            b'0'..=b'9' | b'_' => true,
            _ => false,
        };
        if stays {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            push_hex(&mut escaped, byte);
        }
        if escaped.len() + hash_bytes <= LONGEST_ESCAPED {
            prefix_bytes = escaped.len();
        }
        if escaped.len() > LONGEST_ESCAPED {
            escaped.truncate(prefix_bytes);
            escaped.push_str(HASH_MARK);
            Sha256::digest(name).iter().for_each(|byte| push_hex(&mut escaped, *byte));
            return escaped;
        }
    }
    escaped
}

fn push_hex(text: &mut String, byte: u8) {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    text.extend([digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the name that [`escape`] turned into `escaped`; `None` for a long name's prefix and hash, and for a text
    /// that [`escape`] never makes.
    fn unescape(escaped: &str) -> Option<String> {
        if escaped == "%" {
            return Some(String::new());
        }
        let mut bytes = Vec::with_capacity(escaped.len());
        let mut rest = escaped.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let mut digit =
                    || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit()? * 16 + digit()?);
            } else {
                bytes.push(byte);
            }
        }
        // Each name has only one form: lower-case hex, and no unnecessary escape.
        String::from_utf8(bytes).ok().filter(|name| escape(name) == escaped)
    }

    #[test]
    fn ordinary_names_stay_and_others_are_escaped() {
        for (name, escaped) in [
            ("apa_goc_echoserver", "apa_goc_echoserver"),
            ("a.b-c_1", "a.b-c_1"),
            ("", "%"),
            (".", "%2e"),
            ("..", "%2e%2e"),
            ("...", "%2e.%2e"),
            (".hidden", "%2ehidden"),
            ("-rf", "%2drf"),
            ("a.", "a%2e"),
            ("a ", "a%20"),
            ("a/b", "a%2fb"),
            ("../../etc", "%2e.%2f..%2fetc"),
            ("a\0\n\x1b", "a%00%0a%1b"),
            ("A", "%41"),
            ("a%41", "a%2541"),
            ("é", "%c3%a9"),
            ("inbox", "%69nbox"),
            ("inbox2", "inbox2"),
            ("sqlite.db", "%73qlite.db"),
            ("sqlite.db-wal", "%73qlite.db-wal"),
            ("goc-watchdog.toml", "%67oc-watchdog.toml"),
            ("goc-watchdog.lock", "%67oc-watchdog.lock"),
            ("goc-watchdog", "goc-watchdog"),
        ] {
            assert_eq!(escape(name), escaped);
            assert_eq!(unescape(escaped).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_long_name_becomes_prefix_and_hash() {
        let longest = "a".repeat(200);
        assert_eq!(escape(&longest), longest);
        let escaped = escape(&"a".repeat(201));
        // printf 'a%.0s' $(seq 201) | sha256sum
        let hash = "a92efd82109373e58f9a2056dee01e807e216ce6075f7051207c0a9f7d666e50";
        assert_eq!(escaped, format!("{}%-{hash}", "a".repeat(134)));
        assert_eq!(unescape(&escaped), None);
        // An escape is never cut in two.
        assert!(escape(&"é".repeat(5000)).starts_with(&format!("{}%-", "%c3%a9".repeat(22))));
        assert_eq!(escape(&"é".repeat(5000)).len(), 198);
    }

    #[test]
    fn what_escape_never_makes_is_not_turned_back() {
        for text in
            ["", "A", "%4", "%zz", "%+1", "%6E", "%61", "a%", "%ff", "inbox", ".x", "a/b", "é", "%2", "x%-"]
        {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    /// Difficult names: case, dots, escapes, this program's own files, Unicode forms, length.
    fn hostile_name() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z0-9_./%\\- ]{0,4}",
            any::<String>(),
            prop::sample::select(vec![
                "inbox",
                "INBOX",
                "sqlite.db",
                "-wal",
                "%69nbox",
                "%",
                "%-",
                "%2e",
                "..",
                "\0",
                "e\u{301}",
                "é",
            ])
            .prop_map(str::to_owned),
            "[a-c]{60,90}",
        ];
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn escaped_names_are_safe_and_turn_back(name in hostile_name()) {
            let escaped = escape(&name);
            prop_assert!((1..=200).contains(&escaped.len()));
            let safe = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'%');
            prop_assert!(escaped.bytes().all(safe), "{escaped}");
            prop_assert!(!escaped.starts_with(['.', '-']) && !escaped.ends_with('.'), "{escaped}");
            prop_assert!(escaped != "inbox" && !escaped.starts_with("sqlite.db"), "{escaped}");
            match unescape(&escaped) {
                Some(original) => prop_assert_eq!(original, name),
                None => prop_assert!(escaped.contains("%-"), "{escaped}"),
            }
        }

        #[test]
        fn different_names_escape_differently(a in hostile_name(), b in hostile_name()) {
            prop_assert_eq!(a == b, escape(&a).to_lowercase() == escape(&b).to_lowercase());
        }

        #[test]
        fn unescape_accepts_only_what_escape_makes(text in "[a-c%0-9A-F.\\-]{0,8}") {
            if let Some(name) = unescape(&text) {
                prop_assert_eq!(escape(&name), text);
            }
        }
    }
}
