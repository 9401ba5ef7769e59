//! Random tokens for sessions, confirmations and scripts. They are not derived from anything and carry no data.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Random;

/// SHA-256, for storing random tokens (sessions, confirmations, API tokens). They have enough entropy that neither
/// a key nor a slow hash is needed.
#[must_use]
pub fn token_hash(token: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, token.as_bytes())
        .as_ref()
        .to_vec()
}

/// A random token of 128 bits as 22 characters of `[A-Za-z0-9_-]`.
#[must_use]
pub fn random_token(random: &Random) -> String {
    URL_SAFE_NO_PAD.encode(random.bytes::<16>())
}
