//! The only parser of submitted forms.
//!
//! A form's size is limited (413, before reading if the length is declared, otherwise while reading). It must be
//! `application/x-www-form-urlencoded` and uncompressed (415), UTF-8 without NUL (400), and must not repeat a
//! single-valued field (400). Line breaks in a one-line field are refused where the field is read.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};

use super::Problem;

/// More fields than any of our forms sends.
const MOST_FIELDS: usize = 1_000;

/// The fields of a submitted form, in order.
#[derive(Clone, Debug, Default)]
pub struct RawForm {
    fields: Vec<(String, String)>,
}

impl RawForm {
    /// Parses a form's bytes.
    ///
    /// # Errors
    /// A 400 for bytes that are not UTF-8, hold NUL, or have too many fields.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let mut fields = Vec::new();
        for pair in bytes.split(|b| *b == b'&').filter(|p| !p.is_empty()) {
            if fields.len() == MOST_FIELDS {
                return Err(too_many_fields());
            }
            let (name, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &b""[..]),
            };
            fields.push((decode(name)?, decode(value)?));
        }
        Ok(Self { fields })
    }

    /// Fields from another source, checked by the same rules.
    ///
    /// # Errors
    /// A 400 for NUL or too many fields.
    pub fn of(fields: Vec<(String, String)>) -> Result<Self, Problem> {
        if fields.len() > MOST_FIELDS {
            return Err(too_many_fields());
        }
        if fields
            .iter()
            .any(|(name, value)| name.contains('\0') || value.contains('\0'))
        {
            return Err(Problem::bad_request("The form holds a NUL character."));
        }
        Ok(Self { fields })
    }

    /// The value of a single-valued field; `None` if it is absent.
    ///
    /// # Errors
    /// A 400 if it is repeated.
    pub fn one<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, Problem> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() {
            return Err(Problem::bad_request(format!(
                "The field \u{201c}{name}\u{201d} was sent more than once."
            )));
        }
        Ok(first)
    }

    /// Like [`one`](Self::one), but trimmed, and empty if absent, as most callers want it. Line breaks inside are
    /// kept.
    ///
    /// # Errors
    /// As [`one`](Self::one).
    pub fn text(&self, name: &str) -> Result<String, Problem> {
        Ok(self
            .one(name)?
            .unwrap_or_default()
            .trim()
            .replace("\r\n", "\n"))
    }

    /// Like [`text`](Self::text), for a field of one line.
    ///
    /// # Errors
    /// As [`one`](Self::one), and a 422 that names the field if it contains a line break or another control
    /// character.
    pub fn line(&self, name: &str) -> Result<String, Problem> {
        let text = self.text(name)?;
        if text.chars().any(char::is_control) {
            return Err(Problem::invalid(
                name,
                "This must be a single line without control characters.",
            ));
        }
        Ok(text)
    }

    /// Whether a checkbox was ticked.
    ///
    /// # Errors
    /// As [`one`](Self::one).
    pub fn ticked(&self, name: &str) -> Result<bool, Problem> {
        Ok(matches!(self.one(name)?, Some("on" | "1" | "true" | "yes")))
    }

    /// All values of a field that may be repeated, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Every field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// The error for more fields than any of our forms has.
pub(super) fn too_many_fields() -> Problem {
    Problem::bad_request("The form has too many fields.")
}

fn decode(bytes: &[u8]) -> Result<String, Problem> {
    let spaced: Vec<u8> = bytes
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    let decoded = Cow::from(percent_encoding::percent_decode(&spaced));
    // Without anything to decode, the copy that was made is the text.
    let decoded = match decoded {
        Cow::Borrowed(_) => spaced,
        Cow::Owned(decoded) => decoded,
    };
    let text = String::from_utf8(decoded)
        .map_err(|_| Problem::bad_request("The form is not valid UTF-8."))?;
    if text.contains('\0') {
        return Err(Problem::bad_request("The form holds a NUL character."));
    }
    Ok(text)
}

impl<S: Send + Sync> FromRequest<S> for RawForm {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !has_type(&request, "application/x-www-form-urlencoded") {
            return Err(Problem::unsupported(
                "The body must be a form",
                "Send this as application/x-www-form-urlencoded.",
            ));
        }
        Self::parse(&bounded_bytes(request, state).await?)
    }
}

/// The error for a request that is refused before its body is read: one that declares more than `limit` bytes or is
/// compressed, or that has a NUL in its path.
pub(super) fn refusal(request: &Request, limit: u64) -> Option<Problem> {
    let declared = request.headers().get(CONTENT_LENGTH);
    let declared: Option<u64> = declared.and_then(|v| v.to_str().ok()?.parse().ok());
    if declared.is_some_and(|bytes| bytes > limit) {
        return Some(Problem::too_large());
    }
    // Read without decompressing, a compressed body would fail with a misleading error.
    let encoded = request.headers().get(CONTENT_ENCODING);
    if encoded.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Some(Problem::unsupported(
            "This is compressed",
            "Send it as it is, without Content-Encoding.",
        ));
    }
    // None of our paths contains NUL, and PostgreSQL fails on a text that does. Query parameters are checked by the
    // page.
    let path = request.uri().path();
    path.contains("%00").then(Problem::not_found)
}

/// Whether the request declares this media type (ignoring parameters).
#[must_use]
pub fn has_type(request: &Request, media_type: &str) -> bool {
    request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .is_some_and(|v| v.trim().eq_ignore_ascii_case(media_type))
}

/// The body, up to the router's limit.
///
/// # Errors
/// 413 if it is larger, 400 if it is truncated.
pub async fn bounded_bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::too_large()
            } else {
                Problem::bad_request("The request broke off.")
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_repeated_ones_are_refused_where_one_is_asked_for() {
        let form = RawForm::parse(b"option=1&option=2&email=a%40b+c&empty=&bare").expect("valid");
        assert_eq!(form.all("option").collect::<Vec<_>>(), ["1", "2"]);
        assert!(form.one("option").is_err());
        assert_eq!(form.text("email").expect("once"), "a@b c");
        assert_eq!(form.one("bare").expect("once"), Some(""));
        assert_eq!(form.one("absent").expect("none"), None);
    }

    #[test]
    fn nul_and_broken_utf_8_are_refused() {
        assert!(RawForm::parse(b"a=%00").is_err());
        assert!(RawForm::parse(b"a=%ff").is_err());
        assert!(RawForm::parse(b"%ff=a").is_err());
        assert!(RawForm::parse(&b"a&".repeat(2_000)).is_err());
    }

    #[test]
    fn a_line_has_no_line_breaks() {
        let form = RawForm::parse(b"name=a%0d%0aBcc:+x&text=a%0d%0ab").expect("valid");
        assert!(form.line("name").is_err());
        assert_eq!(form.text("text").expect("text"), "a\nb");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(bytes: Vec<u8>) {
            let _ = RawForm::parse(&bytes);
        }
    }
}
