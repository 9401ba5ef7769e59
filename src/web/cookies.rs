//! The few cookies in use: an editor's session, a voter's marker, the reader that a browser is known as. All are
//! HttpOnly and first-party.

use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Which cross-site requests carry a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Only top-level navigation by GET.
    Lax,
    /// All. Only over TLS, and only where a publisher's page must be able to send the cookie (a vote).
    None,
}

/// Over TLS every name begins with this: browsers take such a cookie from this very host only (RFC 6265bis, 4.1.3.2).
const HOST: &str = "__Host-";

/// The value of a cookie. Over TLS the name has the prefix `__Host-`, so that no subdomain can set it.
#[must_use]
pub fn get(headers: &HeaderMap, name: &str, https: bool) -> Option<String> {
    pairs(headers)
        .find(|(full, _)| bare_name(full, https) == Some(name))
        .map(|(_, v)| v.to_string())
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// The names of all cookies whose name begins with `prefix`, in the form that [`get`] and [`set`] take.
#[must_use]
pub fn names(headers: &HeaderMap, prefix: &str, https: bool) -> Vec<String> {
    pairs(headers)
        .filter_map(|(full, _)| bare_name(full, https))
        .filter(|name| name.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

/// A `Set-Cookie` value; `None` if `value` is not valid in a header. A zero `max_age` deletes the cookie.
#[must_use]
pub fn set(
    name: &str,
    value: &str,
    max_age: Duration,
    same_site: SameSite,
    https: bool,
) -> Option<HeaderValue> {
    let host = if https { HOST } else { "" };
    let secure = if https { "; Secure" } else { "" };
    let same_site = match same_site {
        SameSite::None if https => "None",
        _ => "Lax",
    };
    let cookie = format!(
        "{host}{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite={same_site}{secure}",
        max_age.as_secs()
    );
    HeaderValue::try_from(cookie).ok()
}

/// The name without the prefix that it has over TLS; `None` if it lacks it.
fn bare_name(full: &str, https: bool) -> Option<&str> {
    if https {
        full.strip_prefix(HOST)
    } else {
        Some(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tls_names_are_bound_to_the_host() {
        let value = set("s", "v", Duration::from_secs(9), SameSite::None, true).expect("plain");
        assert_eq!(
            value,
            "__Host-s=v; Path=/; Max-Age=9; HttpOnly; SameSite=None; Secure"
        );
        let value = set("s", "v", Duration::ZERO, SameSite::None, false).expect("plain");
        assert_eq!(value, "s=v; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        assert_eq!(
            set("s", "a\r\nb", Duration::ZERO, SameSite::Lax, true),
            None
        );
    }

    #[test]
    fn the_right_cookie_is_read() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; __Host-s=v; s=w"));
        assert_eq!(get(&headers, "s", true).as_deref(), Some("v"));
        assert_eq!(get(&headers, "s", false).as_deref(), Some("w"));
        assert_eq!(get(&headers, "x", false), None);
    }
}
