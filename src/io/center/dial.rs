//! Checks of the addresses that a connection leads to.
//!
//! Any process can register any address, so each connection is checked where it is made. A direct connection is checked
//! by the addresses that are dialled, because a name can resolve to another address between a check and its use. A
//! connection through a proxy is checked by the target of the request, before the proxy gets it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, mpsc};

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration::NotHappening;
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

use super::options::RequestOptions;
use crate::address::{host_and_port, shown_url};
use crate::config::{AddressPolicy, forms};
use crate::parallel;

/// A host name was not resolved. The type keeps this apart from errors of the connection itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UnresolvedName(String);

/// A listed address is that of a center, which answers with the merged coverage of all its processes.
#[derive(Debug, thiserror::Error)]
#[error("{address} is the address of the center \"{center}\", not of a process")]
pub(super) struct AddressOfCenter {
    address: SocketAddr,
    center: String,
}

/// A listed name cannot be checked, because only the proxy could resolve it.
#[derive(Debug, thiserror::Error)]
#[error("{host:?} is not resolved on this host, so its address cannot be checked ([pull] proxy_resolves)")]
struct UncheckedName {
    host: String,
}

/// The addresses of the configured centers.
#[derive(Debug, Default)]
struct Centers {
    /// URL, host and port of each.
    centers: Vec<(String, String, u16)>,
    /// Addresses of this host: a process that listens at one of them may listen at all.
    host_addresses: Vec<IpAddr>,
}

impl Centers {
    /// Returns the center at `address`. `resolve` returns the addresses of a name and port.
    fn at(&self, address: SocketAddr, resolve: impl Fn(&str, u16) -> Vec<IpAddr>) -> Option<&str> {
        let wanted = forms(address.ip());
        // Most processes have other ports than a center, so most addresses need no more than this comparison.
        let with_port = self.centers.iter().filter(|(.., port)| *port == address.port());
        let same = |ip: IpAddr| wanted.iter().any(|form| *form == ip || self.are_of_this_host(*form, ip));
        with_port
            .filter(|(_, host, port)| {
                let ips = host.parse().map_or_else(|_| resolve(host, *port), |ip| vec![ip]);
                ips.into_iter().flat_map(forms).any(same)
            })
            .map(|(url, ..)| url.as_str())
            .next()
    }

    fn are_of_this_host(&self, one: IpAddr, other: IpAddr) -> bool {
        [one, other]
            .iter()
            .all(|ip| ip.is_loopback() || ip.is_unspecified() || self.host_addresses.contains(ip))
    }
}

/// Decides to which addresses one kind of request may be sent.
#[derive(Clone, Debug)]
pub(super) struct AddressFilter {
    policy: AddressPolicy,
    centers: Arc<Centers>,
    /// Names are checked before a proxy gets them.
    checks_names: bool,
}

impl AddressFilter {
    /// Makes the filter of requests to addresses that a center lists.
    pub(super) fn for_agents(options: &RequestOptions) -> Self {
        let centers = options.centers.iter().filter_map(|url| {
            let (host, port) = host_and_port(url).ok()?;
            Some((shown_url(url), host, port))
        });
        let host_addresses = options.host_addresses.clone();
        let centers = Arc::new(Centers { centers: centers.collect(), host_addresses });
        Self { centers, checks_names: !options.proxy_resolves, ..Self::for_configured(options) }
    }

    /// Makes the filter of requests to configured URLs, whose host may be known to the proxy alone.
    pub(super) fn for_configured(options: &RequestOptions) -> Self {
        let policy = options.policy.clone();
        Self { policy, centers: Arc::default(), checks_names: false }
    }

    fn check(
        &self,
        address: SocketAddr,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        self.policy.check(address.ip()).map_err(|refused| ureq::Error::Other(Box::new(refused)))?;
        let resolve = |host: &str, port: u16| -> Vec<IpAddr> {
            let uri = Uri::builder().scheme("http").authority(format!("{host}:{port}")).path_and_query("/");
            let resolved = uri.build().ok().and_then(|uri| look_up(&uri, config, timeout).ok());
            resolved.iter().flat_map(|addresses| addresses.iter()).map(SocketAddr::ip).collect()
        };
        match self.centers.at(address, resolve) {
            Some(center) => {
                let center = center.to_owned();
                Err(ureq::Error::Other(Box::new(AddressOfCenter { address, center })))
            }
            None => Ok(()),
        }
    }

    /// Checks the target of a request that a proxy carries out.
    ///
    /// The proxy resolves a name again, and may choose any of its addresses, so each of them must be allowed.
    fn check_target(&self, details: &ConnectionDetails<'_>) -> Result<(), ureq::Error> {
        let ConnectionDetails { uri, config, timeout, .. } = details;
        let resolved = match literal(uri) {
            Some(address) => {
                let mut addresses = self.empty();
                addresses.push(address);
                addresses
            }
            None => match look_up(uri, config, *timeout) {
                Ok(addresses) => addresses,
                Err(_) if self.checks_names => {
                    let host = uri.host().unwrap_or_default().to_owned();
                    return Err(ureq::Error::Other(Box::new(UncheckedName { host })));
                }
                Err(_) => return Ok(()),
            },
        };
        resolved.iter().try_for_each(|address| self.check(*address, config, *timeout))
    }
}

/// Returns the address of a URI whose host is an IP address, which needs no resolver.
fn literal(uri: &Uri) -> Option<SocketAddr> {
    let ip: IpAddr = uri.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    Some(SocketAddr::new(ip, uri.port_u16().unwrap_or(default)))
}

/// Resolves a host name within the timeout, on another thread. ureq does the same, but panics if it gets no thread; here
/// the timeout of the system holds then.
fn look_up(
    uri: &Uri,
    config: &ureq::config::Config,
    timeout: NextTimeout,
) -> Result<ResolvedSocketAddrs, ureq::Error> {
    let without_end = NextTimeout { after: NotHappening, ..timeout };
    let (send, resolved) = mpsc::sync_channel(1);
    let (uri, config) = (uri.clone(), config.clone());
    let begun = parallel::spawn_detached(move || {
        let _ = send.send(DefaultResolver::default().resolve(&uri, &config, without_end));
    });
    let _ = begun.map_err(|resolve| resolve());
    resolved.recv_timeout(*timeout.after).unwrap_or(Err(ureq::Error::Timeout(timeout.reason)))
}

impl Resolver for AddressFilter {
    /// Resolves a host, and returns only addresses that may be dialled.
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // A resolver would cost a thread for every literal address.
        let resolved = if let Some(address) = literal(uri) {
            let mut addresses = self.empty();
            addresses.push(address);
            addresses
        } else {
            let host = uri.host().unwrap_or_default();
            look_up(uri, config, timeout).map_err(|error| match error {
                ureq::Error::Io(error) => ureq::Error::Other(Box::new(UnresolvedName(error.to_string()))),
                ureq::Error::Timeout(_) => {
                    ureq::Error::Other(Box::new(UnresolvedName(format!("{host:?} was not resolved in time"))))
                }
                error => error,
            })?
        };
        let mut allowed = self.empty();
        let mut refused = None;
        for address in &resolved {
            match self.check(*address, config, timeout) {
                Ok(()) => allowed.push(*address),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if allowed.is_empty() => Err(error),
            _ => Ok(allowed),
        }
    }
}

/// Checks the target of a connection through a proxy. Comes before the connectors that make one.
#[derive(Debug)]
pub(super) struct TargetCheck(pub(super) AddressFilter);

impl Connector<()> for TargetCheck {
    type Out = ();

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<()>, ureq::Error> {
        // The connection to the proxy itself passes here with a configuration without proxy.
        if details.config.proxy().is_some() {
            self.0.check_target(details)?;
        }
        Ok(chained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centers(urls: &[&str]) -> Centers {
        let parts = |url: &&str| {
            let (host, port) = host_and_port(url).unwrap();
            ((*url).to_owned(), host, port)
        };
        let host_addresses = vec!["10.2.3.4".parse().unwrap()];
        Centers { centers: urls.iter().map(parts).collect(), host_addresses }
    }

    #[test]
    fn a_center_is_told_by_host_and_port_however_it_is_written() {
        let resolve = |host: &str, port: u16| match (host, port) {
            ("center.svc", 80) => vec!["10.9.9.9".parse().unwrap()],
            _ => vec![],
        };
        let at = |urls: &[&str], address: &str| {
            centers(urls).at(address.parse().unwrap(), resolve).map(str::to_owned)
        };
        let here = "http://127.0.0.1:7777";
        for same in ["127.0.0.1:7777", "127.8.8.8:7777", "0.0.0.0:7777", "[::1]:7777", "10.2.3.4:7777"] {
            assert_eq!(at(&[here], same).as_deref(), Some(here), "{same}");
        }
        for other in ["127.0.0.1:7778", "10.2.3.5:7777", "10.2.3.4:80"] {
            assert_eq!(at(&[here], other), None, "{other}");
        }
        let elsewhere = "http://10.2.3.5:7777";
        for same in ["10.2.3.5:7777", "[::ffff:10.2.3.5]:7777", "[64:ff9b::10.2.3.5]:7777"] {
            assert_eq!(at(&[here, elsewhere], same).as_deref(), Some(elsewhere), "{same}");
        }
        assert!(at(&["http://[::ffff:10.2.3.5]:7777"], "10.2.3.5:7777").is_some());
        assert_eq!(at(&["http://center.svc"], "10.9.9.9:80").as_deref(), Some("http://center.svc"));
        assert_eq!(at(&["http://unknown.svc"], "10.9.9.9:80"), None);
    }
}
