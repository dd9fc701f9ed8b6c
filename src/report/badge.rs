//! An SVG of one number, for a README or a wiki.

use std::io::{self, Write};

use super::xml::escaped;
use super::{Report, text};

const LABEL: &str = "coverage";
/// Of a character in an 11 px sans-serif, near enough for digits and lower-case letters.
const CHARACTER_WIDTH: usize = 7;
const PADDING: usize = 10;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let coverage = report.coverage();
    let value = if coverage.total == 0 { "no data".to_owned() } else { coverage.to_string() };
    // Dark enough for white text on it.
    let color = match coverage.percent() {
        _ if coverage.total == 0 => "#6b6b6b",
        percent if percent >= 80.0 => "#2e7d32",
        percent if percent >= 60.0 => "#8a6d00",
        _ => "#b3361c",
    };
    let width = |text: &str| text.chars().count() * CHARACTER_WIDTH + PADDING;
    let (left, right) = (width(LABEL), width(&value));
    let all = left + right;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" \
         aria-label=\"{LABEL}: {value}\">\n<title>{}</title>\n\
         <clipPath id=\"r\"><rect width=\"{all}\" height=\"20\" rx=\"3\"/></clipPath>\n\
         <g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"20\" fill=\"#444\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{color}\"/></g>\n\
         <g fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
         <text x=\"{}\" y=\"14\">{LABEL}</text><text x=\"{}\" y=\"14\">{value}</text></g>\n</svg>",
        escaped(&text::full_headline(report)),
        left / 2,
        left + right / 2,
    )
}
