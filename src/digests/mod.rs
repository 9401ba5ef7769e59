//! Issues: written in Markdown, previewed, tested, scheduled, sent and watched.

pub mod content;
