//! The addresses of processes and centers, with their parts and their normal form.
//!
//! A center lists addresses as processes registered them. Records of a process have the normal form of its address; only
//! requests to a center have the spelling that the center listed.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::names::in_message;

/// The error for a listed address to which no request can be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not an address: {fault} (expected \"http://host:port\")", shown_url(address))]
pub(crate) struct BadAddress {
    /// The listed address.
    pub address: String,
    /// The fault of the address.
    pub fault: &'static str,
    /// Another program may be able to dial the address.
    pub is_possible: bool,
}

/// The error for the URL of a center with a usual mistake, and the URL that is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}; write \"{}\"", shown_url(meant))]
pub(crate) struct MistypedCenter {
    fault: String,
    meant: String,
}

/// goc's default port of a center.
const CENTER_PORT: u16 = 7777;

/// An address in its parts.
struct AddressParts<'a> {
    is_https: bool,
    /// An IPv6 address without brackets, or a name in lower case.
    host: Cow<'a, str>,
    port: u16,
    /// The path without a slash at its end.
    path: &'a str,
}

impl<'a> AddressParts<'a> {
    /// Reads an address.
    ///
    /// goc's center loses the brackets of IPv6 hosts (`http://::1:50009`), so the port follows the last of several
    /// colons. User names, queries and fragments are refused, because any process can register any address.
    fn parse(address: &'a str) -> Result<Self, BadAddress> {
        let bad = |fault| BadAddress { address: address.to_owned(), fault, is_possible: false };
        if address.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(bad("it holds white space or a control character"));
        }
        let (scheme, rest) = address.split_once("://").ok_or_else(|| bad("the scheme is missing"))?;
        let is_https = scheme.eq_ignore_ascii_case("https");
        if !is_https && !scheme.eq_ignore_ascii_case("http") {
            return Err(bad("the scheme is neither http nor https"));
        }
        if rest.contains(['@', '?', '#', '\\']) {
            return Err(BadAddress {
                is_possible: true,
                ..bad("it holds a user name, a query or a fragment")
            });
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        // A dot at the end of a host only says that no search list is used.
        let host =
            host.strip_suffix('.').filter(|name| !name.is_empty() && !name.ends_with('.')).unwrap_or(host);
        if host.is_empty() {
            return Err(bad("the host is missing"));
        }
        if host.contains([':', '[', ']']) && host.parse::<Ipv6Addr>().is_err() {
            // Other programs support zones (RFC 6874).
            let has_zone = host.split_once('%').is_some_and(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok());
            return Err(BadAddress { is_possible: has_zone, ..bad("the host is no IPv6 address") });
        }
        let port = match port {
            // An empty port is the default one (RFC 3986, 6.2.3).
            None | Some("") => default_port(is_https),
            Some(port) => Some(port)
                .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|port| port.parse().ok())
                .filter(|port| *port != 0)
                .ok_or_else(|| bad("the port is not between 1 and 65535"))?,
        };
        Ok(Self { is_https, host: normal_host(host), port, path: path.trim_end_matches('/') })
    }

    /// Returns the URL in its normal form, without a default port.
    fn url(&self) -> String {
        let Self { is_https, host, port, path } = self;
        let scheme = if *is_https { "https" } else { "http" };
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        match *port == default_port(*is_https) {
            true => format!("{scheme}://{open}{host}{close}{path}"),
            false => format!("{scheme}://{open}{host}{close}:{port}{path}"),
        }
    }
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

/// Returns the normal form of a host. A mapped IPv4 address becomes the IPv4 address.
fn normal_host(host: &str) -> Cow<'_, str> {
    let ip = host.parse().ok().or_else(|| old_ipv4(host).map(IpAddr::V4));
    match ip.map(|ip: IpAddr| ip.to_canonical()) {
        Some(ip) => Cow::Owned(ip.to_string()),
        None if host.bytes().any(|byte| byte.is_ascii_uppercase()) => Cow::Owned(host.to_ascii_lowercase()),
        None => Cow::Borrowed(host),
    }
}

/// Reads an IPv4 address in the forms of `inet_aton(3)`, which resolvers accept: one to four numbers, decimal, octal or
/// hexadecimal, of which the last fills the remaining bytes.
fn old_ipv4(host: &str) -> Option<Ipv4Addr> {
    let number = |digits: &str| match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        _ if digits.starts_with(['+', '-']) => None,
        Some(hex) if hex.starts_with(['+', '-']) => None,
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if digits.len() > 1 && digits.starts_with('0') => u32::from_str_radix(digits, 8).ok(),
        None => digits.parse().ok(),
    };
    let numbers: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, bytes) = numbers.split_last().filter(|(_, bytes)| bytes.len() < 4)?;
    let most = u32::MAX >> (8 * bytes.len());
    let is_small = bytes.iter().all(|byte| *byte <= 0xff) && *last <= most;
    let begin = bytes.iter().zip([24, 16, 8]).map(|(byte, shift)| byte << shift).sum::<u32>();
    is_small.then(|| Ipv4Addr::from(begin | last))
}

/// Returns the base URL of an agent or a center in its normal form.
///
/// Scheme and host are in lower case, IPv6 hosts have brackets and the form of RFC 5952, a mapped IPv4 host is that
/// IPv4 address, the default port and slashes at the end are left out (RFC 3986, 6.2). The rest of a path stays, with
/// dot segments and percent signs: goc's center lists no path, and a proxy may distinguish its spellings.
pub(crate) fn base_url(address: &str) -> Result<String, BadAddress> {
    AddressParts::parse(address).map(|parts| parts.url())
}

/// Returns the normal form of an address, or the address itself if it cannot be dialled.
#[must_use]
pub(crate) fn normal_form(address: &str) -> String {
    base_url(address).unwrap_or_else(|_| address.to_owned())
}

/// Returns the normal form of a target's address: a URL, or a host with or without a port.
///
/// `scheme` is that of a label, and `port` stands for one that is missing, also in a URL: agents have a port of their
/// own, and none is at 80 or 443 by default. An IPv6 host has to stand in brackets, or its last part could be a port.
pub(crate) fn target_url(target: &str, scheme: Option<&str>, port: u16) -> Result<String, BadAddress> {
    let bad = |fault| BadAddress { address: target.to_owned(), fault, is_possible: false };
    // A password may hold a colon, which would be taken for a part of the host.
    if end_of_user(target.split_once("://").map_or(target, |(_, rest)| rest)).is_some() {
        return Err(bad("it holds a user name, a query or a fragment"));
    }
    let is_scheme = |of_label: &str, found: &str| of_label.eq_ignore_ascii_case(found);
    let (scheme, rest) = match (target.split_once("://"), scheme) {
        (Some((found, _)), Some(of_label)) if !is_scheme(of_label, found) => {
            return Err(bad("its scheme is not that of the label"));
        }
        (Some(parts), _) => parts,
        (None, scheme) => (scheme.unwrap_or("http"), target),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let behind_host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(|| bad("a bracket is not closed"))?.1,
        None => &authority[authority.find(':').unwrap_or(authority.len())..],
    };
    let url = match behind_host.strip_prefix(':') {
        Some(found) if found.contains(':') => return Err(bad("an IPv6 host needs brackets")),
        Some(found) if !found.is_empty() => format!("{scheme}://{rest}"),
        _ if behind_host.len() <= 1 => format!("{scheme}://{}:{port}{path}", authority.trim_end_matches(':')),
        _ => return Err(bad("the host is no IPv6 address")),
    };
    base_url(&url).map_err(|error| BadAddress { address: target.to_owned(), ..error })
}

/// A host that means this machine, in the order in which one of several is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LoopbackHost {
    Ipv4,
    Name,
    Ipv6,
}

/// Returns the host of an address of this machine, and the address with its IPv4 host; `None` for any other address.
pub(crate) fn loopback(address: &str) -> Option<(LoopbackHost, String)> {
    let AddressParts { is_https, host, port, path } = AddressParts::parse(address).ok()?;
    let kind = match &*host {
        "127.0.0.1" => LoopbackHost::Ipv4,
        "localhost" => LoopbackHost::Name,
        "::1" => LoopbackHost::Ipv6,
        _ => return None,
    };
    let scheme = if is_https { "https" } else { "http" };
    Some((kind, normal_form(&format!("{scheme}://127.0.0.1:{port}{path}"))))
}

/// Returns an address that somebody typed: `host:port` is one of http. Any other text stays as it is.
pub(crate) fn typed_address(text: &str) -> String {
    let url = if text.contains("://") { None } else { target_url(text, None, 0).ok() };
    url.unwrap_or_else(|| text.to_owned())
}

/// Returns the mistake in a center's URL that lacks its scheme or ends with a path of the center's API. A URL with any
/// other fault has none.
#[must_use]
pub(crate) fn mistyped_center(url: &str) -> Option<MistypedCenter> {
    const API: &str = "/v1/cover";
    let has_scheme = url.contains("://");
    let with_scheme = if has_scheme { url.to_owned() } else { target_url(url, None, CENTER_PORT).ok()? };
    let (base, path) = with_scheme.split_at(with_scheme.find(API).unwrap_or(with_scheme.len()));
    let meant = base_url(base).ok()?;
    let fault = match path {
        "" if has_scheme => return None,
        _ if !has_scheme => "the scheme is missing".to_owned(),
        path => format!("the path {} is not a part of a center's URL", in_message(path)),
    };
    Some(MistypedCenter { fault, meant })
}

/// Returns the URL of the same host and port with the other scheme of http and https, without a path.
pub(crate) fn by_other_scheme(url: &str) -> Option<String> {
    let parts = AddressParts::parse(url).ok()?;
    Some(AddressParts { is_https: !parts.is_https, path: "", ..parts }.url())
}

/// Returns host and port of an address. An IPv6 host has no brackets.
pub(crate) fn host_and_port(address: &str) -> Result<(String, u16), BadAddress> {
    AddressParts::parse(address).map(|AddressParts { host, port, .. }| (host.into_owned(), port))
}

/// Returns the form of an address that a center will list with the same spelling as before.
///
/// Only lost brackets are added, because a center parses the address and loses them again.
pub(crate) fn registered_form(address: &str) -> Result<Cow<'_, str>, BadAddress> {
    AddressParts::parse(address)?;
    let (scheme, rest) = address.split_once("://").expect("an address that can be dialled has a scheme");
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Ok(match authority.rsplit_once(':') {
        Some((host, port)) if host.contains(':') && !host.starts_with('[') => {
            Cow::Owned(format!("{scheme}://[{host}]:{port}{path}"))
        }
        _ => Cow::Borrowed(address),
    })
}

/// Returns a URL for messages: in one line, shortened in the middle, and without its secrets, which are the user and the
/// password before the host, and each value of its query.
#[must_use]
pub(crate) fn shown_url(url: &str) -> String {
    let (scheme, rest) = url.split_at(url.find("://").map_or(0, |at| at + 3));
    let (user, rest) = match end_of_user(rest) {
        // The user of ssh is part of the address.
        Some(at) if scheme.ends_with("ssh://") && !rest[..at].contains(':') => ("", rest),
        Some(at) => ("***", &rest[at..]),
        None => ("", rest),
    };
    let (place, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let hidden = |part: &str| match part.split_once('=') {
        Some((key, _)) => format!("{key}=***"),
        None if part.len() <= 1 => part.to_owned(),
        None => format!("{}***", &part[..1]),
    };
    let query: Vec<String> = query.split('&').map(hidden).collect();
    in_message(&format!("{scheme}{user}{place}{}", query.join("&"))).into_owned()
}

/// Returns the position of the `@` that ends user and password in a URL without scheme.
#[must_use]
pub(crate) fn end_of_user(rest: &str) -> Option<usize> {
    let authority = rest.split('/').next().unwrap_or_default();
    let begin = authority.split(['?', '#']).next().unwrap_or_default();
    let port = begin.rsplit_once(':').map_or("", |(_, port)| port);
    // A slash in a password looks like the end of the host, and the text before it like a port.
    let is_cut_by_slash = !port.is_empty() && port.parse::<u16>().is_err() && !begin.ends_with(']');
    let behind_slash =
        || rest.split(['?', '#']).next().and_then(|place| place.rfind('@')).or_else(|| rest.rfind('@'));
    let found = begin.rfind('@').or_else(|| authority.rfind('@'));
    found.or_else(|| is_cut_by_slash.then(behind_slash).flatten())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_shows_no_password_and_no_value_of_its_query() {
        for (url, expected) in [
            ("http://10.2.3.4:80/a", "http://10.2.3.4:80/a"),
            ("http://user:secret@h:80/a", "http://***@h:80/a"),
            ("http://user:sec/ret@h:80", "http://***@h:80"),
            ("http://user:sec?ret@h/a", "http://***@h/a"),
            ("http://user:sec?r/et@h/a", "http://***@h/a"),
            ("http://user:se#c@r?et@h/a?b=c@d", "http://***@h/a?b=***"),
            ("http://token@h", "http://***@h"),
            ("https://h:443/a?b=c@d", "https://h:443/a?b=***"),
            ("https://h/a.git?token=secret&b=secret", "https://h/a.git?token=***&b=***"),
            ("https://h/a?secret", "https://h/a?***"),
            ("https://h/a#secret", "https://h/a#***"),
            ("https://h:443/@org/a", "https://h:443/@org/a"),
            ("https://[::1]/@org/a", "https://[::1]/@org/a"),
            ("ssh://git@h/a", "ssh://git@h/a"),
            ("ssh://git:secret@h/a", "ssh://***@h/a"),
            ("git@h:a/b", "***@h:a/b"),
            ("http://a\nb", r"http://a\nb"),
        ] {
            assert_eq!(shown_url(url), expected);
        }
        assert!(shown_url(&format!("http://{}", "x".repeat(100_000))).len() < 500);
    }

    #[test]
    fn a_center_without_a_scheme_or_with_a_path_of_its_api_is_a_mistake_whose_remedy_is_known() {
        let said = |url: &str| mistyped_center(url).map(|mistyped| mistyped.to_string());
        let no_scheme = |meant: &str| Some(format!("the scheme is missing; write \"{meant}\""));
        assert_eq!(said("127.0.0.1:18811"), no_scheme("http://127.0.0.1:18811"));
        assert_eq!(said("center.svc"), no_scheme("http://center.svc:7777"));
        assert_eq!(said("[::1]:7777/v1/cover/list"), no_scheme("http://[::1]:7777"));
        assert_eq!(said("h:7777/goc"), no_scheme("http://h:7777/goc"));
        assert_eq!(
            said("https://h/goc/v1/cover/list").as_deref(),
            Some("the path /v1/cover/list is not a part of a center's URL; write \"https://h/goc\"")
        );
        for other in
            ["http://h:7777", "http://h:7777/goc/", "user:secret@h", "http://user:secret@h", "", "ftp://h"]
        {
            assert_eq!(said(other), None, "{other}");
        }
    }

    #[test]
    fn an_ordinary_address_stays_as_it_is() {
        for address in ["http://10.2.3.4:49970", "https://pod.svc", "http://[fd00::7]:8080/prefix"] {
            assert_eq!(base_url(address).unwrap(), address);
            assert_eq!(registered_form(address).unwrap(), address);
        }
    }

    #[test]
    fn spellings_of_one_address_have_one_normal_form() {
        for (spelling, normal) in [
            ("HTTP://Pod.SVC:8080/", "http://pod.svc:8080"),
            ("http://pod.svc:80", "http://pod.svc"),
            ("https://pod.svc:443//", "https://pod.svc"),
            ("https://pod.svc:80", "https://pod.svc:80"),
            ("http://pod.svc:08080", "http://pod.svc:8080"),
            ("http://pod.svc.:8080", "http://pod.svc:8080"),
            ("http://10.0.0.1.", "http://10.0.0.1"),
            ("http://h/Prefix/", "http://h/Prefix"),
            ("http://[::ffff:10.0.0.1]:7", "http://10.0.0.1:7"),
            ("http://[::FFFF:a00:1]:7", "http://10.0.0.1:7"),
            ("http://::ffff:10.0.0.1:7", "http://10.0.0.1:7"),
            ("http://[0:0:0:0:0:0:0:1]:50009", "http://[::1]:50009"),
            ("http://::1:50009", "http://[::1]:50009"),
            ("http://FD00:1::7:8080", "http://[fd00:1::7]:8080"),
            ("HTTP://[::1]:80/prefix/", "http://[::1]/prefix"),
            ("http://127.0.0.1:", "http://127.0.0.1"),
            // Addresses in the forms of inet_aton(3).
            ("http://127.1:7", "http://127.0.0.1:7"),
            ("http://0x7f.0.0.1:7", "http://127.0.0.1:7"),
            ("http://2130706433:7", "http://127.0.0.1:7"),
            ("http://0177.0.0.1:7", "http://127.0.0.1:7"),
            ("http://10.65535:7", "http://10.0.255.255:7"),
            // Host names.
            ("http://127.0.0.256:7", "http://127.0.0.256:7"),
            ("http://256.1:7", "http://256.1:7"),
            ("http://1.2.3.4.5:7", "http://1.2.3.4.5:7"),
            ("http://0x:7", "http://0x:7"),
            ("http://08.1:7", "http://08.1:7"),
            ("http://+1.1:7", "http://+1.1:7"),
            // goc's center lists no path, and a proxy that reads one may distinguish its spellings.
            ("http://h:80/a/../b", "http://h/a/../b"),
            ("http://h/%41", "http://h/%41"),
            // Addresses that cannot be dialled.
            ("http://Pod:99999", "http://Pod:99999"),
        ] {
            assert_eq!(normal_form(spelling), normal, "{spelling}");
        }
    }

    #[test]
    fn an_address_may_be_typed_without_its_scheme() {
        for (typed, address) in [
            ("10.0.0.1:53700", "http://10.0.0.1:53700"),
            ("Pod.svc:53700/base/", "http://pod.svc:53700/base"),
            ("[fd00::1]:53700", "http://[fd00::1]:53700"),
            ("https://h", "https://h"),
            // Texts without a host and a port stay as they are, so that the message shows them.
            ("nowhere", "nowhere"),
            ("::1:53700", "::1:53700"),
            ("user:secret@h:1", "user:secret@h:1"),
            ("", ""),
        ] {
            assert_eq!(typed_address(typed), address);
        }
    }

    #[test]
    fn host_and_port_are_told_apart() {
        let parts = |address| host_and_port(address).unwrap();
        assert_eq!(parts("http://10.2.3.4:49970/prefix"), ("10.2.3.4".to_owned(), 49970));
        assert_eq!(parts("http://::1:50009"), ("::1".to_owned(), 50009));
        assert_eq!(parts("https://pod.svc"), ("pod.svc".to_owned(), 443));
        assert_eq!(parts("http://[fd00::7]"), ("fd00::7".to_owned(), 80));
    }

    #[test]
    fn only_lost_brackets_are_put_back_for_a_center() {
        for (listed, registered) in [
            ("http://::1:50009", "http://[::1]:50009"),
            ("http://::1:50009/", "http://[::1]:50009/"),
            ("HTTP://Pod:80/", "HTTP://Pod:80/"),
        ] {
            assert_eq!(registered_form(listed).unwrap(), registered);
        }
        assert!(registered_form("http://u:p@10.0.0.1:80").is_err());
    }

    #[test]
    fn what_cannot_be_dialled_says_why() {
        let fault = |address| base_url(address).unwrap_err().fault;
        assert_eq!(fault("10.2.3.4:80"), "the scheme is missing");
        assert_eq!(fault("ftp://10.2.3.4:80"), "the scheme is neither http nor https");
        assert_eq!(fault("http://127.0.0.1:99999"), "the port is not between 1 and 65535");
        assert_eq!(fault("http://127.0.0.1:+80"), "the port is not between 1 and 65535");
        assert_eq!(fault("http://:80"), "the host is missing");
        assert_eq!(fault("http://[]:80"), "the host is missing");
        assert_eq!(fault("http://u:p@10.0.0.1:80"), "it holds a user name, a query or a fragment");
        assert_eq!(fault("http://a:b:80"), "the host is no IPv6 address");
        assert_eq!(fault("http://[::1]a:80"), "the host is no IPv6 address");
        let is_possible = |address| base_url(address).unwrap_err().is_possible;
        assert!(is_possible("http://[fe80::1%25eth0]:80") && is_possible("http://fe80::1%eth0:80"));
        assert!(!is_possible("http://a:b:80") && !is_possible("http://a%b:c:80"));
        assert_eq!(fault("http://a\n:80"), "it holds white space or a control character");
        assert_eq!(
            base_url("x").unwrap_err().to_string(),
            "\"x\" is not an address: the scheme is missing (expected \"http://host:port\")"
        );
    }

    #[test]
    fn a_target_is_a_url_or_a_host_with_or_without_a_port() {
        for (target, scheme, expected) in [
            ("10.2.3.4:49970", None, "http://10.2.3.4:49970"),
            ("10.2.3.4", None, "http://10.2.3.4:53700"),
            ("Echo.Test:80", None, "http://echo.test"),
            ("echo:", None, "http://echo:53700"),
            ("[fd00::1]:53700", None, "http://[fd00::1]:53700"),
            ("[FD00::0:1]", None, "http://[fd00::1]:53700"),
            ("http://echo:8080/base/", None, "http://echo:8080/base"),
            ("http://echo/base", None, "http://echo:53700/base"),
            ("https://echo/base", None, "https://echo:53700/base"),
            ("https://echo:443", None, "https://echo"),
            ("echo:8443", Some("https"), "https://echo:8443"),
            ("echo/base", Some("https"), "https://echo:53700/base"),
            ("HTTPS://echo:1", Some("https"), "https://echo:1"),
            ("[::ffff:10.2.3.4]:1", None, "http://10.2.3.4:1"),
        ] {
            assert_eq!(target_url(target, scheme, 53_700).as_deref(), Ok(expected), "{target}");
        }
        let fault = |target: &str, scheme| target_url(target, scheme, 53_700).unwrap_err();
        for (target, scheme, expected) in [
            ("fd00::1", None, "an IPv6 host needs brackets"),
            ("[fd00::1", None, "a bracket is not closed"),
            ("[fd00::1]x", None, "the host is no IPv6 address"),
            ("[echo]x:1", None, "the host is no IPv6 address"),
            ("http://echo:1", Some("https"), "its scheme is not that of the label"),
            ("ftp://echo:1", None, "the scheme is neither http nor https"),
            ("echo:1", Some("ftp"), "the scheme is neither http nor https"),
            ("echo:0", None, "the port is not between 1 and 65535"),
            ("echo:65536", None, "the port is not between 1 and 65535"),
            ("me:secret@echo:1", None, "it holds a user name, a query or a fragment"),
            ("http://me:se/cret@echo:1", None, "it holds a user name, a query or a fragment"),
            ("me@echo:1", None, "it holds a user name, a query or a fragment"),
            ("echo:1?x", None, "it holds a user name, a query or a fragment"),
            ("echo\n:1", None, "it holds white space or a control character"),
            ("", None, "the host is missing"),
            (":53700", None, "the host is missing"),
        ] {
            let found = fault(target, scheme);
            assert_eq!((found.fault, found.address.as_str()), (expected, target));
        }
    }

    /// An address, and another spelling of it.
    fn spelled_twice() -> impl Strategy<Value = (String, String)> {
        let host = prop_oneof![
            any::<[u8; 4]>().prop_map(|ip| {
                let ip = std::net::Ipv4Addr::from(ip);
                (ip.to_string(), format!("[::ffff:{ip}]"))
            }),
            any::<[u16; 8]>().prop_map(|words| {
                let long: Vec<String> = words.iter().map(|word| format!("{word:04X}")).collect();
                (format!("[{}]", Ipv6Addr::from(words)), format!("[{}]", long.join(":")))
            }),
            any::<[u16; 8]>().prop_map(|words| {
                (format!("[{}]", Ipv6Addr::from(words)), Ipv6Addr::from(words).to_string())
            }),
            "[a-z][a-z0-9-]{0,8}(\\.[a-z]{1,3})?".prop_map(|name| (name.clone(), name.to_uppercase())),
        ];
        let port = prop_oneof![Just(80), Just(443), 1..=u16::MAX];
        let path = prop_oneof![Just(""), Just("/a/B")];
        (any::<bool>(), host, port, path, 0..3_usize).prop_map(
            |(is_https, (host, other), port, path, slashes)| {
                let (scheme, upper) = if is_https { ("https", "HTTPS") } else { ("http", "HTTP") };
                let short = if port == default_port(is_https) { String::new() } else { format!(":{port}") };
                let one = format!("{scheme}://{host}{short}{path}");
                (one, format!("{upper}://{other}:0{port}{path}{}", "/".repeat(slashes)))
            },
        )
    }

    proptest! {
        #[test]
        fn all_spellings_of_an_address_have_one_normal_form_which_is_its_own((one, other) in spelled_twice()) {
            let normal = base_url(&one).unwrap();
            prop_assert_eq!(&base_url(&other).unwrap(), &normal);
            prop_assert_eq!(&base_url(&normal).unwrap(), &normal);
            prop_assert_eq!(host_and_port(&one).unwrap(), host_and_port(&other).unwrap());
        }

        #[test]
        fn the_address_of_a_target_has_its_normal_form(target in "(https?://)?[\\[\\]:a-f0-9.%]{0,12}(:[0-9]{0,5})?[/a]{0,3}") {
            if let Ok(url) = target_url(&target, None, 53_700) {
                prop_assert_eq!(base_url(&url).unwrap(), url);
            }
        }

        #[test]
        fn a_normal_form_is_its_own_whatever_was_listed(
            listed in "(https?|HTTP)://[\\[\\]:a-fF0-9./%]{0,12}(:[0-9]{0,5})?[/a]{0,3}"
        ) {
            let normal = normal_form(&listed);
            prop_assert_eq!(normal_form(&normal), normal);
        }
    }
}
