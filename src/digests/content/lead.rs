//! The text that mail programs show beside the subject.

use super::pieces::Pieces;
use super::plain::is_inline;
use super::tokens::Token;

/// Whether an element's words are left out.
fn is_skipped(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table")
}

/// The first words of a body's paragraphs and lists, at most 140 characters, cut between words. Headings and tables
/// have no full stop at their end, so they would run into the following text.
pub(super) fn lead(tokens: &[Token]) -> String {
    let mut all = String::new();
    let mut skipped = 0_usize;
    for token in tokens {
        match token {
            Token::Open { name, .. } if is_skipped(name) => skipped += 1,
            Token::Close { name } if is_skipped(name) => skipped = skipped.saturating_sub(1),
            _ if skipped > 0 => {}
            Token::Text(text) => all.push_str(text),
            Token::Open { name, .. } | Token::Close { name } if !is_inline(name) => all.push(' '),
            _ => {}
        }
        if all.len() > 2_000 {
            break;
        }
    }
    let all = Pieces::of_line(&all).with_fallbacks();
    let mut lead = String::new();
    for word in all
        .split_whitespace()
        .filter(|word| !word.starts_with("{{poll:"))
    {
        if lead.chars().count() + 1 + word.chars().count() > 140 {
            break;
        }
        if !lead.is_empty() {
            lead.push(' ');
        }
        lead.push_str(word);
    }
    lead
}
