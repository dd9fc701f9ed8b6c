//! The names that a shell offers where a command line wants a service.

use std::collections::{BTreeMap, BTreeSet};

use super::app_group::AppGroup;
use super::ids::KeyId;
use crate::names::printable;

/// A known name of a service, with what decides whether it is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownName {
    /// The name as it is shown.
    pub(crate) name: String,
    pub(crate) env: String,
    pub(crate) region: String,
    pub(crate) app: String,
    pub(crate) branch: String,
    pub(crate) key: KeyId,
    /// An address is listed under the name.
    pub(crate) runs: bool,
    /// Time of the last change of its coverage, in the form of the database; `None`: it never changed.
    pub(crate) changed_at: Option<String>,
}

/// Returns the apps and the full names that begin with `word`. The script of each shell puts them into quotes where they
/// need some.
///
/// Each environment, region, app and branch has the names of its commits that run, or else that of its newest commit.
/// A word with digits of an older commit has the names that begin with it. The empty word has apps alone.
/// Groups of the configuration are offered like apps.
pub(crate) fn completions<'a>(
    word: &str,
    known: &'a [KnownName],
    groups: &'a [AppGroup],
) -> BTreeSet<&'a str> {
    let fits = |text: &str| text.starts_with(word) && can_be_offered(text);
    let apps = known.iter().map(|known| &*known.app);
    let apps = apps.chain(groups.iter().map(|group| &*group.name));
    let mut offered: BTreeSet<&str> = apps.filter(|app| fits(app)).collect();
    if word.is_empty() {
        return offered;
    }
    let mut groups: BTreeMap<_, Vec<&KnownName>> = BTreeMap::new();
    for known in known.iter().filter(|known| fits(&known.name)) {
        groups.entry((&known.env, &known.region, &known.app, &known.branch)).or_default().push(known);
    }
    for group in groups.into_values() {
        let mut chosen: Vec<&KnownName> = group.iter().copied().filter(|known| known.runs).collect();
        if chosen.is_empty() {
            chosen.extend(group.into_iter().max_by_key(|known| (&known.changed_at, known.key)));
        }
        offered.extend(chosen.into_iter().map(|known| &*known.name));
    }
    offered
}

/// Tells whether a text can be a word of a command line: it is no option, and nothing in it is invisible, ends the line
/// or controls the terminal. Names come from outside.
fn can_be_offered(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && printable(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, runs: bool, changed_at: Option<&str>) -> KnownName {
        let mut fields = name.split('_').map(str::to_owned);
        let [env, region, app, branch] = [(); 4].map(|()| fields.next().unwrap_or_default());
        let changed_at = changed_at.map(str::to_owned);
        KnownName { name: name.to_owned(), env, region, app, branch, key: KeyId(1), runs, changed_at }
    }

    #[test]
    fn apps_and_the_names_of_what_runs_or_is_newest_are_offered() {
        let known = [
            known("staging_th_cart_master_0000001", false, Some("2026-01-03")),
            known("staging_th_cart_master_0000002", true, Some("2026-01-02")),
            known("staging_th_cart_master_0000003", true, None),
            known("staging_th_pay_master_0000004", false, Some("2026-01-02")),
            known("staging_th_pay_master_0000005", false, Some("2026-01-03")),
            known("staging_th_pay_fix_0000006", false, None),
            known("prod_th_$(x)_master_0000007", true, None),
            known("prod_th_a b_master_0000008", true, None),
            known("prod_th_--force_master_0000009", true, None),
            known("-rf_th_fine_master_0000010", true, None),
            known("sg_th_\u{1b}x_master_0000011", true, None),
            known("sg_th_\u{fc}_master_0000012", true, None),
        ];
        for (word, expected) in [
            ("", &["$(x)", "a b", "cart", "fine", "pay", "\u{fc}"][..]),
            ("\u{fc}", &["\u{fc}"]),
            ("sg", &["sg_th_\u{fc}_master_0000012"]),
            ("c", &["cart"]),
            ("cart", &["cart"]),
            ("carts", &[]),
            (
                "st",
                &[
                    "staging_th_cart_master_0000002",
                    "staging_th_cart_master_0000003",
                    "staging_th_pay_fix_0000006",
                    "staging_th_pay_master_0000005",
                ],
            ),
            ("staging_th_pay_master_0000004", &["staging_th_pay_master_0000004"]),
            (
                "prod",
                &[
                    "prod_th_$(x)_master_0000007",
                    "prod_th_--force_master_0000009",
                    "prod_th_a b_master_0000008",
                ],
            ),
            ("-", &[]),
        ] {
            assert_eq!(completions(word, &known, &[]).into_iter().collect::<Vec<_>>(), expected, "{word:?}");
        }
    }
}
