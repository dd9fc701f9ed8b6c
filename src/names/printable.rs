//! Text from outside in a form that is safe for a terminal, a log or a CI runner.

use std::borrow::Cow;

/// Returns `text` in one line that is safe for a terminal: no character in it moves, hides or reorders the text around
/// it.
///
/// Control characters (ANSI escapes begin with one), line and paragraph separators, and characters that Unicode ignores
/// by default (zero width, bidi controls, fillers, tags) are shown as `\n` or `\u{1b}`. A backslash stays the same, so
/// that text can be made printable twice.
///
/// Runners of GitHub and Azure obey a line that begins with `::`, or that contains `##[` or `##vso[`, as a command. So
/// a colon or a number sign of these is escaped, too.
#[must_use]
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    // Most names are plain ASCII, which a check of the bytes shows.
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let shown = if is_plain || !text.contains(is_unprintable) {
        Cow::Borrowed(text)
    } else {
        let mut shown = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            if is_unprintable(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
        }
        Cow::Owned(shown)
    };
    without_commands(shown)
}

fn without_commands(text: Cow<'_, str>) -> Cow<'_, str> {
    let start = text.len() - text.trim_start().len();
    let begins_one = text[start..].starts_with("::");
    let holds_one =
        text.as_bytes().contains(&b'#') && ["##[", "##vso["].iter().any(|marker| text.contains(marker));
    if !begins_one && !holds_one {
        return text;
    }
    let mut safe = text.into_owned();
    if begins_one {
        safe.replace_range(start..=start, r"\u{3a}");
    }
    Cow::Owned(safe.replace("##[", r"#\u{23}[").replace("##vso[", r"#\u{23}vso["))
}

/// Returns `text` for a message: printable, and without its middle if it is very long.
#[must_use]
pub(crate) fn in_message(text: &str) -> Cow<'_, str> {
    // An escape is up to ten times as long as its character. The part that is left out need not be escaped.
    match shortened(text, 10 * SHOWN_AT_EACH_END) {
        Cow::Borrowed(text) => match printable(text) {
            Cow::Borrowed(text) => shortened(text, SHOWN_AT_EACH_END),
            Cow::Owned(text) => Cow::Owned(shortened(&text, SHOWN_AT_EACH_END).into_owned()),
        },
        Cow::Owned(text) => Cow::Owned(shortened(&printable(&text), SHOWN_AT_EACH_END).into_owned()),
    }
}

/// Number of characters that a message shows at each end of a long value. A path of ordinary length is shown whole.
const SHOWN_AT_EACH_END: usize = 200;

/// Returns `text` with `end` characters at each end, and `…` for the part between them.
#[must_use]
pub(crate) fn shortened(text: &str, end: usize) -> Cow<'_, str> {
    if text.len() <= 2 * end {
        return Cow::Borrowed(text);
    }
    let (first, last) = (text.char_indices().nth(end), text.char_indices().nth_back(end - 1));
    match (first, last) {
        (Some((first, _)), Some((last, _))) if first < last => {
            Cow::Owned(format!("{}…{}", &text[..first], &text[last..]))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Control characters, separators, interlinear annotations, and Unicode's `Default_Ignorable_Code_Point`
/// (`DerivedCoreProperties.txt`).
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_text_from_outside_becomes_a_command_of_a_ci_runner() {
        for (text, expected) in [
            ("::error::x", r"\u{3a}:error::x"),
            ("  ::set-output name=a::b", r"  \u{3a}:set-output name=a::b"),
            ("a ##[error]x", r"a #\u{23}[error]x"),
            ("##vso[task.complete]", r"#\u{23}vso[task.complete]"),
            ("\n::error::x", r"\n::error::x"),
            ("a::b", "a::b"),
            ("## [x]", "## [x]"),
        ] {
            assert_eq!(printable(text), expected);
            assert_eq!(printable(&printable(text)), expected);
        }
    }

    #[test]
    fn long_texts_keep_their_ends() {
        assert_eq!(shortened("日本語", 60), "日本語");
        let long = format!("{}{}{}", "é".repeat(60), "x".repeat(9000), "z".repeat(60));
        assert_eq!(shortened(&long, 60), format!("{}…{}", "é".repeat(60), "z".repeat(60)));
        assert_eq!(shortened(&"a".repeat(120), 60), "a".repeat(120));
    }

    #[test]
    fn a_message_shows_text_up_to_a_bound() {
        let long = format!("a{}b", "x\u{1b}".repeat(50_000));
        let shown = in_message(&long);
        assert_eq!(shown.chars().count(), 401);
        assert!(
            shown.starts_with(r"ax\u{1b}x") && shown.contains('…') && shown.ends_with(r"\u{1b}b"),
            "{shown}"
        );
        let path = "p/".repeat(150);
        assert_eq!(in_message(&path), path);
    }

    #[test]
    fn text_that_could_mislead_a_terminal_is_shown_escaped() {
        for (text, shown) in [
            ("plain_ñ 日本 \\", "plain_ñ 日本 \\"),
            ("a\nb\r\t", "a\\nb\\r\\t"),
            ("\x1b[31mred\x1b]0;x\x07", "\\u{1b}[31mred\\u{1b}]0;x\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{202e}cba\u{2066}\u{200f}", "\\u{202e}cba\\u{2066}\\u{200f}"),
            ("\u{2028}\u{2029}\u{200b}\u{feff}", "\\u{2028}\\u{2029}\\u{200b}\\u{feff}"),
            ("\0\x7f", "\\u{0}\\u{7f}"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert!(matches!(printable("plain"), Cow::Borrowed("plain")));
    }

    proptest! {
        #[test]
        fn printable_text_has_nothing_unprintable_and_stays(text in any::<String>()) {
            let shown = printable(&text).into_owned();
            prop_assert!(!shown.contains(is_unprintable));
            prop_assert_eq!(printable(&shown), shown.as_str());
        }
    }
}
