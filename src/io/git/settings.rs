//! The configuration of a clone as data. No setting of it is obeyed.

use super::run::without_credentials;
use crate::names::printable;

/// A line of a configuration such as `remote.origin.url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteSetting {
    remote: String,
    key: String,
    value: String,
}

/// Reads the output of `git config --null --get-regexp`: the name, a line end, the value.
pub(super) fn remote_settings(listed: &str) -> Vec<RemoteSetting> {
    let setting = |entry: &str| {
        let (name, value) = entry.split_once('\n')?;
        let (remote, key) = name.strip_prefix("remote.")?.rsplit_once('.')?;
        Some(RemoteSetting { remote: remote.to_owned(), key: key.to_owned(), value: value.to_owned() })
    };
    listed.split('\0').filter_map(setting).collect()
}

/// Returns the first URL of `origin`, or else of the remote that promised missing objects, or else of the first remote.
pub(super) fn url_of(settings: &[RemoteSetting]) -> Option<&str> {
    let promises = |remote: &str| {
        let mut own = settings.iter().filter(|setting| setting.remote == remote);
        own.any(|setting| setting.key == "promisor" && setting.value != "false")
    };
    let urls = settings.iter().filter(|setting| setting.key == "url" && !setting.value.is_empty());
    urls.enumerate()
        .min_by_key(|(at, url)| (url.remote != "origin", !promises(&url.remote), *at))
        .map(|(_, url)| url.value.as_str())
}

/// Returns the filter by which a clone was made.
pub(super) fn filter_of(settings: &[RemoteSetting]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '=' | '+' | '%' | '-');
    let mut filters = settings.iter().filter(|setting| setting.key == "partialclonefilter");
    let known = filters.find(|filter| !filter.value.is_empty() && filter.value.chars().all(is_plain));
    known.map_or_else(|| "blob:none".to_owned(), |filter| filter.value.clone())
}

/// Returns the names of a clone's settings that were ignored, though a fetch might have succeeded with them.
///
/// Reads the output of `git config --null --name-only --list` for the clone's own files.
pub(super) fn unheeded_settings(listed: &str) -> Vec<String> {
    const MAX_SHOWN: usize = 5;
    let mut keys: Vec<String> = Vec::new();
    for name in listed.split('\0') {
        let section = name.split('.').next().unwrap_or_default();
        let key = name.rsplit('.').next().unwrap_or_default();
        let matters = match section {
            "credential" | "http" | "https" | "protocol" | "ssh" => true,
            "url" => key == "insteadof",
            "core" => matches!(name, "core.sshcommand" | "core.gitproxy" | "core.askpass"),
            "remote" => matches!(key, "proxy" | "proxyauthmethod" | "uploadpack" | "vcs"),
            _ => false,
        };
        let shown = format!("\"{}\"", printable(&without_credentials(name)));
        if matters && !keys.contains(&shown) {
            keys.push(shown);
        }
    }
    if keys.len() > MAX_SHOWN {
        let more = format!("and {} more", keys.len() - MAX_SHOWN);
        keys.truncate(MAX_SHOWN);
        keys.push(more);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_tells_its_url_and_its_filter() {
        let listed = "remote.up.stream.url\nhttps://a/u.git\0remote.origin.url\nhttps://a/o.git\0remote.origin.fetch\n+a:b\0";
        let settings = remote_settings(listed);
        assert_eq!(settings[0].remote, "up.stream");
        assert_eq!(url_of(&settings), Some("https://a/o.git"));
        assert_eq!(filter_of(&settings), "blob:none");
        let promised = format!(
            "{listed}remote.up.stream.promisor\ntrue\0remote.up.stream.partialclonefilter\nblob:limit=1k\0"
        );
        let settings = remote_settings(&promised);
        assert_eq!(url_of(&settings), Some("https://a/o.git"));
        assert_eq!(filter_of(&settings), "blob:limit=1k");
        let settings = remote_settings(&promised.replace("origin", "a"));
        assert_eq!(url_of(&settings), Some("https://a/u.git"));
        assert_eq!(url_of(&remote_settings("remote.pushdefault\no\0")), None);
        let odd = remote_settings("remote.o.partialclonefilter\nx\"\n[core]\0");
        assert_eq!(filter_of(&odd), "blob:none");
    }

    #[test]
    fn ignored_settings_of_a_clone_are_named_without_passwords() {
        let listed = [
            "core.bare",
            "credential.helper",
            "credential.helper",
            "http.https://git.example/.extraheader",
            "url.https://me:hush@git.example/.insteadof",
            "core.sshcommand",
            "remote.origin.url",
            "remote.origin.uploadpack",
        ];
        let listed: String = listed.iter().flat_map(|name| [name, "\0"]).collect();
        assert_eq!(
            unheeded_settings(&listed),
            [
                "\"credential.helper\"",
                "\"http.https://git.example/.extraheader\"",
                "\"url.https://***@git.example/.insteadof\"",
                "\"core.sshcommand\"",
                "\"remote.origin.uploadpack\"",
            ]
        );
        let many = (0..9).fold(String::new(), |many, at| many + &format!("http.x{at}.proxy\0"));
        assert_eq!(unheeded_settings(&many)[5], "and 4 more");
        assert_eq!(unheeded_settings(""), Vec::<String>::new());
    }
}
