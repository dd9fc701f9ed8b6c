//! What git fetches from other machines: clones, commits, and the contents of files.
//!
//! Here alone git reads the user's configuration, for proxies, certificates and credential helpers; what it
//! prints is not read. It asks nobody: without credentials it fails.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::run::{Deadline, Watch, command, network_command};
use super::{GitError, ObjectId, Repository, lines};

/// How git may reach other machines.
#[derive(Clone, Debug)]
pub struct Network {
    /// Protocols that it may speak, such as `https`.
    pub protocols: Vec<String>,
    /// Where the repository is configured to come from.
    pub url: Option<RemoteUrl>,
    /// How long one transfer may take.
    pub deadline: Deadline,
    /// Ends a transfer when it is no longer 0.
    pub stop: Arc<AtomicUsize>,
}

/// The URL of a repository. Its credentials never show, and are never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    plain: String,
    credential: Option<Credential>,
}

/// A user name, and mostly a password, that a URL held before its `@`.
#[derive(Clone, PartialEq, Eq)]
struct Credential {
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

impl Network {
    /// Returns a git for this network.
    fn command(&self) -> Command {
        let mut git = network_command(&self.protocols);
        if let Some(credential) = self.url.as_ref().and_then(|url| url.credential.as_ref()) {
            credential.hand_over(&mut git);
        }
        git
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
    fn hand_over(&self, git: &mut Command) {
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

/// Clones `url` as a bare repository, whole, so that what is fetched now is there for good.
pub fn clone(url: &RemoteUrl, into: &Path, network: &Network) -> Result<(), GitError> {
    let mut git = network.command();
    git.args([
        "clone",
        "--quiet",
        "--bare",
        "--no-local",
        "--no-hardlinks",
        "--template=",
        "--origin=origin",
    ])
    .args(["--end-of-options", url.as_str()])
    .arg(into);
    Watch::run("clone", git, Vec::new(), network)?;
    // A bare clone has no such line, and for whoever fetches by hand its branches would never move again.
    let mut config = command();
    config.arg("--git-dir").arg(into).args(["config", "remote.origin.fetch", "+refs/heads/*:refs/heads/*"]);
    Watch::run("config", config, Vec::new(), network)
}

impl Repository {
    /// Fetches one commit by its full hash.
    pub fn fetch_commit(&self, hash: &ObjectId, network: &Network) -> Result<(), GitError> {
        // A reference, or git would throw the commit away some weeks later.
        let kept = format!("{hash}:refs/goc-watchdog/{hash}");
        let depth = if self.is_shallow()? { &["--depth=1"][..] } else { &[] };
        self.fetch(depth, [kept.as_str()], Vec::new(), network)
    }

    /// Fetches all heads and tags, of a shallow clone with all that lies before them.
    pub fn fetch_heads_and_tags(&self, network: &Network) -> Result<(), GitError> {
        let unshallow = if self.is_shallow()? { &["--unshallow"][..] } else { &[] };
        self.fetch(
            unshallow,
            ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"],
            Vec::new(),
            network,
        )
    }

    /// Fetches the contents of files that a clone without them lacks, all in one go.
    pub fn fetch_blobs(&self, blobs: &[ObjectId], network: &Network) -> Result<(), GitError> {
        // As git itself does when it comes upon one missing (its promisor-remote.c).
        self.fetch(&["--filter=blob:none", "--stdin"], [], lines(blobs, "", "\n").into_bytes(), network)
    }

    /// Returns which of these blobs of a commit the repository lacks: none, but of a partial clone.
    pub fn missing_blobs(&self, commit: &ObjectId, of: &[ObjectId]) -> Result<Vec<ObjectId>, GitError> {
        if !self.is_partial() {
            return Ok(Vec::new());
        }
        // The one command that tells without trying to fetch them.
        let listed = self.output(
            "rev-list",
            &["--objects", "--missing=print", "--no-walk", commit.as_str()],
            Vec::new(),
        )?;
        let listed = String::from_utf8_lossy(&listed);
        let missing: HashSet<&str> = listed.lines().filter_map(|line| line.strip_prefix('?')).collect();
        Ok(of.iter().filter(|blob| missing.contains(blob.as_str())).cloned().collect())
    }

    /// Tells whether it may lack what a commit has.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        *self.is_partial.get_or_init(|| {
            // Mostly the file tells enough; git reads it as it is meant, with what it includes.
            let says = self.own_file("config").and_then(std::io::Result::ok);
            if says.is_some_and(|says| !may_say_partial(&says)) {
                return false;
            }
            // Of alternates, which this does not see, what is missing is found missing one by one.
            let promised = self.output(
                "config",
                &["--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$"],
                Vec::new(),
            );
            promised.is_ok_and(|promised| !promised.is_empty())
        })
    }

    /// Fetches the folders of a commit, which a clone without any (`--filter=tree:0`) lacks.
    pub fn fetch_trees(&self, commit: &ObjectId, network: &Network) -> Result<(), GitError> {
        self.fetch(&["--refetch", "--filter=blob:none"], [commit.as_str()], Vec::new(), network)
    }

    /// Tells whether history ends before its beginning here.
    pub fn is_shallow(&self) -> Result<bool, GitError> {
        // So git tells it, too.
        if let Some(listed) = self.own_file("shallow") {
            return Ok(listed.is_ok());
        }
        Ok(self.output("rev-parse", &["--is-shallow-repository"], Vec::new())?.starts_with(b"true"))
    }

    /// Returns the name of the remote's default branch.
    pub(super) fn remote_head(&self, network: &Network) -> Result<String, GitError> {
        let mut git = network.command();
        git.arg("--git-dir").arg(&self.git_dir);
        git.args(["ls-remote", "--upload-pack=git-upload-pack", "--symref", "--end-of-options"]);
        git.arg(self.remote(network)?).arg("HEAD");
        let answer = Watch::answer("ls-remote", git, network)?;
        let answer = String::from_utf8_lossy(&answer);
        let named =
            answer.lines().find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"));
        named.map(str::to_owned).ok_or(GitError::NoDefaultBranch { path: self.path.clone() })
    }

    /// Fetches what one reference specification names.
    pub(super) fn fetch_refs(&self, refspec: &str, network: &Network) -> Result<(), GitError> {
        self.fetch(&[], [refspec], Vec::new(), network)
    }

    /// Returns the name of the remote, or the configured URL where the repository has none.
    fn remote(&self, network: &Network) -> Result<OsString, GitError> {
        let listed = self.output("remote", &[], Vec::new())?;
        let listed = String::from_utf8_lossy(&listed);
        let name = listed.lines().find(|name| *name == "origin").or(listed.lines().next());
        // What is configured moves with the repository; what a clone was made from may be gone.
        match (name, &network.url) {
            (_, Some(url)) if !self.is_partial() => Ok(url.as_str().into()),
            (Some(name), _) => Ok(name.into()),
            (None, Some(url)) => Ok(url.as_str().into()),
            (None, None) => Err(GitError::NoRemote { path: self.path.clone() }),
        }
    }

    fn fetch<const N: usize>(
        &self,
        options: &[&str],
        refspecs: [&str; N],
        input: Vec<u8>,
        network: &Network,
    ) -> Result<(), GitError> {
        let mut git = network.command();
        git.arg("--git-dir")
            .arg(&self.git_dir)
            // Nothing but what was asked for: no other references, no submodules, no clean-up behind our back.
            .args([
                "-c",
                "gc.auto=0",
                "-c",
                "maintenance.auto=false",
                "-c",
                "fetch.negotiationAlgorithm=default",
            ])
            // Programs that a clone's own configuration may name.
            .args(["-c", "core.alternateRefsCommand=true", "-c", "core.gitProxy="])
            .args([
                "fetch",
                "--upload-pack=git-upload-pack",
                "--quiet",
                "--no-tags",
                "--no-prune",
                "--no-write-fetch-head",
            ])
            .arg("--no-recurse-submodules")
            .args(options)
            .arg("--end-of-options")
            .arg(self.remote(network)?)
            .args(refspecs);
        let fetched = Watch::run("fetch", git, input, network);
        // Also where it failed half-way.
        self.look_anew();
        fetched
    }
}

/// Tells whether a configuration may be that of a partial clone, or leads to more of it.
fn may_say_partial(config: &[u8]) -> bool {
    let config = String::from_utf8_lossy(config).to_ascii_lowercase();
    ["promisor", "partialclone", "include", "worktreeconfig"].iter().any(|word| config.contains(word))
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
        let network = Network {
            protocols: vec!["https".to_owned()],
            url: Some(RemoteUrl::new(url)),
            deadline: Deadline(std::time::Duration::from_secs(1)),
            stop: Arc::default(),
        };
        let git = network.command();
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
