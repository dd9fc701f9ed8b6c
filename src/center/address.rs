//! What a center lists as an address, made into something that can be dialled.

use std::net::Ipv6Addr;

/// A listed address that no request can be sent to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address:?} is not an address: {fault} (expected \"http://host:port\")")]
pub struct BadAddress {
    /// As listed.
    pub address: String,
    /// What is wrong with it.
    pub fault: &'static str,
    /// Another program might dial it all the same.
    pub is_possible: bool,
}

/// Returns the base URL of an agent or a center, without a slash at its end.
///
/// goc's center loses the brackets of IPv6 hosts (`http://::1:50009`); they are put back, with what
/// follows the last colon as the port. User names, queries and fragments are refused: a listed address
/// comes from whoever registered it.
pub fn base_url(address: &str) -> Result<String, BadAddress> {
    let bad = |fault| BadAddress { address: address.to_owned(), fault, is_possible: false };
    if address.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(bad("it holds white space or a control character"));
    }
    let (scheme, rest) = address.split_once("://").ok_or_else(|| bad("the scheme is missing"))?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err(bad("the scheme is neither http nor https"));
    }
    if rest.contains(['@', '?', '#', '\\']) {
        return Err(BadAddress { is_possible: true, ..bad("it holds a user name, a query or a fragment") });
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = if authority.matches(':').count() > 1 && !authority.starts_with('[') {
        let (host, port) = authority.rsplit_once(':').ok_or_else(|| bad("the port is missing"))?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(bad("the host is no IPv6 address"));
        }
        format!("[{host}]:{port}")
    } else {
        authority.to_owned()
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority.as_str(), None),
    };
    if host.is_empty() {
        return Err(bad("the host is missing"));
    }
    if port.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_err() || port == "0") {
        return Err(bad("the port is not between 1 and 65535"));
    }
    Ok(format!("{scheme}://{authority}{}", path.trim_end_matches('/')))
}

/// Returns host and port of an address; an IPv6 host without its brackets.
pub fn host_and_port(address: &str) -> Result<(String, u16), BadAddress> {
    let base = base_url(address)?;
    let (scheme, rest) = base.split_once("://").expect("a base URL has a scheme");
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse().expect("a base URL has a sound port"))
        }
        _ => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_address_stays_as_it_is() {
        assert_eq!(base_url("http://10.2.3.4:49970").unwrap(), "http://10.2.3.4:49970");
        assert_eq!(base_url("https://pod.svc").unwrap(), "https://pod.svc");
        assert_eq!(base_url("HTTP://[::1]:80/prefix/").unwrap(), "http://[::1]:80/prefix");
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
    fn lost_brackets_are_put_back() {
        assert_eq!(base_url("http://::1:50009").unwrap(), "http://[::1]:50009");
        assert_eq!(base_url("http://fd00:1::7:8080").unwrap(), "http://[fd00:1::7]:8080");
    }

    #[test]
    fn what_cannot_be_dialled_says_why() {
        let fault = |address| base_url(address).unwrap_err().fault;
        assert_eq!(fault("10.2.3.4:80"), "the scheme is missing");
        assert_eq!(fault("ftp://10.2.3.4:80"), "the scheme is neither http nor https");
        assert_eq!(fault("http://127.0.0.1:99999"), "the port is not between 1 and 65535");
        assert_eq!(fault("http://:80"), "the host is missing");
        assert_eq!(fault("http://u:p@10.0.0.1:80"), "it holds a user name, a query or a fragment");
        assert_eq!(fault("http://a:b:80"), "the host is no IPv6 address");
        assert_eq!(fault("http://a\n:80"), "it holds white space or a control character");
        assert_eq!(
            base_url("x").unwrap_err().to_string(),
            "\"x\" is not an address: the scheme is missing (expected \"http://host:port\")"
        );
    }
}
