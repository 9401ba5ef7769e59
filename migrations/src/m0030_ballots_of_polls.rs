//! A ballot's poll is locked in the commit that writes the ballot, and polls are never deleted: PostgreSQL need not look the poll up once more
//! for each ballot, which took a tenth of a commit. SQLite finds it in no time, and cannot drop a constraint.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0030_ballots_of_polls",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &["{unbound_ballots}"];
