//! From what an editor writes to what may be mailed: pure, without a clock, a database or a template.
//!
//! - [`Body::parse`] turns Markdown into HTML in which nothing runs: no script, no handler, no
//!   `javascript:` or `data:` address, no foreign content; tests hold it against a corpus of attacks.
//! - The text part is derived from that very HTML, so the two parts never say different things.
//! - A paragraph `{{poll:slug}}` is a poll; `{{name|reader}}` is the reader's name or, where none is
//!   known, the word after the bar. Both stay as [`Piece`]s until an edition is compiled.
//! - [`advice`] says what an editor should know before sending. It warns; it blocks only what the
//!   law or sense forbids.

pub mod advice;
#[cfg(test)]
mod attacks;
mod lead;
mod links;
mod markdown;
mod pieces;
mod plain;
mod tokens;
mod wrap;

pub use links::Link;
pub use pieces::{Personal, Piece, Pieces};

/// The body of an issue, safe to mail, with its placeholders found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    html: Pieces,
    text: Pieces,
    links: Vec<Link>,
    images_without_alt: usize,
    lead: String,
}

impl Body {
    /// Reads Markdown. There is no invalid Markdown, so there is no error; what is not allowed in
    /// a mail is left out.
    pub fn parse(markdown: &str) -> Self {
        let html = markdown::to_safe_html(markdown);
        let tokens = tokens::read(&html);
        let found = links::collect(&tokens);
        let text = plain::from_tokens(&tokens);
        let lead = lead::lead(&tokens);
        Self {
            html: Pieces::find(&html, pieces::Syntax::Html),
            text: Pieces::find(&text, pieces::Syntax::Text),
            links: found.links,
            images_without_alt: found.images_without_alt,
            lead,
        }
    }

    /// The HTML, cut at its placeholders.
    pub fn html(&self) -> &Pieces {
        &self.html
    }

    /// The text part, wrapped, cut at its placeholders.
    pub fn text(&self) -> &Pieces {
        &self.text
    }

    /// The slugs of the polls it asks, in order, each once.
    pub fn polls(&self) -> Vec<&str> {
        let mut slugs = Vec::new();
        for piece in self.html.iter() {
            if let Piece::Poll(slug) = piece
                && !slugs.contains(&slug.as_str())
            {
                slugs.push(slug.as_str());
            }
        }
        slugs
    }

    /// Every link and image address, in order.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// How many images say nothing to those who do not see them.
    pub fn images_without_alt(&self) -> usize {
        self.images_without_alt
    }

    /// The first words, for the line that mail clients show beside the subject when the editor
    /// wrote none; at most 140 characters, without placeholders.
    pub fn lead(&self) -> &str {
        &self.lead
    }

    /// Whether a reader would find nothing in it.
    pub fn is_empty(&self) -> bool {
        self.html.iter().all(|piece| match piece {
            Piece::Literal(html) => {
                !html.contains("<img") && tokens::read(html).iter().all(tokens::Token::is_blank)
            }
            Piece::Personal(_) => true,
            Piece::Poll(_) => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_say_the_same() {
        let body = Body::parse(
            "# Good *morning*, {{name|reader}}\n\nRead [this](https://example.org/a).\n\n{{poll:trust}}\n",
        );
        let html: String = body.html().iter().map(shown).collect();
        assert_eq!(
            html,
            "<h1>Good <em>morning</em>, ‹name or reader›</h1>\n<p>Read <a href=\"https://example.org/a\">this</a>.</p>\n‹poll trust›\n"
        );
        let text: String = body.text().iter().map(shown).collect();
        assert_eq!(
            text,
            "Good morning, ‹name or reader›\n====================\n\nRead this <https://example.org/a>.\n\n‹poll trust›\n"
        );
        assert_eq!(body.polls(), ["trust"]);
        assert_eq!(body.lead(), "Good morning, reader Read this.");
    }

    fn shown(piece: &Piece) -> String {
        match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Personal(Personal::Name { fallback }) => format!("‹name or {fallback}›"),
            Piece::Poll(slug) => format!("‹poll {slug}›"),
        }
    }

    #[test]
    fn nothing_to_read_is_empty() {
        for nothing in [
            "",
            "  \n\n",
            "<!-- a note -->",
            "<script>alert(1)</script>",
            "{{name}}",
            "&nbsp;",
            "[]()",
        ] {
            assert!(Body::parse(nothing).is_empty(), "{nothing:?}");
        }
        for something in ["a", "{{poll:trust}}", "![](https://example.org/a.png)"] {
            assert!(!Body::parse(something).is_empty(), "{something:?}");
        }
    }
}
