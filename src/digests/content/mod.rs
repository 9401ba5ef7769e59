//! Converts an editor's text into content that may be mailed. Pure: no clock, database or template.
//!
//! - [`Body::parse`] turns Markdown into HTML without anything executable: no script, no event handler, no
//!   `javascript:` or `data:` address, no foreign content. Tests check this against a corpus of attacks.
//! - The nesting depth is limited ([`NESTING_MAX`]) before any recursive or tree-building code sees the HTML.
//! - The text part is derived from that HTML, so that the two parts always say the same.
//! - A paragraph `{{poll:slug}}` is a poll; `{{name|reader}}` is the reader's name or, if none is known, the word
//!   after the bar. Both remain [`Piece`]s until an edition is compiled.
//! - [`advice`] says what an editor should know before sending. It warns, and blocks only mails that would be
//!   illegal or pointless.
//!
//! `markdown` cleans, `nesting` and `tokens` limit and read the HTML, `bare` and `links` see to its addresses,
//! `pieces` to its placeholders; `plain`, `columns` and `wrap` make the text part, and `lead` the line beside the
//! subject. `pictures` turns those of other sites into links, for our own pages.

pub mod advice;
#[cfg(test)]
mod attacks;
mod bare;
mod columns;
mod lead;
mod links;
mod markdown;
mod nesting;
mod pictures;
mod pieces;
mod plain;
mod tokens;
mod wrap;

pub use links::Link;
pub use nesting::NESTING_MAX;
pub use pictures::with_links_to_foreign_pictures;
pub use pieces::{Personal, Piece, Pieces};

/// The body of an issue, safe to mail, with its placeholders recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    html: Pieces,
    text: Pieces,
    links: Vec<Link>,
    images_without_alt: usize,
    lead: String,
    too_deep: bool,
}

/// Whether Markdown nests deeper than [`NESTING_MAX`], so that it cannot be mailed.
pub fn nests_too_deeply(markdown: &str) -> bool {
    markdown::to_balanced_html(markdown).is_err()
}

impl Body {
    /// Parses Markdown. There is no invalid Markdown, so this cannot fail. What is not allowed in a mail is
    /// removed; a text that nests too deeply is shown as typed.
    pub fn parse(markdown: &str) -> Self {
        let (html, too_deep) = match markdown::to_safe_html(markdown) {
            Ok(html) => (html, false),
            Err(nesting::TooDeep) => (markdown::as_typed(markdown), true),
        };
        let tokens = tokens::read(&html);
        let found = links::collect(&tokens);
        let text = plain::from_tokens(&tokens);
        let lead = lead::lead(&tokens);
        Self {
            html: Pieces::find(&html, pieces::Syntax::Html),
            text,
            links: found.links,
            images_without_alt: found.images_without_alt,
            lead,
            too_deep,
        }
    }

    /// Whether it nests deeper than [`NESTING_MAX`], so that it is shown as typed.
    pub fn is_too_deep(&self) -> bool {
        self.too_deep
    }

    /// The HTML, split at its placeholders.
    pub fn html(&self) -> &Pieces {
        &self.html
    }

    /// The text part, wrapped and split at its placeholders.
    pub fn text(&self) -> &Pieces {
        &self.text
    }

    /// The slugs of the polls in it, in order and without duplicates.
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

    /// How many images have no alternative text.
    pub fn images_without_alt(&self) -> usize {
        self.images_without_alt
    }

    /// The first words, which mail clients show beside the subject if the editor wrote no preview text; at most 140
    /// characters, without placeholders.
    pub fn lead(&self) -> &str {
        &self.lead
    }

    /// Whether the text begins by repeating this line, a subject.
    pub fn begins_with(&self, line: &str) -> bool {
        let line = Pieces::of_line(line).with_fallbacks();
        let text = self.text.with_fallbacks();
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        first.is_some_and(|first| first.eq_ignore_ascii_case(line.trim()))
    }

    /// Whether a reader would see nothing.
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
        assert_eq!(body.lead(), "Read this.");
        assert!(body.begins_with("good morning, {{name|reader}}"));
        assert!(!body.begins_with("Read this"));
        assert!(!Body::parse("").begins_with(""));
        let table =
            Body::parse("Hello.\n\n| Line | Riders |\n|---|--:|\n| 49 | 12,480 |\n\nMore below.");
        assert_eq!(table.lead(), "Hello. More below.");
    }

    #[test]
    fn a_poll_in_a_quotation_or_an_item_is_in_both_parts() {
        for (markdown, text) in [
            (
                "> so:\n>\n> {{poll:trust}}\n>\n> and",
                "> so:\n\n‹poll trust›\n\n> and\n",
            ),
            ("> {{poll:trust}}", "‹poll trust›\n"),
            (
                "- a\n\n- {{poll:trust}}\n\n- b",
                "- a\n\n‹poll trust›\n\n- b\n",
            ),
            (
                "<div><p>{{poll:trust}}</p></div>\n\nb",
                "‹poll trust›\n\nb\n",
            ),
            // Not alone in its paragraph: not a poll in either part.
            ("- {{poll:trust}}", "- {{poll:trust}}\n"),
            ("so {{poll:trust}}", "so {{poll:trust}}\n"),
            ("`{{poll:trust}}`", "{{poll:trust}}\n"),
            ("    {{poll:trust}}", "    {{poll:trust}}\n"),
        ] {
            let body = Body::parse(markdown);
            let shows = |part: &Pieces| part.iter().any(|piece| matches!(piece, Piece::Poll(_)));
            assert_eq!(shows(body.html()), shows(body.text()), "{markdown}");
            let shown: String = body.text().iter().map(shown).collect();
            assert_eq!(shown, text, "{markdown}");
        }
    }

    #[test]
    fn no_address_holds_a_name() {
        let body = Body::parse(
            "[a](https://example.org/?n={{name}})\n\n<a href=\"https://example.org/{{name|x}}\">b</a> \
             ![{{name|c}}](https://example.org/{{name}}.png) {{name|reader}}",
        );
        let html: String = body.html().iter().map(shown).collect();
        let text: String = body.text().iter().map(shown).collect();
        assert_eq!(html.matches("‹name").count(), 2, "{html}");
        assert!(
            html.contains("href=\"https://example.org/?n=%7B%7Bname%7D%7D\""),
            "{html}"
        );
        assert!(
            html.contains("src=\"https://example.org/%7B%7Bname%7D%7D.png\""),
            "{html}"
        );
        assert!(
            text.contains("a <https://example.org/?n=%7B%7Bname%7D%7D>"),
            "{text}"
        );
        assert_eq!(text.matches("‹name").count(), 2, "{text}");
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
