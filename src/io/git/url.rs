//! The URL of a repository, and its secrets, which reach git by its environment.

use std::path::Path;
use std::process::Command;

use crate::address::shown_url;
use crate::names::in_message;
use crate::repository_url::{RepositoryUrl, UrlParts};

/// The URL of a repository. Its credentials and its query are never shown and never stored.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RemoteUrl {
    plain: String,
    /// The part from `?` on; `None` for a URL that is not HTTP.
    query: Option<String>,
    credential: Option<Credential>,
}

/// The user name, and usually the password, before the `@` of a URL.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credential {
    /// The part of the URL for which the credential is, such as `https://host:8443`.
    place: String,
    user: String,
    password: Option<String>,
}

impl RemoteUrl {
    /// Removes the secrets from a URL: its query, and the text before an `@`. From a URL of ssh only a password is
    /// removed, because the user name is part of the address and ssh reads no password there.
    #[must_use]
    pub(crate) fn new(url: &str) -> Self {
        let RepositoryUrl::Url(parts) = RepositoryUrl::parse(url) else { return Self::without_secrets(url) };
        let UrlParts { scheme, host, path, query, .. } = parts;
        if scheme.ends_with("ssh") {
            let user = parts.credentials().map_or(String::new(), |(user, _)| format!("{user}@"));
            return Self::without_secrets(&format!("{scheme}://{user}{host}{path}"));
        }
        let credential = parts.credentials().map(|(user, password)| Credential {
            place: format!("{scheme}://{host}"),
            user: percent_decoded(user),
            password: password.map(percent_decoded),
        });
        let query = Some(query.to_owned()).filter(|query| !query.is_empty());
        Self { plain: format!("{scheme}://{host}{path}"), query, credential }
    }

    fn without_secrets(plain: &str) -> Self {
        Self { plain: plain.to_owned(), query: None, credential: None }
    }

    /// Returns the URL without credentials and query.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.plain
    }

    /// Returns the URL for messages. The user of ssh is a part of the address, also in ssh's short form.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        if let RepositoryUrl::Short { user: Some(_), .. } = RepositoryUrl::parse(&self.plain) {
            return in_message(&self.plain).into_owned();
        }
        shown_url(&format!("{}{}", self.plain, self.query.as_deref().unwrap_or_default()))
    }

    /// Creates the URL of a repository from its path on this machine.
    pub(super) fn for_path(path: &Path) -> Self {
        Self::without_secrets(&path.display().to_string())
    }

    /// Returns the name of the helper that git needs for this URL, if it needs one.
    pub(super) fn helper(&self) -> Option<&'static str> {
        self.query.as_ref().map(|_| QUERY_HELPER)
    }

    /// Passes the secrets to a git through its environment, which only this user and root can read. In a URL they would
    /// be in the arguments of git's helper programs, which everybody can read.
    pub(super) fn hand_over(&self, git: &mut Command) {
        let mut entries = Vec::new();
        if let Some(credential) = &self.credential {
            entries.extend(credential.entries());
            git.env(USER_VARIABLE, &credential.user);
            git.env(PASSWORD_VARIABLE, credential.password.as_deref().unwrap_or_default());
        }
        if let Some(query) = &self.query {
            let Self { plain, .. } = self;
            let scheme = plain.split("://").next().unwrap_or_default();
            // A helper that gets only the name of a remote takes the URL from the configuration (gitremote-helpers(7)).
            let run = format!("!f() {{ exec git remote-{scheme} {QUERY_HELPER}; }}; f");
            entries.push((format!("alias.remote-{QUERY_HELPER}"), run));
            entries.push((format!("remote.{QUERY_HELPER}.url"), format!("{plain}{query}")));
        }
        if entries.is_empty() {
            return;
        }
        git.env("GIT_CONFIG_COUNT", entries.len().to_string());
        for (number, (key, value)) in entries.iter().enumerate() {
            git.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
    }

    /// Tells whether git fetches from it by ssh.
    pub(super) fn is_of_ssh(&self) -> bool {
        match RepositoryUrl::parse(&self.plain) {
            RepositoryUrl::Url(UrlParts { scheme, .. }) => scheme.ends_with("ssh"),
            RepositoryUrl::Short { .. } => true,
            RepositoryUrl::Path(_) => false,
        }
    }

    /// Returns the machine, with user and port; `None` for a path.
    #[must_use]
    pub(crate) fn host(&self) -> Option<String> {
        let (user, host) = match RepositoryUrl::parse(&self.plain) {
            RepositoryUrl::Url(UrlParts { user_info, host, .. }) => (user_info, host),
            RepositoryUrl::Short { user, host, .. } => (user, host),
            RepositoryUrl::Path(_) => return None,
        };
        let shown = user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}"));
        (!host.is_empty()).then_some(shown)
    }
}

impl std::fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.plain)
    }
}

/// Name of the remote whose URL has a query, and of the alias by which git fetches from it (`<helper>::<address>`).
const QUERY_HELPER: &str = "goc-watchdog";
/// Names of the environment variables through which the credential helper below gets its answer.
const USER_VARIABLE: &str = "GOC_WATCHDOG_GIT_USER";
const PASSWORD_VARIABLE: &str = "GOC_WATCHDOG_GIT_PASSWORD";
/// A credential helper (gitcredentials(7)) that answers with these variables. `printf` is built into the shell,
/// so no argument of any process holds a secret.
const HELPER: &str = r#"!f() { if test "$1" = get; then printf 'username=%s\npassword=%s\n' "$GOC_WATCHDOG_GIT_USER" "$GOC_WATCHDOG_GIT_PASSWORD"; fi; }; f"#;

impl Credential {
    /// Returns the configuration that makes git use the credential.
    fn entries(&self) -> Vec<(String, String)> {
        let Self { place, user, password } = self;
        let helper = (format!("credential.{place}.helper"), HELPER.to_owned());
        match password {
            // An empty entry removes the helpers before it: a configured password takes precedence over a stored one.
            Some(_) => vec![(helper.0.clone(), String::new()), helper],
            // A token is often given as the user name. The user's own helpers may have a password for it.
            None => vec![(format!("credential.{place}.username"), user.clone()), helper],
        }
    }
}

/// Decodes `%2F` and the like (RFC 3986), as git does in a URL's user name and password.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_url_tells_whose_it_is() {
        for (url, host) in [
            ("https://me:secret@git.example.com:8443/team/app.git", Some("git.example.com:8443")),
            ("ssh://git@git.example.com/app.git", Some("git@git.example.com")),
            ("git@git.example.com:team/app.git", Some("git@git.example.com")),
            ("file:///srv/app.git", None),
            ("/srv/a:b.git", None),
            ("./a:b.git", None),
        ] {
            assert_eq!(RemoteUrl::new(url).host().as_deref(), host, "{url}");
        }
    }

    #[test]
    fn the_user_of_ssh_shows_because_the_address_needs_it() {
        for (url, shown) in [
            ("ssh://git@host/a.git", "ssh://git@host/a.git"),
            ("git@host:team/a.git", "git@host:team/a.git"),
            ("git:hush@host:a.git", "***@host:a.git"),
        ] {
            assert_eq!(RemoteUrl::new(url).shown(), shown);
        }
    }

    #[test]
    fn credentials_of_a_url_do_not_show() {
        let plain = |url: &str| format!("{:?}", RemoteUrl::new(url));
        assert_eq!(plain("https://me:p@ss@host/a/b@c.git"), "https://host/a/b@c.git");
        assert_eq!(plain("https://token@host/a.git"), "https://host/a.git");
        assert_eq!(plain("https://me:p/w@host/a.git"), "https://host/a.git");
        assert_eq!(plain("https://me:p?w@host/a.git?token=t#u"), "https://host/a.git");
        assert_eq!(plain("file:///srv/a?b@c.git"), "file:///srv/a?b@c.git");
        assert_eq!(plain("ssh://git:pw@host:22/a.git"), "ssh://git@host:22/a.git");
        for unchanged in ["ssh://git@host/a.git", "git@host:a.git", "https://host/a.git", "/srv/a.git"] {
            assert_eq!(plain(unchanged), unchanged);
            assert!(RemoteUrl::new(unchanged).credential.is_none());
        }
    }

    /// The arguments of a git for this URL, and its environment.
    fn handed_over(url: &str) -> (String, HashMap<String, String>) {
        let mut git = super::super::run::command();
        RemoteUrl::new(url).hand_over(&mut git);
        let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
        let arguments: Vec<String> = git.get_args().map(text).collect();
        let environment = git.get_envs().filter_map(|(key, value)| Some((text(key), text(value?)))).collect();
        (arguments.join(" "), environment)
    }

    #[test]
    fn a_password_is_handed_over_in_two_variables_and_nowhere_else() {
        let (arguments, mut environment) = handed_over("https://me:p%40ss:w%2Frd@git.example:8443/a.git");
        assert_eq!(environment.remove(USER_VARIABLE).as_deref(), Some("me"));
        assert_eq!(environment.remove(PASSWORD_VARIABLE).as_deref(), Some("p@ss:w/rd"));
        for (key, value) in [
            ("GIT_CONFIG_COUNT", "2"),
            ("GIT_CONFIG_KEY_0", "credential.https://git.example:8443.helper"),
            ("GIT_CONFIG_VALUE_0", ""),
            ("GIT_CONFIG_KEY_1", "credential.https://git.example:8443.helper"),
            ("GIT_CONFIG_VALUE_1", HELPER),
        ] {
            assert_eq!(environment.get(key).map(String::as_str), Some(value), "{key}");
        }
        let rest = format!("{arguments}{environment:?}");
        assert!(!rest.contains("p@ss") && !rest.contains("p%40ss"), "{rest}");
    }

    #[test]
    fn a_query_is_handed_over_in_the_environment_and_nowhere_else() {
        let url = RemoteUrl::new("https://me:hush@git.example/a.git?token=secret");
        assert_eq!((url.helper(), url.as_str()), (Some("goc-watchdog"), "https://git.example/a.git"));
        assert_eq!(url.shown(), "https://git.example/a.git?token=***");
        let (arguments, environment) = handed_over("https://me:hush@git.example/a.git?token=secret");
        for (key, value) in [
            ("GIT_CONFIG_COUNT", "4"),
            ("GIT_CONFIG_KEY_2", "alias.remote-goc-watchdog"),
            ("GIT_CONFIG_VALUE_2", "!f() { exec git remote-https goc-watchdog; }; f"),
            ("GIT_CONFIG_KEY_3", "remote.goc-watchdog.url"),
            ("GIT_CONFIG_VALUE_3", "https://git.example/a.git?token=secret"),
        ] {
            assert_eq!(environment.get(key).map(String::as_str), Some(value), "{key}");
        }
        assert!(!arguments.contains("secret"), "{arguments}");
        assert_eq!(RemoteUrl::new("https://git.example/a.git").helper(), None);
    }

    #[test]
    fn a_token_in_place_of_a_user_leaves_the_user_s_own_helpers_in_charge() {
        let (_, environment) = handed_over("https://t%6Fken@git.example/a.git");
        assert_eq!(environment["GIT_CONFIG_KEY_0"], "credential.https://git.example.username");
        assert_eq!(environment["GIT_CONFIG_VALUE_0"], "token");
        assert_eq!(environment["GIT_CONFIG_KEY_1"], "credential.https://git.example.helper");
        assert_eq!(environment[PASSWORD_VARIABLE], "");
        let (_, environment) = handed_over("ssh://git:pw@git.example/a.git");
        assert!(!environment.contains_key(USER_VARIABLE) && !environment.contains_key("GIT_CONFIG_COUNT"));
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        for (text, wanted) in
            [("a%2fb", "a/b"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%C3%BC", "ü"), ("", "")]
        {
            assert_eq!(percent_decoded(text), wanted);
        }
    }
}
