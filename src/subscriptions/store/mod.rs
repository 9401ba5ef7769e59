//! The SQL of subscriptions.
//!
//! - [`requests`]: requests that wait for their confirmation, and the caps on mails that anybody can trigger.
//! - [`consent_texts`]: the texts that readers agreed to.
//! - [`one_reader`]: everything about one reader.
//! - [`subscribers`]: readers, their subscriptions, the evidence of their consent.

pub mod consent_texts;
pub mod one_reader;
pub mod requests;
pub mod subscribers;
