//! Links to a commit and its files at the host of their repository, such as GitHub.

use std::str::FromStr;

use super::html::percent_encoded;
use crate::names::printable;
use crate::repository_url::{RepositoryUrl, UrlParts};

/// The addresses of the pages of a commit and of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostLinks {
    /// Address of a line, with `{commit}`, `{path}` and usually `{line}` in it.
    line: String,
    /// Address of a commit, with `{commit}` in it; `None` where it is unknown.
    commit: Option<String>,
}

/// The forms of the addresses at a kind of host, after the address of a repository.
struct HostForm {
    commit: &'static str,
    line: &'static str,
}

const GITHUB: HostForm = HostForm { commit: "/commit/{commit}", line: "/blob/{commit}/{path}#L{line}" };
const GITLAB: HostForm = HostForm { commit: "/-/commit/{commit}", line: "/-/blob/{commit}/{path}#L{line}" };
/// Forgejo, too, which began as a copy of Gitea.
const GITEA: HostForm = HostForm { commit: "/commit/{commit}", line: "/src/commit/{commit}/{path}#L{line}" };
/// The one in the cloud. A server of one's own has other addresses.
const BITBUCKET: HostForm =
    HostForm { commit: "/commits/{commit}", line: "/src/{commit}/{path}#lines-{line}" };

/// The forms in the order in which a template is tried. GitHub's form is the end of GitLab's.
const FORMS: [&HostForm; 4] = [&GITLAB, &GITHUB, &GITEA, &BITBUCKET];

impl HostLinks {
    /// Returns the links for the URL of a repository, as git takes it; `None` for an unknown host. User, password, query
    /// and the port of ssh are left out, and ssh becomes https.
    #[must_use]
    pub(crate) fn of_repository(url: &str) -> Option<Self> {
        let repository = Repository::parse(url)?;
        let form = form_of_host(&repository.host)?;
        let root = repository.address();
        Some(Self { line: format!("{root}{}", form.line), commit: Some(format!("{root}{}", form.commit)) })
    }

    /// Returns the address of a commit; `None` where its form is unknown.
    #[must_use]
    pub(crate) fn commit(&self, commit: &str) -> Option<String> {
        Some(self.commit.as_ref()?.replace("{commit}", &percent_encoded(commit)))
    }

    /// Returns the address of a line of a commit, with `{path}` and usually `{line}` in it.
    #[must_use]
    pub(crate) fn line(&self, commit: &str) -> String {
        self.line.replace("{commit}", &percent_encoded(commit))
    }
}

/// Reads the addresses as a configuration gives them, such as `https://host/x/blob/{commit}/{path}#L{line}`.
impl FromStr for HostLinks {
    type Err = String;

    fn from_str(template: &str) -> Result<Self, String> {
        let expected = "such as \"https://host/project/blob/{commit}/{path}#L{line}\"";
        let fault =
            |fault: &str| format!("\"{}\" {fault}, expected an address {expected}", printable(template));
        let is_of_web = ["https://", "http://"].iter().any(|scheme| {
            template
                .strip_prefix(scheme)
                .is_some_and(|rest| !rest.starts_with(['/', '{']) && !rest.is_empty())
        });
        if !is_of_web {
            return Err(fault("is no http or https address of a host"));
        }
        let host = template.split('/').nth(2).unwrap_or_default();
        if host.contains('@') {
            return Err("the address of a host has a user or a password, which every reader of a page would see; leave it out".to_owned());
        }
        if template.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(fault("has blanks or control characters"));
        }
        for part in ["{commit}", "{path}"] {
            if !template.contains(part) {
                return Err(fault(&format!("has no {part}")));
            }
        }
        let root = |form: &&&HostForm| template.strip_suffix(form.line).map(|root| (root, form.commit));
        let known = FORMS.iter().find_map(|form| root(&form));
        let commit = known.map(|(root, commit)| format!("{root}{commit}"));
        Ok(Self { line: template.to_owned(), commit })
    }
}

/// Returns the form of the addresses at a host; `None` where it is unknown. A host of a team's own mostly tells by the
/// first part of its name what it runs.
fn form_of_host(host: &str) -> Option<&'static HostForm> {
    let name = host.split(':').next().unwrap_or_default();
    match (name, name.split('.').next().unwrap_or_default()) {
        ("bitbucket.org", _) => Some(&BITBUCKET),
        ("codeberg.org", _) | (_, "gitea" | "forgejo") => Some(&GITEA),
        (_, "github") => Some(&GITHUB),
        (_, "gitlab") => Some(&GITLAB),
        _ => None,
    }
}

/// A repository at a host of the web.
struct Repository {
    scheme: &'static str,
    /// Name of the host in lower case, with its port unless that is one of ssh.
    host: String,
    /// Path without slashes around it and without `.git`.
    path: String,
}

impl Repository {
    /// Reads a URL of http, https, git or ssh, also in the short form `git@host:path`; `None` for anything else.
    fn parse(url: &str) -> Option<Self> {
        let (scheme, host, path) = match RepositoryUrl::parse(url) {
            RepositoryUrl::Url(UrlParts { scheme, host, path, .. }) => (scheme, host, path),
            RepositoryUrl::Short { host, path, .. } => ("ssh", host, path),
            RepositoryUrl::Path(_) => return None,
        };
        let host = host.to_ascii_lowercase();
        let (scheme, host) = match scheme {
            "http" => ("http", host.as_str()),
            "https" => ("https", host.as_str()),
            "git" | "ssh" | "git+ssh" | "ssh+git" => {
                // These hosts take ssh at the port of https under another name.
                let host = host.split(':').next()?;
                ("https", host.strip_prefix("ssh.").or(host.strip_prefix("altssh.")).unwrap_or(host))
            }
            _ => return None,
        };
        let path = path.split(['?', '#']).next()?.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let is_plain = |text: &str, others: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        let is_whole = is_plain(host, ".-:") && is_plain(path, "/.-_~+%") && path.contains('/');
        is_whole.then(|| Self { scheme, host: host.to_owned(), path: path.to_owned() })
    }

    fn address(&self) -> String {
        format!("{}://{}/{}", self.scheme, self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(url: &str) -> Option<(String, String)> {
        let links = HostLinks::of_repository(url)?;
        Some((links.commit("c0ffee")?, links.line("c0ffee")))
    }

    #[test]
    fn known_hosts_have_pages_of_commits_and_lines() {
        for (url, commit, line) in [
            (
                "https://github.com/o/r",
                "https://github.com/o/r/commit/c0ffee",
                "https://github.com/o/r/blob/c0ffee/{path}#L{line}",
            ),
            (
                "https://gitlab.com/g/sub/r.git",
                "https://gitlab.com/g/sub/r/-/commit/c0ffee",
                "https://gitlab.com/g/sub/r/-/blob/c0ffee/{path}#L{line}",
            ),
            (
                "https://codeberg.org/o/r",
                "https://codeberg.org/o/r/commit/c0ffee",
                "https://codeberg.org/o/r/src/commit/c0ffee/{path}#L{line}",
            ),
            (
                "https://bitbucket.org/o/r.git/",
                "https://bitbucket.org/o/r/commits/c0ffee",
                "https://bitbucket.org/o/r/src/c0ffee/{path}#lines-{line}",
            ),
        ] {
            assert_eq!(links(url), Some((commit.to_owned(), line.to_owned())), "{url}");
        }
    }

    #[test]
    fn secrets_are_left_out_and_ssh_becomes_https() {
        let root = |url| {
            let (commit, _) = links(url)?;
            Some(commit.strip_suffix("/commit/c0ffee").unwrap_or(&commit).to_owned())
        };
        for (url, expected) in [
            ("https://user:secret@github.com/o/r.git?token=secret#part", "https://github.com/o/r"),
            ("https://token@GitHub.com/o/r", "https://github.com/o/r"),
            ("https://me:p/w@github.com/o/r", "https://github.com/o/r"),
            ("git@github.com:o/r.git", "https://github.com/o/r"),
            ("github.com:o/r", "https://github.com/o/r"),
            ("ssh://git@github.com:22/o/r.git", "https://github.com/o/r"),
            ("ssh://git@ssh.github.com:443/o/r.git", "https://github.com/o/r"),
            ("git+ssh://git@github.com/o/r", "https://github.com/o/r"),
            ("git://github.com/o/r.git", "https://github.com/o/r"),
            ("http://gitea.example:3000/o/r", "http://gitea.example:3000/o/r"),
            ("https://github.example.com:8443/o/r", "https://github.example.com:8443/o/r"),
        ] {
            assert_eq!(root(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn unknown_hosts_and_other_repositories_have_no_links() {
        for url in [
            "https://git.example.com/o/r",
            "https://github.com",
            "https://github.com/",
            "https://github.com/o",
            "https://notgithub.com/o/r",
            "https://github.com/o/<b>",
            "https://github.com/o/r\u{202e}",
            "file:///srv/github.com/o/r.git",
            "/srv/git/r.git",
            "../github.com:o/r",
            "C:\\r",
            "ext::sh -c x github.com/o/r",
            "javascript://github.com/o/r",
            "",
        ] {
            assert_eq!(links(url), None, "{url}");
        }
    }

    #[test]
    fn a_template_gives_the_page_of_a_commit_where_its_form_is_known() {
        for (template, commit) in [
            (
                "https://git.example/x/-/blob/{commit}/{path}#L{line}",
                Some("https://git.example/x/-/commit/c0ffee"),
            ),
            (
                "https://git.example/x/blob/{commit}/{path}#L{line}",
                Some("https://git.example/x/commit/c0ffee"),
            ),
            (
                "https://git.example/x/src/commit/{commit}/{path}#L{line}",
                Some("https://git.example/x/commit/c0ffee"),
            ),
            ("http://code.example/?rev={commit}&file={path}", None),
        ] {
            let links: HostLinks = template.parse().unwrap();
            assert_eq!(links.commit("c0ffee").as_deref(), commit, "{template}");
            assert_eq!(links.line("c0ffee"), template.replace("{commit}", "c0ffee"));
        }
    }

    #[test]
    fn a_template_with_a_password_is_refused_without_showing_it() {
        let error = "https://user:secret@host/{commit}/{path}".parse::<HostLinks>().unwrap_err();
        assert!(error.contains("user or a password") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_template_without_its_parts_is_refused() {
        for (template, fault) in [
            ("git@host:x/{commit}/{path}", "is no http or https address of a host"),
            ("javascript:alert(1)//{commit}/{path}", "is no http or https address of a host"),
            ("https://{path}/{commit}", "is no http or https address of a host"),
            ("https://host/x/{path}", "has no {commit}"),
            ("https://host/x/{commit}", "has no {path}"),
            ("https://host/x y/{commit}/{path}", "has blanks or control characters"),
        ] {
            assert_eq!(
                template.parse::<HostLinks>().unwrap_err(),
                format!(
                    "\"{template}\" {fault}, expected an address such as \
                     \"https://host/project/blob/{{commit}}/{{path}}#L{{line}}\""
                )
            );
        }
    }
}
