//! Text inside XML, HTML and SVG.

use std::borrow::Cow;

use crate::names::printable;

/// Returns a text that is safe as content and inside a quoted attribute.
///
/// Control characters, which XML cannot contain in any form, are shown as `\n` or `\u{1b}`.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let text = printable(text);
    let is_special = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'' | '\u{fffe}' | '\u{ffff}');
    if !text.contains(is_special) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // These two are not characters, and XML must not contain them.
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_ends_a_text_or_an_attribute() {
        assert_eq!(escaped("a/b.go"), "a/b.go");
        assert_eq!(
            escaped("</x> & \"q\" 'r'\n\u{1b}[31m\u{ffff}"),
            "&lt;/x&gt; &amp; &quot;q&quot; &#39;r&#39;\\n\\u{1b}[31m\u{fffd}"
        );
    }
}
