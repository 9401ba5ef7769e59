//! Slugs: the names of polls in links.

use crate::types::link_words;

/// Whether `text` can be part of a poll's URL.
pub fn is_slug(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A slug that would collide with one of our pages: `/admin/polls/new`.
const TAKEN: &str = "new";

/// Whether the slug is reserved, so that no poll can have it.
pub fn is_taken(slug: &str) -> bool {
    slug == TAKEN
}

/// A slug derived from a question.
pub fn slug_of(question: &str) -> String {
    match link_words(question) {
        words if words.is_empty() => "poll".into(),
        words if is_taken(&words) => format!("{words}-poll"),
        words => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_always_gives_a_name_that_a_poll_can_have() {
        for (question, slug) in [
            ("¿Qué?", "que"),
            ("谁?", "shui"),
            ("?!", "poll"),
            ("New?", "new-poll"),
        ] {
            assert_eq!(slug_of(question), slug);
        }
        assert!(slug_of(&"word ".repeat(100)).len() <= 60);
    }
}
