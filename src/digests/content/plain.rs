//! The text part: what one would type without HTML.
//!
//! Headings are underlined, list items keep their markers and quotations their `>`, images are replaced by their
//! alternative text, and a link is followed by its address in angle brackets, which every client recognises as one
//! address whatever punctuation follows (RFC 3986, appendix C).

mod margins;

use self::margins::Margins;
use super::columns;
use super::pieces::{Pieces, poll_of};
use super::tokens::Token;
use super::wrap::{WIDTH, fill, width};

/// The text part of a body.
pub(super) fn from_tokens(tokens: &[Token]) -> Pieces {
    let mut writer = Writer::default();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        if let Some((slug, behind)) = poll(token, after) {
            writer.poll(slug);
            rest = behind;
            continue;
        }
        rest = after;
        match token {
            Token::Open { name, .. } => writer.open(name, token),
            Token::Close { name } => writer.close(name),
            Token::Text(text) => writer.text(text),
        }
    }
    writer.finish()
}

/// If a paragraph that consists of a poll begins here: the poll, and the tokens after the paragraph.
fn poll<'a>(opens: &Token, after: &'a [Token]) -> Option<(&'a str, &'a [Token])> {
    let paragraph = |name: &str| name == "p";
    match (opens, after) {
        (
            Token::Open { name, attributes },
            [
                Token::Text(text),
                Token::Close { name: closed },
                behind @ ..,
            ],
        ) if paragraph(name) && attributes.is_empty() && paragraph(closed) => {
            Some((poll_of(text)?, behind))
        }
        _ => None,
    }
}

/// Whether an element is inline.
pub(super) fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "b"
            | "cite"
            | "code"
            | "del"
            | "em"
            | "i"
            | "img"
            | "ins"
            | "kbd"
            | "mark"
            | "q"
            | "s"
            | "small"
            | "span"
            | "strong"
            | "sub"
            | "sup"
            | "u"
    )
}

struct List {
    /// The number of the next item, in a numbered list.
    next: Option<u32>,
}

struct Anchor {
    address: String,
    /// Where the link's text begins in the paragraph.
    from: usize,
}

#[derive(Default)]
struct Writer {
    out: String,
    /// The finished text before each poll, and the poll.
    done: Vec<(String, Option<String>)>,
    paragraph: String,
    margins: Margins,
    lists: Vec<List>,
    anchors: Vec<Anchor>,
    rows: Vec<Vec<String>>,
    preformatted: bool,
    blank_line_due: bool,
}

impl Writer {
    fn open(&mut self, name: &str, token: &Token) {
        match name {
            "br" => self.paragraph.push('\n'),
            "hr" => {
                self.block();
                self.lines(&["* * *".to_owned()]);
                self.blank_line_due = true;
            }
            "img" => {
                let alt = token.attribute("alt").unwrap_or_default().trim();
                if !alt.is_empty() {
                    self.text(&format!("[{alt}]"));
                }
            }
            "a" => self.anchors.push(Anchor {
                address: token.attribute("href").unwrap_or_default().to_owned(),
                from: self.paragraph.len(),
            }),
            "q" => self.paragraph.push('“'),
            "pre" => {
                self.block();
                self.preformatted = true;
            }
            "blockquote" => {
                self.block();
                self.margins.indent(None, "> ".to_owned());
            }
            "ul" | "ol" => {
                // A nested list belongs to its item: no empty line in between.
                if self.lists.is_empty() {
                    self.block();
                } else {
                    self.paragraph();
                }
                let next = (name == "ol").then(|| {
                    token
                        .attribute("start")
                        .and_then(|n| n.parse().ok())
                        .unwrap_or(1)
                });
                self.lists.push(List { next });
            }
            "li" => {
                self.paragraph();
                let mark = match self.lists.last_mut() {
                    Some(List { next: Some(number) }) => {
                        let mark = format!("{number}. ");
                        *number = number.saturating_add(1);
                        mark
                    }
                    _ => "- ".to_owned(),
                };
                let rest = " ".repeat(mark.chars().count());
                self.margins.indent(Some(mark), rest);
            }
            "dd" => {
                self.paragraph();
                self.margins.indent(None, "  ".to_owned());
            }
            "table" => self.block(),
            "tr" => self.rows.push(Vec::new()),
            "td" | "th" | "dt" => self.paragraph.clear(),
            name if is_inline(name) || matches!(name, "thead" | "tbody" | "tfoot") => {}
            _ => self.block(),
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "a" => self.close_anchor(),
            "q" => self.paragraph.push('”'),
            "h1" | "h2" => self.heading(if name == "h1" { "=" } else { "-" }),
            "pre" => {
                self.preformatted_block();
                self.preformatted = false;
            }
            "li" | "dd" => {
                self.paragraph();
                if let Some(mark) = self.margins.outdent() {
                    // An empty item still shows its marker.
                    self.lines(&[mark.trim_end().to_owned()]);
                }
            }
            "blockquote" => {
                self.paragraph();
                self.margins.outdent();
                self.blank_line_due = true;
            }
            "ul" | "ol" => {
                self.paragraph();
                self.lists.pop();
                if self.lists.is_empty() {
                    self.blank_line_due = true;
                }
            }
            "td" | "th" => {
                let cell = squeeze(&std::mem::take(&mut self.paragraph)).replace('\n', " ");
                if let Some(row) = self.rows.last_mut() {
                    row.push(cell);
                }
            }
            "tr" => self.paragraph.clear(),
            "table" => self.table(),
            "dt" => {
                self.paragraph();
            }
            name if is_inline(name) || matches!(name, "thead" | "tbody" | "tfoot") => {}
            _ => self.block(),
        }
    }

    fn text(&mut self, text: &str) {
        if self.preformatted {
            self.paragraph.push_str(text);
            return;
        }
        // Any white space becomes a single space, as in HTML; only <br> breaks a line.
        for character in text.chars() {
            if !character.is_ascii_whitespace() {
                self.paragraph.push(character);
            } else if !self.paragraph.ends_with([' ', '\n']) {
                self.paragraph.push(' ');
            }
        }
    }

    /// Adds a link's address after its text, unless the text is the address.
    fn close_anchor(&mut self) {
        let Some(anchor) = self.anchors.pop() else {
            return;
        };
        let shown = self.paragraph.get(anchor.from..).unwrap_or_default().trim();
        let bare = anchor
            .address
            .strip_prefix("mailto:")
            .unwrap_or(&anchor.address);
        let same = shown == bare
            || shown == anchor.address
            || format!("https://{shown}") == bare.trim_end_matches('/');
        if bare.is_empty() || same {
            return;
        }
        if !shown.is_empty() && !self.paragraph.ends_with([' ', '\n']) {
            self.paragraph.push(' ');
        }
        self.paragraph.push_str(&format!("<{bare}>"));
    }

    /// Ends the current paragraph and separates what follows by an empty line.
    fn block(&mut self) {
        if self.paragraph() {
            self.blank_line_due = true;
        }
    }

    /// Writes the current paragraph; false if there was none.
    fn paragraph(&mut self) -> bool {
        if self.preformatted {
            return self.preformatted_block();
        }
        let text = squeeze(&std::mem::take(&mut self.paragraph));
        if text.is_empty() {
            return false;
        }
        let lines = fill(&text, self.margins.room());
        self.lines(&lines);
        true
    }

    fn preformatted_block(&mut self) -> bool {
        let text = std::mem::take(&mut self.paragraph);
        let text = text.trim_matches('\n');
        if text.is_empty() {
            return false;
        }
        let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
        self.lines(&lines);
        self.blank_line_due = true;
        true
    }

    fn heading(&mut self, rule: &str) {
        let text = squeeze(&std::mem::take(&mut self.paragraph));
        if text.is_empty() {
            return;
        }
        let mut lines = fill(&text, self.margins.room());
        let widest = lines
            .iter()
            .map(|line| width(line))
            .max()
            .unwrap_or(0)
            .min(WIDTH);
        lines.push(rule.repeat(widest));
        self.lines(&lines);
        self.blank_line_due = true;
    }

    fn table(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let lines = columns::lines(rows, self.margins.room());
        if !lines.is_empty() {
            self.lines(&lines);
            self.blank_line_due = true;
        }
    }

    /// Writes a poll. Its links are not part of anybody's words, so they get no quotation or list markers.
    fn poll(&mut self, slug: &str) {
        self.block();
        self.margins.interrupt();
        self.lines(&[]);
        self.margins.interrupt();
        let before = std::mem::take(&mut self.out);
        self.done.push((before, Some(slug.to_owned())));
        self.out.push('\n');
        self.blank_line_due = true;
    }

    fn finish(mut self) -> Pieces {
        self.paragraph();
        self.done.push((self.out, None));
        Pieces::of_text(self.done)
    }

    /// Writes lines with the current margins.
    fn lines(&mut self, lines: &[String]) {
        if std::mem::take(&mut self.blank_line_due) && !self.out.is_empty() {
            self.out.push_str(self.margins.shared().trim_end());
            self.out.push('\n');
        }
        self.margins.reached();
        for line in lines {
            let mut written = self.margins.of_next_line();
            written.push_str(line);
            self.out.push_str(written.trim_end());
            self.out.push('\n');
        }
    }
}

/// Removes spaces at both ends of each line, and line breaks at both ends of the text.
fn squeeze(text: &str) -> String {
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.trim_matches(' '))
        .collect();
    lines.join("\n").trim_matches(['\n', ' ']).to_owned()
}

#[cfg(test)]
mod tests;
