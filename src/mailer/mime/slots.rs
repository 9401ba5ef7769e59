//! The places of an edition that differ from reader to reader.

use serde::{Deserialize, Serialize};

use crate::types::{Keys, Purpose, ReaderId, keys::pack};

/// What stands in an open place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// The reader's address.
    Email,
    /// The reader's name, or these words where no name is known.
    Name(String),
    /// A signed link: `public URL + path + token`, the token sealing `numbers` and then the reader's id.
    Link {
        /// From the first slash to the last, as in `/u/`.
        path: String,
        /// What the link may be used for.
        purpose: Purpose,
        /// What the token carries before the reader's id.
        numbers: Vec<i64>,
    },
}

/// Who a mail is for.
#[derive(Clone, Copy)]
pub struct Recipient<'r> {
    /// Goes into link tokens.
    pub reader: ReaderId,
    /// As the envelope has it.
    pub address: &'r str,
    /// As the reader gave it; never trusted.
    pub name: Option<&'r str>,
}

/// Hands out the markers that a template puts where a value belongs.
///
/// A marker is a plain ASCII word, or a URL where a link belongs, so that it passes unchanged through Markdown, HTML
/// cleaners and the CSS inliner. A marker that nobody was given is plain text.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    slots: Vec<Slot>,
}

impl Slots {
    /// No slot yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The marker for the reader's address.
    pub fn email(&mut self) -> String {
        self.word(Slot::Email)
    }

    /// The marker for the reader's name; `otherwise` stands in where it is unknown.
    pub fn name(&mut self, otherwise: &str) -> String {
        self.word(Slot::Name(otherwise.to_owned()))
    }

    /// The marker for a signed link under `path` (as in `/manage/`).
    pub fn link(&mut self, path: &str, purpose: Purpose, numbers: &[i64]) -> String {
        let slot = Slot::Link {
            path: path.to_owned(),
            purpose,
            numbers: numbers.to_vec(),
        };
        let word = self.word(slot);
        format!("{LINK_START}{word}{LINK_END}")
    }

    fn word(&mut self, slot: Slot) -> String {
        let index = self
            .slots
            .iter()
            .position(|s| *s == slot)
            .unwrap_or_else(|| {
                self.slots.push(slot);
                self.slots.len() - 1
            });
        format!("{WORD_START}{index}{WORD_END}")
    }

    pub(super) fn into_vec(self) -> Vec<Slot> {
        self.slots
    }
}

const WORD_START: &str = "qzslotx";
const WORD_END: &str = "xzq";
const LINK_START: &str = "https://";
const LINK_END: &str = ".invalid/";

/// A piece of marked text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    Slot(usize),
}

/// Cuts `text` at the markers of `slots`.
pub(super) fn pieces<'t>(text: &'t str, slots: &[Slot]) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(found) = text[from..].find(WORD_START) {
        let word = from + found;
        from = word + WORD_START.len();
        let Some(length) = text[from..].find(WORD_END) else {
            break;
        };
        let Ok(index) = text[from..from + length].parse::<usize>() else {
            continue;
        };
        let Some(slot) = slots.get(index) else {
            continue;
        };
        let (mut begin, mut end) = (word, from + length + WORD_END.len());
        if matches!(slot, Slot::Link { .. }) {
            if !text[..begin].ends_with(LINK_START) || !text[end..].starts_with(LINK_END) {
                continue;
            }
            begin -= LINK_START.len();
            end += LINK_END.len();
        }
        if begin > start {
            pieces.push(Piece::Text(&text[start..begin]));
        }
        pieces.push(Piece::Slot(index));
        start = end;
        from = end;
    }
    if start < text.len() {
        pieces.push(Piece::Text(&text[start..]));
    }
    pieces
}

impl Slot {
    /// The value for one recipient, as plain text.
    pub(super) fn value(&self, recipient: &Recipient<'_>, public_url: &str, keys: &Keys) -> String {
        match self {
            Self::Email => recipient.address.to_owned(),
            Self::Name(otherwise) => {
                let name = recipient
                    .name
                    .map(super::header::one_line)
                    .filter(|n| !n.is_empty());
                name.unwrap_or_else(|| otherwise.clone())
            }
            Self::Link {
                path,
                purpose,
                numbers,
            } => {
                let mut payload = numbers.clone();
                payload.push(recipient.reader.0);
                let token = keys.seal(*purpose, &pack(&payload));
                format!("{}{path}{token}", public_url.trim_end_matches('/'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_its_markers() {
        let mut slots = Slots::new();
        let name = slots.name("reader");
        let link = slots.link("/u/", Purpose::Unsubscribe, &[7]);
        assert_eq!(
            slots.link("/u/", Purpose::Unsubscribe, &[7]),
            link,
            "one link, one slot"
        );
        let text = format!("Hello {name}, leave: <a href=\"{link}\">");
        let slots = slots.into_vec();
        assert_eq!(
            pieces(&text, &slots),
            [
                Piece::Text("Hello "),
                Piece::Slot(0),
                Piece::Text(", leave: <a href=\""),
                Piece::Slot(1),
                Piece::Text("\">"),
            ]
        );
    }

    #[test]
    fn a_marker_nobody_was_given_is_text() {
        for text in [
            "qzslotx9xzq",
            "qzslotxxzq",
            "qzslotx",
            "qzslotxqzslotx0",
            "qzslotx-1xzq",
        ] {
            assert_eq!(pieces(text, &[Slot::Email]), [Piece::Text(text)]);
        }
        let link = Slot::Link {
            path: "/u/".into(),
            purpose: Purpose::Unsubscribe,
            numbers: vec![],
        };
        assert_eq!(pieces("qzslotx0xzq", &[link]), [Piece::Text("qzslotx0xzq")]);
    }
}
