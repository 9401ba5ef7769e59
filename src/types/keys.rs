//! Everything derived from the installation's secret key.
//!
//! **Tokens.** A link in a mail or a signed form field is a token: `KID || base64url(SIV || ciphertext)`.
//! The payload (a few varints) is sealed with AES-SIV (RFC 5297). It is deterministic, so every attempt to send
//! produces the same link; it authenticates with 128 bits; and it hides the payload, so no raw id is ever visible.
//! The purpose is part of the key derivation and of the associated data: a token is valid for its own purpose only.
//!
//! **Rotation.** Two keys can be live at a time: the first one seals, both open. The key id is one character.
//!
//! **Keyed hashes.** [`Keys::hash`] is HMAC-SHA-256 under a sub-key per domain, for look-ups of values that must
//! not be stored in clear (suppressed addresses, networks). These hashes must outlive every rotation (a suppression
//! is permanent), so they use a pepper that is stored sealed in the database. A server that starts with a newer key
//! reseals it.

mod purpose;

use std::fmt;
use std::sync::OnceLock;

use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;
use aws_lc_rs::{digest, hkdf, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use data_encoding::BASE32_NOPAD_NOCASE;

pub use self::purpose::Purpose;
use super::Secret;

/// A token that we did not seal for this purpose, or that was altered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid")]
pub struct BadToken;

/// The secret keys of the installation, newest first. Derived keys that every mail needs are kept: deriving one costs
/// more than using it.
#[derive(Clone)]
pub struct Keys {
    live: Vec<RootKey>,
    pepper: hmac::Key,
    /// The keys of the domains [`FREQUENT`], in that order.
    frequent: Vec<hmac::Key>,
}

#[derive(Clone)]
struct RootKey {
    id: char,
    prk: hkdf::Prk,
    /// The keys for sealing, by purpose; each is derived when it is needed first.
    sealing: [OnceLock<[u8; 32]>; Purpose::COUNT],
}

const ADDRESS: &str = "address";
/// The domains of which every mail needs a hash.
const FREQUENT: [&str; 2] = [ADDRESS, Keys::MESSAGE_ID];

/// The shortest secret key that is accepted, in characters: 128 bits written in hexadecimal.
pub const SECRET_KEY_MIN_CHARS: usize = 32;

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Keys {
    /// The domain of the hashes in Message-IDs.
    pub const MESSAGE_ID: &str = "message-id";

    /// Keys from the configured secret: one key, or `new,old` while rotating.
    ///
    /// # Errors
    /// A sentence for the operator when a key is missing or shorter than [`SECRET_KEY_MIN_CHARS`].
    pub fn new(secret: &Secret) -> Result<Self, String> {
        let mut live = Vec::new();
        for key in secret
            .expose()
            .split(',')
            .map(str::trim)
            .filter(|k| !k.is_empty())
        {
            if key.len() < SECRET_KEY_MIN_CHARS {
                return Err(format!(
                    "a secret key has {} characters; at least {SECRET_KEY_MIN_CHARS} are needed (openssl rand -hex 32)",
                    key.len()
                ));
            }
            // The id is taken from a hash of the key, so that it need not be configured.
            let hash = digest::digest(&digest::SHA256, key.as_bytes());
            let id = char::from(b'a' + hash.as_ref()[0] % 26);
            live.push(RootKey {
                id,
                prk: hkdf::Salt::new(hkdf::HKDF_SHA256, b"canvass").extract(key.as_bytes()),
                sealing: Default::default(),
            });
        }
        match live.len() {
            0 => Err("no secret key is set".into()),
            1 | 2 => Ok(Self {
                live,
                pepper: hmac::Key::new(hmac::HMAC_SHA256, &[]),
                frequent: Vec::new(),
            }
            .with_pepper([0; 32])),
            n => Err(format!(
                "{n} secret keys are set; at most two can be live (new,old)"
            )),
        }
    }

    /// Seals `payload` for `purpose`: `23 + payload * 4 / 3` characters of `[A-Za-z0-9_-]`.
    #[must_use]
    pub fn seal(&self, purpose: Purpose, payload: &[u8]) -> String {
        let key = &self.live[0];
        let sealed = key.seal(purpose, payload);
        let mut token = String::with_capacity(1 + sealed.len() * 4 / 3 + 2);
        token.push(key.id);
        URL_SAFE_NO_PAD.encode_string(&sealed, &mut token);
        token
    }

    /// The payload of a token sealed for `purpose` by a live key.
    ///
    /// # Errors
    /// [`BadToken`] for anything else.
    pub fn open(&self, purpose: Purpose, token: &str) -> Result<Vec<u8>, BadToken> {
        let mut chars = token.chars();
        let id = chars.next().ok_or(BadToken)?;
        let sealed = URL_SAFE_NO_PAD
            .decode(chars.as_str())
            .map_err(|_| BadToken)?;
        self.unseal(id, purpose, &sealed)
    }

    /// Like [`seal`](Self::seal), but with lower-case letters and digits only, which survive in the local part of
    /// an address: `27 + payload * 8 / 5` characters.
    #[must_use]
    pub fn seal_lowercase(&self, purpose: Purpose, payload: &[u8]) -> String {
        let key = &self.live[0];
        let sealed = BASE32_NOPAD_NOCASE.encode(&key.seal(purpose, payload));
        format!("{}{}", key.id, sealed.to_ascii_lowercase())
    }

    /// Like [`open`](Self::open), for tokens of [`seal_lowercase`](Self::seal_lowercase), in upper or lower case.
    ///
    /// # Errors
    /// [`BadToken`] for anything else.
    pub fn open_lowercase(&self, purpose: Purpose, token: &str) -> Result<Vec<u8>, BadToken> {
        let mut chars = token.chars();
        let id = chars.next().ok_or(BadToken)?.to_ascii_lowercase();
        let sealed = BASE32_NOPAD_NOCASE
            .decode(chars.as_str().as_bytes())
            .map_err(|_| BadToken)?;
        self.unseal(id, purpose, &sealed)
    }

    fn unseal(&self, id: char, purpose: Purpose, sealed: &[u8]) -> Result<Vec<u8>, BadToken> {
        // The two live keys may have the same id: try each that matches.
        self.live
            .iter()
            .filter(|key| key.id == id)
            .find_map(|key| {
                key.siv(purpose)
                    .decrypt([purpose.label()], sealed)
                    .ok()
                    .map(|p| p.to_vec())
            })
            .ok_or(BadToken)
    }

    /// The same keys with the installation's pepper for [`Keys::hash`].
    #[must_use]
    pub fn with_pepper(mut self, pepper: [u8; 32]) -> Self {
        self.pepper = hmac::Key::new(hmac::HMAC_SHA256, &pepper);
        self.frequent = FREQUENT.map(|domain| self.of_domain(domain)).into();
        self
    }

    fn of_domain(&self, domain: &str) -> hmac::Key {
        let key = hmac::sign(&self.pepper, domain.as_bytes());
        hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())
    }

    /// A keyed hash of `value` in `domain`; stable for the lifetime of the database.
    #[must_use]
    pub fn hash(&self, domain: &str, value: &[u8]) -> [u8; 32] {
        let frequent = FREQUENT.iter().position(|frequent| *frequent == domain);
        let mac = match frequent.and_then(|at| self.frequent.get(at)) {
            Some(key) => hmac::sign(key, value),
            None => hmac::sign(&self.of_domain(domain), value),
        };
        let mut out = [0; 32];
        out.copy_from_slice(mac.as_ref());
        out
    }

    /// The hash under which an address is stored in the tables of suppressions and caps. It outlives erasure,
    /// because it is not an address. `key` is the [`EmailAddress::key`](super::EmailAddress::key).
    #[must_use]
    pub fn address_hash(&self, key: &str) -> [u8; 32] {
        self.hash(ADDRESS, key.as_bytes())
    }
}

impl RootKey {
    fn seal(&self, purpose: Purpose, payload: &[u8]) -> Vec<u8> {
        #[expect(
            clippy::expect_used,
            reason = "SIV fails only beyond its limit of headers"
        )]
        self.siv(purpose)
            .encrypt([purpose.label()], payload)
            .expect("one header is within the limit")
            .to_vec()
    }

    fn siv(&self, purpose: Purpose) -> Aes128Siv {
        let key = self.sealing[purpose as usize]
            .get_or_init(|| self.derive::<32>(&[b"seal", purpose.label()]));
        Aes128Siv::new(&(*key).into())
    }

    fn derive<const N: usize>(&self, info: &[&[u8]]) -> [u8; N] {
        let mut out = [0; N];
        #[expect(clippy::expect_used, reason = "HKDF fails only beyond 255 blocks")]
        self.prk
            .expand(info, Length(N))
            .and_then(|okm| okm.fill(&mut out))
            .expect("the derived key is short");
        out
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::varint::{pack, unpack};
    use proptest::prelude::*;

    const A: &str = "0123456789abcdef0123456789abcdef";
    const B: &str = "fedcba9876543210fedcba9876543210";

    fn keys(secret: &str) -> Keys {
        Keys::new(&Secret::new(secret)).expect("valid")
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_again_and_only_for_its_purpose(numbers in proptest::array::uniform3(0i64..)) {
            let keys = keys(A);
            let token = keys.seal(Purpose::Vote, &pack(&numbers));
            prop_assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            prop_assert_eq!(unpack(&keys.open(Purpose::Vote, &token).expect("opens")), Some(numbers));
            prop_assert_eq!(keys.open(Purpose::Unsubscribe, &token), Err(BadToken));
        }

        #[test]
        fn one_changed_character_is_refused(at in 0usize..28, to in "[A-Za-z0-9_-]") {
            let keys = keys(A);
            let token = keys.seal(Purpose::Unsubscribe, &pack(&[1, 987_654]));
            let mut changed = token.clone();
            let at = at.min(token.len() - 1);
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != token);
            prop_assert_eq!(keys.open(Purpose::Unsubscribe, &changed), Err(BadToken));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            prop_assert_eq!(keys(A).open(Purpose::Confirm, &text), Err(BadToken));
        }
    }

    #[test]
    fn an_unsubscribe_token_is_short_enough_for_one_header_line() {
        // For 10 M readers and 1,000 newsletters.
        let token = keys(A).seal(Purpose::Unsubscribe, &pack(&[999, 9_999_999]));
        assert!(token.len() <= 31, "{} characters", token.len());
    }

    #[test]
    fn the_old_key_opens_while_the_new_one_seals() {
        let old = keys(A).seal(Purpose::Manage, b"x");
        let rotated = keys(&format!("{B},{A}"));
        assert_eq!(
            rotated.open(Purpose::Manage, &old).as_deref(),
            Ok(&b"x"[..])
        );
        assert_eq!(
            keys(A).open(Purpose::Manage, &rotated.seal(Purpose::Manage, b"x")),
            Err(BadToken)
        );
        assert_eq!(rotated.hash("d", b"v"), keys(A).hash("d", b"v"));
        assert_ne!(
            rotated.clone().with_pepper([1; 32]).hash("d", b"v"),
            rotated.hash("d", b"v")
        );
    }

    /// Links and hashes are used for years, so a key that is kept must be the one that would be derived.
    #[test]
    fn keys_that_are_kept_are_those_that_are_derived() {
        let keys = keys(A).with_pepper([7; 32]);
        let key = |octets: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, octets);
        for domain in [ADDRESS, Keys::MESSAGE_ID, "another"] {
            let of_domain = hmac::sign(&key(&[7; 32]), domain.as_bytes());
            let derived = hmac::sign(&key(of_domain.as_ref()), b"value");
            for _ in 0..2 {
                assert_eq!(keys.hash(domain, b"value"), derived.as_ref());
            }
        }
        for purpose in [Purpose::Confirm, Purpose::Unsubscribe, Purpose::Live] {
            let root = &keys.live[0];
            let derived = root.derive::<32>(&[b"seal", purpose.label()]);
            let sealed = Aes128Siv::new(&derived.into()).encrypt([purpose.label()], b"x");
            for _ in 0..2 {
                assert_eq!(sealed.as_deref().ok(), Some(&*root.seal(purpose, b"x")));
            }
        }
    }

    #[test]
    fn short_and_missing_keys_are_refused_with_a_reason() {
        assert!(Keys::new(&Secret::new("")).is_err());
        assert!(
            Keys::new(&Secret::new("short"))
                .expect_err("short")
                .contains("at least 32")
        );
    }
}
