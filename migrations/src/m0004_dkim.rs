//! The keys that sign mails.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0004_dkim",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // algorithm: 1 rsa-sha256, 2 ed25519-sha256. state: 0 waiting, 1 signing, 2 retired.
    // sealed: the private key as PKCS#8, sealed under the secret key; empty once retired.
    // public_key: the tag p= of the record. stopped_ms: when it last signed; 0 while it signs or if it never did.
    "CREATE TABLE dkim_key (
        id {id},
        domain TEXT NOT NULL,
        selector TEXT NOT NULL,
        algorithm SMALLINT NOT NULL,
        sealed TEXT NOT NULL,
        public_key TEXT NOT NULL,
        state SMALLINT NOT NULL,
        created_ms BIGINT NOT NULL,
        activated_ms BIGINT NOT NULL DEFAULT 0,
        stopped_ms BIGINT NOT NULL DEFAULT 0,
        UNIQUE (domain, selector)
    )",
    // One key of each algorithm signs for a domain.
    "CREATE UNIQUE INDEX dkim_key_signing ON dkim_key (domain, algorithm) WHERE state = 1",
];
