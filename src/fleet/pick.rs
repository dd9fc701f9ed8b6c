//! The search for the services that a person named.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::ids::{KeyId, ServiceId};
use super::key_entry::{KeyEntry, ServiceName};
use super::pick_error::{Narrowing, PickError};
use super::records::Key;
use super::targets::{ServiceFields, may_be_same};
use crate::names::{CommitChoice, Fit, fit, is_name, nearness, printable, with_short_commit};

/// Smallest number of digits that choose a commit, as in git.
pub(super) const SHORTEST_COMMIT: usize = 4;

/// The name of a service, or a part of one, as a person typed it, and the fields that it must have besides. An empty
/// field is one that the service does not have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServiceQuery<'a> {
    pub(crate) text: &'a str,
    pub(crate) env: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) branch: Option<&'a str>,
    /// The first digits of a commit, at least four, or more digits than the name has; `""` for none.
    pub(crate) commit: Option<&'a str>,
}

impl<'a> ServiceQuery<'a> {
    pub(crate) fn from_text(text: &'a str) -> Self {
        Self { text, ..Self::default() }
    }

    /// Tells whether nothing is asked for.
    pub(crate) fn is_everything(&self) -> bool {
        self.text.is_empty() && self.options().is_empty()
    }

    /// Tells whether a service has the fields besides the text.
    pub(crate) fn admits(&self, key: &Key, branch: &str) -> bool {
        self.env.is_none_or(|env| env == key.env)
            && self.region.is_none_or(|region| region == key.region)
            && self.branch.is_none_or(|wanted| wanted == branch)
            && self.commit.is_none_or(|commit| match commit {
                "" => key.commit.is_empty(),
                commit => is_same_commit(commit, &key.commit),
            })
    }
}

/// The service that a query means, with the commits among which it was chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picked<'a> {
    pub(crate) entry: &'a KeyEntry,
    /// `None`: there was only one commit.
    pub(crate) choice: Option<CommitChoice>,
}

/// Returns the service that a query means. If several commits of one environment, region, app and branch fit, the
/// commit that runs is chosen; among several that run, the commit whose listing began last; if none runs, the commit
/// that changed last.
pub(crate) fn pick<'a>(query: &ServiceQuery<'_>, entries: &'a [KeyEntry]) -> Result<Picked<'a>, PickError> {
    let fitting = Fitting::find(query, entries)?;
    let commits = fitting.only_group(query)?;
    let running = commits.iter().filter(|entry| runs(entry)).count();
    let choice = CommitChoice { commits: commits.len(), running };
    Ok(Picked { entry: newest(&commits), choice: (commits.len() > 1).then_some(choice) })
}

/// Returns all services that run and that a query means; where none of them runs, the one that changed last.
pub(crate) fn pick_running<'a>(
    query: &ServiceQuery<'_>,
    entries: &'a [KeyEntry],
) -> Result<Vec<&'a KeyEntry>, PickError> {
    let commits = Fitting::find(query, entries)?.only_group(query)?;
    let running: Vec<&KeyEntry> = commits.iter().copied().filter(|entry| runs(entry)).collect();
    Ok(if running.is_empty() { vec![newest(&commits)] } else { running })
}

/// Returns the names that a query means, of any number of services.
pub(crate) fn pick_names(
    query: &ServiceQuery<'_>,
    entries: &[KeyEntry],
) -> Result<BTreeSet<ServiceId>, PickError> {
    Ok(Fitting::find(query, entries)?.found.into_iter().map(|(_, member)| member.id).collect())
}

/// Returns the services that have the fields of a query, whatever its text.
pub(crate) fn pick_by_fields<'a>(
    query: &ServiceQuery<'_>,
    entries: &'a [KeyEntry],
) -> Result<Vec<(&'a KeyEntry, &'a ServiceName)>, PickError> {
    let admitted: Vec<_> =
        names(entries).filter(|(entry, member)| query.admits(&entry.key, &member.branch)).collect();
    if admitted.is_empty() { Err(query.narrowed_away()) } else { Ok(admitted) }
}

/// Returns a key of the only app that a query means. Names that differ only in branch and commit are the same app.
pub(crate) fn pick_app(query: &ServiceQuery<'_>, entries: &[KeyEntry]) -> Result<Key, PickError> {
    let fitting = Fitting::find(query, entries)?;
    let first = &fitting.found[0].0.key;
    if fitting.found.iter().all(|(entry, _)| is_same_app(&entry.key, first)) {
        return Ok(first.clone());
    }
    Err(fitting.ambiguous(query))
}

/// Returns the number of other services whose app is the text of a query, after the text was taken for the full name of
/// the service with the key `taken`.
pub(crate) fn namesakes(query: &ServiceQuery<'_>, taken: &Key, entries: &[KeyEntry]) -> usize {
    let is_named = |entry: &KeyEntry| {
        let fits = |member: &ServiceName| fit(query.text, &member.name, &entry.key.app) == Some(Fit::Full);
        entry.key == *taken && entry.members.iter().any(fits)
    };
    if !entries.iter().any(is_named) {
        return 0;
    }
    let has_app = |entry: &&KeyEntry| {
        let admits = |member: &ServiceName| query.admits(&entry.key, &member.branch);
        let is_app = is_name(query.text, &entry.key.app);
        entry.key != *taken && is_app && entry.members.iter().any(admits)
    };
    entries.iter().filter(has_app).count()
}

/// Tells whether two keys have the same app, environment and region.
pub(crate) fn is_same_app(a: &Key, b: &Key) -> bool {
    a.app == b.app && is_same_place(a, b)
}

/// Tells whether two keys have the same environment and region.
pub(crate) fn is_same_place(a: &Key, b: &Key) -> bool {
    (&a.env, &a.region) == (&b.env, &b.region)
}

/// Tells whether one of two hashes is the beginning of the other.
pub(crate) fn is_same_commit(query: &str, stored: &str) -> bool {
    let query = query.to_ascii_lowercase();
    query.len().min(stored.len()) >= SHORTEST_COMMIT && may_be_same(&query, stored)
}

/// The names that a query fits, all in the same, strongest way.
struct Fitting<'a> {
    /// At least one.
    found: Vec<(&'a KeyEntry, &'a ServiceName)>,
}

/// Environment, region, app and branch, within which only commits differ.
pub(crate) type Group<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Returns the group of a name.
pub(crate) fn group_of<'a>(entry: &'a KeyEntry, member: &'a ServiceName) -> Group<'a> {
    let Key { env, region, app, .. } = &entry.key;
    (env, region, app, &member.branch)
}

impl<'a> Fitting<'a> {
    fn find(query: &ServiceQuery<'_>, entries: &'a [KeyEntry]) -> Result<Self, PickError> {
        let all: Vec<(Fit, &KeyEntry, &ServiceName)> = names(entries)
            .filter_map(|(entry, member)| Some((fit_of(query.text, entry, member)?, entry, member)))
            .collect();
        if all.is_empty() {
            let nearest = meant(query, entries).map(str::to_owned);
            return Err(PickError::NotFound { query: query.text.to_owned(), nearest });
        }
        let admitted = all.iter().filter(|(_, entry, member)| query.admits(&entry.key, &member.branch));
        let Some(strongest) = admitted.clone().map(|(fit, ..)| *fit).min() else {
            return Err(query.narrowed_away());
        };
        let found =
            admitted.filter(|(fit, ..)| *fit == strongest).map(|(_, entry, member)| (*entry, *member));
        Ok(Self { found: found.collect() })
    }

    /// Returns the services of the only environment, region, app and branch that fit, each once. All names of one key
    /// are one service, because they share its data.
    fn only_group(&self, query: &ServiceQuery<'_>) -> Result<Vec<&'a KeyEntry>, PickError> {
        let by_key: BTreeMap<KeyId, &KeyEntry> =
            self.found.iter().map(|(entry, _)| (entry.id, *entry)).collect();
        if by_key.len() > 1 && self.groups().len() > 1 {
            return Err(self.ambiguous(query));
        }
        if let (Some(commit), true) = (query.commit, by_key.len() > 1) {
            let candidates =
                self.found.iter().map(|(_, member)| member.name.clone()).collect::<BTreeSet<_>>();
            let candidates = candidates.into_iter().collect();
            return Err(PickError::AmbiguousCommit { commit: commit.to_owned(), candidates });
        }
        Ok(by_key.into_values().collect())
    }

    fn groups(&self) -> BTreeMap<Group<'a>, Vec<(&'a KeyEntry, &'a ServiceName)>> {
        let mut groups: BTreeMap<Group<'_>, Vec<_>> = BTreeMap::new();
        for (entry, member) in &self.found {
            groups.entry(group_of(entry, member)).or_default().push((*entry, *member));
        }
        groups
    }

    fn ambiguous(&self, query: &ServiceQuery<'_>) -> PickError {
        let mut candidates: Vec<(&KeyEntry, &ServiceName)> = self
            .groups()
            .into_values()
            .filter_map(|names| names.into_iter().max_by_key(|(entry, _)| age(entry)))
            .collect();
        candidates.sort_by_key(|(entry, _)| Reverse(age(entry)));
        let (candidates, narrowing) = shown_names(&candidates);
        PickError::Ambiguous { query: query.text.to_owned(), candidates, narrowing }
    }
}

impl ServiceQuery<'_> {
    /// Returns the options that were given, such as `--branch master`.
    pub(super) fn options(&self) -> String {
        let options = [
            ("--env", self.env),
            ("--region", self.region),
            ("--branch", self.branch),
            ("--commit", self.commit),
        ];
        let given =
            options.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", option_value(value?))));
        given.collect::<Vec<String>>().join(" and ")
    }

    fn narrowed_away(&self) -> PickError {
        match self.commit.and_then(PickError::of_short_commit) {
            Some(error) => error,
            None => PickError::NarrowedAway { query: self.text.to_owned(), options: self.options() },
        }
    }
}

/// Returns all names, each with its key.
fn names(entries: &[KeyEntry]) -> impl Iterator<Item = (&KeyEntry, &ServiceName)> {
    entries.iter().flat_map(|entry| entry.members.iter().map(move |member| (entry, member)))
}

/// Returns the strongest way in which a text fits a name. A commit in the text may have more digits than that of the
/// name, as when it was copied from git.
fn fit_of(text: &str, entry: &KeyEntry, member: &ServiceName) -> Option<Fit> {
    let Key { app, commit, .. } = &entry.key;
    fit(text, &member.name, app).or_else(|| fit(&with_short_commit(text, commit)?, &member.name, app))
}

/// Returns the app or the name that a mistyped text probably means: an app, if it is about as near as the nearest name.
/// Of several that are as near, the one with the fewest segments is meant, then the one that runs, or else the newest.
fn meant<'a>(query: &ServiceQuery<'_>, entries: &'a [KeyEntry]) -> Option<&'a str> {
    /// Further edits by which an app may be away, because people type apps rather than parts of names.
    const ABOUT: usize = 1;
    let near = |text: &'a str, entry| {
        Some((nearness(query.text, text)?, text.split('_').count(), Reverse(age(entry)), text))
    };
    let admitted = || names(entries).filter(|(entry, member)| query.admits(&entry.key, &member.branch));
    let app = admitted().filter_map(|(entry, _)| near(&entry.key.app, entry)).min();
    let name = admitted().filter_map(|(entry, member)| near(&member.name, entry)).min();
    match (app, name) {
        (Some((of_app, _, _, app)), Some((of_name, ..))) if of_app <= of_name + ABOUT => Some(app),
        (app, name) => name.or(app).map(|(.., text)| text),
    }
}

/// Returns the value of an option as it is typed.
fn option_value(value: &str) -> Cow<'_, str> {
    if value.is_empty() { "''".into() } else { printable(value) }
}

/// Returns the names of services, each with the fields in which it differs from others of the same name, and the options
/// that tell all of them apart.
fn shown_names(services: &[(&KeyEntry, &ServiceName)]) -> (Vec<String>, Narrowing) {
    let fields = |entry: &KeyEntry, member: &ServiceName| ServiceFields::from_key(&entry.key, &member.branch);
    let mut by_name: BTreeMap<&str, Vec<ServiceFields>> = BTreeMap::new();
    for (entry, member) in services {
        by_name.entry(&member.name).or_default().push(fields(entry, member));
    }
    let shown = services.iter().map(|(entry, member)| match &by_name[&*member.name][..] {
        [_] => member.name.clone(),
        same => format!("{} ({})", member.name, differences(&fields(entry, member), same)),
    });
    let narrowing = by_name.values().map(|same| Narrowing::among(same)).max().unwrap_or(Narrowing::Name);
    (shown.collect(), narrowing)
}

/// Returns the fields of a service in which others differ from it.
fn differences(own: &ServiceFields, others: &[ServiceFields]) -> String {
    let others: Vec<[String; 5]> = others.iter().map(ServiceFields::to_list).collect();
    let named = ["env", "region", "app", "branch", "commit"].into_iter().zip(own.to_list()).enumerate();
    let differing = named.filter(|(at, (_, value))| others.iter().any(|other| other[*at] != *value));
    let shown: Vec<String> = differing
        .map(|(_, (name, value))| match value.as_str() {
            "" => format!("no {name}"),
            value => format!("{name} {value}"),
        })
        .collect();
    shown.join(", ")
}

fn newest<'a>(entries: &[&'a KeyEntry]) -> &'a KeyEntry {
    entries.iter().copied().max_by_key(|entry| age(entry)).expect("a group has a service")
}

/// Place of a service in time, the newest last.
pub(crate) type Age = (Option<DateTime<Utc>>, bool, Option<DateTime<Utc>>, KeyId);

/// Returns the place of a service in time: what runs is newer than what does not, and counters that the inbox brought in this
/// run are newer than those of any row.
pub(crate) fn age(entry: &KeyEntry) -> Age {
    let changed_at = entry.schedule.last_change_at.filter(|_| !entry.came_in);
    (listed_since(entry), entry.came_in, changed_at, entry.id)
}

/// Tells whether an address of a service is listed.
pub(crate) fn runs(entry: &KeyEntry) -> bool {
    listed_since(entry).is_some()
}

/// Returns the time since which an address of a service has been listed without a break; `None`: none is listed.
fn listed_since(entry: &KeyEntry) -> Option<DateTime<Utc>> {
    entry.members.iter().flat_map(|member| &member.listings).map(|listing| listing.listed_at).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::named_entry as entry;

    fn fleet() -> Vec<KeyEntry> {
        vec![
            entry(1, "staging_th_cart_master_0000001", false, 30),
            entry(2, "staging_th_cart_master_0000002", false, 40),
            entry(3, "staging_th_cart_master_0000003", true, 10),
            entry(4, "staging_th_cart_master_0000004", true, 20),
            entry(5, "staging_th_cart_v2_master_0000004", false, 10),
            entry(6, "staging_th_pay_master_aaaaaa1", false, 10),
            entry(7, "staging_th_pay_master_aaaaaa2", false, 20),
            entry(8, "staging_th_pay_fix_aaaaaa3", true, 30),
            entry(9, "prod_th_shop_master_bbbbbb1", false, 20),
            entry(10, "staging_th_shop_master_bbbbbb1", false, 10),
            entry(11, "staging_sg_shop_master_bbbbbb2", true, 5),
            entry(12, "odd\u{1b}name", true, 5),
        ]
    }

    /// The picked service, with the numbers of commits and of those that run.
    fn picked(query: &ServiceQuery<'_>) -> Result<(i64, Option<(usize, usize)>), String> {
        let fleet = fleet();
        let picked = pick(query, &fleet).map_err(|error| error.to_string())?;
        Ok((picked.entry.id.0, picked.choice.map(|choice| (choice.commits, choice.running))))
    }

    #[test]
    fn the_strongest_way_to_fit_decides_and_then_what_runs_or_is_newest() {
        for (text, expected) in [
            ("cart", (4, Some((4, 2)))),
            ("staging_th_cart_master_0000001", (1, None)),
            ("cart_master", (4, Some((4, 2)))),
            ("cart_v2", (5, None)),
            ("0000002", (2, None)),
            ("pay_master", (7, Some((2, 0)))),
            ("pay_fix", (8, None)),
            ("staging_sg", (11, None)),
            ("art_mas", (4, Some((4, 2)))),
            ("odd\\u{1b}", (12, None)),
        ] {
            assert_eq!(picked(&ServiceQuery::from_text(text)), Ok(expected), "{text}");
        }
    }

    #[test]
    fn fields_narrow_what_a_text_fits() {
        let shop = ServiceQuery::from_text("shop");
        let pay = ServiceQuery::from_text("pay");
        assert_eq!(picked(&ServiceQuery { env: Some("prod"), ..shop }), Ok((9, None)));
        assert_eq!(picked(&ServiceQuery { region: Some("sg"), ..shop }), Ok((11, None)));
        assert_eq!(picked(&ServiceQuery { branch: Some("master"), ..pay }), Ok((7, Some((2, 0)))));
        assert_eq!(picked(&ServiceQuery { commit: Some("AAAAAA1"), ..pay }), Ok((6, None)));
        assert_eq!(picked(&ServiceQuery { commit: Some("aaaaaa3fffff"), ..pay }), Ok((8, None)));
        assert_eq!(
            picked(&ServiceQuery { branch: Some("nowhere"), commit: Some("aaaa"), ..pay }).unwrap_err(),
            "no service that fits \"pay\" has --branch nowhere and --commit aaaa, `goc-watchdog list pay` shows them"
        );
    }

    #[test]
    fn a_whole_commit_fits_a_name_with_its_first_digits() {
        for (text, expected) in [
            ("staging_th_cart_master_0000001fffffffffffffffffffffffffffffffff", Ok((1, None))),
            ("0000002ABCDEF", Ok((2, None))),
            ("cart_master_0000003f", Ok((3, None))),
        ] {
            assert_eq!(picked(&ServiceQuery::from_text(text)), expected, "{text}");
        }
        assert!(picked(&ServiceQuery::from_text("cart_0000001fx")).is_err());
    }

    #[test]
    fn fields_alone_choose_all_that_have_them() {
        let fleet = fleet();
        let ids = |query: ServiceQuery<'_>| {
            let picked = pick_by_fields(&query, &fleet).map_err(|error| error.to_string())?;
            Ok(picked.into_iter().map(|(entry, _)| entry.id.0).collect::<Vec<i64>>())
        };
        let all = ServiceQuery::default();
        assert_eq!(ids(ServiceQuery { env: Some("prod"), ..all }), Ok(vec![9]));
        assert_eq!(
            ids(ServiceQuery { region: Some("xx"), ..all }),
            Err("no service has --region xx, `goc-watchdog list` shows them all".to_owned())
        );
        let short = ServiceQuery { commit: Some("bbb"), ..all };
        let said = "\"bbb\" has too few digits for a commit, give at least 4";
        assert_eq!(ids(short), Err(said.to_owned()));
        assert_eq!(picked(&ServiceQuery { text: "shop", ..short }).unwrap_err(), said);
    }

    #[test]
    fn candidates_are_what_runs_and_then_what_is_newest_each_of_its_own_branch() {
        let error = |text| picked(&ServiceQuery::from_text(text)).unwrap_err();
        assert_eq!(
            error("shop"),
            "\"shop\" fits 3 services; give more of the name, or --env, --region or --branch:\n  \
             staging_sg_shop_master_bbbbbb2\n  prod_th_shop_master_bbbbbb1\n  staging_th_shop_master_bbbbbb1"
        );
        assert_eq!(
            error("pay"),
            "\"pay\" fits 2 services; give more of the name, or --env, --region or --branch:\n  \
             staging_th_pay_fix_aaaaaa3\n  staging_th_pay_master_aaaaaa2"
        );
        assert_eq!(error("pya"), "no service fits \"pya\", did you mean \"pay\"?");
        assert_eq!(error("PAY"), "no service fits \"PAY\", did you mean \"pay\"?");
        assert_eq!(error("crat"), "no service fits \"crat\", did you mean \"cart\"?");
        assert_eq!(
            error("mastre"),
            "no service fits \"mastre\", did you mean \"staging_th_cart_master_0000004\"?"
        );
        assert_eq!(
            error("prod_th_shop_masterr_bbbbbb2"),
            "no service fits \"prod_th_shop_masterr_bbbbbb2\", did you mean \"prod_th_shop_master_bbbbbb1\"?"
        );
        assert_eq!(error(""), "no service fits \"\", `goc-watchdog list` shows them all");
    }

    #[test]
    fn a_mistyped_app_is_not_taken_for_one_of_which_it_is_a_part() {
        let entries = [
            entry(1, "staging_th_cart_master_aaaaaa1", false, 1),
            entry(2, "staging_th_shopping_cart_master_aaaaaa1", true, 9),
        ];
        let query = ServiceQuery::from_text("crt");
        assert_eq!(
            pick(&query, &entries).unwrap_err().to_string(),
            "no service fits \"crt\", did you mean \"cart\"?"
        );
    }

    #[test]
    fn services_with_the_same_name_are_told_apart_by_their_fields() {
        let name = "staging_shopd_740e1a2";
        let mut labelled = entry(1, name, true, 1);
        labelled.key = Key {
            env: "staging".to_owned(),
            region: String::new(),
            app: "shopd".to_owned(),
            commit: "740e1a2".to_owned(),
        };
        let mut without_env = labelled.clone();
        (without_env.key.env, without_env.key.app) = (String::new(), "staging_shopd".to_owned());
        let error =
            pick(&ServiceQuery::from_text(name), &[without_env, entry(2, name, true, 2)]).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains(
                "2 services; narrow them with --env, --region, --branch or --commit, where '' means none:"
            ),
            "{error}"
        );
        let entries = [labelled, entry(2, name, true, 2)];
        let query = ServiceQuery::from_text(name);
        assert_eq!(
            pick(&query, &entries).unwrap_err().to_string(),
            "\"staging_shopd_740e1a2\" fits 2 services; narrow them with --env, --region or --branch, where '' means \
             none:\n  \
             staging_shopd_740e1a2 (no env, app staging_shopd_740e1a2, no commit)\n  \
             staging_shopd_740e1a2 (env staging, app shopd, commit 740e1a2)"
        );
        let picked = |query| pick(&query, &entries).unwrap().entry.id.0;
        assert_eq!(picked(ServiceQuery { env: Some("staging"), ..query }), 1);
        assert_eq!(picked(ServiceQuery { env: Some(""), ..query }), 2);
        assert_eq!(picked(ServiceQuery { commit: Some("740e1a2"), ..query }), 1);
        assert_eq!(picked(ServiceQuery { commit: Some(""), ..query }), 2);
        let none = ServiceQuery { env: Some(""), commit: Some("740e"), ..query };
        assert!(pick(&none, &entries).unwrap_err().to_string().contains("has --env '' and --commit 740e, "));
    }

    #[test]
    fn all_commits_that_run_are_pulled_and_the_newest_where_none_runs() {
        let fleet = fleet();
        let running = |text| {
            let picked = pick_running(&ServiceQuery::from_text(text), &fleet).unwrap();
            picked.into_iter().map(|entry| entry.id.0).collect::<Vec<i64>>()
        };
        assert_eq!(running("cart"), [3, 4]);
        assert_eq!(running("pay_master"), [7]);
        assert_eq!(running("0000001"), [1]);
    }

    #[test]
    fn an_app_has_all_branches_and_commits_of_its_environment_and_region() {
        let fleet = fleet();
        let app = |text| {
            pick_app(&ServiceQuery::from_text(text), &fleet)
                .map(|key| (key.env, key.app))
                .map_err(|error| error.to_string())
        };
        assert_eq!(app("pay"), Ok(("staging".to_owned(), "pay".to_owned())));
        assert_eq!(app("prod"), Ok(("prod".to_owned(), "shop".to_owned())));
        assert!(app("shop").unwrap_err().starts_with("\"shop\" fits 3 services;"));
    }

    #[test]
    fn names_of_one_key_in_two_branches_are_one_service() {
        let mut both = entry(1, "staging_th_cart_master_0000001", true, 1);
        let other = entry(2, "staging_th_cart_fix_0000001", true, 1).members.remove(0);
        both.members.push(other);
        let entries = [both];
        let picked = pick(&ServiceQuery::from_text("cart"), &entries).unwrap();
        assert_eq!((picked.entry.id, picked.choice), (KeyId(1), None));
    }

    #[test]
    fn digits_of_several_commits_choose_none_of_them() {
        let query =
            ServiceQuery { branch: Some("master"), commit: Some("aaaaaa"), ..ServiceQuery::from_text("pay") };
        assert_eq!(
            picked(&query).unwrap_err(),
            "several commits begin with \"aaaaaa\"; give more digits:\n  \
             staging_th_pay_master_aaaaaa1\n  staging_th_pay_master_aaaaaa2"
        );
    }
}
