//! Groups of apps that are built from one repository, and the choice of the commit at which a group is shown.

use std::collections::BTreeMap;
use std::fmt;

use super::ids::KeyId;
use super::key_entry::{KeyEntry, ServiceName};
use super::pick::{Age, ServiceQuery, age, is_same_commit, runs};
use super::pick_error::PickError;
use super::records::Key;
use crate::names::{CommitChoice, in_message, is_name, nearness, printable};

/// A group of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppGroup {
    pub(crate) name: String,
    /// The apps, each once, in the order of the configuration.
    pub(crate) apps: Vec<String>,
}

impl AppGroup {
    /// Returns the group that a text names. A service with that full name is stronger.
    pub(crate) fn named<'g>(text: &str, groups: &'g [Self], entries: &[KeyEntry]) -> Option<&'g Self> {
        let group = groups.iter().find(|group| is_name(text, &group.name))?;
        let mut names = entries.iter().flat_map(|entry| &entry.members);
        (!names.any(|member| is_name(text, &member.name))).then_some(group)
    }

    pub(crate) fn has(&self, app: &str) -> bool {
        self.apps.iter().any(|own| own == app)
    }

    /// Returns the apps that no service has.
    pub(crate) fn absent(&self, entries: &[KeyEntry]) -> Vec<&str> {
        let is_absent = |app: &&String| entries.iter().all(|entry| entry.key.app != **app);
        self.apps.iter().filter(is_absent).map(String::as_str).collect()
    }

    /// Returns what a query picks of each app that has services. An app without the fields of the query is passed over
    /// as long as another one has them.
    fn pick_each<T>(
        &self,
        query: &ServiceQuery<'_>,
        entries: &[KeyEntry],
        pick: impl Fn(&ServiceQuery<'_>) -> Result<T, PickError>,
    ) -> Result<Vec<T>, GroupError> {
        let absent = self.absent(entries);
        let known = self.apps.iter().filter(|app| !absent.contains(&app.as_str()));
        let (mut picked, mut is_narrowed_away) = (Vec::new(), false);
        for app in known {
            match pick(&ServiceQuery { text: app, ..*query }) {
                Ok(one) => picked.push(one),
                Err(PickError::NarrowedAway { .. }) => is_narrowed_away = true,
                Err(error) => return Err(GroupError::App(error)),
            }
        }
        match (picked.is_empty(), is_narrowed_away) {
            (false, _) => Ok(picked),
            (true, true) => Err(GroupError::NarrowedAway { group: self.clone(), options: query.options() }),
            (true, false) => Err(GroupError::NoService { group: self.clone() }),
        }
    }

    /// Returns the apps, separated by commas.
    pub(crate) fn list(&self) -> String {
        self.apps.iter().map(|app| in_message(app)).collect::<Vec<_>>().join(", ")
    }
}

/// Returns what a query picks, for commands that take any number of services: of each app if its text names a group, or
/// else of the one service.
pub(crate) fn pick_all<T>(
    query: &ServiceQuery<'_>,
    groups: &[AppGroup],
    entries: &[KeyEntry],
    pick: impl Fn(&ServiceQuery<'_>) -> Result<T, PickError>,
) -> Result<Vec<T>, GroupError> {
    match AppGroup::named(query.text, groups, entries) {
        Some(group) => group.pick_each(query, entries, pick),
        None => {
            let picked = pick(query).map_err(|error| GroupError::App(with_meant_group(error, groups)));
            Ok(vec![picked?])
        }
    }
}

/// Returns the error about a text that fits no service, with the group that the text probably means if its name is nearer
/// than any service.
pub(crate) fn with_meant_group(error: PickError, groups: &[AppGroup]) -> PickError {
    let PickError::NotFound { query, nearest } = error else { return error };
    let of_service = nearest.as_ref().and_then(|name| nearness(&query, name));
    let near = groups.iter().filter_map(|group| Some((nearness(&query, &group.name)?, &group.name)));
    let group = near.min().filter(|(of_group, _)| of_service.as_ref().is_none_or(|other| of_group < other));
    let nearest = group.map(|(_, name)| name.clone()).or(nearest);
    PickError::NotFound { query, nearest }
}

/// The commit at which a group is shown.
#[derive(Clone, Debug)]
pub(crate) struct PickedGroup<'a> {
    pub(crate) place: Place<'a>,
    /// The longest known digits of the commit.
    pub(crate) commit: &'a str,
    /// The commits among which this one was chosen; `None`: there was only one.
    pub(crate) choice: Option<CommitChoice>,
    /// The commit was chosen because more apps run it than any other.
    pub(crate) is_of_most: bool,
    /// The services of this commit that have data, in the order of the group's apps; at least one.
    pub(crate) members: Vec<&'a KeyEntry>,
}

/// Environment, region and branch of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place<'a> {
    pub(crate) env: &'a str,
    pub(crate) region: &'a str,
    pub(crate) branch: &'a str,
}

impl fmt::Display for Place<'_> {
    /// Writes the options that choose the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word =
            |value: &str| if value.is_empty() { "''".to_owned() } else { in_message(value).into_owned() };
        let [env, region, branch] = [self.env, self.region, self.branch].map(word);
        write!(f, "--env {env} --region {region} --branch {branch}")
    }
}

impl Place<'_> {
    /// Returns the place in words, with the branch if that of `other` differs.
    pub(super) fn words(&self, other: &Self) -> String {
        let named = [self.env, self.region].into_iter().filter(|value| !value.is_empty());
        let named: Vec<_> = named.map(in_message).collect();
        let place = if named.is_empty() { "no environment".to_owned() } else { named.join(" ") };
        match self.branch {
            branch if branch == other.branch => place,
            "" => format!("{place} without a branch"),
            branch => format!("{place} on branch {}", in_message(branch)),
        }
    }

    /// Returns the options that choose this place instead of `other`.
    pub(super) fn options_beside(&self, other: &Self) -> String {
        let fields = [
            ("--env", self.env, other.env),
            ("--region", self.region, other.region),
            ("--branch", self.branch, other.branch),
        ];
        let differing = fields.into_iter().filter(|(_, own, other)| own != other);
        let options = differing.map(|(option, own, _)| match own {
            "" => format!("{option} ''"),
            own => format!("{option} {}", in_message(own)),
        });
        options.collect::<Vec<_>>().join(" ")
    }
}

impl PickedGroup<'_> {
    /// Returns the choice of the commit in words.
    pub(crate) fn choice_words(&self) -> Option<String> {
        let choice = self.choice?;
        let commit = printable(self.commit);
        Some(match self.is_of_most {
            true => format!(
                "commit {commit}, the one that most apps run, of {} that run, of {}",
                choice.running, choice.commits
            ),
            false => choice.words(self.commit),
        })
    }
}

/// The reason for which no commit of a group is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupError {
    NoService {
        group: AppGroup,
    },
    /// None of its services has the fields that were asked for besides.
    NarrowedAway {
        group: AppGroup,
        /// The options that were given, such as `--branch master`.
        options: String,
    },
    /// Its services with data have names that tell no commit.
    NoCommit {
        group: AppGroup,
    },
    NoData {
        group: AppGroup,
        /// The options that narrow the choice; empty for none.
        options: String,
    },
    AmbiguousPlace {
        group: AppGroup,
        /// The options for each environment, region and branch with its apps, the newest first.
        candidates: Vec<String>,
    },
    AmbiguousCommit {
        group: AppGroup,
        digits: String,
        commits: Vec<String>,
    },
    /// The name of one of its apps chooses no service.
    App(PickError),
}

impl std::error::Error for GroupError {}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoService { group } => write!(
                f,
                "no service has an app of the group {} ({}), `goc-watchdog list` shows all apps",
                in_message(&group.name),
                group.list()
            ),
            Self::NarrowedAway { group, options } => {
                let name = in_message(&group.name);
                write!(
                    f,
                    "no service of an app of the group {name} ({}) has {options}, `goc-watchdog list {name}` shows them",
                    group.list()
                )
            }
            Self::NoCommit { group } => write!(
                f,
                "the data of the group {} ({}) is of no known commit, and a group is shown at one; set pattern in [naming] \
                 if the names of its services have a commit, or let the label commit of targets tell it",
                in_message(&group.name),
                group.list()
            ),
            Self::NoData { group, options } => {
                let options = if options.is_empty() { String::new() } else { format!(" with {options}") };
                write!(
                    f,
                    "no app of the group {} has data of a commit{options}, `goc-watchdog list {}` shows its services",
                    in_message(&group.name),
                    in_message(&group.name),
                )
            }
            Self::AmbiguousPlace { group, candidates } => {
                write!(
                    f,
                    "the group {} has data in {} environments, regions or branches; give the options of one:",
                    in_message(&group.name),
                    candidates.len()
                )?;
                candidates.iter().try_for_each(|candidate| write!(f, "\n  {candidate}"))
            }
            Self::AmbiguousCommit { group, digits, commits } => {
                let (name, digits) = (in_message(&group.name), in_message(digits));
                write!(f, "several commits of the group {name} begin with \"{digits}\"; give more digits:")?;
                commits.iter().try_for_each(|commit| write!(f, "\n  {}", in_message(commit)))
            }
            Self::App(error) => error.fmt(f),
        }
    }
}

/// Returns the commit at which a group is shown. `query` narrows the choice by its fields, and `has_data` tells the
/// services with stored data.
///
/// The commit is the one that most of the apps run; of several, the one that was first listed last. If none runs, it is
/// the one that changed last.
pub(crate) fn pick_group<'a>(
    group: &AppGroup,
    query: &ServiceQuery<'_>,
    entries: &'a [KeyEntry],
    has_data: impl Fn(&Key) -> bool,
) -> Result<PickedGroup<'a>, GroupError> {
    let (place, found) = only_place(group, query, entries, has_data)?;
    let commits = by_commit(group, &found);
    if let (Some(digits), true) = (query.commit, commits.len() > 1) {
        let (digits, commits) =
            (digits.to_owned(), commits.keys().map(|&commit| commit.to_owned()).collect());
        return Err(GroupError::AmbiguousCommit { group: group.clone(), digits, commits });
    }
    let number = |members: &[&KeyEntry]| members.iter().filter(|entry| runs(entry)).count();
    let newest = |members: &[&KeyEntry]| -> Option<Age> { members.iter().map(|entry| age(entry)).max() };
    let running = commits.values().filter(|members| number(members) > 0).count();
    let choice = CommitChoice { commits: commits.len(), running };
    let all_by_age = commits.values().max_by_key(|members| newest(members));
    let running_at_newest = all_by_age.map(|members| number(members)).unwrap_or_default();
    let (commit, members) = commits
        .into_iter()
        .max_by_key(|(_, members)| (number(members), newest(members)))
        .expect("a place has a service");
    Ok(PickedGroup {
        place,
        commit,
        choice: (choice.commits > 1).then_some(choice),
        is_of_most: running > 1 && number(&members) > running_at_newest,
        members,
    })
}

/// Returns the only environment, region and branch of a group, and its services there that have data.
fn only_place<'a>(
    group: &AppGroup,
    query: &ServiceQuery<'_>,
    entries: &'a [KeyEntry],
    has_data: impl Fn(&Key) -> bool,
) -> Result<(Place<'a>, Vec<&'a KeyEntry>), GroupError> {
    let of_group = || entries.iter().filter(|entry| group.has(&entry.key.app));
    if of_group().next().is_none() {
        return Err(GroupError::NoService { group: group.clone() });
    }
    let mut places: BTreeMap<Place<'a>, BTreeMap<KeyId, &'a KeyEntry>> = BTreeMap::new();
    let mut lacks_commit = false;
    for entry in of_group().filter(|entry| has_data(&entry.key)) {
        for member in entry.members.iter().filter(|member| query.admits(&entry.key, &member.branch)) {
            if entry.key.commit.is_empty() {
                lacks_commit = true;
                continue;
            }
            places.entry(place_of(entry, member)).or_default().insert(entry.id, entry);
        }
    }
    let newest = |entries: &BTreeMap<KeyId, &KeyEntry>| entries.values().map(|entry| age(entry)).max();
    let mut by_age: Vec<_> = places.into_iter().collect();
    by_age.sort_by_key(|(_, entries)| std::cmp::Reverse(newest(entries)));
    // The same services under names of two branches are one choice.
    by_age.dedup_by(|(_, later), (_, earlier)| later.keys().eq(earlier.keys()));
    match by_age.len() {
        0 => Err(match query.commit.and_then(PickError::of_short_commit) {
            Some(short) => GroupError::App(short),
            None if lacks_commit => GroupError::NoCommit { group: group.clone() },
            None => GroupError::NoData { group: group.clone(), options: query.options() },
        }),
        1 => {
            let (place, entries) = by_age.remove(0);
            Ok((place, entries.into_values().collect()))
        }
        _ => {
            let shown = |(place, entries): &(Place<'_>, BTreeMap<KeyId, &KeyEntry>)| {
                let has = |app: &&String| entries.values().any(|entry| entry.key.app == **app);
                let apps: Vec<_> = group.apps.iter().filter(has).map(|app| in_message(app)).collect();
                format!("{place} ({})", apps.join(", "))
            };
            let candidates = by_age.iter().map(shown).collect();
            Err(GroupError::AmbiguousPlace { group: group.clone(), candidates })
        }
    }
}

pub(super) fn place_of<'a>(entry: &'a KeyEntry, member: &'a ServiceName) -> Place<'a> {
    Place { env: &entry.key.env, region: &entry.key.region, branch: &member.branch }
}

/// Returns the services of each commit, one of each app in the order of the group. A name with fewer digits of a commit
/// is of that commit.
fn by_commit<'a>(group: &AppGroup, found: &[&'a KeyEntry]) -> BTreeMap<&'a str, Vec<&'a KeyEntry>> {
    let mut sorted = found.to_vec();
    sorted.sort_by_key(|entry| entry.key.commit.as_str());
    // The beginning of a hash stands directly before the hashes that begin with it.
    let commits = sorted.chunk_by(|one, next| next.key.commit.starts_with(&one.key.commit));
    let of_commit = |same: &[&'a KeyEntry]| {
        let commit = same.last().map_or("", |entry| entry.key.commit.as_str());
        (commit, members(group, same))
    };
    commits.map(of_commit).collect()
}

/// Returns the newest service of each app, in the order of the group.
fn members<'a>(group: &AppGroup, found: &[&'a KeyEntry]) -> Vec<&'a KeyEntry> {
    let of_app = |app: &String| {
        let own = found.iter().copied().filter(|entry| entry.key.app == *app);
        own.max_by_key(|entry| age(entry))
    };
    group.apps.iter().filter_map(of_app).collect()
}

/// Returns the services of a commit, one of each app in the order of the group.
pub(crate) fn members_at<'a>(
    group: &AppGroup,
    found: impl Iterator<Item = &'a KeyEntry>,
    commit: &str,
) -> Vec<&'a KeyEntry> {
    let of_commit: Vec<&KeyEntry> = found.filter(|entry| is_same_commit(commit, &entry.key.commit)).collect();
    members(group, &of_commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixtures::{at, named_entry as entry};
    use crate::fleet::missing_app::missing_apps;
    use crate::fleet::records::AddressState;

    fn shop() -> AppGroup {
        AppGroup { name: "shop".to_owned(), apps: ["cart", "pay", "web"].map(str::to_owned).to_vec() }
    }

    /// Services `app commit minute`, of branch master in staging th. Those with `+` run, those with `?` were never
    /// pulled, and those with `!` never answered.
    fn entries(services: &[&str]) -> Vec<KeyEntry> {
        let service = |(id, text): (i64, &&str)| {
            let [app, commit, minute] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
            let runs = minute.contains('+');
            let name = format!("staging_th_{app}_master_{commit}");
            let minute = minute.trim_matches(['+', '?', '!']).parse().unwrap();
            let mut entry = entry(id, &name, runs, minute);
            if text.contains(['?', '!']) {
                entry.schedule.last_change_at = None;
            } else {
                entry.schedule.schedule.last_pull = Some(at(0));
            }
            if text.contains('!') {
                let mut state = AddressState::default();
                state.retry.failures = 1;
                entry.states.push(("http://a:1".to_owned(), state));
            }
            entry
        };
        (1..).zip(services).map(service).collect()
    }

    /// The commit with its members, and the choice and the missing apps in words; or the error.
    fn picked(
        query: &ServiceQuery<'_>,
        entries: &[KeyEntry],
        without_data: &[&str],
    ) -> Result<String, String> {
        let has_data = |key: &Key| !without_data.contains(&format!("{} {}", key.app, key.commit).as_str());
        let picked = pick_group(&shop(), query, entries, has_data).map_err(|error| error.to_string())?;
        let apps: Vec<&str> = picked.members.iter().map(|entry| entry.key.app.as_str()).collect();
        let missing = missing_apps(&shop(), (picked.place, &picked.members), entries, has_data);
        let missing = missing.iter().map(|missing| missing.message(picked.commit));
        let said: Vec<String> = picked.choice_words().into_iter().chain(missing).collect();
        Ok(format!("{} {}; {}", picked.commit, apps.join("+"), said.join("; ")))
    }

    #[test]
    fn the_commit_is_the_one_that_most_apps_run_or_else_the_newest() {
        for (what, services, without_data, expected) in [
            (
                "all apps at one commit",
                &["cart 0000001 +1", "pay 0000001 +1", "web 0000001 +1"][..],
                &[][..],
                "0000001 cart+pay+web; ",
            ),
            (
                "a rolling deploy that began",
                &["cart 0000001 +1", "pay 0000001 +1", "web 0000001 +1", "cart 0000002 +9"],
                &[],
                "0000001 cart+pay+web; commit 0000001, the one that most apps run, of 2 that run, of 2",
            ),
            (
                "a rolling deploy that is nearly over",
                &["cart 0000001 5", "pay 0000001 +1", "cart 0000002 +9", "web 0000002 +9", "pay 0000002 +9"],
                &[],
                "0000002 cart+pay+web; commit 0000002, the newest of 2 that run, of 2",
            ),
            (
                "as many apps at either commit",
                &["pay 0000001 +1", "cart 0000002 +9"],
                &[],
                "0000002 cart; commit 0000002, the newest of 2 that run, of 2; pay has no data of commit 0000002, its \
                 newest is 0000001; no service has the app web",
            ),
            (
                "one commit runs, and a newer one ended",
                &["cart 0000001 +1", "cart 0000002 9", "pay 0000002 9", "web 0000002 9"],
                &[],
                "0000001 cart; commit 0000001, the one of 2 that runs; pay has no data of commit 0000001, its newest is \
                 0000002; web has no data of commit 0000001, its newest is 0000002",
            ),
            (
                "nothing runs",
                &["cart 0000001 1", "pay 0000001 1", "web 0000001 1", "cart 0000002 9", "pay 0000002 7"],
                &[],
                "0000002 cart+pay; commit 0000002, the newest of 2; web has no data of commit 0000002, its newest is \
                 0000001",
            ),
            (
                "what runs has no data yet",
                &["cart 0000001 1", "pay 0000001 1", "web 0000001 !1", "cart 0000002 +9"],
                &["cart 0000002", "web 0000001"],
                "0000001 cart+pay; web was listed but never answered, so it has no data",
            ),
            (
                "an app that was never pulled, and one whose answers are not stored",
                &["cart 0000001 1", "pay 0000001 ?1", "web 0000001 !1", "web 0000002 +9"],
                &["pay 0000001", "web 0000001", "web 0000002"],
                "0000001 cart; pay was never pulled, so it has no data; web answered, but no profile of it is stored",
            ),
            (
                "names of one commit with different numbers of digits",
                &["cart 0000001 +1", "pay 0000001aaa +1", "web 0000002 1"],
                &[],
                "0000001aaa cart+pay; commit 0000001aaa, the one of 2 that runs; web has no data of commit 0000001aaa, \
                 its newest is 0000002",
            ),
            (
                "an app of no group",
                &["cart 0000001 +1", "pay 0000001 +1", "web 0000001 +1", "blog 0000002 +9"],
                &[],
                "0000001 cart+pay+web; ",
            ),
        ] {
            let found = picked(&ServiceQuery::default(), &entries(services), without_data);
            assert_eq!(found.as_deref(), Ok(expected), "{what}");
        }
    }

    #[test]
    fn fields_narrow_the_choice_and_several_places_are_refused() {
        let mut all =
            entries(&["cart 0000001 1", "pay 0000001 1", "cart 0000002 9", "pay 0000002 9", "web 0000002 9"]);
        let commit = |commit| ServiceQuery { commit: Some(commit), ..ServiceQuery::default() };
        let lacks_web = "0000001 cart+pay; web has no data of commit 0000001, its newest is 0000002";
        assert_eq!(picked(&commit("0000001"), &all, &[]).as_deref(), Ok(lacks_web));
        assert_eq!(
            picked(&commit("0000"), &all, &[]).unwrap_err(),
            "several commits of the group shop begin with \"0000\"; give more digits:\n  0000001\n  0000002"
        );
        assert_eq!(
            picked(&commit("ffff"), &all, &[]).unwrap_err(),
            "no app of the group shop has data of a commit with --commit ffff, `goc-watchdog list shop` shows its services"
        );
        all.push(entry(8, "prod_th_web_master_0000003", true, 3));
        all.push(entry(9, "staging_th_web_fix_0000003", false, 9));
        assert_eq!(
            picked(&ServiceQuery::default(), &all, &[]).unwrap_err(),
            "the group shop has data in 3 environments, regions or branches; give the options of one:\n  \
             --env prod --region th --branch master (web)\n  \
             --env staging --region th --branch fix (web)\n  \
             --env staging --region th --branch master (cart, pay, web)"
        );
        let fix = ServiceQuery { branch: Some("fix"), ..ServiceQuery::default() };
        assert_eq!(
            picked(&fix, &all, &[]).as_deref(),
            Ok(
                "0000003 web; cart has no data of commit 0000003, its newest is 0000002 (--env staging --region th \
                --branch master); pay has no data of commit 0000003, its newest is 0000002 (--env staging --region th \
                --branch master)"
            )
        );
    }

    #[test]
    fn names_of_one_service_in_two_branches_are_one_choice() {
        let mut both = entries(&["cart 0000001 +1"]);
        both[0].members.push(entry(2, "staging_th_cart_fix_0000001", true, 1).members.remove(0));
        let found = picked(&ServiceQuery::default(), &both, &[]).unwrap();
        assert!(found.starts_with("0000001 cart; "), "{found}");
    }

    #[test]
    fn a_group_without_any_service_or_commit_has_a_next_step() {
        assert_eq!(
            picked(&ServiceQuery::default(), &entries(&["blog 0000001 +1"]), &[]).unwrap_err(),
            "no service has an app of the group shop (cart, pay, web), `goc-watchdog list` shows all apps"
        );
        let mut without_commit = entries(&["cart 0000001 +1", "pay 0000001 +1"]);
        without_commit[0].key.commit.clear();
        let found = picked(&ServiceQuery::default(), &without_commit, &[]).unwrap();
        assert_eq!(
            found,
            "0000001 pay; cart has no data of commit 0000001, because its names tell no commit; no service has the app web"
        );
        without_commit[1].key.commit.clear();
        assert_eq!(
            picked(&ServiceQuery::default(), &without_commit, &[]).unwrap_err(),
            "the data of the group shop (cart, pay, web) is of no known commit, and a group is shown at one; set pattern in \
             [naming] if the names of its services have a commit, or let the label commit of targets tell it"
        );
    }

    #[test]
    fn a_text_names_a_group_unless_it_is_the_full_name_of_a_service() {
        let groups = [shop()];
        let named = |text: &str, entries: &[KeyEntry]| AppGroup::named(text, &groups, entries).is_some();
        let mut services = entries(&["shop 0000001 +1"]);
        assert!(named("shop", &services), "an app of that name is weaker");
        assert!(!named("sho", &services) && !named("cart", &services));
        services[0].members[0].name = "shop".to_owned();
        assert!(!named("shop", &services));
    }

    #[test]
    fn each_app_of_a_group_is_picked_that_has_the_fields() {
        use crate::fleet::pick::pick_running;
        let all = entries(&["cart 0000001 +1", "pay 0000001 +1", "pay 0000002 +9", "payroll 0000001 +1"]);
        let picked = |query: ServiceQuery<'_>| {
            let each = shop().pick_each(&query, &all, |query| pick_running(query, &all));
            let ids =
                |each: Vec<Vec<&KeyEntry>>| each.concat().iter().map(|entry| entry.id.0).collect::<Vec<_>>();
            each.map(ids).map_err(|error| error.to_string())
        };
        assert_eq!(picked(ServiceQuery::default()), Ok(vec![1, 2, 3]));
        let second = ServiceQuery { commit: Some("0000002"), ..ServiceQuery::default() };
        assert_eq!(picked(second), Ok(vec![3]));
        let none = ServiceQuery { env: Some("prod"), ..ServiceQuery::default() };
        assert_eq!(
            picked(none).unwrap_err(),
            "no service of an app of the group shop (cart, pay, web) has --env prod, `goc-watchdog list shop` shows them"
        );
        assert_eq!(shop().absent(&all), ["web"]);
    }
}
