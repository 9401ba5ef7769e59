//! The signing keys in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use super::key::PrivateKey;
use super::sign::Signer;
use super::store::{self, Sealed};
use crate::db::{Db, DbErr};
use crate::types::{Keys, Purpose, UnixMillis};

/// The active signing keys, by domain.
#[derive(Debug, Default)]
pub(in crate::mailer) struct Keyring(RwLock<Arc<Ring>>);

#[derive(Debug, Default)]
struct Ring {
    signers: BTreeMap<String, Arc<Signer>>,
    /// By the row's id; `None` if the key could not be decrypted, which is logged once.
    keys: BTreeMap<i64, Option<Arc<PrivateKey>>>,
}

impl Keyring {
    /// Reads the changes. Keys that are in memory stay usable even if the secret key of this process cannot decrypt
    /// them.
    pub(in crate::mailer) async fn load(&self, db: &Db, keys: &Keys) -> Result<(), DbErr> {
        let rows = store::signing(db).await?;
        let now = self.ring();
        let ids: BTreeSet<i64> = rows.iter().map(|row| row.id).collect();
        if ids.iter().eq(now.keys.keys()) {
            return Ok(());
        }
        let mut ring = Ring::default();
        let mut by_domain: BTreeMap<String, Vec<(String, Arc<PrivateKey>)>> = BTreeMap::new();
        for row in rows {
            let key = match now.keys.get(&row.id) {
                Some(key) => key.clone(),
                None => opened(&row, keys),
            };
            ring.keys.insert(row.id, key.clone());
            if let Some(key) = key {
                let keys = by_domain.entry(row.domain).or_default();
                keys.push((row.selector, key));
            }
        }
        for (domain, keys) in by_domain {
            let signer = Signer {
                domain: domain.clone(),
                keys,
            };
            ring.signers.insert(domain, Arc::new(signer));
        }
        tracing::info!(
            domains = ring.signers.len(),
            keys = ring.keys.len(),
            "DKIM keys are in use"
        );
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// Encrypts every key again under the newest secret key, so that the old one can be removed.
    pub(in crate::mailer) async fn seal_anew(&self, db: &Db, keys: &Keys) -> Result<(), DbErr> {
        let mut stale = Vec::new();
        for row in store::sealed(db).await? {
            let Ok(der) = keys.open(Purpose::Dkim, &row.sealed) else {
                continue;
            };
            let fresh = keys.seal(Purpose::Dkim, &der);
            if fresh != row.sealed {
                stale.push((row.id, fresh));
            }
        }
        store::seal_anew(db, &stale).await
    }

    /// Signs for `domain`, or for the nearest parent domain that has a key: DMARC's alignment is relaxed (RFC 7489
    /// §3.1.1).
    pub(in crate::mailer) fn sign(&self, domain: &str, now: UnixMillis, message: &mut Vec<u8>) {
        let ring = self.ring();
        let Some(signer) = nearest(domain, |domain| ring.signers.get(domain)) else {
            metrics::counter!("canvass_dkim_total", "outcome" => "no_key").increment(1);
            return;
        };
        let failed = signer.sign(now, message);
        metrics::counter!("canvass_dkim_total", "outcome" => "signed").increment(1);
        if failed > 0 {
            metrics::counter!("canvass_dkim_total", "outcome" => "failed").increment(1);
            tracing::error!(
                domain = signer.domain,
                failed,
                "DKIM signatures could not be made"
            );
        }
    }

    fn ring(&self) -> Arc<Ring> {
        let ring = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&ring)
    }
}

fn opened(row: &Sealed, keys: &Keys) -> Option<Arc<PrivateKey>> {
    let key = keys
        .open(Purpose::Dkim, &row.sealed)
        .ok()
        .and_then(|der| PrivateKey::from_pkcs8(&der).ok());
    if key.is_none() {
        tracing::error!(
            domain = row.domain,
            selector = row.selector,
            "a DKIM key cannot be decrypted with the present secret keys: mails are sent without its signature"
        );
    }
    key.map(Arc::new)
}

/// The result of `found` for a domain or its nearest parent. Top-level domains are not tried.
pub(super) fn nearest<T>(domain: &str, found: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut at = domain;
    loop {
        if let Some(it) = found(at) {
            return Some(it);
        }
        at = at.split_once('.')?.1;
        if !at.contains('.') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_key_signs_for_the_domains_below_its_own() {
        let keys = ["example.org", "news.example.com", "org"];
        let found = |domain: &str| nearest(domain, |d| keys.iter().find(|k| **k == d).copied());
        assert_eq!(found("example.org"), Some("example.org"));
        assert_eq!(found("a.b.example.org"), Some("example.org"));
        assert_eq!(found("example.com"), None, "never upwards");
        assert_eq!(found("badexample.org"), None);
        assert_eq!(found("other.org"), None, "a top level signs for nobody");
    }
}
