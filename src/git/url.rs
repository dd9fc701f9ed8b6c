//! URL of a repository, and handing its password to git.

use std::path::Path;
use std::process::Command;

/// The URL of a repository. Its credentials never show, and are never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    plain: String,
    credential: Option<Credential>,
}

/// A user name, and mostly a password, that a URL held before its `@`.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credential {
    /// The part of the URL that the credential is for, as in `https://host:8443`.
    place: String,
    user: String,
    password: Option<String>,
}

impl RemoteUrl {
    /// Takes the credentials out of a URL: all before an `@`; of ssh only a password, as its user name is
    /// part of the address and ssh takes no password from there.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let separated = || {
            let (scheme, rest) = url.split_once("://")?;
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let (user_info, host) = authority.rsplit_once('@')?;
            let (user, password) = match user_info.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (user_info, None),
            };
            if scheme.ends_with("ssh") {
                return Some(Self { plain: format!("{scheme}://{user}@{host}{path}"), credential: None });
            }
            let place = format!("{scheme}://{host}");
            let credential = Credential {
                place: place.clone(),
                user: percent_decoded(user),
                password: password.map(percent_decoded),
            };
            Some(Self { plain: format!("{place}{path}"), credential: Some(credential) })
        };
        separated().unwrap_or_else(|| Self { plain: url.to_owned(), credential: None })
    }

    /// Returns it without credentials.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.plain
    }

    /// Names a repository by its path on this machine.
    pub(super) fn for_path(path: &Path) -> Self {
        Self { plain: path.display().to_string(), credential: None }
    }

    /// Returns its credentials, where it has some.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Tells whether ssh is what fetches from it.
    pub(super) fn is_of_ssh(&self) -> bool {
        match self.plain.split_once("://") {
            Some((scheme, _)) => scheme.ends_with("ssh"),
            None => self.host().is_some(),
        }
    }

    /// Returns the machine that it is on, with its user and port; `None` for a path.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let host = match self.plain.split_once("://") {
            Some((_, rest)) => rest.split('/').next(),
            // As ssh has it; a path with a colon begins with a slash or a dot.
            None => self.plain.split_once(':').map(|(host, _)| host).filter(|host| !host.contains('/')),
        };
        host.filter(|host| !host.is_empty())
    }
}

impl std::fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.plain)
    }
}

/// Names of the environment variables through which the credential helper below gets its answer.
const USER_VARIABLE: &str = "GOC_WATCHDOG_GIT_USER";
const PASSWORD_VARIABLE: &str = "GOC_WATCHDOG_GIT_PASSWORD";
/// A credential helper (gitcredentials(7)) that answers with these variables. `printf` is built into the shell,
/// so no argument of any process holds a secret.
const HELPER: &str = r#"!f() { if test "$1" = get; then printf 'username=%s\npassword=%s\n' "$GOC_WATCHDOG_GIT_USER" "$GOC_WATCHDOG_GIT_PASSWORD"; fi; }; f"#;

impl Credential {
    /// Hands the credential to a git in its environment, which only this user and root can read. In a URL it would
    /// stand in the arguments of git's helper programs, which everybody can read.
    pub(super) fn hand_over(&self, git: &mut Command) {
        let Self { place, user, password } = self;
        let helper = (format!("credential.{place}.helper"), HELPER);
        let entries = match password {
            // An empty entry takes out the helpers before it: a configured password comes before a stored one.
            Some(_) => vec![(helper.0.clone(), ""), helper],
            // Tokens often stand in place of a user name. The user's own helpers may know a password for it.
            None => vec![(format!("credential.{place}.username"), user.as_str()), helper],
        };
        git.env("GIT_CONFIG_COUNT", entries.len().to_string());
        for (number, (key, value)) in entries.iter().enumerate() {
            git.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        git.env(USER_VARIABLE, user).env(PASSWORD_VARIABLE, password.as_deref().unwrap_or_default());
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
            assert_eq!(RemoteUrl::new(url).host(), host, "{url}");
        }
    }

    #[test]
    fn credentials_of_a_url_do_not_show() {
        let plain = |url: &str| format!("{:?}", RemoteUrl::new(url));
        assert_eq!(plain("https://me:p@ss@host/a/b@c.git"), "https://host/a/b@c.git");
        assert_eq!(plain("https://token@host/a.git"), "https://host/a.git");
        assert_eq!(plain("ssh://git:pw@host:22/a.git"), "ssh://git@host:22/a.git");
        for unchanged in ["ssh://git@host/a.git", "git@host:a.git", "https://host/a.git", "/srv/a.git"] {
            assert_eq!(plain(unchanged), unchanged);
            assert!(RemoteUrl::new(unchanged).credential.is_none());
        }
    }

    /// The arguments of a git for this URL, and its environment.
    fn handed_over(url: &str) -> (String, HashMap<String, String>) {
        let mut git = super::super::run::command();
        if let Some(credential) = RemoteUrl::new(url).credential() {
            credential.hand_over(&mut git);
        }
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
