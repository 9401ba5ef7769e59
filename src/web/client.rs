//! The client of a request and its network.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

use super::Problem;
use crate::app::App;

/// The client of a request. The address is kept no longer than the request; only keyed hashes of its network are
/// ever stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    ip: IpAddr,
}

impl Client {
    /// The client behind the trusted proxies: the last entry of `X-Forwarded-For` that is not one of them. Earlier
    /// entries were written by the client and are not trusted. If that entry is not an address, the client is the
    /// peer that forwarded it.
    #[must_use]
    pub fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
        let peer = canonical(peer);
        if !is_trusted(peer) {
            return Self { ip: peer };
        }
        let mut ip = peer;
        let values = headers.get_all("x-forwarded-for").iter().rev();
        for entry in values.flat_map(|value| value.as_bytes().rsplit(|b| *b == b',')) {
            let Some(before) = std::str::from_utf8(entry).ok().and_then(address) else {
                break;
            };
            ip = before;
            if !is_trusted(ip) {
                break;
            }
        }
        Self { ip }
    }

    /// The network that one customer controls, as bytes: IPv4 /24, IPv6 /48. Providers assign a whole /48 or /56 to
    /// a customer, who can use any number of /64 in it.
    #[must_use]
    pub fn network(&self) -> Vec<u8> {
        match self.ip {
            IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
            IpAddr::V6(v6) => v6.octets()[..6].to_vec(),
        }
    }
}

/// Parses an address as proxies write it; some of them add a port.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip = bare.unwrap_or(entry).parse().ok();
    let ip = ip.or_else(|| {
        entry
            .parse::<SocketAddr>()
            .ok()
            .map(|with_port| with_port.ip())
    });
    ip.map(canonical)
}

fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

impl FromRequestParts<App> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |info| info.0.ip());
        Ok(Self::behind(
            peer,
            &parts.headers,
            &app.config.http.trusted_proxies,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(
                "x-forwarded-for",
                http::HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
            );
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|t| t.parse().expect("a net")).collect();
        Client::behind(peer.parse().expect("an address"), &headers, &trusted)
            .ip
            .to_string()
    }

    #[test]
    fn forwarded_addresses_are_believed_from_trusted_proxies_only() {
        let proxy = &["10.0.0.0/8"];
        assert_eq!(client("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7"], proxy), "198.51.100.7");
        // The entries that the client wrote itself come first and are ignored.
        assert_eq!(
            client("10.0.0.1", &["1.2.3.4, 198.51.100.7"], proxy),
            "198.51.100.7"
        );
        assert_eq!(
            client("10.0.0.1", &["1.2.3.4", "198.51.100.7, 10.0.0.2"], proxy),
            "198.51.100.7"
        );
        assert_eq!(client("10.0.0.1", &["nonsense"], proxy), "10.0.0.1");
        assert_eq!(
            client("10.0.0.1", &["1.2.3.4, nonsense"], proxy),
            "10.0.0.1"
        );
        assert_eq!(
            client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], proxy),
            "10.0.0.3"
        );
        for written in [
            "1.2.3.4, x, 198.51.100.7",
            "\u{e9}, 198.51.100.7",
            ",198.51.100.7",
        ] {
            assert_eq!(
                client("10.0.0.1", &[written], proxy),
                "198.51.100.7",
                "{written}"
            );
        }
        assert_eq!(
            client("10.0.0.1", &["1.2.3.4, x", "198.51.100.7"], proxy),
            "198.51.100.7"
        );
        for (written, ip) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
        ] {
            assert_eq!(client("10.0.0.1", &[written], proxy), ip);
        }
        assert_eq!(client("::ffff:192.0.2.1", &[], &[]), "192.0.2.1");
    }
}
