//! The security headers of every response.
//!
//! No inline script or style is allowed, nothing from a third party, and no framing by others (embeds set their own
//! policy). A header that a handler has set itself is kept.

use std::sync::Arc;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response};

/// The content security policy of ordinary pages.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// The headers that are added to every response.
#[derive(Clone, Debug)]
pub struct Headers(Arc<[(HeaderName, HeaderValue)]>);

impl Headers {
    /// With `https`, readers connect over TLS, and HSTS makes browsers keep doing so.
    #[must_use]
    pub fn new(https: bool) -> Self {
        let always = [
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // Not no-referrer: browsers then send "Origin: null" with our own forms.
            (REFERRER_POLICY, "strict-origin-when-cross-origin"),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ),
            (
                HeaderName::from_static("permissions-policy"),
                "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
            ),
            // Pages show what a person typed or chose, and no shared cache may keep that.
            (CACHE_CONTROL, "no-store"),
        ];
        let over_tls = https.then_some((STRICT_TRANSPORT_SECURITY, "max-age=31536000"));
        let headers = always.into_iter().chain(over_tls);
        Self(
            headers
                .map(|(name, value)| (name, HeaderValue::from_static(value)))
                .collect(),
        )
    }

    /// Adds the headers; those that a handler has set are kept.
    #[must_use]
    pub fn add<B>(&self, mut response: Response<B>) -> Response<B> {
        let headers = response.headers_mut();
        headers.reserve(self.0.len());
        for (name, value) in self.0.iter() {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        response
    }
}
