//! Scripts, too, take linked answers out of Canvass.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0022_link_export_scripts",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The token that a script showed; NULL: an editor took them. Where it stands, editor_id is 0.
    "ALTER TABLE link_export ADD COLUMN token_id BIGINT",
];
