//! Readers and what they subscribed to.

pub mod import;
pub mod reader_name;
