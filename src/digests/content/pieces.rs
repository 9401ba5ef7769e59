//! Placeholders for what differs between readers, and for polls.

use super::tokens::{self, Token};

/// A literal stretch that is the same for everybody, or a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Mailed as it is.
    Literal(String),
    /// Filled in for each reader.
    Personal(Personal),
    /// A poll, by its slug; alone in its paragraph.
    Poll(String),
}

/// A value that is filled in for each reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Personal {
    /// The reader's name, or else `fallback`.
    Name {
        /// The text for readers without a known name, as plain text; may be empty.
        fallback: String,
    },
}

/// A part of a mail, split at its placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces(Vec<Piece>);

/// Whether a part is HTML, in which a paragraph can be a poll, or plain words.
#[derive(Clone, Copy)]
pub(super) enum Syntax {
    Html,
    Line,
}

impl Syntax {
    /// A fallback as plain text. The code that fills in the placeholder escapes it for its part.
    fn plain(self, fallback: &str) -> String {
        match self {
            Self::Line => fallback.to_owned(),
            Self::Html => tokens::read(fallback)
                .into_iter()
                .filter_map(Token::into_text)
                .collect(),
        }
    }
}

/// What may be written between double braces.
enum Placeholder<'a> {
    Name { fallback: &'a str },
    Poll(&'a str),
}

impl Pieces {
    pub(super) fn find(part: &str, syntax: Syntax) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = part;
        while let Some(start) = rest.find("{{") {
            let (before, from) = rest.split_at(start);
            let Some((placeholder, length)) = read(from) else {
                let (brace, after) = from.split_at(1);
                literal.push_str(before);
                literal.push_str(brace);
                rest = after;
                continue;
            };
            literal.push_str(before);
            let mut after = from.get(length..).unwrap_or_default();
            let piece = match placeholder {
                Placeholder::Name { fallback } => Some(Piece::Personal(Personal::Name {
                    fallback: syntax.plain(fallback),
                })),
                Placeholder::Poll(slug) => {
                    alone(&mut literal, &mut after, syntax).then(|| Piece::Poll(slug.to_owned()))
                }
            };
            match piece {
                Some(piece) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(piece);
                }
                None => literal.push_str(from.get(..length).unwrap_or_default()),
            }
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Self(pieces)
    }

    /// The text part: words, in which names are recognised, between polls.
    pub(super) fn of_text(stretches: Vec<(String, Option<String>)>) -> Self {
        let mut pieces = Vec::new();
        for (words, poll) in stretches {
            pieces.extend(Self::of_line(&words).0);
            pieces.extend(poll.map(Piece::Poll));
        }
        Self(pieces)
    }

    /// A subject, a preheader or other words: only names are recognised.
    pub fn of_line(line: &str) -> Self {
        Self::find(line, Syntax::Line)
    }

    /// The pieces in order.
    pub fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.0.iter()
    }

    /// Double braces that are no valid placeholder, which readers would see.
    pub fn unfilled(&self) -> Vec<String> {
        let mut found = Vec::new();
        for piece in &self.0 {
            let Piece::Literal(text) = piece else {
                continue;
            };
            let mut rest = text.as_str();
            while let Some((_, from)) = rest.split_once("{{") {
                let inside: String = from
                    .chars()
                    .take(40)
                    .take_while(|c| !matches!(c, '}' | '\n' | '<'))
                    .collect();
                found.push(format!("{{{{{inside}}}}}"));
                rest = from;
            }
        }
        found
    }

    /// The text as a reader without a name gets it.
    pub fn with_fallbacks(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.as_str(),
                Piece::Personal(Personal::Name { fallback }) => fallback.as_str(),
                Piece::Poll(_) => "",
            })
            .collect()
    }
}

/// The length of the double braces at the start of `from`, with their content. Markup or a line break inside means
/// that the braces do not belong together.
pub(super) fn placeholder_length(from: &str) -> Option<usize> {
    let inner = from.strip_prefix("{{")?;
    let end = inner
        .bytes()
        .take(200)
        .position(|byte| matches!(byte, b'}' | b'{' | b'<' | b'\n' | b'\r'))?;
    inner.get(end..)?.starts_with("}}").then_some(end + 4)
}

/// Parses a placeholder at the start of `from`.
fn read(from: &str) -> Option<(Placeholder<'_>, usize)> {
    let length = placeholder_length(from)?;
    let inside = from.get(2..length - 2)?;
    let placeholder = if let Some(slug) = inside.trim().strip_prefix("poll:") {
        let slug = slug.trim();
        let valid = !slug.is_empty()
            && slug
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        Placeholder::Poll(valid.then_some(slug)?)
    } else {
        let (field, fallback) = inside.split_once('|').unwrap_or((inside, ""));
        (field.trim() == "name").then_some(Placeholder::Name {
            fallback: fallback.trim(),
        })?
    };
    Some((placeholder, length))
}

/// The poll that makes up the whole text of a paragraph, if it does. For HTML see [`alone`].
pub(super) fn poll_of(paragraph: &str) -> Option<&str> {
    match read(paragraph)? {
        (Placeholder::Poll(slug), length) if length == paragraph.len() => Some(slug),
        _ => None,
    }
}

/// Whether a poll is alone in its paragraph; if so, removes the paragraph's tags.
fn alone(before: &mut String, after: &mut &str, syntax: Syntax) -> bool {
    match syntax {
        Syntax::Html => match (
            before.strip_suffix("<p>").map(str::len),
            after.strip_prefix("</p>"),
        ) {
            (Some(length), Some(rest)) => {
                before.truncate(length);
                *after = rest;
                true
            }
            _ => false,
        },
        Syntax::Line => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(fallback: &str) -> Piece {
        Piece::Personal(Personal::Name {
            fallback: fallback.to_owned(),
        })
    }

    #[test]
    fn names_with_and_without_fallback() {
        let pieces = Pieces::of_line("Dear {{ name | friend }}, or {{name}}");
        let expected = [
            Piece::Literal("Dear ".into()),
            name("friend"),
            Piece::Literal(", or ".into()),
            name(""),
        ];
        assert_eq!(pieces.0, expected);
        assert_eq!(pieces.with_fallbacks(), "Dear friend, or ");
    }

    #[test]
    fn a_fallback_is_plain_text_in_both_parts() {
        for (part, syntax) in [
            ("{{name|A &amp; B}}", Syntax::Html),
            ("{{name|A & B}}", Syntax::Line),
        ] {
            assert_eq!(Pieces::find(part, syntax).0, [name("A & B")]);
        }
    }

    #[test]
    fn a_poll_stands_alone() {
        assert_eq!(
            Pieces::find("<p>{{poll:a-1}}</p>", Syntax::Html).0,
            [Piece::Poll("a-1".into())]
        );
        for kept in [
            "<p>so {{poll:a}}</p>",
            "<p>{{poll:}}</p>",
            "<p>{{poll:A B}}</p>",
            "<li>{{poll:a}}</li>",
        ] {
            assert_eq!(
                Pieces::find(kept, Syntax::Html).0,
                [Piece::Literal(kept.into())]
            );
        }
        assert_eq!(
            Pieces::of_line("{{poll:a}}").0,
            [Piece::Literal("{{poll:a}}".into())]
        );
    }

    #[test]
    fn what_nobody_fills_is_told() {
        let pieces = Pieces::of_line("{{first_name}} {{name}} {{name|<b>}} {{ open");
        assert_eq!(
            pieces.unfilled(),
            ["{{first_name}}", "{{name|}}", "{{ open}}"]
        );
    }

    proptest! {
        // Only placeholders are taken out, and nothing is added.
        #[test]
        fn cutting_loses_nothing(part in "(\\{\\{|\\}\\}|name|\\|| |é|<p>|</p>|poll:|x|\n){0,24}") {
            for syntax in [Syntax::Html, Syntax::Line] {
                let length: usize = Pieces::find(&part, syntax).0.iter().map(|piece| match piece {
                    Piece::Literal(text) => text.len(),
                    _ => 0,
                }).sum();
                prop_assert!(length <= part.len());
                if !part.contains("name") && !part.contains("poll:x") {
                    prop_assert_eq!(length, part.len());
                }
            }
        }
    }
}
