//! One file a table, dumb: columns and their types, nothing else. The comments on columns and states
//! stand in the migration that made them. Each table is written by one owner (see ARCHITECTURE.md);
//! hot paths use set-based SQL instead of these.

pub mod api_token;
pub mod ballot;
pub mod bounce;
pub mod captured_mail;
pub mod consent;
pub mod consent_text;
pub mod delivery;
pub mod delivery_attempt;
pub mod dkim_key;
pub mod editor;
pub mod editor_invite;
pub mod editor_session;
pub mod idempotency;
pub mod issue;
pub mod issue_tally;
pub mod mail_batch;
pub mod mailing;
pub mod mailing_order;
pub mod newsletter;
pub mod outbox;
pub mod poll;
pub mod poll_option;
pub mod poll_question;
pub mod poll_source;
pub mod reader;
pub mod refusal;
pub mod relay_day;
pub mod setting;
pub mod subscription;
pub mod subscription_request;
pub mod suppression;
pub mod tally;
pub mod triggered_mail;
