//! Where and by what means an actor came: network, way of signing in, family of client.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::action::stable_hash;
use crate::actor::ActorKind;
use crate::event::Event;

/// A network an address belongs to: /24 of IPv4, /48 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    V4([u8; 3]),
    V6([u16; 3]),
}

impl Network {
    /// The network of `sourceIPAddress`; nothing when that is a service's name or `AWS Internal`.
    pub(super) fn of(address: &str) -> Option<Self> {
        if let Some(octets) = leading_octets(address.as_bytes()) {
            return Some(Self::V4(octets));
        }
        let segments = address.contains(':').then(|| address.parse::<Ipv6Addr>().ok())??.segments();
        Some(Self::V6([segments[0], segments[1], segments[2]]))
    }

    /// A stable, well-mixed number for it.
    pub(super) fn key(self) -> u64 {
        match self {
            Self::V4([a, b, c]) => stable_hash(&[4, a, b, c]),
            Self::V6(segments) => {
                let [a, b, c] = segments.map(u16::to_be_bytes);
                stable_hash(&[6, a[0], a[1], b[0], b[1], c[0], c[1]])
            }
        }
    }

    /// In the usual notation.
    pub(super) fn name(self) -> String {
        match self {
            Self::V4([a, b, c]) => format!("{}/24", Ipv4Addr::new(a, b, c, 0)),
            Self::V6([a, b, c]) => format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)),
        }
    }
}

/// The first three octets of a dotted IPv4 address. Runs on nearly every event, hence by hand.
fn leading_octets(address: &[u8]) -> Option<[u8; 3]> {
    let mut octets = [0; 3];
    let mut rest = address.iter();
    for octet in &mut octets {
        let (mut value, mut digits) = (0u16, 0);
        loop {
            match rest.next()? {
                b'.' if digits > 0 => break,
                digit @ b'0'..=b'9' if digits < 3 => {
                    value = value * 10 + u16::from(digit - b'0');
                    digits += 1;
                }
                _ => return None,
            }
        }
        *octet = u8::try_from(value).ok()?;
    }
    let last = rest.as_slice();
    (matches!(last.len(), 1..=3) && last.iter().all(u8::is_ascii_digit)).then_some(octets)
}

/// How an actor came in: for users of the account, whose means tell something, by console or by key.
pub(super) fn sign_in(event: &Event<'_>) -> Option<&'static str> {
    if !matches!(event.actor.kind, ActorKind::User | ActorKind::Root) {
        return None;
    }
    if event.action.is("signin", "ConsoleLogin") || event.session.from_console {
        Some(CONSOLE)
    } else if event.session.access_key.starts_with("AKIA") {
        Some(ACCESS_KEY)
    } else {
        None
    }
}

/// The means of who signs in with a password.
pub(super) const CONSOLE: &str = "console";
/// The means of who signs calls with a lasting key.
pub(super) const ACCESS_KEY: &str = "access key";

/// The family of the client: what it calls itself, versions and platforms left out.
pub(super) fn client(user_agent: &str) -> Option<&'static str> {
    const FAMILIES: &[(&str, &str)] = &[
        ("aws-cli/", "AWS CLI"),
        ("Boto", "Boto"),
        ("aws-sdk-java", "AWS SDK for Java"),
        ("aws-sdk-go", "AWS SDK for Go"),
        ("aws-sdk-js", "AWS SDK for JavaScript"),
        ("aws-sdk-nodejs", "AWS SDK for JavaScript"),
        ("aws-sdk-rust", "AWS SDK for Rust"),
        ("aws-sdk-", "another AWS SDK"),
        ("APN/", "Terraform or another partner's tool"),
        ("HashiCorp", "Terraform or another partner's tool"),
        ("Mozilla/", "a browser"),
        ("AWS-Console", "a browser"),
        ("S3Console", "a browser"),
        ("console.", "a browser"),
        ("curl/", "curl"),
        ("python-requests", "Python requests"),
        ("Go-http-client", "Go's HTTP client"),
    ];
    if user_agent.is_empty() || user_agent.ends_with(".amazonaws.com") && !user_agent.starts_with("console.")
    {
        return None;
    }
    let family = FAMILIES.iter().find(|(prefix, _)| user_agent.starts_with(prefix));
    Some(family.map_or("an unknown client", |(_, family)| family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_addresses_and_of_what_is_none() {
        for (address, network) in [
            ("203.0.113.9", Some("203.0.113.0/24")),
            ("10.0.0.255", Some("10.0.0.0/24")),
            ("2001:db8:1:2::3", Some("2001:db8:1::/48")),
            ("::1", Some("::/48")),
            ("lambda.amazonaws.com", None),
            ("AWS Internal", None),
            ("256.0.0.1", None),
            ("1.2.3", None),
            ("1.2.3.", None),
            ("1.2.3.4.5", None),
            ("1..3.4", None),
            ("1.2.3.4444", None),
            ("::zz", None),
            ("", None),
        ] {
            assert_eq!(Network::of(address).map(Network::name).as_deref(), network, "{address}");
        }
        assert_ne!(Network::of("1.2.3.4").map(Network::key), Network::of("1.2.4.4").map(Network::key));
    }

    #[test]
    fn clients_by_family() {
        for (agent, family) in [
            ("aws-cli/2.15.0 Python/3.11", Some("AWS CLI")),
            ("Boto3/1.26.1", Some("Boto")),
            ("aws-sdk-go-v2/1.17", Some("AWS SDK for Go")),
            ("APN/1.0 HashiCorp/1.0 Terraform/1.5.0", Some("Terraform or another partner's tool")),
            ("Mozilla/5.0 (X11)", Some("a browser")),
            ("console.amazonaws.com", Some("a browser")),
            ("config.amazonaws.com", None),
            ("something new", Some("an unknown client")),
            ("", None),
        ] {
            assert_eq!(client(agent), family, "{agent}");
        }
    }
}
