//! The rules for addresses that may be dialled, and the IPv4 addresses that an IPv6 address embeds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::values::{list, text};
use crate::names::printable;

const A_RANGE: &str = "an address or a range such as \"169.254.10.0/24\"";

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IpRange {
    network: IpAddr,
    prefix: u32,
}

impl IpRange {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u32) -> IpRange {
        IpRange { network: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(bits: u128, prefix: u32) -> IpRange {
        IpRange { network: IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix }
    }

    fn contains(&self, ip: IpAddr) -> bool {
        match (self.network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                (network.to_bits() ^ ip.to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                (network.to_bits() ^ ip.to_bits()).leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

impl FromStr for IpRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<IpRange, RangeError> {
        let error = || RangeError(text.to_owned());
        let (network, prefix) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let network: IpAddr = network.parse().map_err(|_| error())?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).ok().filter(|prefix| *prefix <= bits);
        Ok(IpRange { network, prefix: prefix.ok_or_else(error)? })
    }
}

impl<'de> Deserialize<'de> for IpRange {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<IpRange, D::Error> {
        text(value, A_RANGE, str::parse)
    }
}

/// A text that is neither an address nor a range of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not an address range, expected {A_RANGE}", printable(.0))]
pub(crate) struct RangeError(String);

const LINK_LOCAL: &str = "a link-local address, which cloud metadata services use";
const METADATA: &str = "the address of a cloud metadata service";

/// Ranges that are refused unless they are allowed. Anybody who registers an address chooses the target of requests,
/// and a metadata service answers with credentials. Besides the link-local ranges, metadata services are at addresses
/// of AWS, EKS (`fd00:ec2::23`), Google (`fd20:ce::254`), Alibaba (`100.100.100.200`), Azure (`168.63.129.16`) and
/// Oracle (`192.0.0.192`).
const REFUSED: [(IpRange, &str); 8] = [
    (IpRange::v4(169, 254, 0, 0, 16), LINK_LOCAL),
    (IpRange::v6(0xfe80 << 112, 10), LINK_LOCAL),
    (IpRange::v6(0xfd00_0ec2_u128 << 96 | 0x0254, 128), METADATA),
    (IpRange::v6(0xfd00_0ec2_u128 << 96 | 0x0023, 128), METADATA),
    (IpRange::v6(0xfd20_00ce_u128 << 96 | 0x0254, 128), METADATA),
    (IpRange::v4(100, 100, 100, 200, 32), METADATA),
    (IpRange::v4(168, 63, 129, 16, 32), METADATA),
    (IpRange::v4(192, 0, 0, 192, 32), METADATA),
];

/// The rules for addresses that may be dialled. The default refuses link-local addresses and metadata services of
/// clouds, without exceptions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct AddressPolicy {
    #[serde(deserialize_with = "list")]
    allowed: Vec<IpRange>,
}

/// An address that must not be dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ip}{} is {reason}; it may be allowed by [pull] allow_addresses", in_parentheses(.embedded.as_ref()))]
pub(crate) struct RefusedAddress {
    pub(crate) ip: IpAddr,
    /// The embedded IPv4 address that is refused, if it is not the address itself.
    pub(crate) embedded: Option<IpAddr>,
    reason: &'static str,
}

fn in_parentheses(ip: Option<&IpAddr>) -> String {
    ip.map_or_else(String::new, |ip| format!(" ({ip})"))
}

impl AddressPolicy {
    /// Makes the policy with these exceptions, each an address or a range such as `169.254.10.0/24`.
    #[cfg(test)]
    pub(crate) fn allowing(ranges: &[String]) -> Result<AddressPolicy, RangeError> {
        Ok(AddressPolicy { allowed: ranges.iter().map(|range| range.parse()).collect::<Result<_, _>>()? })
    }

    /// Refuses an address that must not be dialled. An IPv6 address is also checked as each IPv4 address that it
    /// embeds.
    pub(crate) fn check(&self, ip: IpAddr) -> Result<(), RefusedAddress> {
        let is_allowed = |form: IpAddr| self.allowed.iter().any(|range| range.contains(form));
        if is_allowed(ip) {
            return Ok(());
        }
        for form in forms(ip) {
            let refused = REFUSED.iter().find(|(range, _)| range.contains(form));
            if let Some((_, reason)) = refused.filter(|_| !is_allowed(form)) {
                return Err(RefusedAddress { ip, embedded: Some(form).filter(|form| *form != ip), reason });
            }
        }
        Ok(())
    }
}

/// Returns an address, and each IPv4 address that a translator or a tunnel on the way could turn it into.
pub(crate) fn forms(ip: IpAddr) -> Vec<IpAddr> {
    let mut forms = vec![ip];
    let IpAddr::V6(ip) = ip else { return forms };
    let bytes = ip.octets();
    let mut add = |at: [usize; 4]| forms.push(Ipv4Addr::from(at.map(|at| bytes[at])).into());
    match ip.segments() {
        // IPv4-compatible and IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765), NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            add([12, 13, 14, 15]);
        }
        // NAT64 of a network's own (RFC 8215): its prefix has 48, 56, 64 or 96 bits, and byte 8 is left out
        // (RFC 6052, section 2.2).
        [0x64, 0xff9b, 1, ..] => {
            [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]].into_iter().for_each(add);
        }
        // 6to4 (RFC 3056).
        [0x2002, ..] => add([2, 3, 4, 5]),
        // Teredo (RFC 4380): the server, and the client with each bit inverted.
        [0x2001, 0, .., high, low] => {
            add([4, 5, 6, 7]);
            forms.push(Ipv4Addr::from_bits(!(u32::from(high) << 16 | u32::from(low))).into());
        }
        // ISATAP (RFC 5214), below any prefix; two bits tell whether the IPv4 address is unique.
        [.., 0 | 0x100 | 0x200 | 0x300, 0x5efe, _, _] => add([12, 13, 14, 15]),
        _ => {}
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_refused_however_they_are_written() {
        let refused = [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "::ffff:100.100.100.200",
            "fd00:ec2::23",
            "fd20:ce::254",
            "168.63.129.16",
            "192.0.0.192",
            "::ffff:0:169.254.169.254",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00:0",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:a83f:81:1000::",
            "2001:0:a9fe:a9fe::1",
            "2001::5601:5601",
            "2001:db8::5efe:169.254.169.254",
            "2001:db8::200:5efe:169.254.169.254",
            "fd00:1::5efe:192.0.0.192",
        ];
        for ip in refused {
            assert!(AddressPolicy::default().check(ip.parse().unwrap()).is_err(), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.1",
            "::1",
            "fd00:ec2::255",
            "100.100.100.201",
            "fec0::1",
            "168.63.129.17",
            "192.0.0.193",
            "64:ff9b:1::10.1.2.3",
            "2001:0:a00:1::f5ff:fffe",
            "2001:db8::5efe:10.1.2.3",
            "2001:db8::5eff:169.254.169.254",
            "2001:db8::169.254.169.254",
        ] {
            assert_eq!(AddressPolicy::default().check(ip.parse().unwrap()), Ok(()), "{ip}");
        }
    }

    #[test]
    fn an_allowed_range_is_an_exception() {
        let policy = AddressPolicy::allowing(&["169.254.10.0/24".to_owned()]).unwrap();
        assert_eq!(policy.check("169.254.10.7".parse().unwrap()), Ok(()));
        assert_eq!(policy.check("::ffff:169.254.10.7".parse().unwrap()), Ok(()));
        let refused = policy.check("::ffff:169.254.169.254".parse().unwrap()).unwrap_err();
        assert!(refused.to_string().contains("(169.254.169.254)"), "{refused}");
        // An address may embed several others, and an exception for one of them does not cover the rest.
        let policy = AddressPolicy::allowing(&["169.254.10.0/24".to_owned()]).unwrap();
        assert!(policy.check("2001:0:a9fe:a01::5601:5601".parse().unwrap()).is_err());
        let policy = AddressPolicy::allowing(&["2001::/32".to_owned()]).unwrap();
        assert_eq!(policy.check("2001::5601:5601".parse().unwrap()), Ok(()));
        for wrong in ["10.0.0.0/33", "x", "10.0.0.0/", "::/129"] {
            assert!(AddressPolicy::allowing(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
