//! What mail programs show beside the subject.

use super::pieces::Pieces;
use super::plain::is_inline;
use super::tokens::Token;

/// The first words of a body, at most 140 characters, cut between words.
pub(super) fn lead(tokens: &[Token]) -> String {
    let mut all = String::new();
    for token in tokens {
        match token {
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
