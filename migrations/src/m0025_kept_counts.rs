//! Counts that stand until enough answers came in, on every node and after a restart; and removals that know who has left them.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0025_kept_counts",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // What the ballots of a poll said together when editors last looked at that: two looks that differ by one ballot would show what
    // one reader answered. said: how many ballots say what, as JSON. Until the poll is sealed.
    "CREATE TABLE kept_count (
        poll_id BIGINT NOT NULL PRIMARY KEY REFERENCES poll(id),
        tier SMALLINT NOT NULL,
        ballots BIGINT NOT NULL,
        counted_ms BIGINT NOT NULL,
        said TEXT NOT NULL
    )",
    // Ballots of the removal that were handed over to their readers since, and count there. NULL: from before this was counted.
    "ALTER TABLE ballot_removal ADD COLUMN gone BIGINT",
];
