//! The use of poll links in mails.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0009_mail_votes",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // Counters, with a stripe (slot) for each node. counted: ballots first cast by a link of this issue, changed in
    // the ballot's own commit. seen, scanner: visits by people who did not answer, and by programs; added when a
    // visit is over. issue_id 0: mails from before links named their issue. It identifies no reader.
    "CREATE TABLE mail_vote (
        poll_id BIGINT NOT NULL,
        issue_id BIGINT NOT NULL,
        slot BIGINT NOT NULL,
        counted BIGINT NOT NULL DEFAULT 0,
        seen BIGINT NOT NULL DEFAULT 0,
        scanner BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (poll_id, issue_id, slot)
    ) {clustered}",
    "CREATE INDEX mail_vote_issue ON mail_vote (issue_id)",
];
