//! Records the subject of mails that anybody can trigger, so that the caps apply to each separately. Also indexes
//! requests by address, because unsubscribing ends the open ones.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0029_requests_and_caps",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The newsletter of a confirmation; 0: a link to the data kept about a reader. NULL: a mail from an earlier
    // version.
    "ALTER TABLE triggered_mail ADD COLUMN newsletter_id BIGINT",
    "CREATE INDEX subscription_request_of ON subscription_request (email_key)",
];
