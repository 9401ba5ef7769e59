//! The headers of every answer.
//!
//! Nothing inline runs or styles, nothing comes from a third party, nobody frames us (embeds set their own policy).
//! A handler that sets one of these headers itself keeps its own.

use std::sync::Arc;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response};

/// The policy of ordinary pages.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' https: data:; connect-src 'self'; frame-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// The headers that every answer gets, on top of its own.
#[derive(Clone, Debug)]
pub struct Headers(Arc<[(HeaderName, HeaderValue)]>);

impl Headers {
    /// With `https`, readers come over TLS, and browsers are told to keep to it.
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
            // Pages show what a person typed or chose; nothing of it may stay in a shared cache.
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

    /// Adds them; what a handler has set stays.
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
