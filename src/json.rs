//! The writer of printable JSON: its strings have escapes for characters that a terminal would obey or hide.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::names::is_unprintable;

/// Writes a value on one line, without a line end.
pub(crate) fn write(out: impl Write, value: &impl Serialize) -> io::Result<()> {
    // Each bracket and comma is a separate write, which would be expensive without a buffer.
    let mut out = BufWriter::with_capacity(32 << 10, out);
    value
        .serialize(&mut Serializer::with_formatter(&mut out, PrintableFormatter))
        .map_err(io::Error::from)?;
    out.flush()
}

/// Compact JSON with `\u` for each character that is not printable. Readers get the same strings.
struct PrintableFormatter;

impl Formatter for PrintableFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unprintable) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let c = rest[at..].chars().next().expect("one was found");
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_read_the_same() {
        let text = "é \u{1b}[31m \u{9b}31m \u{202e}x \u{7f}\" \u{e0001} 日本";
        let mut out = Vec::new();
        write(&mut out, &[text]).unwrap();
        let json = String::from_utf8(out).unwrap();
        assert_eq!(json, r#"["é \u001b[31m \u009b31m \u202ex \u007f\" \udb40\udc01 日本"]"#);
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text]);
    }
}
