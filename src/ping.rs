//! The URL of a dead-man's switch, and the pings that are sent there.
//!
//! The protocol is that of healthchecks.io, which others follow: `URL/start` at the start of a run, `URL` at its end,
//! `URL/<exit code>` when it failed. Anybody who knows the path can send false reports, so the path is a secret, and
//! only scheme and host of a URL are ever shown.

use std::fmt;
use std::str::FromStr;

use crate::exit::ExitCode;

/// The URL to which runs are reported.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PingUrl {
    /// Scheme, host and port.
    origin: String,
    /// The part from the first slash on, which may be empty.
    path: String,
    /// The part from the question mark on, which may be empty.
    query: String,
}

/// The report about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ping {
    /// The run begins.
    Start,
    /// The run is done.
    Success,
    /// The run ended with another code than 0.
    Failure(ExitCode),
}

impl Ping {
    /// Returns the report about a run that ended with this code; `None` if another run was at work, which reports for
    /// itself.
    #[must_use]
    pub(crate) fn for_exit(code: ExitCode) -> Option<Self> {
        match code {
            ExitCode::Busy => None,
            ExitCode::Done => Some(Self::Success),
            code => Some(Self::Failure(code)),
        }
    }
}

impl PingUrl {
    /// Returns the URL of a ping. The suffix goes to the path, the query stays.
    #[must_use]
    pub(crate) fn with(&self, ping: Ping) -> String {
        let Self { origin, path, query } = self;
        let stem = path.trim_end_matches('/');
        match ping {
            Ping::Success => format!("{origin}{path}{query}"),
            Ping::Start => format!("{origin}{stem}/start{query}"),
            Ping::Failure(code) => format!("{origin}{stem}/{}{query}", code.number()),
        }
    }
}

/// The error for a text that is not such a URL. The text may still contain the secret, so it is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}, expected a URL such as https://hc.example/ping/KEY (what was found may be a secret)")]
pub(crate) struct BadPingUrl(&'static str);

impl FromStr for PingUrl {
    type Err = BadPingUrl;

    fn from_str(text: &str) -> Result<Self, BadPingUrl> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['#', '\\']) {
            return Err(BadPingUrl("it holds a fragment, or a character that URLs escape"));
        }
        let (scheme, rest) = text.split_once("://").ok_or(BadPingUrl("the scheme is missing"))?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(BadPingUrl("the scheme is neither http nor https"));
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(BadPingUrl("it holds a user name"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        if host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(BadPingUrl("its host is missing, or its port is not a number up to 65535"));
        }
        let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        Ok(Self { origin: format!("{scheme}://{authority}"), path: path.to_owned(), query: query.to_owned() })
    }
}

/// Scheme and host.
impl fmt::Display for PingUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.origin)
    }
}

impl fmt::Debug for PingUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PingUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PingUrl {
        text.parse().unwrap()
    }

    #[test]
    fn the_suffix_goes_to_the_path_and_the_query_stays() {
        let cases = [
            ("https://hc.example/ping/key", "https://hc.example/ping/key", "https://hc.example/ping/key/3"),
            ("https://hc.example/key/", "https://hc.example/key/", "https://hc.example/key/3"),
            ("http://h:8000/a?rid=1&b=/", "http://h:8000/a?rid=1&b=/", "http://h:8000/a/3?rid=1&b=/"),
            ("HTTP://[::1]:80", "http://[::1]:80", "http://[::1]:80/3"),
            ("http://h?key=1", "http://h?key=1", "http://h/3?key=1"),
        ];
        for (text, success, failure) in cases {
            assert_eq!(url(text).with(Ping::Success), success);
            assert_eq!(url(text).with(Ping::Failure(ExitCode::Partly)), failure);
        }
        assert_eq!(url("http://h/a?b=c").with(Ping::Start), "http://h/a/start?b=c");
    }

    #[test]
    fn a_busy_run_reports_nothing() {
        assert_eq!(Ping::for_exit(ExitCode::Busy), None);
        assert_eq!(Ping::for_exit(ExitCode::Done), Some(Ping::Success));
        assert_eq!(Ping::for_exit(ExitCode::Terminated), Some(Ping::Failure(ExitCode::Terminated)));
    }

    #[test]
    fn a_secret_is_never_shown() {
        let shown = format!("{0} {0:?}", url("https://hc.example:8443/secret?secret"));
        assert_eq!(shown, "https://hc.example:8443 PingUrl(https://hc.example:8443)");
        let wrong = [
            "secret",
            "ftp://h/secret",
            "http://secret@h/",
            "http:///secret",
            "http://h:secret/",
            "http://h:99999/secret",
            "http://h/secret#",
            "http://h/secret secret",
            "http://h/sécret",
            "",
        ];
        for text in wrong {
            let error = text.parse::<PingUrl>().unwrap_err().to_string();
            assert!(
                !error.contains("h/secret") && error.contains("expected a URL such as"),
                "{text}: {error}"
            );
        }
    }
}
