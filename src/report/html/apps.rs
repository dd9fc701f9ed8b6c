//! The table of a group in the page: which of its apps executed how much of each package.

use super::CoverageView;
use crate::names::printable;
use crate::report::group::{PackageShares, shares, total};
use crate::report::model::shown_package;
use crate::report::{GroupFacts, Report};

/// A table of more packages than this is folded at first.
const OPEN_PACKAGES: usize = 15;

/// The apps of a group with their shares of each package.
pub(super) struct AppsTable<'r> {
    pub(super) group: &'r GroupFacts,
    pub(super) packages: Vec<PackageRow>,
    pub(super) total: PackageRow,
}

/// A package, and the statements that each app executed of it; `None` for an app that executed none.
pub(super) struct PackageRow {
    pub(super) name: String,
    pub(super) whole: Option<CoverageView>,
    pub(super) of_apps: Vec<Option<CoverageView>>,
}

impl<'r> AppsTable<'r> {
    /// Returns the table of a group; `None` for one service.
    pub(super) fn new(report: &'r Report<'_>) -> Option<Self> {
        let group = report.head.group.as_deref()?;
        let packages = shares(report)?;
        let total = PackageRow::new(&total(group, &packages, "Total"));
        Some(Self { group, packages: packages.iter().map(PackageRow::new).collect(), total })
    }

    pub(super) fn is_open(&self) -> bool {
        self.packages.len() <= OPEN_PACKAGES
    }
}

impl PackageRow {
    fn new(package: &PackageShares<'_>) -> Self {
        let apps = 0..package.of_apps.len();
        Self {
            name: printable(shown_package(package.name)).into_owned(),
            whole: package.whole().map(CoverageView),
            of_apps: apps.map(|app| package.executed(app).map(CoverageView)).collect(),
        }
    }

    /// Returns the colour class of the group's figure. A small share of one app is no fault, so it has no colour.
    pub(super) fn grade(&self) -> &'static str {
        self.whole.as_ref().map_or("none", CoverageView::grade)
    }
}

#[cfg(test)]
mod tests {
    use crate::report::TextLayout;
    use crate::report::testing::{PROFILE, SOURCES, group_of, render, with_report};

    #[test]
    fn a_page_of_a_group_has_the_share_of_each_app_and_says_what_is_missing_or_differs() {
        with_report(PROFILE, &SOURCES, |mut report| {
            assert!(!render("html", &report, None, TextLayout::default()).contains("apps-title"));
            report.head.group = Some(group_of(&report, &["cart", "pay"]));
            let page = render("html", &report, None, TextLayout::default());
            let (_, section) = page.split_once("<section class=\"apps\"").unwrap();
            let (section, _) = section.split_once("</section>").unwrap();
            for expected in [
                "<p class=\"missing\"><bdi>&#60;web&#62; has no data of commit 845820727e, its newest is 0123456</bdi></p>",
                "<bdi>m/api/x.go has other blocks in pay than in cart</bdi>; those of <bdi>cart</bdi> count",
                "<details open>",
                "<th scope=\"col\"><bdi>cart</bdi></th><th scope=\"col\"><bdi>pay</bdi></th></tr>",
                "<td><span class=\"percent low\" title=\"2 of 5 statements\">40.0%</span></td>\
                 <td>-</td><td><span class=\"percent \" title=\"2 of 5 statements\">40.0%</span></td></tr>",
                "<td><span class=\"percent fair\" title=\"6 of 9 statements\">66.7%</span></td>\
                 <td><span class=\"percent \" title=\"4 of 9 statements\">44.4%</span></td>\
                 <td><span class=\"percent \" title=\"2 of 9 statements\">22.2%</span></td></tr>",
            ] {
                assert!(section.contains(expected), "{expected}\n{section}");
            }
            assert!(page.contains("<bdi>rows cart 7, pay 8</bdi>"));
        });
    }
}
