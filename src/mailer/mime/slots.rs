//! The parts of an edition that differ from reader to reader.

use serde::{Deserialize, Serialize};

use super::choices::Choices;
use crate::types::{Keys, Purpose, ReaderId, varint::pack};

/// The content of a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// The reader's address.
    Email,
    /// The reader's name, or this text if the name is unknown.
    Name(String),
    /// A signed link.
    Link(SignedLink),
    /// The text of the choice at this place.
    ChoiceWords(Place),
    /// The link of the choice at this place.
    ChoiceLink(Place),
}

/// `public URL + path + token`, the token sealing `numbers` and then the reader's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedLink {
    /// From the first slash to the last, as in `/u/`.
    path: String,
    /// What the link may be used for.
    purpose: Purpose,
    /// The numbers that the token carries before the reader's id.
    numbers: Vec<i64>,
}

/// A place in a set of choices, whose order differs from mail to mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The index of the set of choices, in the order in which they were added.
    set: usize,
    /// The place, from 0.
    at: usize,
}

/// The recipient of a mail.
#[derive(Clone, Copy)]
pub struct Recipient<'r> {
    /// The id that goes into link tokens.
    pub reader: ReaderId,
    /// The address, as in the envelope.
    pub address: &'r str,
    /// The name as the reader gave it; untrusted.
    pub name: Option<&'r str>,
}

/// Hands out the markers that a template puts in the place of a value.
///
/// A marker is a plain ASCII word, or a URL for a link, so that it passes unchanged through Markdown, HTML
/// sanitizers and the CSS inliner. Text that looks like a marker but was not handed out stays plain text.
#[derive(Clone, Debug)]
pub struct Slots {
    word: Word,
    slots: Vec<Slot>,
    choices: Vec<Choices>,
}

impl Slots {
    /// An empty set of slots. `chance`: random bytes for the markers, drawn after everything else in the mail was
    /// written, so that no text in it can contain a marker.
    #[must_use]
    pub fn new(chance: [u8; 16]) -> Self {
        Self {
            word: Word::new(chance),
            slots: Vec::new(),
            choices: Vec::new(),
        }
    }

    /// The marker for the reader's address.
    pub fn email(&mut self) -> String {
        self.word(Slot::Email)
    }

    /// The marker for the reader's name; `otherwise` replaces an unknown name.
    pub fn name(&mut self, otherwise: &str) -> String {
        self.word(Slot::Name(otherwise.to_owned()))
    }

    /// The marker for a signed link under `path` (as in `/manage/`).
    pub fn link(&mut self, path: &str, purpose: Purpose, numbers: &[i64]) -> String {
        let slot = Slot::Link(SignedLink::new(path, purpose, numbers));
        self.url(slot)
    }

    /// The markers of a set of choices, place by place: text and link. An equal set gets the same markers again.
    pub fn choices(&mut self, choices: Choices) -> Vec<(String, String)> {
        let places = choices.len();
        let known = self.choices.iter().position(|known| *known == choices);
        let set = known.unwrap_or_else(|| {
            self.choices.push(choices);
            self.choices.len() - 1
        });
        (0..places)
            .map(|at| {
                let place = Place { set, at };
                let words = self.word(Slot::ChoiceWords(place));
                (words, self.url(Slot::ChoiceLink(place)))
            })
            .collect()
    }

    fn url(&mut self, slot: Slot) -> String {
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
        format!("{}{index}{WORD_END}", self.word.0)
    }

    pub(super) fn into_parts(self) -> (Word, Vec<Slot>, Vec<Choices>) {
        (self.word, self.slots, self.choices)
    }
}

/// The start of an edition's markers. It is random, because whoever writes a marker into an issue gets each reader's
/// value there, even inside a link to elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Word(String);

impl Word {
    /// Lower-case letters only, as in a host name; a marker is shorter than the 63 octets of a label (RFC 1035).
    fn new(chance: [u8; 16]) -> Self {
        let letters = chance.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let letters = letters.map(|four_bits| char::from(b'a' + four_bits));
        Self(format!("qz{}x", letters.collect::<String>()))
    }
}

impl Default for Word {
    /// That of the editions from before it was random.
    fn default() -> Self {
        Self("qzslotx".to_owned())
    }
}

const WORD_END: &str = "xzq";
const LINK_START: &str = "https://";
const LINK_END: &str = ".invalid/";

/// A piece of text with markers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    Slot(usize),
}

/// Splits `text` at the markers of `slots`.
pub(super) fn pieces<'t>(text: &'t str, word_start: &Word, slots: &[Slot]) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(found) = text[from..].find(&word_start.0) {
        let word = from + found;
        from = word + word_start.0.len();
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
        if matches!(slot, Slot::Link(_) | Slot::ChoiceLink(_)) {
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

impl SignedLink {
    pub(super) fn new(path: &str, purpose: Purpose, numbers: &[i64]) -> Self {
        Self {
            path: path.to_owned(),
            purpose,
            numbers: numbers.to_vec(),
        }
    }
}

/// One recipient's values.
pub(super) struct Values<'v> {
    recipient: &'v Recipient<'v>,
    public_url: &'v str,
    keys: &'v Keys,
    choices: &'v [Choices],
    /// The order of each set of choices, drawn once for both parts.
    orders: Vec<Vec<usize>>,
}

impl<'v> Values<'v> {
    pub(super) fn new(
        recipient: &'v Recipient<'v>,
        public_url: &'v str,
        keys: &'v Keys,
        choices: &'v [Choices],
    ) -> Self {
        Self {
            recipient,
            public_url: public_url.trim_end_matches('/'),
            keys,
            choices,
            orders: choices
                .iter()
                .map(|choices| choices.order(recipient.reader))
                .collect(),
        }
    }

    /// The value of a slot, as plain text.
    pub(super) fn of(&self, slot: &Slot) -> String {
        match slot {
            Slot::Email => self.recipient.address.to_owned(),
            Slot::Name(otherwise) => {
                let name = self
                    .recipient
                    .name
                    .map(super::header::one_line)
                    .filter(|n| !n.is_empty());
                name.unwrap_or_else(|| otherwise.clone())
            }
            Slot::Link(link) => self.link(link),
            Slot::ChoiceWords(place) => self
                .choice(*place)
                .map_or_else(String::new, |(choices, at)| choices.words(at).to_owned()),
            Slot::ChoiceLink(place) => self
                .choice(*place)
                .and_then(|(choices, at)| choices.link(at))
                .map_or_else(String::new, |link| self.link(link)),
        }
    }

    fn choice(&self, place: Place) -> Option<(&'v Choices, usize)> {
        let at = *self.orders.get(place.set)?.get(place.at)?;
        Some((self.choices.get(place.set)?, at))
    }

    fn link(&self, link: &SignedLink) -> String {
        let mut payload = link.numbers.clone();
        payload.push(self.recipient.reader.0);
        let token = self.keys.seal(link.purpose, &pack(&payload));
        format!("{}{}{token}", self.public_url, link.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_its_markers() {
        let mut slots = Slots::new([7; 16]);
        let name = slots.name("reader");
        let link = slots.link("/u/", Purpose::Unsubscribe, &[7]);
        assert_eq!(
            slots.link("/u/", Purpose::Unsubscribe, &[7]),
            link,
            "one link, one slot"
        );
        let text = format!("Hello {name}, leave: <a href=\"{link}\">");
        let (word, slots, _) = slots.into_parts();
        assert_eq!(
            pieces(&text, &word, &slots),
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
    fn a_set_of_choices_is_given_its_places_once() {
        let mut choices = Choices::new(&[7]);
        choices.add("Yes", "/v/", Purpose::Vote, &[7, 1]);
        choices.add("No", "/v/", Purpose::Vote, &[7, 2]);
        let mut slots = Slots::new([7; 16]);
        let html = slots.choices(choices.clone());
        assert_eq!(slots.choices(choices), html, "both parts have one order");
        let text: String = html.iter().map(|(w, l)| format!("{w} {l} ")).collect();
        let (word, slots, sets) = slots.into_parts();
        let found = pieces(&text, &word, &slots);
        let found = found.iter().filter(|p| matches!(p, Piece::Slot(_)));
        assert_eq!((found.count(), sets.len()), (4, 1));
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
            let pieces = pieces(text, &Word::default(), &[Slot::Email]);
            assert_eq!(pieces, [Piece::Text(text)]);
        }
        let link = Slot::Link(SignedLink::new("/u/", Purpose::Unsubscribe, &[]));
        let pieces = pieces("qzslotx0xzq", &Word::default(), &[link]);
        assert_eq!(pieces, [Piece::Text("qzslotx0xzq")]);
    }

    #[test]
    fn the_markers_of_one_mail_are_text_in_another() {
        let marker = Slots::new([7; 16]).email();
        let mut slots = Slots::new([8; 16]);
        slots.email();
        let (word, slots, _) = slots.into_parts();
        assert_eq!(pieces(&marker, &word, &slots), [Piece::Text(&marker)]);
    }

    #[test]
    fn a_marker_fits_into_a_host_name() {
        let mut slots = Slots::new([255; 16]);
        let link = slots.link("/u/", Purpose::Unsubscribe, &[7]);
        let host = link.trim_start_matches(LINK_START).trim_end_matches('/');
        let label = host.split('.').next().unwrap();
        assert!(label.len() < 60, "{label}");
        assert!(
            label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
    }
}
