//! Decides which site a form was sent from.
//!
//! Browsers say so in `Sec-Fetch-Site` and `Origin`, and a page can forge neither. Requests with neither come from
//! programs, old browsers and feed readers. They carry no cookie that another site could abuse (ours are `SameSite`
//! or set only on voting), so they are accepted for readers' actions and refused for editors'.

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName};

use super::Problem;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The site whose page sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Our own.
    Ours,
    /// A site that may embed polls.
    Embedder,
    /// Any other site.
    Stranger,
    /// The request does not say.
    Unknown,
}

/// Determines where a request came from. `ours` is the public origin; `embedders` is the configured list (`*`:
/// every site).
#[must_use]
pub fn of(headers: &HeaderMap, ours: &str, embedders: &[String]) -> From {
    let text = |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    let (origin, site) = (text(&ORIGIN), text(&SEC_FETCH_SITE));
    match site {
        Some("same-origin") => return From::Ours,
        // From the address bar, a bookmark or a mail program: no page sent it.
        Some("none") => return From::Unknown,
        _ => {}
    }
    match origin {
        Some(origin) if origin == ours => From::Ours,
        Some(origin) => {
            if embedders.iter().any(|e| e == "*" || e == origin) {
                From::Embedder
            } else {
                From::Stranger
            }
        }
        None => match site {
            Some("cross-site" | "same-site") if !embedders.iter().any(|e| e == "*") => {
                From::Stranger
            }
            Some("cross-site" | "same-site") => From::Embedder,
            _ => From::Unknown,
        },
    }
}

/// Refuses a form that another site's page sent; otherwise returns whose page it was. For pages that readers reach
/// from a mail, which no site embeds.
///
/// `Origin: null` alone proves nothing: browsers without `Sec-Fetch-Site` also send it for forms on pages with a
/// no-referrer policy.
///
/// # Errors
/// 403 for another site's form.
pub fn refuse_strangers(headers: &HeaderMap, ours: &str) -> Result<From, Problem> {
    let says_nothing = headers.get(ORIGIN).is_some_and(|origin| origin == "null")
        && !headers.contains_key(&SEC_FETCH_SITE);
    match of(headers, ours, &[]) {
        From::Stranger | From::Embedder if says_nothing => Ok(From::Unknown),
        From::Stranger | From::Embedder => Err(Problem::wrong_origin()),
        whose => Ok(whose),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| {
                (
                    k.parse().expect("a name"),
                    http::HeaderValue::from_static(v),
                )
            })
            .collect()
    }

    #[test]
    fn a_table_of_browsers() {
        let ours = "https://polls.example";
        let news = ["https://news.example".to_string()];
        let any = ["*".to_string()];
        for (pairs, embedders, expected) in [
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")][..],
                &news[..],
                From::Ours,
            ),
            (&[("origin", "https://polls.example")], &news, From::Ours),
            (
                &[
                    ("origin", "https://news.example"),
                    ("sec-fetch-site", "cross-site"),
                ],
                &news,
                From::Embedder,
            ),
            (
                &[
                    ("origin", "https://evil.example"),
                    ("sec-fetch-site", "cross-site"),
                ],
                &news,
                From::Stranger,
            ),
            (&[("origin", "null")], &news, From::Stranger),
            (&[("origin", "https://evil.example")], &any, From::Embedder),
            (&[("sec-fetch-site", "cross-site")], &news, From::Stranger),
            (&[("sec-fetch-site", "none")], &news, From::Unknown),
            (&[], &news, From::Unknown),
        ] {
            assert_eq!(of(&headers(pairs), ours, embedders), expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_mailed_pages_form_is_taken_from_our_own_pages_only() {
        for (pairs, expected) in [
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")][..],
                Some(From::Ours),
            ),
            (&[("origin", "https://polls.example")], Some(From::Ours)),
            (&[("origin", "null")], Some(From::Unknown)),
            (&[], Some(From::Unknown)),
            // Any page can make its forms send null.
            (
                &[("sec-fetch-site", "cross-site"), ("origin", "null")],
                None,
            ),
            (&[("sec-fetch-site", "same-site")], None),
            (&[("origin", "https://evil.example")], None),
        ] {
            let found = refuse_strangers(&headers(pairs), "https://polls.example").ok();
            assert_eq!(found, expected, "{pairs:?}");
        }
    }
}
