//! Answers that readers agreed to have linked to their address.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0016_linked",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The consent texts, each stored once; the id is the version shown to people. Never changed.
    "CREATE TABLE link_text (
        id {id},
        sha256 {blob} NOT NULL UNIQUE,
        body TEXT NOT NULL,
        created_ms BIGINT NOT NULL
    )",
    // The consent text of a linked poll (poll.linked = 1); NULL: its ballots are secret.
    "ALTER TABLE poll ADD COLUMN link_text_id BIGINT",
    // An answer and the reader who agreed to link it. choices: as in `ballot`, and equal to those there for as long
    // as ballots have keys. agreed_ms: when the box was ticked; linked_ms: when it took effect, which for a new
    // address is its confirmation. Changed in the same commit as the ballot; deleted when consent is withdrawn.
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
    // An issue for readers who agreed and chose one of these options (packed ids). The readers are looked up when
    // it is sent.
    "CREATE TABLE issue_segment (
        issue_id BIGINT NOT NULL PRIMARY KEY REFERENCES issue(id),
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        options {blob} NOT NULL
    )",
    // Who exported linked answers.
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
