//! Random samples of confirmed subscribers, and mails to only some readers.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0015_sample",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // frame: the confirmed subscribers at the draw, packed ids; frame_sha256: of the ids, eight bytes each.
    // readers: the drawn readers, packed. Seed and frame reproduce the draw. Nothing here tells who has answered:
    // that is looked up in the ballots.
    "CREATE TABLE poll_sample (
        poll_id BIGINT NOT NULL PRIMARY KEY REFERENCES poll(id),
        beside_poll_id BIGINT REFERENCES poll(id),
        newsletter_id BIGINT NOT NULL REFERENCES newsletter(id),
        seed TEXT NOT NULL,
        population BIGINT NOT NULL,
        frame {blob} NOT NULL,
        frame_sha256 {blob} NOT NULL,
        readers {blob} NOT NULL,
        drawn_ms BIGINT NOT NULL,
        editor_id BIGINT
    )",
    // At most one sample beside an open poll; NULLs are distinct.
    "CREATE UNIQUE INDEX poll_sample_beside ON poll_sample (beside_poll_id)",
    // sample_round: 1 the invitation, 2 the reminder; at most one of each.
    "ALTER TABLE issue ADD COLUMN sample_poll_id BIGINT",
    "ALTER TABLE issue ADD COLUMN sample_round SMALLINT NOT NULL DEFAULT 0",
    "CREATE UNIQUE INDEX issue_of_sample ON issue (sample_poll_id, sample_round)",
    // Packed ids of the readers that a mailing is for; without a row it is for all. Deleted once the audience is
    // frozen.
    "CREATE TABLE mailing_only (
        issue_id BIGINT NOT NULL PRIMARY KEY,
        readers {blob} NOT NULL
    )",
];
