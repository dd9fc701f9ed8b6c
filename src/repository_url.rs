//! The parts of a repository's URL, in each of the forms that git takes.
//!
//! Pure. Text is only split here; which parts are secret, and what a host makes of a path, is for the callers.

use crate::address::end_of_user;

/// The parts of a repository's URL, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepositoryUrl<'u> {
    /// `scheme://user:password@host:port/path?query`.
    Url(UrlParts<'u>),
    /// The short form of ssh, `user@host:path`.
    Short { user: Option<&'u str>, host: &'u str, path: &'u str },
    /// A path on this machine.
    Path(&'u str),
}

/// The parts of a URL with a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UrlParts<'u> {
    pub(crate) scheme: &'u str,
    /// The user, and the password after a colon if there is one.
    pub(crate) user_info: Option<&'u str>,
    /// The host with its port; empty for a file.
    pub(crate) host: &'u str,
    /// The path with its first slash.
    pub(crate) path: &'u str,
    /// The part of a URL of http or https from `?` or `#` on; in other schemes these signs belong to the path.
    pub(crate) query: &'u str,
}

impl<'u> RepositoryUrl<'u> {
    /// Splits a URL. Any text is one: what is no URL is a path.
    #[must_use]
    pub(crate) fn parse(url: &'u str) -> Self {
        if let Some((scheme, rest)) = url.split_once("://") {
            return Self::Url(UrlParts::new(scheme, rest));
        }
        match url.split_once(':') {
            // A path with a colon begins with a slash or a dot.
            Some((authority, path)) if !authority.is_empty() && !authority.contains('/') => {
                let (user, host) = match authority.rsplit_once('@') {
                    Some((user, host)) => (Some(user), host),
                    None => (None, authority),
                };
                Self::Short { user, host, path }
            }
            _ => Self::Path(url),
        }
    }

    /// Returns a form that is the same for the usual spellings of one repository: without `.git`, with scheme and host in
    /// lower case, and with `ssh://` in place of the short form.
    #[must_use]
    pub(crate) fn place(self) -> String {
        let bare = |path: &str| {
            let path = path.trim_end_matches('/');
            path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/').to_owned()
        };
        let joined = |scheme: &str, user: Option<&str>, host: &str, path: &str| {
            let user = user.unwrap_or_default();
            let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
            format!("{scheme}://{user}@{host}/{}", bare(path.trim_start_matches('/')))
        };
        match self {
            Self::Url(UrlParts { scheme, user_info, host, path, query: _ }) => {
                joined(scheme, user_info, host, path)
            }
            Self::Short { user, host, path } => joined("ssh", user, host, path),
            Self::Path(path) => bare(path),
        }
    }
}

impl<'u> UrlParts<'u> {
    fn new(scheme: &'u str, rest: &'u str) -> Self {
        let (user_info, rest) = match end_of_user(rest) {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let begin_of_query = if is_http { rest.find(['?', '#']) } else { None };
        let (rest, query) = rest.split_at(begin_of_query.unwrap_or(rest.len()));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self { scheme, user_info, host, path, query }
    }

    /// Returns the user and the password apart.
    #[must_use]
    pub(crate) fn credentials(&self) -> Option<(&'u str, Option<&'u str>)> {
        self.user_info.map(|text| match text.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (text, None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_in_each_form_that_git_takes() {
        let url = |scheme, user_info, host, path, query| {
            RepositoryUrl::Url(UrlParts { scheme, user_info, host, path, query })
        };
        let short = |user, host, path| RepositoryUrl::Short { user, host, path };
        for (text, parts) in [
            (
                "https://me:p@ss@host:8443/a/b@c.git?x=@#y",
                url("https", Some("me:p@ss"), "host:8443", "/a/b@c.git", "?x=@#y"),
            ),
            ("https://me:p/w@host/a.git", url("https", Some("me:p/w"), "host", "/a.git", "")),
            ("https://host?x", url("https", None, "host", "", "?x")),
            ("ssh://git:pw@host:22/a.git", url("ssh", Some("git:pw"), "host:22", "/a.git", "")),
            ("file:///srv/a?b@c.git", url("file", None, "", "/srv/a?b@c.git", "")),
            ("git@host:team/a.git", short(Some("git"), "host", "team/a.git")),
            ("host:a", short(None, "host", "a")),
            ("/srv/a:b.git", RepositoryUrl::Path("/srv/a:b.git")),
            ("./a:b.git", RepositoryUrl::Path("./a:b.git")),
            (":a", RepositoryUrl::Path(":a")),
            ("", RepositoryUrl::Path("")),
        ] {
            assert_eq!(RepositoryUrl::parse(text), parts, "{text}");
        }
    }

    #[test]
    fn spellings_of_one_repository_are_one_place() {
        let place = |url: &str| RepositoryUrl::parse(url).place();
        let shop = place("ssh://git@git.example/team/shop.git");
        for same in [
            "git@git.example:team/shop.git",
            "git@Git.Example:/team/shop",
            "SSH://git@GIT.example/team/shop/",
        ] {
            assert_eq!(place(same), shop, "{same}");
        }
        for other in [
            "git@git.example:team/Shop.git",
            "https://git.example/team/shop",
            "/srv/team/shop.git",
            "/srv/a:b",
        ] {
            assert_ne!(place(other), shop, "{other}");
        }
        assert_eq!(place("/srv/a:b.git"), "/srv/a:b");
    }
}
