//! An SVG of one number, for a README or a wiki.

use std::io::{self, Write};

use super::forms::{Form, Renderer};
use super::xml::escaped;
use super::{Report, text};

pub(super) const FORM: Form = Form::new("badge", "SVG of the percentage", Renderer::Report(write));

const LABEL: &str = "coverage";
/// Width of a character in an 11 px sans-serif font, which is near enough for digits and lower-case letters.
const CHARACTER_WIDTH: usize = 7;
const PADDING: usize = 10;

pub(super) fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let coverage = report.coverage();
    let value = (coverage.total > 0).then(|| (coverage.percent(), coverage.to_string()));
    // The commit comes from the row and not from the source. A badge needs no source, and its bytes must not depend on
    // it.
    let title = text::row_line(&report.head, &report.head.commit);
    draw(value.as_ref().map(|(percent, shown)| (*percent, shown.as_str())), &title, out)
}

/// Draws a percentage, given as a number and as text; `None` when there is no data.
pub(super) fn draw(value: Option<(f64, &str)>, title: &str, out: &mut dyn Write) -> io::Result<()> {
    // The colours are dark enough for white text.
    let color = match value {
        None => "#6b6b6b",
        Some((percent, _)) if percent >= 80.0 => "#2e7d32",
        Some((percent, _)) if percent >= 60.0 => "#8a6d00",
        Some(_) => "#b3361c",
    };
    let value = value.map_or("no data", |(_, shown)| shown);
    let width = |text: &str| text.chars().count() * CHARACTER_WIDTH + PADDING;
    let (left, right) = (width(LABEL), width(value));
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
        escaped(title),
        left / 2,
        left + right / 2,
    )
}
