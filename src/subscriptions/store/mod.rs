//! The SQL of subscriptions.
//!
//! - [`requests`]: wishes that wait for their confirmation, and the caps on mails that anybody can trigger.
//! - [`consent_texts`]: words that were agreed to elsewhere.
//! - [`one_reader`]: all of one reader.
//! - [`subscribers`]: readers, their subscriptions, the evidence of their consent.

pub mod consent_texts;
pub mod one_reader;
pub mod requests;
pub mod subscribers;
