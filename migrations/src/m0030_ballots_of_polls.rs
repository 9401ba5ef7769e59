//! The commit that writes a ballot locks its poll, and polls with ballots are never deleted, so PostgreSQL need not
//! check the foreign key for each ballot, which took a tenth of a commit. On SQLite the check is cheap, and a
//! constraint cannot be dropped.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0030_ballots_of_polls",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &["{unbound_ballots}"];
