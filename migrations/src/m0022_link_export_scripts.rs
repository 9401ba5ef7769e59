//! Scripts can export linked answers too.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0022_link_export_scripts",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The token of the script; NULL: an editor exported them. If it is set, editor_id is 0.
    "ALTER TABLE link_export ADD COLUMN token_id BIGINT",
];
