//! The table `[git]`, and the URLs of repositories.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::owners::User;
use super::values::{above_zero, expected, list, text, whole};

/// Settings of the source of apps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitConfig {
    /// URL of the repository of apps without their own; `{app}` stands for the app's name.
    #[serde(deserialize_with = "repo_pattern")]
    pub(crate) repo: Option<String>,
    /// Protocols that git may use.
    #[serde(deserialize_with = "protocols")]
    pub(crate) protocols: Vec<String>,
    /// Time limit of one run of git.
    #[serde(deserialize_with = "above_zero")]
    pub(crate) timeout: Duration,
    /// A commit of more files is not read.
    #[serde(deserialize_with = "whole::<1, 100_000_000, _, _>")]
    pub(crate) max_files: usize,
    /// Further users whose clones are read, besides this user, root and the owner of the work directory.
    #[serde(deserialize_with = "list")]
    pub(crate) trust_owners: Vec<User>,
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

/// The protocols of git itself. Protocols of helper programs, such as `ext::`, run commands.
const PROTOCOLS: [&str; 5] = ["file", "git", "http", "https", "ssh"];
const A_PROTOCOL: &str = "\"https\", \"ssh\", \"file\", \"http\" or \"git\"";
const A_PATTERN: &str = "a URL with {app} in it once, such as \"https://git.example/team/{app}.git\"";

fn repo_pattern<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let parse = |text: &str| match text.matches("{app}").count() {
        1 => parse_repo(text),
        // The message leaves out the text found, which may hold a password.
        count => Err(format!("found {{app}} {count} times, expected {A_PATTERN}")),
    };
    text(value, A_PATTERN, parse).map(Some)
}

/// Reads the URL of an app's repository.
pub(super) fn repo<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    text(value, "a text in quotes", parse_repo).map(Some)
}

/// Reads the URL of a repository. An unescaped slash in a password is refused, because it would end the host, and the
/// password would be shown.
fn parse_repo(text: &str) -> Result<String, String> {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(rest));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    match host.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("its port is not a number; a slash in a password is written %2F".to_owned()),
    }
}

/// Returns the URL of a repository. A relative path becomes one below `folder`.
pub(super) fn repo_below(url: String, folder: &Path) -> String {
    // A colon before the first slash ends the host of ssh's short form, or the name of a helper program.
    let has_host = url.split('/').next().is_some_and(|start| start.contains(':'));
    match has_host || url.starts_with('/') || url.is_empty() {
        true => url,
        false => folder.join(url).to_string_lossy().into_owned(),
    }
}

#[derive(Deserialize)]
struct Protocol(#[serde(deserialize_with = "protocol")] String);

fn protocols<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    list(value).map(|protocols| protocols.into_iter().map(|Protocol(protocol)| protocol).collect())
}

fn protocol<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let parse = |text: &str| match PROTOCOLS.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(expected(A_PROTOCOL)),
    };
    text(value, A_PROTOCOL, parse)
}
