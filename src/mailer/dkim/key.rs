//! A private key: generating it, reading it from PEM, and signing with it.

use std::fmt;

use aws_lc_rs::{
    digest::Digest,
    encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    rsa::KeySize,
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};

use crate::types::Random;

/// The algorithm of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSA with SHA-256 (RFC 6376), which every receiver verifies. Keys that Canvass generates have 2048 bits.
    Rsa = 1,
    /// Ed25519 with SHA-256 (RFC 8463): short, and not verified everywhere yet.
    Ed25519 = 2,
}

impl Algorithm {
    /// Both, the one with the widest support first.
    pub const ALL: [Self; 2] = [Self::Rsa, Self::Ed25519];

    /// Its name in the tag `a=` of a signature.
    #[must_use]
    pub fn signature_name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }

    /// Its name in the tag `k=` of a record.
    #[must_use]
    pub fn key_name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    pub(super) fn of(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|a| *a as i16 == code)
    }
}

/// Why a key cannot be used. The message says nothing about the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The input is not PEM with a private key in it.
    #[error("this is not a private key in PEM; \"-----BEGIN PRIVATE KEY-----\" is expected")]
    NotPem,
    /// The key is of another kind, or encrypted.
    #[error(
        "the key is neither RSA of 2048 to 4096 bits nor Ed25519 (an encrypted key has to be decrypted first)"
    )]
    Unsuitable,
    /// The cryptography library failed.
    #[error("the key could not be created")]
    NotMade,
}

/// A private key, ready to sign.
pub(super) enum PrivateKey {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm().signature_name())
    }
}

impl PrivateKey {
    /// Generates a key. RSA uses the library's own randomness and takes a tenth of a second or more.
    pub(super) fn make(algorithm: Algorithm, random: &Random) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::Rsa => RsaKeyPair::generate(KeySize::Rsa2048)
                .map(|key| Self::Rsa(Box::new(key)))
                .map_err(|_| KeyError::NotMade),
            Algorithm::Ed25519 => Ed25519KeyPair::from_seed_unchecked(&random.bytes::<32>())
                .map(|key| Self::Ed25519(Box::new(key)))
                .map_err(|_| KeyError::NotMade),
        }
    }

    /// Reads PKCS#8 (both kinds) or PKCS#1 (RSA) from PEM.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        match PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::NotPem)? {
            PrivateKeyDer::Pkcs8(der) => Self::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der())
                .map_err(|_| KeyError::Unsuitable)
                .and_then(usable),
            _ => Err(KeyError::Unsuitable),
        }
    }

    /// Reads what [`PrivateKey::pkcs8`] wrote.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self::Ed25519(Box::new(key)));
        }
        RsaKeyPair::from_pkcs8(der)
            .map_err(|_| KeyError::Unsuitable)
            .and_then(usable)
    }

    /// The key as PKCS#8, for storage; the caller must encrypt it.
    pub(super) fn pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::Rsa(key) => {
                let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| KeyError::NotMade)?;
                Ok(der.as_ref().to_vec())
            }
            Self::Ed25519(key) => {
                let der = key.to_pkcs8v1().map_err(|_| KeyError::NotMade)?;
                Ok(der.as_ref().to_vec())
            }
        }
    }

    /// The tag `p=` of the record: SubjectPublicKeyInfo for RSA, the bare 32 octets for Ed25519.
    pub(super) fn public(&self) -> Result<String, KeyError> {
        match self {
            Self::Rsa(key) => {
                let der: PublicKeyX509Der<'_> =
                    key.public_key().as_der().map_err(|_| KeyError::NotMade)?;
                Ok(STANDARD.encode(der.as_ref()))
            }
            Self::Ed25519(key) => Ok(STANDARD.encode(key.public_key().as_ref())),
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rsa,
            Self::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The signature over a SHA-256 digest, in base64. For Ed25519, the digest is the message (RFC 8463 §3).
    pub(super) fn sign(&self, digest: &Digest) -> Option<String> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign_digest(&RSA_PKCS1_SHA256, digest, &mut signature)
                    .ok()?;
                Some(STANDARD.encode(signature))
            }
            Self::Ed25519(key) => {
                let signature = key.try_sign(digest.as_ref()).ok()?;
                Some(STANDARD.encode(signature))
            }
        }
    }
}

/// Accepts RSA keys of 2048 to 4096 bits. The records of larger ones are too long for many resolvers, and receivers
/// need not verify them (RFC 8301 §3.2).
fn usable(key: RsaKeyPair) -> Result<PrivateKey, KeyError> {
    match key.public_modulus_len() {
        256..=512 => Ok(PrivateKey::Rsa(Box::new(key))),
        _ => Err(KeyError::Unsuitable),
    }
}
