//! The table of a group for people: which of its apps executed how much of each package.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::group::{PackageShares, shares, total};
use super::model::shown_package;
use super::text::{TextLayout, color, rank, styled};
use super::{GroupFacts, Report};
use crate::coverage::Coverage;
use crate::names::{printable, shortened};
use crate::phrases::{NOTHING, count};

/// Smallest width of a column of percentages.
const FIGURE: usize = 7;
/// Characters at each end of a name in the head of a column.
const HEAD_END: usize = 6;
/// Room that is kept for the names of packages.
const NAME: usize = 30;

/// Writes the table of a group; nothing for one service.
pub(super) fn write(report: &Report<'_>, layout: TextLayout, out: &mut dyn Write) -> io::Result<()> {
    let (Some(group), Some(mut packages)) = (report.head.group.as_deref(), shares(report)) else {
        return Ok(());
    };
    packages.sort_by_key(|package| rank(layout.order, package.coverage));
    let all = total(group, &packages, "total");
    let columns = Columns::new(group, &printable(&report.head.service), layout.width);
    writeln!(out)?;
    let heads: Vec<String> = columns.0.iter().map(|(head, width)| format!("{head:>width$}")).collect();
    writeln!(out, "{}  {}", heads.join("  "), styled(layout, Style::new().bold(), "package"))?;
    for package in packages.iter().chain([&all]) {
        columns.row(package, layout, out)?;
    }
    match group.apps.len() - columns.apps() {
        0 => Ok(()),
        more => writeln!(out, "{} more, --format json has all", count(more, "apps")),
    }
}

/// The heads of the columns with their widths: the group, then as many of its apps as there is room for.
struct Columns(Vec<(String, usize)>);

impl Columns {
    fn new(group: &GroupFacts, name: &str, width: Option<usize>) -> Self {
        let apps = group.apps.iter().map(|app| printable(&app.app).into_owned());
        let heads = std::iter::once(name.to_owned()).chain(apps).map(|name| {
            let head = shortened(&name, HEAD_END).into_owned();
            let width = head.width().max(FIGURE);
            (head, width)
        });
        let mut columns: Vec<(String, usize)> = heads.collect();
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(NAME));
        let mut used = 0;
        let fitting = columns.iter().take_while(|(_, width)| {
            used += width + 2;
            used <= room
        });
        let fitting = fitting.count().max(2);
        columns.truncate(fitting);
        Self(columns)
    }

    fn apps(&self) -> usize {
        self.0.len() - 1
    }

    fn row(&self, package: &PackageShares<'_>, layout: TextLayout, out: &mut dyn Write) -> io::Result<()> {
        let figures =
            std::iter::once(package.whole()).chain((0..self.apps()).map(|app| package.executed(app)));
        for (at, ((_, width), figure)) in self.0.iter().zip(figures).enumerate() {
            let text = figure.map_or_else(|| NOTHING.to_owned(), |figure: Coverage| figure.to_string());
            // A small share of one app is no fault, so only the figure of the group has a colour.
            let style = figure.filter(|_| at == 0).map(|whole| color(whole).on_default()).unwrap_or_default();
            write!(out, "{}  ", styled(layout, style, &format!("{text:>width$}")))?;
        }
        writeln!(out, "{}", printable(shown_package(package.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{PROFILE, SOURCES, group_of, render, with_report};
    use super::*;

    /// The table of the sample report of a group with these apps.
    fn table(apps: &[&str], layout: TextLayout) -> String {
        with_report(PROFILE, &SOURCES, |mut report| {
            report.head.service = "shop".to_owned();
            report.head.group = Some(group_of(&report, apps));
            let text = render("text", &report, None, layout);
            text.rsplit_once("\n\n").unwrap().1.to_owned()
        })
    }

    #[test]
    fn each_app_has_its_share_of_the_statements_and_a_dash_where_it_executed_none() {
        assert_eq!(
            table(&["cart", "pay"], TextLayout::default()),
            "   shop     cart      pay  package\n\
             \x20100.0%   100.0%        -  m/api\n\
             \x20 40.0%        -    40.0%  m/app\n\
             \x20 66.7%    44.4%    22.2%  total\n"
        );
    }

    #[test]
    fn apps_without_room_are_counted_and_long_names_are_shortened() {
        let apps = ["a-long-name-of-an-app", "b", "c", "d", "e", "f", "g"];
        let text = table(&apps, TextLayout { width: Some(80), ..TextLayout::default() });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "   shop  a-long…an-app        b        c  package");
        assert_eq!(lines[lines.len() - 1], "4 apps more, --format json has all");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
    }
}
