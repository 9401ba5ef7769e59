//! Password hashing with argon2id, with a limit on concurrency.
//!
//! One hash takes 19 MiB and tens of milliseconds (OWASP's minimum: m = 19 MiB, t = 2, p = 1), on a thread of the
//! blocking pool. A burst of sign-ins must not exhaust the memory of the node: two hashes run at once, a few dozen
//! wait, and further requests are refused with Retry-After.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::password::Password;
use crate::types::Random;

/// How many hashes run at the same time: 38 MiB at most.
const AT_ONCE: usize = 2;
/// How many may run or wait; beyond that the result is [`HashError::Busy`].
const IN_LINE: usize = 64;
/// The memory of one hash, in KiB, and its passes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

/// A hash that no password matches, with the current cost: verifying an unknown editor takes as long as a known
/// one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5aGFzdGhpcw$bm9ib2R5aGFzdGhpc3Bhc3N3b3JkYW5kbmV2ZXJ3aWw";

/// The one place where passwords are hashed. Clones share the limits.
#[derive(Clone, Debug)]
pub struct PasswordHasher {
    hashing: Arc<Semaphore>,
    line: Arc<Semaphore>,
}

/// Why a password could not be hashed or verified.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many are waiting: answer 503 with Retry-After.
    #[error("too many passwords are being checked")]
    Busy,
    /// The stored hash cannot be read, or the algorithm failed.
    #[error("password hashing failed: {0}")]
    Broken(String),
}

impl Default for PasswordHasher {
    fn default() -> Self {
        Self {
            hashing: Arc::new(Semaphore::new(AT_ONCE)),
            line: Arc::new(Semaphore::new(IN_LINE)),
        }
    }
}

impl PasswordHasher {
    /// A PHC string with a fresh salt, for the database.
    ///
    /// # Errors
    /// `HashError`.
    pub async fn hash(&self, password: Password, random: &Random) -> Result<String, HashError> {
        let salt = random.bytes::<16>();
        self.work(move || {
            let hash: PasswordHash = argon2()?
                .hash_password_with_salt(password.bytes(), &salt)
                .map_err(broken)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` matches `stored`. `None` is for an unknown editor, or one without a password yet: the
    /// result is false, after the same work.
    ///
    /// # Errors
    /// `HashError`.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<bool, HashError> {
        self.work(move || {
            let known = stored.is_some();
            let stored = stored.as_deref().unwrap_or(NOBODY);
            let hash = PasswordHash::new(stored).map_err(broken)?;
            match argon2()?.verify_password(password.bytes(), &hash) {
                Ok(()) => Ok(known),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(other) => Err(broken(other)),
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let _place = self.line.try_acquire().map_err(|_| HashError::Busy)?;
        let turn = Arc::clone(&self.hashing)
            .acquire_owned()
            .await
            .map_err(broken)?;
        tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the caller: if the client disconnects, the memory is still in use.
            let _turn = turn;
            job()
        })
        .await
        // Without the panic's message, which may quote the password. The location is in the log.
        .map_err(|_| broken("a bug in this program; the log shows where"))?
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(broken)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn broken(error: impl std::fmt::Display) -> HashError {
    HashError::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::typed(text).expect("short enough")
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let hasher = PasswordHasher::default();
        let random = Random::seeded(1);
        let stored = hasher
            .hash(password("tram linden orange 4"), &random)
            .await
            .expect("hashes");
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        let verify = |text| hasher.verify(password(text), Some(stored.clone()));
        assert!(verify("tram linden orange 4").await.expect("verifies"));
        assert!(!verify("tram linden orange 5").await.expect("verifies"));
        let again = hasher
            .hash(password("tram linden orange 4"), &random)
            .await
            .expect("hashes");
        assert_ne!(stored, again, "each hash has its own salt");
    }

    /// Less work for an unknown editor would reveal who is an editor; `tests/admin_sign_in_cost.rs` measures the
    /// time.
    #[test]
    fn nobodys_hash_costs_what_others_do() {
        let cost = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1$");
        assert!(NOBODY.starts_with(&cost), "{NOBODY}");
    }

    #[tokio::test]
    async fn nobody_is_never_right() {
        let hasher = PasswordHasher::default();
        assert!(
            !hasher
                .verify(password("anything at all"), None)
                .await
                .expect("verifies")
        );
        assert!(
            hasher
                .verify(password("x"), Some("not a hash".into()))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_stampede_is_told_to_come_back() {
        let hasher = PasswordHasher::default();
        let _all = hasher.line.try_acquire_many(IN_LINE as u32).expect("free");
        assert!(matches!(
            hasher.verify(password("x"), None).await,
            Err(HashError::Busy)
        ));
    }
}
