//! The configuration file `goc-watchdog.toml`, and how durations, sizes and address ranges are written
//! in it and in options.
//!
//! Pure: text goes in, values come out. Nothing is ignored: a key nobody reads, a value of another type
//! or out of range is an error with its line, so that a typing error never means a default.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::coverage::Threshold;
use crate::filter::{FilterError, Glob};
use crate::names::{Naming, printable};
use crate::ping::PingUrl;
use crate::schedule::{Retry, Steps, WaitsError};

/// The whole configuration. The default is that of no file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// URLs of the centers; empty where none is configured.
    pub centers: Vec<String>,
    /// Folders beside that of the root in which pods leave their last data.
    pub inboxes: Vec<PathBuf>,
    /// Whose files are taken in from the inboxes; `None`: anybody's.
    pub inbox_owners: Option<Vec<InboxOwner>>,
    /// How service names are read.
    pub naming: Naming,
    /// The configured apps by name.
    pub apps: BTreeMap<String, AppConfig>,
    /// How coverage is pulled.
    pub pull: PullConfig,
    /// How dead addresses are told, and how much is kept.
    pub prune: PruneConfig,
    /// Where source comes from.
    pub git: GitConfig,
    /// Access of users to the files of the root.
    pub files: FilesConfig,
}

/// What is configured of one app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppConfig {
    /// URL of its git repository.
    pub repo: Option<String>,
    /// What its changes are counted from.
    pub base: Option<String>,
    /// What its reports must reach.
    pub fail_under: Option<Threshold>,
    /// What each of its packages must reach, by globs of import paths, in order of those.
    pub packages: Vec<(Glob, Threshold)>,
}

/// Where source comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitConfig {
    /// URL of the repository of each app that has none of its own; `{app}` stands for its name.
    pub repo: Option<String>,
    /// Protocols that git may speak.
    pub protocols: Vec<String>,
    /// How long one run of git may take.
    pub timeout: Duration,
    /// A commit of more files is not read.
    pub max_files: usize,
    /// Users whose clones are read beside those of this user, root and the owner of the work directory.
    pub trust_owners: Vec<User>,
}

/// A user or a group whose files in an inbox are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxOwner {
    /// A user.
    User(User),
    /// A group by number, written `gid:N`.
    Group(u32),
}

impl InboxOwner {
    /// Tells whether a file of this user and group is trusted. `user_id` returns the number of a user.
    pub fn has(&self, uid: u32, gid: u32, user_id: impl Fn(&str) -> Option<u32>) -> bool {
        match self {
            Self::User(User::Id(trusted)) => *trusted == uid,
            Self::User(User::Name(name)) => user_id(name) == Some(uid),
            Self::Group(trusted) => *trusted == gid,
        }
    }
}

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// By number.
    Id(u32),
    /// By name.
    Name(String),
}

impl Default for GitConfig {
    fn default() -> Self {
        Self {
            repo: None,
            protocols: ["https", "ssh", "file"].map(str::to_owned).to_vec(),
            timeout: Duration::from_secs(600),
            max_files: 1_000_000,
            trust_owners: Vec::new(),
        }
    }
}

/// Access of users to the files of the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilesConfig {
    /// The group may write what is created, whatever the umask says.
    pub group_write: bool,
}

/// How coverage is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullConfig {
    /// Waits between pulls while nothing changes.
    pub steps: Steps,
    /// Waits before an address that failed is tried again.
    pub retry: Retry,
    /// What counts as a change.
    pub change: ChangeRule,
    /// Requests at the same time, 1 to 1024.
    pub concurrency: usize,
    /// For a whole request with its answer.
    pub timeout: Duration,
    /// For a whole request to a center with its answer.
    pub center_timeout: Duration,
    /// For the connection.
    pub connect_timeout: Duration,
    /// Longest silence within an answer.
    pub read_timeout: Duration,
    /// For a whole run.
    pub deadline: Option<Duration>,
    /// The longest answer that is read.
    pub max_body_bytes: u64,
    /// The most names that are taken of a center's list.
    pub max_names: usize,
    /// The most addresses that are taken of a center's list, of all names together.
    pub max_addresses: usize,
    /// Most files of an answer.
    pub max_files: usize,
    /// Most blocks of an answer.
    pub max_blocks: usize,
    /// For all answers that are decoded at the same time.
    pub memory_bytes: u64,
    /// Where runs are reported to.
    pub ping: Option<PingUrl>,
    /// A run waits at random up to so long before it starts.
    pub jitter: Option<Duration>,
    /// Whether services that are not due are asked for their fraction.
    pub peek: bool,
    /// Whether a new build is adopted by itself, in a deploy or by the votes of addresses.
    pub adopt: bool,
    /// URL of the proxy.
    pub proxy: Option<String>,
    /// Whether listed names are asked through the proxy that this host cannot resolve.
    pub proxy_resolves: bool,
    /// Which addresses may be dialled.
    pub policy: AddressPolicy,
    /// A row of history is written after so long even if nothing changed.
    pub row_at_least_every: Duration,
    /// Closed generations are folded into one when so old.
    pub fold_after: Duration,
}

impl Default for PullConfig {
    fn default() -> Self {
        PullConfig {
            steps: Steps::default(),
            retry: Retry::default(),
            change: ChangeRule::default(),
            concurrency: 16,
            timeout: Duration::from_secs(120),
            center_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(20),
            deadline: None,
            max_body_bytes: 256 << 20,
            max_names: 100_000,
            max_addresses: 300_000,
            max_files: 100_000,
            max_blocks: 5_000_000,
            memory_bytes: 1 << 30,
            ping: None,
            jitter: None,
            peek: true,
            adopt: true,
            proxy: None,
            proxy_resolves: false,
            policy: AddressPolicy::default(),
            row_at_least_every: Duration::from_secs(24 * 3600),
            fold_after: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// How dead addresses are told, and how much is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneConfig {
    /// Between the attempts at an address that fails; there is one attempt more.
    pub pauses: Vec<Duration>,
    /// When an address that was removed is probed again, counted from its removal.
    pub recheck: Vec<Duration>,
    /// Requests at the same time, 1 to 1024.
    pub concurrency: usize,
    /// For a connection, and for silence on it.
    pub timeout: Duration,
    /// For a whole run.
    pub deadline: Option<Duration>,
    /// Where runs are reported to.
    pub ping: Option<PingUrl>,
    /// In how many runs an address has to fail; `None`: what its failure asks for.
    pub confirm_runs: Option<u32>,
    /// Over how long an address has to fail; `None`: what its failure asks for.
    pub confirm_over: Option<Duration>,
    /// Whether what was removed by mistake is registered again.
    pub restore: bool,
    /// The newest so many profiles of a key stay, whatever their age.
    pub keep: usize,
    /// Profiles of so many days stay, however many.
    pub keep_days: u32,
    /// Offline keys and data set aside go when so old; `None`: never.
    pub drop_keys_older_than: Option<Duration>,
}

impl Default for PruneConfig {
    fn default() -> Self {
        Self {
            pauses: [500, 2000].map(Duration::from_millis).to_vec(),
            recheck: [0, 5, 30].map(Duration::from_secs).to_vec(),
            concurrency: 64,
            timeout: Duration::from_secs(4),
            deadline: None,
            ping: None,
            confirm_runs: None,
            confirm_over: None,
            restore: true,
            keep: 10,
            keep_days: 30,
            drop_keys_older_than: None,
        }
    }
}

/// What counts as a change of a service's coverage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ChangeRule {
    /// A block became covered.
    #[default]
    Covered,
    /// Any counter moved.
    Counts,
}

/// What is wrong in the configuration file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {fault}")]
pub struct ConfigError {
    /// The file as it was named.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The key, the offending value, and what is expected.
    pub fault: String,
}

impl Config {
    /// Reads the text of the configuration file; `path` is for messages alone.
    pub fn parse(text: &str, path: &str) -> Result<Config, ConfigError> {
        read(text).map_err(|Fault { at, what }| ConfigError {
            path: path.to_owned(),
            line: 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count(),
            fault: printable(&what).into_owned(),
        })
    }
}

/// Reads every table. The keys that exist are those that are asked for here, there is no other list.
fn read(text: &str) -> Result<Config, Fault> {
    let document = DeTable::parse(text).map_err(|error| Fault {
        at: error.span().map_or(0, |span| span.start),
        what: error.message().trim_end().replace('\n', ", "),
    })?;
    let mut config = Config::default();

    let mut top = Table { place: String::new(), entries: document.get_ref(), known: Vec::new() };
    top.set("center", &mut config.centers, |value| Ok(vec![url(value)?]))?;
    top.set("centers", &mut config.centers, urls)?;
    if let Some(((one, _), (many, _))) =
        top.entries.get_key_value("center").zip(top.entries.get_key_value("centers"))
    {
        let at = one.span().start.max(many.span().start);
        return Err(Fault { at, what: "both center and centers, expected one of them".to_owned() });
    }

    top.set("inbox", &mut config.inboxes, each(path))?;
    top.set("inbox_owners", &mut config.inbox_owners, inbox_owners)?;

    if let Some(mut apps) = top.table("apps")? {
        for app in apps.entries.keys() {
            let app = app.get_ref().as_ref();
            if let Some(mut table) = apps.table(app)? {
                let into = config.apps.entry(app.to_owned()).or_default();
                table.set("repo", &mut into.repo, some(parsed("a text in quotes", parse_repo)))?;
                table.set("base", &mut into.base, some(text_of))?;
                table.set("fail_under", &mut into.fail_under, some(threshold))?;
                table.set("packages", &mut into.packages, package_thresholds)?;
                table.finish()?;
            }
        }
    }

    let named = |pattern: Option<&str>| Naming::new(pattern, config.apps.keys().cloned());
    config.naming = named(None).map_err(|error| Fault { at: 0, what: error.to_string() })?;
    if let Some(mut naming) = top.table("naming")? {
        naming.set("pattern", &mut config.naming, parsed("a pattern", |text| named(Some(text))))?;
        naming.finish()?;
    }

    if let Some(mut table) = top.table("pull")? {
        let pull = &mut config.pull;
        table.set("steps", &mut pull.steps, waits(Steps::new))?;
        table.set("retry", &mut pull.retry, waits(Retry::new))?;
        table.set("change", &mut pull.change, parsed(A_CHANGE, parse_change))?;
        table.set("concurrency", &mut pull.concurrency, whole(1..=1024))?;
        table.set("timeout", &mut pull.timeout, above_zero)?;
        table.set("center_timeout", &mut pull.center_timeout, above_zero)?;
        table.set("connect_timeout", &mut pull.connect_timeout, above_zero)?;
        table.set("read_timeout", &mut pull.read_timeout, above_zero)?;
        table.set("deadline", &mut pull.deadline, some(above_zero))?;
        table.set("max_body", &mut pull.max_body_bytes, size)?;
        table.set("max_names", &mut pull.max_names, whole(1..=100_000_000))?;
        table.set("max_addresses", &mut pull.max_addresses, whole(1..=100_000_000))?;
        table.set("max_files", &mut pull.max_files, whole(1..=1_000_000_000))?;
        table.set("max_blocks", &mut pull.max_blocks, whole(1..=1_000_000_000))?;
        table.set("memory", &mut pull.memory_bytes, size)?;
        table.set("ping", &mut pull.ping, some(parsed(A_PING_URL, str::parse)))?;
        table.set("jitter", &mut pull.jitter, some(duration))?;
        table.set("peek", &mut pull.peek, switch)?;
        table.set("adopt", &mut pull.adopt, switch)?;
        table.set("proxy", &mut pull.proxy, some(text_of))?;
        table.set("proxy_resolves", &mut pull.proxy_resolves, switch)?;
        table.set("allow_addresses", &mut pull.policy.allowed, each(parsed(A_RANGE, str::parse)))?;
        table.set("row_at_least_every", &mut pull.row_at_least_every, duration)?;
        table.set("fold_after", &mut pull.fold_after, duration)?;
        table.finish()?;
    }

    if let Some(mut table) = top.table("prune")? {
        let prune = &mut config.prune;
        table.set("pauses", &mut prune.pauses, each(duration))?;
        table.set("recheck", &mut prune.recheck, each(duration))?;
        table.set("concurrency", &mut prune.concurrency, whole(1..=1024))?;
        table.set("timeout", &mut prune.timeout, above_zero)?;
        table.set("deadline", &mut prune.deadline, some(above_zero))?;
        table.set("ping", &mut prune.ping, some(parsed(A_PING_URL, str::parse)))?;
        table.set("confirm_runs", &mut prune.confirm_runs, some(small(1..=1000)))?;
        table.set("confirm_over", &mut prune.confirm_over, some(duration))?;
        table.set("restore", &mut prune.restore, switch)?;
        table.set("keep", &mut prune.keep, whole(0..=1_000_000))?;
        table.set("keep_days", &mut prune.keep_days, small(0..=36_500))?;
        table.set("drop_keys_older_than", &mut prune.drop_keys_older_than, some(above_zero))?;
        table.finish()?;
    }

    if let Some(mut table) = top.table("git")? {
        let git = &mut config.git;
        table.set("repo", &mut git.repo, some(parsed(A_PATTERN, parse_repo_pattern)))?;
        table.set("protocols", &mut git.protocols, each(parsed(A_PROTOCOL, parse_protocol)))?;
        table.set("timeout", &mut git.timeout, above_zero)?;
        table.set("max_files", &mut git.max_files, whole(1..=100_000_000))?;
        table.set("trust_owners", &mut git.trust_owners, each(user))?;
        table.finish()?;
    }
    if let Some(mut table) = top.table("files")? {
        table.set("group_write", &mut config.files.group_write, switch)?;
        table.finish()?;
    }
    top.finish()?;
    Ok(config)
}

type Value<'i> = Spanned<DeValue<'i>>;

/// What is wrong, and the byte of the text where.
struct Fault {
    at: usize,
    what: String,
}

/// One table of the file, with the keys that were asked for so far.
struct Table<'a> {
    /// As in ` in [pull]`; empty for the top.
    place: String,
    entries: &'a DeTable<'a>,
    known: Vec<&'a str>,
}

impl<'a> Table<'a> {
    /// Puts the value of `key` into `into`, where there is one.
    fn set<T>(
        &mut self,
        key: &'a str,
        into: &mut T,
        reader: impl Fn(&Value) -> Result<T, Fault>,
    ) -> Result<(), Fault> {
        self.known.push(key);
        if let Some(value) = self.entries.get(key) {
            *into = reader(value).map_err(|Fault { at, what }| {
                let place = &self.place;
                Fault { at, what: format!("{key}{place}: {what}") }
            })?;
        }
        Ok(())
    }

    /// Returns the table at `key`, where there is one.
    fn table(&mut self, key: &'a str) -> Result<Option<Table<'a>>, Fault> {
        self.known.push(key);
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        let path = if self.place.is_empty() { key.to_owned() } else { format!("apps.{key}") };
        match value.get_ref() {
            DeValue::Table(entries) => {
                Ok(Some(Table { place: format!(" in [{path}]"), entries, known: Vec::new() }))
            }
            other => Err(fault(value, format!("{path}: {}, expected a table [{path}]", found(other)))),
        }
    }

    /// Refuses the first key that was not asked for.
    fn finish(self) -> Result<(), Fault> {
        let unknown = self.entries.iter().filter(|(key, _)| !self.known.contains(&key.get_ref().as_ref()));
        let Some((key, value)) = unknown.min_by_key(|(key, _)| key.span().start) else { return Ok(()) };
        let (name, place) = (key.get_ref(), &self.place);
        let kind = if value.get_ref().is_table() { "table" } else { "key" };
        let near = (name.chars().count() / 3).max(1);
        let by_distance = self.known.iter().map(|known| (strsim::osa_distance(name, known), known));
        let hint = match by_distance.min() {
            Some((distance, known)) if distance <= near => format!("did you mean \"{known}\"?"),
            _ => format!("expected one of {}", self.known.join(", ")),
        };
        Err(Fault { at: key.span().start, what: format!("unknown {kind} \"{name}\"{place}, {hint}") })
    }
}

fn fault(value: &Value, what: impl Display) -> Fault {
    Fault { at: value.span().start, what: what.to_string() }
}

fn found(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => format!("found \"{text}\""),
        DeValue::Integer(number) => format!("found {number}"),
        DeValue::Float(number) => format!("found {number}"),
        DeValue::Boolean(switch) => format!("found {switch}"),
        DeValue::Datetime(time) => format!("found {time}"),
        DeValue::Array(_) => "found an array".to_owned(),
        DeValue::Table(_) => "found a table".to_owned(),
    }
}

fn mismatch(value: &Value, expected: &str) -> Fault {
    fault(value, format!("{}, expected {expected}", found(value.get_ref())))
}

/// Makes a reader of strings; `expected` is said of anything else.
fn parsed<T, E: Display>(
    expected: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> impl Fn(&Value) -> Result<T, Fault> {
    move |value| match value.get_ref() {
        DeValue::String(text) => parse(text).map_err(|error| fault(value, error)),
        _ => Err(mismatch(value, expected)),
    }
}

fn some<T>(reader: impl Fn(&Value) -> Result<T, Fault>) -> impl Fn(&Value) -> Result<Option<T>, Fault> {
    move |value| reader(value).map(Some)
}

/// Makes a reader of arrays; what is wrong with an element is said with the element's line.
fn each<T>(reader: impl Fn(&Value) -> Result<T, Fault>) -> impl Fn(&Value) -> Result<Vec<T>, Fault> {
    move |value| match value.get_ref() {
        DeValue::Array(elements) => elements.iter().map(&reader).collect(),
        _ => Err(mismatch(value, "an array [...]")),
    }
}

fn waits<T>(make: fn(Vec<Duration>) -> Result<T, WaitsError>) -> impl Fn(&Value) -> Result<T, Fault> {
    move |value| make(each(duration)(value)?).map_err(|error| fault(value, error))
}

fn whole(range: RangeInclusive<usize>) -> impl Fn(&Value) -> Result<usize, Fault> {
    move |value| {
        let number =
            value.get_ref().as_integer().and_then(|n| usize::from_str_radix(n.as_str(), n.radix()).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            mismatch(value, &format!("a whole number from {} to {}", range.start(), range.end()))
        })
    }
}

fn small(range: RangeInclusive<u32>) -> impl Fn(&Value) -> Result<u32, Fault> {
    let whole = whole(*range.start() as usize..=*range.end() as usize);
    move |value| whole(value).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn switch(value: &Value) -> Result<bool, Fault> {
    value.get_ref().as_bool().ok_or_else(|| mismatch(value, "true or false"))
}

fn text_of(value: &Value) -> Result<String, Fault> {
    value.get_ref().as_str().map(str::to_owned).ok_or_else(|| mismatch(value, "a text in quotes"))
}

fn user(value: &Value) -> Result<User, Fault> {
    let user = match value.get_ref() {
        DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok().map(User::Id),
        DeValue::String(name) if !name.is_empty() => {
            Some(name.parse().map_or_else(|_| User::Name(name.clone().into_owned()), User::Id))
        }
        _ => None,
    };
    user.ok_or_else(|| mismatch(value, "the name of a user in quotes, or a user id"))
}

/// Reads `"any"`, or a list of users and groups; an empty list trusts nobody.
fn inbox_owners(value: &Value) -> Result<Option<Vec<InboxOwner>>, Fault> {
    match value.get_ref() {
        DeValue::String(text) if text == "any" => Ok(None),
        DeValue::Array(_) => each(inbox_owner)(value).map(Some),
        _ => Err(mismatch(value, INBOX_OWNERS)),
    }
}

fn inbox_owner(value: &Value) -> Result<InboxOwner, Fault> {
    let text = text_of(value).unwrap_or_default();
    match text.strip_prefix("gid:") {
        Some(gid) => gid.parse().map(InboxOwner::Group).map_err(|_| mismatch(value, INBOX_OWNERS)),
        None if text == "any" || text.contains(':') => Err(mismatch(value, INBOX_OWNERS)),
        None => user(value).map(InboxOwner::User),
    }
}

const INBOX_OWNERS: &str =
    "\"any\", or a list of user numbers, user names and groups such as [65532, \"deploy\", \"gid:2000\"]";

fn path(value: &Value) -> Result<PathBuf, Fault> {
    text_of(value)
        .ok()
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| mismatch(value, "the path of a folder in quotes"))
}

fn url(value: &Value) -> Result<String, Fault> {
    const EXPECTED: &str = "a URL that starts with http:// or https://, such as \"http://127.0.0.1:7777\"";
    text_of(value)
        .ok()
        .filter(|url| ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)))
        .ok_or_else(|| mismatch(value, EXPECTED))
}

fn urls(value: &Value) -> Result<Vec<String>, Fault> {
    let urls = each(url)(value)?;
    if urls.is_empty() {
        return Err(fault(value, "found none, expected at least one URL"));
    }
    Ok(urls)
}

fn duration(value: &Value) -> Result<Duration, Fault> {
    parsed(A_DURATION, parse_duration)(value)
}

fn above_zero(value: &Value) -> Result<Duration, Fault> {
    let duration = duration(value)?;
    if duration.is_zero() { Err(mismatch(value, "more than zero")) } else { Ok(duration) }
}

fn size(value: &Value) -> Result<u64, Fault> {
    match value.get_ref() {
        DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(bytes) if bytes > 0 => Ok(bytes),
            _ => Err(mismatch(value, A_SIZE)),
        },
        _ => parsed(A_SIZE, parse_size)(value),
    }
}

/// Reads a percentage, in quotes or as a number.
fn threshold(value: &Value) -> Result<Threshold, Fault> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return Err(mismatch(value, A_THRESHOLD)),
    };
    text.parse().map_err(|error| fault(value, error))
}

/// Reads a table of globs and what is asked of the packages that they fit.
fn package_thresholds(value: &Value) -> Result<Vec<(Glob, Threshold)>, Fault> {
    let DeValue::Table(entries) = value.get_ref() else {
        return Err(mismatch(value, "a table of import paths, such as { \"example.com/app/api\" = 90 }"));
    };
    let one = |(glob, wanted): (&Spanned<_>, &Value)| {
        let text: &std::borrow::Cow<'_, str> = glob.get_ref();
        let at = glob.span().start;
        let glob = text.parse().map_err(|error: FilterError| Fault { at, what: error.to_string() })?;
        Ok((glob, threshold(wanted)?))
    };
    entries.iter().map(one).collect()
}

fn parse_repo_pattern(text: &str) -> Result<String, String> {
    match text.matches("{app}").count() {
        1 => parse_repo(text),
        // What was found may hold a password.
        _ => Err(format!("expected {A_PATTERN}")),
    }
}

/// Reads the URL of a repository. A password with a slash would be taken for the end of the host, and shown.
fn parse_repo(text: &str) -> Result<String, String> {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(rest));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    match host.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("its port is no number; a slash in a password is written %2F".to_owned()),
    }
}

fn parse_protocol(text: &str) -> Result<String, String> {
    match PROTOCOLS.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("found \"{text}\", expected {A_PROTOCOL}")),
    }
}

fn parse_change(text: &str) -> Result<ChangeRule, String> {
    ChangeRule::from_str(text, false).map_err(|_| format!("found \"{text}\", expected {A_CHANGE}"))
}

/// Those of git itself; a helper program of another name is none.
const PROTOCOLS: [&str; 5] = ["file", "git", "http", "https", "ssh"];
const A_PROTOCOL: &str = "\"https\", \"ssh\", \"file\", \"http\" or \"git\"";
const A_PATTERN: &str = "a URL with {app} in it once, such as \"https://git.example/team/{app}.git\"";
const A_THRESHOLD: &str = "a percentage from 0 to 100 such as 80 or \"79.95\"";
const A_CHANGE: &str = "\"covered\" or \"counts\"";
const A_PING_URL: &str = "a URL such as \"https://hc.example/ping/KEY\"";
const A_DURATION: &str = "a duration such as \"90s\", \"15m\" or \"2h 30m\"";
const A_SIZE: &str =
    "a number of bytes above zero, alone or with B, KB, KiB, MB, MiB, GB or GiB, such as \"256MiB\"";
const A_RANGE: &str = "an address or a range such as \"169.254.10.0/24\"";

/// The longest duration that is accepted, 100 years: with it no point in time overflows.
const LONGEST_DURATION: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a duration such as `15m` or `2h 30m`, at most 100 years.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST_DURATION => Ok(duration),
        Ok(_) => Err(format!("\"{text}\" is too long, expected at most 100 years")),
        Err(_) => Err(format!("\"{text}\" is no duration, expected {A_DURATION}")),
    }
}

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

/// Reads a size in bytes, above zero, such as `4096` or `256MiB`; the case of the unit does not matter.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()));
    unit.and_then(|(_, bytes)| number.parse::<u64>().ok()?.checked_mul(*bytes))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("\"{text}\" is no size, expected {A_SIZE}"))
}

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IpRange {
    network: IpAddr,
    prefix: u32,
}

impl IpRange {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32) -> IpRange {
        IpRange { network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(bits: u128, prefix: u32) -> IpRange {
        IpRange { network: IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix }
    }

    fn contains(&self, ip: IpAddr) -> bool {
        match (self.network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                (network.to_bits() ^ ip.to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                (network.to_bits() ^ ip.to_bits()).leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

impl FromStr for IpRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<IpRange, RangeError> {
        let error = || RangeError(text.to_owned());
        let (network, prefix) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let network: IpAddr = network.parse().map_err(|_| error())?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).ok().filter(|prefix| *prefix <= bits);
        Ok(IpRange { network, prefix: prefix.ok_or_else(error)? })
    }
}

/// A text that is neither an address nor a range of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no address range, expected {A_RANGE}", printable(.0))]
pub struct RangeError(String);

const LINK_LOCAL: &str = "a link-local address, which cloud metadata services use";
const METADATA: &str = "the address of a cloud metadata service";

/// Ranges that are refused unless they are allowed: whoever registers an address chooses what is asked, and
/// a metadata service answers with credentials. AWS, EKS (`fd00:ec2::23`), Google (`fd20:ce::254`), Alibaba
/// (`100.100.100.200`), Azure (`168.63.129.16`) and Oracle (`192.0.0.192`) serve theirs outside of the
/// link-local ranges, too.
const REFUSED: [(IpRange, &str); 8] = [
    (IpRange::v4(169, 254, 0, 0, 16), LINK_LOCAL),
    (IpRange::v6(0xfe80 << 112, 10), LINK_LOCAL),
    (IpRange::v6(0xfd00_0ec2_u128 << 96 | 0x0254, 128), METADATA),
    (IpRange::v6(0xfd00_0ec2_u128 << 96 | 0x0023, 128), METADATA),
    (IpRange::v6(0xfd20_00ce_u128 << 96 | 0x0254, 128), METADATA),
    (IpRange::v4(100, 100, 100, 200, 32), METADATA),
    (IpRange::v4(168, 63, 129, 16, 32), METADATA),
    (IpRange::v4(192, 0, 0, 192, 32), METADATA),
];

/// Which addresses may be dialled: all but link-local ones and metadata services of clouds, which the
/// default refuses without exception.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allowed: Vec<IpRange>,
}

/// An address that must not be dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ip}{} is {reason}; it may be allowed by [pull] allow_addresses", in_parentheses(.embedded.as_ref()))]
pub struct Refused {
    /// The address.
    pub ip: IpAddr,
    /// The IPv4 address that it stands for, if any.
    pub embedded: Option<IpAddr>,
    reason: &'static str,
}

fn in_parentheses(ip: Option<&IpAddr>) -> String {
    ip.map_or_else(String::new, |ip| format!(" ({ip})"))
}

impl AddressPolicy {
    /// Makes the policy with these exceptions, each an address or a range such as `169.254.10.0/24`.
    pub fn allowing(ranges: &[String]) -> Result<AddressPolicy, RangeError> {
        Ok(AddressPolicy { allowed: ranges.iter().map(|range| range.parse()).collect::<Result<_, _>>()? })
    }

    /// Refuses an address that must not be dialled. An IPv6 address that embeds IPv4 addresses is judged as
    /// each of them, too.
    pub fn check(&self, ip: IpAddr) -> Result<(), Refused> {
        let is_allowed = |form: IpAddr| self.allowed.iter().any(|range| range.contains(form));
        if is_allowed(ip) {
            return Ok(());
        }
        for form in forms(ip) {
            let refused = REFUSED.iter().find(|(range, _)| range.contains(form));
            if let Some((_, reason)) = refused.filter(|_| !is_allowed(form)) {
                return Err(Refused { ip, embedded: Some(form).filter(|form| *form != ip), reason });
            }
        }
        Ok(())
    }
}

/// Returns an address, and each IPv4 address that a translator or a tunnel on the way could turn it into.
pub(crate) fn forms(ip: IpAddr) -> Vec<IpAddr> {
    let mut forms = vec![ip];
    let IpAddr::V6(ip) = ip else { return forms };
    let bytes = ip.octets();
    let mut add = |at: [usize; 4]| forms.push(Ipv4Addr::from(at.map(|at| bytes[at])).into());
    match ip.segments() {
        // IPv4-compatible and IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            add([12, 13, 14, 15]);
        }
        // NAT64 of a network's own (RFC 8215): its prefix has 48, 56, 64 or 96 bits, and byte 8 is left out
        // (RFC 6052, section 2.2).
        [0x64, 0xff9b, 1, ..] => {
            [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]].into_iter().for_each(add);
        }
        // 6to4 (RFC 3056).
        [0x2002, ..] => add([2, 3, 4, 5]),
        // Teredo (RFC 4380): the server, and the client with each bit inverted.
        [0x2001, 0, .., high, low] => {
            add([4, 5, 6, 7]);
            forms.push(Ipv4Addr::from_bits(!(u32::from(high) << 16 | u32::from(low))).into());
        }
        // ISATAP (RFC 5214), below any prefix; two bits tell whether the IPv4 address is unique.
        [.., 0 | 0x100 | 0x200 | 0x300, 0x5efe, _, _] => add([12, 13, 14, 15]),
        _ => {}
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(text: &str) -> String {
        Config::parse(text, "goc-watchdog.toml").unwrap_err().to_string()
    }

    #[test]
    fn no_text_is_the_default() {
        let config = Config::parse("", "goc-watchdog.toml").unwrap();
        assert_eq!(config.pull, PullConfig::default());
        assert_eq!(config.prune, PruneConfig::default());
        assert!(config.centers.is_empty() && config.apps.is_empty());
    }

    #[test]
    fn every_key_is_read() {
        let text = r#"
            centers = ["http://a:7777", "https://b"]
            inbox = ["/mnt/inbox"]
            inbox_owners = [65532, "deploy", "gid:2000"]
            [apps.apa_goc_echoserver]
            repo = "https://git.example/echo.git"
            [pull]
            steps = ["1m", "2m"]
            retry = ["10s"]
            change = "counts"
            concurrency = 4
            timeout = "10s"
            center_timeout = "6s"
            connect_timeout = "1s"
            read_timeout = "2s"
            deadline = "5m"
            max_body = "1MiB"
            max_names = 10
            max_addresses = 20
            max_files = 10
            max_blocks = 100
            memory = "64MiB"
            ping = "https://hc.example/pull?k=v"
            jitter = "30s"
            peek = false
            adopt = false
            proxy = "http://proxy:3128"
            proxy_resolves = true
            allow_addresses = ["169.254.10.0/24"]
            row_at_least_every = "12h"
            fold_after = "3d"
            [prune]
            pauses = ["10ms"]
            recheck = []
            concurrency = 2
            timeout = "1s"
            deadline = "9m"
            ping = "https://hc.example/prune"
            confirm_runs = 4
            confirm_over = "1h"
            restore = false
            keep = 3
            keep_days = 7
            drop_keys_older_than = "180d"
        "#;
        let config = Config::parse(text, "goc-watchdog.toml").unwrap();
        let seconds = Duration::from_secs;
        assert_eq!(config.centers, ["http://a:7777", "https://b"]);
        assert_eq!(config.inboxes, [PathBuf::from("/mnt/inbox")]);
        let owners = [
            InboxOwner::User(User::Id(65532)),
            InboxOwner::User(User::Name("deploy".to_owned())),
            InboxOwner::Group(2000),
        ];
        assert_eq!(config.inbox_owners.as_deref(), Some(&owners[..]));
        let repo = config.apps["apa_goc_echoserver"].repo.as_deref();
        assert_eq!(repo, Some("https://git.example/echo.git"));
        let expected = PullConfig {
            steps: Steps::new(vec![seconds(60), seconds(120)]).unwrap(),
            retry: Retry::new(vec![seconds(10)]).unwrap(),
            change: ChangeRule::Counts,
            concurrency: 4,
            timeout: seconds(10),
            center_timeout: seconds(6),
            connect_timeout: seconds(1),
            read_timeout: seconds(2),
            deadline: Some(seconds(300)),
            max_body_bytes: 1 << 20,
            max_names: 10,
            max_addresses: 20,
            max_files: 10,
            max_blocks: 100,
            memory_bytes: 64 << 20,
            ping: Some("https://hc.example/pull?k=v".parse().unwrap()),
            jitter: Some(seconds(30)),
            peek: false,
            adopt: false,
            proxy: Some("http://proxy:3128".to_owned()),
            proxy_resolves: true,
            policy: AddressPolicy::allowing(&["169.254.10.0/24".to_owned()]).unwrap(),
            row_at_least_every: seconds(12 * 3600),
            fold_after: seconds(3 * 24 * 3600),
        };
        assert_eq!(config.pull, expected);
        let expected = PruneConfig {
            pauses: vec![Duration::from_millis(10)],
            recheck: vec![],
            concurrency: 2,
            timeout: seconds(1),
            deadline: Some(seconds(540)),
            ping: Some("https://hc.example/prune".parse().unwrap()),
            confirm_runs: Some(4),
            confirm_over: Some(seconds(3600)),
            restore: false,
            keep: 3,
            keep_days: 7,
            drop_keys_older_than: Some(seconds(180 * 24 * 3600)),
        };
        assert_eq!(config.prune, expected);
    }

    #[test]
    fn a_fault_names_its_line_its_value_and_what_is_expected() {
        let cases = [
            ("\ncentre = \"http://a\"", "2: unknown key \"centre\", did you mean \"center\"?"),
            ("[pull]\nstep = []", "2: unknown key \"step\" in [pull], did you mean \"steps\"?"),
            (
                "[pull]\nconcurrency = 0",
                "2: concurrency in [pull]: found 0, expected a whole number from 1 to 1024",
            ),
            ("[prune]\nconfirm_runs = 0", "confirm_runs in [prune]: found 0, expected a whole number from 1"),
            ("[pull]\npeek = \"no\"", "2: peek in [pull]: found \"no\", expected true or false"),
            ("[pull]\nmax_body = 0", "expected a number of bytes above zero"),
            ("[pull]\ntimeout = \"0s\"", "expected more than zero"),
            ("[pull]\ntimeout = \"soon\"", "\"soon\" is no duration"),
            ("[pull]\nping = \"hc.example/key\"", "2: ping in [pull]: the scheme is missing, expected a URL"),
            ("center = \"a:7777\"", "1: center: found \"a:7777\", expected a URL that starts with http://"),
            ("center = \"http://a\"\ncenters = []", "centers: found none"),
            ("center = \"http://a\"\ncenters = [\"http://b\"]", "2: both center and centers"),
            ("pull = 3", "pull: found 3, expected a table [pull]"),
            ("[apps.x]\nrepos = 1", "unknown key \"repos\" in [apps.x], did you mean \"repo\"?"),
            (
                "[git]\ntrust_owner = []",
                "2: unknown key \"trust_owner\" in [git], did you mean \"trust_owners\"?",
            ),
            (
                "[git]\ntrust_owners = [\n-1]",
                "3: trust_owners in [git]: found -1, expected the name of a user",
            ),
            (
                "[git]\ntrust_owners = [\"\"]",
                "found \"\", expected the name of a user in quotes, or a user id",
            ),
            ("[pull", "1: "),
        ];
        for (text, expected) in cases {
            let fault = fault_of(text);
            assert!(fault.starts_with("goc-watchdog.toml:") && fault.contains(expected), "{text:?}: {fault}");
        }
    }

    #[test]
    fn a_file_in_an_inbox_is_trusted_by_its_user_or_its_group() {
        let config = Config::parse("inbox_owners = [7, \"deploy\", \"gid:9\"]", "").unwrap();
        let user_id = |name: &str| (name == "deploy").then_some(8);
        let is_trusted =
            |uid, gid| config.inbox_owners.iter().flatten().any(|owner| owner.has(uid, gid, user_id));
        assert!(is_trusted(7, 1) && is_trusted(8, 1) && is_trusted(1, 9));
        assert!(!is_trusted(9, 7) && !is_trusted(0, 0));
        assert_eq!(Config::parse("inbox_owners = \"any\"", "").unwrap().inbox_owners, None);
        for wrong in ["\"deploy\"", "[\"uid:5\"]", "[\"any\"]", "[\"gid:\"]"] {
            assert!(Config::parse(&format!("inbox_owners = {wrong}"), "").is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_and_sizes() {
        assert_eq!(parse_duration("2h 30m"), Ok(Duration::from_secs(9000)));
        assert!(parse_duration("200y").is_err());
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("1 kb"), Ok(1000));
        assert_eq!(parse_size("17"), Ok(17));
        for wrong in ["", "0", "-1", "1.5MB", "1XB", "99999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn metadata_services_are_refused_however_they_are_written() {
        let refused = [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "::ffff:100.100.100.200",
            "fd00:ec2::23",
            "fd20:ce::254",
            "168.63.129.16",
            "192.0.0.192",
            "::ffff:0:169.254.169.254",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00:0",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:a83f:81:1000::",
            "2001:0:a9fe:a9fe::1",
            "2001::5601:5601",
            "2001:db8::5efe:169.254.169.254",
            "2001:db8::200:5efe:169.254.169.254",
            "fd00:1::5efe:192.0.0.192",
        ];
        for ip in refused {
            assert!(AddressPolicy::default().check(ip.parse().unwrap()).is_err(), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.1",
            "::1",
            "fd00:ec2::255",
            "100.100.100.201",
            "fec0::1",
            "168.63.129.17",
            "192.0.0.193",
            "64:ff9b:1::10.1.2.3",
            "2001:0:a00:1::f5ff:fffe",
            "2001:db8::5efe:10.1.2.3",
            "2001:db8::5eff:169.254.169.254",
            "2001:db8::169.254.169.254",
        ] {
            assert_eq!(AddressPolicy::default().check(ip.parse().unwrap()), Ok(()), "{ip}");
        }
    }

    #[test]
    fn an_allowed_range_is_an_exception() {
        let policy = AddressPolicy::allowing(&["169.254.10.0/24".to_owned()]).unwrap();
        assert_eq!(policy.check("169.254.10.7".parse().unwrap()), Ok(()));
        assert_eq!(policy.check("::ffff:169.254.10.7".parse().unwrap()), Ok(()));
        let refused = policy.check("::ffff:169.254.169.254".parse().unwrap()).unwrap_err();
        assert!(refused.to_string().contains("(169.254.169.254)"), "{refused}");
        // An address may embed several others; an exception for one of them is none for the rest.
        let policy = AddressPolicy::allowing(&["169.254.10.0/24".to_owned()]).unwrap();
        assert!(policy.check("2001:0:a9fe:a01::5601:5601".parse().unwrap()).is_err());
        let policy = AddressPolicy::allowing(&["2001::/32".to_owned()]).unwrap();
        assert_eq!(policy.check("2001::5601:5601".parse().unwrap()), Ok(()));
        for wrong in ["10.0.0.0/33", "x", "10.0.0.0/", "::/129"] {
            assert!(AddressPolicy::allowing(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
