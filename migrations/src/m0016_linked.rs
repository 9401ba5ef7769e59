//! Answers that readers let join to their address.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0016_linked",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The words that readers agree to, each text once: its id is the version that is told. Never changed.
    "CREATE TABLE link_text (
        id {id},
        sha256 {blob} NOT NULL UNIQUE,
        body TEXT NOT NULL,
        created_ms BIGINT NOT NULL
    )",
    // The words of a linked poll (poll.linked = 1); NULL: it is secret.
    "ALTER TABLE poll ADD COLUMN link_text_id BIGINT",
    // An answer beside its reader, who agreed to it. choices: as in ballot, and the same as there for as long as ballots have keys.
    // agreed_ms: when the box was ticked; linked_ms: when it took effect, which for a new address is its confirmation. Changed in the
    // same commit as the ballot; gone with the consent.
    "CREATE TABLE ballot_link (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        reader_id BIGINT NOT NULL REFERENCES reader(id),
        choices {blob} NOT NULL,
        link_text_id BIGINT NOT NULL REFERENCES link_text(id),
        agreed_ms BIGINT NOT NULL,
        linked_ms BIGINT NOT NULL,
        changed_ms BIGINT NOT NULL,
        PRIMARY KEY (poll_id, reader_id)
    ) {clustered}",
    "CREATE INDEX ballot_link_of ON ballot_link (reader_id)",
    // An issue for those who agreed and chose one of these options (packed ids). Who that is, is looked up when the issue is sent.
    "CREATE TABLE issue_segment (
        issue_id BIGINT NOT NULL PRIMARY KEY REFERENCES issue(id),
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        options {blob} NOT NULL
    )",
    // Who took linked answers out of Canvass.
    "CREATE TABLE link_export (
        id {id},
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        editor_id BIGINT NOT NULL,
        format TEXT NOT NULL,
        readers BIGINT NOT NULL,
        at_ms BIGINT NOT NULL
    )",
    "CREATE INDEX link_export_of ON link_export (poll_id)",
];
