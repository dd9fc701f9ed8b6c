//! The configuration file `goc-watchdog.toml`, and the forms of durations, sizes and address ranges in it and in
//! options.
//!
//! Pure: the input is text, the output is values. An unknown key and a value of another type or out of range are errors
//! with their line, so that a typing error never means a default.
//!
//! Each table is a struct that serde fills, so its fields are the only list of its keys. [`values`] reads the forms
//! that several tables share, and [`fault`] turns serde's errors into messages.

mod addresses;
mod apps;
mod fault;
mod git;
mod groups;
mod owners;
mod prune;
mod pull;
mod targets;
mod units;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::de::DeTable;

pub(crate) use addresses::{AddressPolicy, forms};
pub(crate) use apps::AppConfig;
pub use fault::ConfigError;
pub(crate) use fault::toml_key;
pub use git::GitConfig;
pub(crate) use owners::{InboxOwner, User};
pub use prune::PruneConfig;
pub use pull::PullConfig;
pub(crate) use targets::{SourceInput, TargetSource, doubled_name};
pub(crate) use units::{parse_age, parse_duration, parse_size, parse_whole};

use crate::agent_files::AgentFiles;
use crate::fleet::app_group::AppGroup;
use crate::names::Naming;
use apps::AppTable;
use fault::Fault;
use git::repo_below;
use groups::GroupTables;
use owners::inbox_owners;
use targets::TargetTable;
use values::{Table, expected, file, list, text};

/// A configuration with all keys, in which all are commented out.
pub const SAMPLE_CONFIG: &str = include_str!("sample.toml");

/// The whole configuration. The default holds without a file.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// URLs of the centers; empty if none is configured.
    pub(crate) centers: Vec<String>,
    /// Sources of targets, each with a name of its own.
    pub(crate) targets: Vec<TargetSource>,
    /// Further inboxes, besides the one in the root.
    pub inboxes: Vec<PathBuf>,
    /// Owners whose files are taken in from the inboxes; `None` for any owner.
    pub(crate) inbox_owners: Option<Vec<InboxOwner>>,
    /// Rules for the fields of service names.
    pub(crate) naming: Naming,
    /// The configured apps by name.
    pub(crate) apps: BTreeMap<String, AppConfig>,
    /// Groups of apps, sorted by name.
    pub(crate) groups: Vec<AppGroup>,
    /// Settings of a pull.
    pub pull: PullConfig,
    /// Settings of a prune.
    pub prune: PruneConfig,
    /// Settings of the source of apps.
    pub git: GitConfig,
    /// Access of users to the files of the root.
    pub files: FilesConfig,
    /// Settings of encrypted connections.
    pub(crate) tls: TlsConfig,
}

/// Access of users to the files of the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// The group may write new files, whatever the umask says.
    pub(crate) group_write: bool,
}

/// Settings of encrypted connections to centers and processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// File with the certificates of the authorities to trust, in place of those of the system.
    #[serde(deserialize_with = "file")]
    pub(crate) ca: Option<PathBuf>,
}

/// The file with all its keys and tables.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ConfigFile {
    #[serde(deserialize_with = "url")]
    center: Option<String>,
    #[serde(deserialize_with = "urls")]
    centers: Option<Vec<String>>,
    #[serde(deserialize_with = "list")]
    targets: Vec<Spanned<Table<TargetTable>>>,
    #[serde(deserialize_with = "folders")]
    inbox: Vec<PathBuf>,
    #[serde(deserialize_with = "inbox_owners")]
    inbox_owners: Option<Vec<InboxOwner>>,
    #[serde(deserialize_with = "agent_files")]
    agent_files: AgentFiles,
    apps: BTreeMap<String, Table<AppTable>>,
    groups: GroupTables,
    naming: Table<NamingTable>,
    pull: Table<PullConfig>,
    prune: Table<PruneConfig>,
    git: Table<GitConfig>,
    files: Table<FilesConfig>,
    tls: Table<TlsConfig>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NamingTable {
    pattern: Option<Spanned<String>>,
}

impl Config {
    /// Reads the text of the configuration file; `path` is only for messages.
    pub fn parse(text: &str, path: &str) -> Result<Config, ConfigError> {
        let document = DeTable::parse(text).map_err(|error| Fault::from(error).in_file(path, text))?;
        let document = document.get_ref();
        let config = Config::read(text).map_err(|fault| fault.in_document(document));
        config
            .and_then(|config| refuse_both_centers(document).map(|()| config))
            .map_err(|fault| fault.in_file(path, text))
    }

    fn read(text: &str) -> Result<Config, Fault> {
        let file: ConfigFile = toml::from_str(text)?;
        let app = |(name, Table(app)): (String, Table<AppTable>)| Ok((name, app.read(text)?));
        let apps = file.apps.into_iter().map(app).collect::<Result<BTreeMap<_, _>, Fault>>()?;
        let groups = groups::groups(file.groups, |name| apps.contains_key(name))?;
        let targets = target_sources(file.targets)?;
        let Table(NamingTable { pattern }) = file.naming;
        let naming = Naming::new(pattern.as_ref().map(|text| text.get_ref().as_str()), apps.keys().cloned())
            .map_err(|error| Fault::new(pattern.map_or(0, |pattern| pattern.span().start), error))?;
        Ok(Config {
            centers: file.centers.unwrap_or_else(|| file.center.into_iter().collect()),
            targets,
            inboxes: file.inbox,
            inbox_owners: file.inbox_owners,
            naming,
            apps,
            groups,
            pull: PullConfig { agent_files: file.agent_files, ..file.pull.0 },
            prune: file.prune.0,
            git: file.git.0,
            files: file.files.0,
            tls: file.tls.0,
        })
    }

    /// Returns the configuration with the relative paths of files, programs and repositories below the folder of its
    /// file. A timer and a terminal begin in different folders.
    pub(crate) fn below(mut self, folder: &Path) -> Self {
        self.targets = self.targets.into_iter().map(|source| source.below(folder)).collect();
        for app in self.apps.values_mut() {
            app.repo = app.repo.take().map(|url| repo_below(url, folder));
        }
        self.git.repo = self.git.repo.take().map(|url| repo_below(url, folder));
        self
    }
}

fn target_sources(tables: Vec<Spanned<Table<TargetTable>>>) -> Result<Vec<TargetSource>, Fault> {
    let mut sources: Vec<TargetSource> = Vec::with_capacity(tables.len());
    for table in tables {
        let at = table.span().start;
        let source = table.into_inner().0.read(at)?;
        if sources.iter().any(|known| known.name == source.name) {
            let name = &source.name;
            return Err(Fault::new(
                at,
                format!("a second source of targets {name:?}, expected another name"),
            ));
        }
        sources.push(source);
    }
    Ok(sources)
}

fn refuse_both_centers(document: &DeTable) -> Result<(), Fault> {
    let keys = ["center", "centers"].map(|key| document.get_key_value(key).map(|(key, _)| key.span().start));
    match keys {
        [Some(one), Some(many)] => {
            Err(Fault::new(one.max(many), "both center and centers, expected one of them"))
        }
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct GlobText(#[serde(deserialize_with = "glob_text")] String);

fn glob_text<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    text(value, A_GLOB, |glob| AgentFiles::new([glob]).map(|_| glob.to_owned()))
}

fn agent_files<'de, D: Deserializer<'de>>(value: D) -> Result<AgentFiles, D::Error> {
    let globs: Vec<GlobText> = list(value)?;
    AgentFiles::new(globs.iter().map(|GlobText(glob)| glob.as_str())).map_err(D::Error::custom)
}

const A_GLOB: &str = "a glob in quotes, such as \"*/coverage/coverage_server.go\"";
const A_FOLDER: &str = "the path of a folder in quotes";

#[derive(Deserialize)]
struct UrlText(#[serde(deserialize_with = "url")] String);

#[derive(Deserialize)]
struct FolderPath(#[serde(deserialize_with = "folder")] PathBuf);

const A_URL: &str = "a URL that starts with http:// or https://, such as \"http://127.0.0.1:7777\"";

fn url<'de, T: From<String>, D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
    let is_http = |url: &str| ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    let parse = |url: &str| if is_http(url) { Ok(url.to_owned()) } else { Err(expected(A_URL)) };
    text(value, A_URL, parse).map(T::from)
}

fn urls<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<String>>, D::Error> {
    let urls: Vec<String> = list(value)?.into_iter().map(|UrlText(url)| url).collect();
    if urls.is_empty() { Err(D::Error::custom(expected("at least one URL"))) } else { Ok(Some(urls)) }
}

fn folder<'de, D: Deserializer<'de>>(value: D) -> Result<PathBuf, D::Error> {
    let parse = |path: &str| if path.is_empty() { Err(expected(A_FOLDER)) } else { Ok(PathBuf::from(path)) };
    text(value, A_FOLDER, parse)
}

fn folders<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<PathBuf>, D::Error> {
    list(value).map(|folders| folders.into_iter().map(|FolderPath(folder)| folder).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fleet::pull_rules::ChangeRule;
    use crate::fleet::waits::{PullWaits, RetryWaits};

    #[test]
    fn no_text_is_the_default() {
        let config = Config::parse("", "goc-watchdog.toml").unwrap();
        assert_eq!(config.pull, PullConfig::default());
        assert_eq!(config.prune, PruneConfig::default());
        assert!(config.centers.is_empty() && config.apps.is_empty());
    }

    #[test]
    fn relative_repositories_are_below_the_folder_of_the_configuration() {
        for (repo, expected) in [
            ("../echo", "/root/../echo"),
            ("echo.git", "/root/echo.git"),
            ("./a:b", "/root/./a:b"),
            ("/srv/echo", "/srv/echo"),
            ("https://git.example/echo.git", "https://git.example/echo.git"),
            ("git@git.example:echo.git", "git@git.example:echo.git"),
            ("ext::sh -c x", "ext::sh -c x"),
        ] {
            let text = format!("[apps.echo]\nrepo = {repo:?}\n[git]\nrepo = \"{repo}/{{app}}\"\n");
            let config = Config::parse(&text, "x").unwrap().below(Path::new("/root"));
            assert_eq!(config.apps["echo"].repo.as_deref(), Some(expected));
            assert_eq!(config.git.repo, Some(format!("{expected}/{{app}}")));
        }
    }

    #[test]
    fn files_of_agents_and_authorities_are_read() {
        let text = "agent_files = [\"*/agent.go\"]\n[tls]\nca = \"/etc/ssl/own.pem\"\n";
        let config = Config::parse(text, "goc-watchdog.toml").unwrap();
        assert_eq!(config.pull.agent_files, AgentFiles::new(["*/agent.go"]).unwrap());
        assert_eq!(config.tls.ca, Some(PathBuf::from("/etc/ssl/own.pem")));
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
            steps: PullWaits::new(vec![seconds(60), seconds(120)]).unwrap(),
            retry: RetryWaits::new(vec![seconds(10)]).unwrap(),
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
            agent_files: AgentFiles::default(),
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
}
