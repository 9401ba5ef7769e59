//! Counts that stay unchanged until enough answers came in, on every node and after a restart; and removals that
//! know which ballots left them.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0025_kept_counts",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // How many ballots of a poll say what, as of the last time editors looked: two counts that differ by one ballot
    // would reveal what one reader answered. said: the counts, as JSON. Kept until the poll is sealed.
    "CREATE TABLE kept_count (
        poll_id BIGINT NOT NULL PRIMARY KEY REFERENCES poll(id),
        tier SMALLINT NOT NULL,
        ballots BIGINT NOT NULL,
        counted_ms BIGINT NOT NULL,
        said TEXT NOT NULL
    )",
    // Ballots of the removal that were handed over to their readers since, and are counted there. NULL: not known,
    // from before this was counted.
    "ALTER TABLE ballot_removal ADD COLUMN gone BIGINT",
];
