//! Of a mail that anybody can trigger it is known what it was about: the caps of one thing leave the others alone. And requests are found by
//! their address, since a leaving ends those that are open.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0029_requests_and_caps",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The newsletter of a confirmation; 0: a link to what is kept about a reader. NULL: a mail of an earlier version.
    "ALTER TABLE triggered_mail ADD COLUMN newsletter_id BIGINT",
    "CREATE INDEX subscription_request_of ON subscription_request (email_key)",
];
