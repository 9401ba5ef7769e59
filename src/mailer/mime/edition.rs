//! A mail that is encoded once and filled in per recipient.

use serde::{Deserialize, Serialize};

use super::{
    choices::Choices,
    draft::{Draft, ListHeaders},
    header,
    quoted_printable::{self, Encoder},
    slots::{Piece, Recipient, Slot, Values, Word, pieces},
};
use crate::types::{Keys, Purpose, UnixMillis};

/// No quoted-printable text contains `=_`, so this boundary cannot occur in a body.
const BOUNDARY: &str = "=_canvass";
/// The alias of `/unsubscribe/` that keeps `List-Unsubscribe` on one line.
const UNSUBSCRIBE_PATH: &str = "/u/";

/// A compiled mail. It is stored with its issue when that is frozen, so later versions must be able to read the JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    segments: Vec<Segment>,
    slots: Vec<Slot>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    choices: Vec<Choices>,
    /// For the markers in the subject. It is the old one in editions from before it was stored.
    #[serde(default)]
    word: Word,
    sender: String,
}

/// A segment of the message: fixed bytes, or a recipient's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Segment {
    /// ASCII with CRLF line ends.
    Fixed(String),
    /// The recipient's address.
    To,
    /// A subject with slots; encoded per recipient.
    Subject(String),
    /// The time of sending.
    Date,
    /// The Message-ID.
    MessageId,
    /// The address for unsubscribing by mail, if there is one.
    Mailto,
    /// A slot in a header, inserted as it is.
    Header(usize),
    /// A slot in the text body.
    Text(usize),
    /// A slot in the HTML body: escaped.
    Html(usize),
}

/// The values for filling in an edition, beside those of the recipient.
#[derive(Clone, Copy)]
pub struct Sending<'s> {
    /// Seals the links.
    pub keys: &'s Keys,
    /// `https://host`, without a path.
    pub public_url: &'s str,
    /// The `Date` of the mail.
    pub now: UnixMillis,
    /// The Message-ID with its angle brackets.
    pub message_id: &'s str,
    /// An address of ours at which this recipient can unsubscribe by mail.
    pub mailto: Option<&'s str>,
}

impl Edition {
    /// Encodes a draft.
    #[must_use]
    pub fn compile(draft: Draft) -> Self {
        let Draft {
            from,
            reply_to,
            subject,
            text,
            html,
            mut slots,
            list,
        } = draft;
        let unsubscribe = list
            .as_ref()
            .map(|list| slots.link(UNSUBSCRIBE_PATH, Purpose::Unsubscribe, &list.unsubscribe));
        let (word, slots, choices) = slots.into_parts();
        let cut = |text| pieces(text, &word, &slots);

        let mut compiled = Compiler::default();
        let head = &mut compiled.fixed;
        header::mailbox(head, "From", &from.name, from.address.as_str());
        head.push_str("To: ");
        compiled.open(Segment::To);
        compiled.fixed.push_str("\r\n");
        if cut(&subject).iter().any(|p| matches!(p, Piece::Slot(_))) {
            compiled.open(Segment::Subject(subject.clone()));
        } else {
            header::unstructured(&mut compiled.fixed, "Subject", &subject);
        }
        compiled.fixed.push_str("Date: ");
        compiled.open(Segment::Date);
        compiled.fixed.push_str("\r\nMessage-ID: ");
        compiled.open(Segment::MessageId);
        let head = &mut compiled.fixed;
        head.push_str("\r\n");
        if let Some(reply_to) = &reply_to {
            header::mailbox(head, "Reply-To", &reply_to.name, reply_to.address.as_str());
        }
        match (&list, &unsubscribe) {
            (Some(list), Some(unsubscribe)) => {
                head.push_str("List-Unsubscribe: <");
                for piece in cut(unsubscribe) {
                    if let Piece::Slot(index) = piece {
                        compiled.open(Segment::Header(index));
                    }
                }
                compiled.fixed.push('>');
                compiled.open(Segment::Mailto);
                compiled.fixed.push_str("\r\n");
                list_headers(&mut compiled.fixed, list);
            }
            _ => header::verbatim(head, "Auto-Submitted", "auto-generated"),
        }
        let head = &mut compiled.fixed;
        header::verbatim(head, "X-Auto-Response-Suppress", "All");
        header::verbatim(head, "MIME-Version", "1.0");
        head.push_str("Content-Type: multipart/alternative;\r\n boundary=\"");
        head.push_str(BOUNDARY);
        head.push_str("\"\r\n\r\n");
        compiled.part("text/plain", cut(&text), Segment::Text);
        compiled.part("text/html", cut(&html), Segment::Html);
        compiled.fixed.push_str("--");
        compiled.fixed.push_str(BOUNDARY);
        compiled.fixed.push_str("--\r\n");
        Self {
            segments: compiled.finish(),
            slots,
            choices,
            word,
            sender: from.address.as_str().to_owned(),
        }
    }

    /// Writes the whole message for one recipient into `out`, which is cleared first.
    pub fn fill(&self, recipient: &Recipient<'_>, sending: &Sending<'_>, out: &mut Vec<u8>) {
        out.clear();
        let own = Values::new(recipient, sending.public_url, sending.keys, &self.choices);
        let mut values: Vec<Option<String>> = vec![None; self.slots.len()];
        for segment in &self.segments {
            match segment {
                Segment::Fixed(bytes) => out.extend_from_slice(bytes.as_bytes()),
                Segment::To => {
                    out.extend_from_slice(header::one_line(recipient.address).as_bytes())
                }
                Segment::Subject(subject) => {
                    let mut line = String::new();
                    let subject = self.plain(subject, &own);
                    header::unstructured(&mut line, "Subject", &subject);
                    out.extend_from_slice(line.as_bytes());
                }
                Segment::Date => out.extend_from_slice(date(sending.now).as_bytes()),
                Segment::MessageId => out.extend_from_slice(sending.message_id.as_bytes()),
                Segment::Mailto => {
                    if let Some(address) = sending.mailto {
                        out.extend_from_slice(b", <mailto:");
                        out.extend_from_slice(header::one_line(address).as_bytes());
                        out.extend_from_slice(b"?subject=unsubscribe>");
                    }
                }
                Segment::Header(index) | Segment::Text(index) | Segment::Html(index) => {
                    let Some(slot) = self.slots.get(*index) else {
                        continue;
                    };
                    let value = values[*index].get_or_insert_with(|| own.of(slot));
                    match segment {
                        Segment::Header(_) => out.extend_from_slice(value.as_bytes()),
                        Segment::Html(_) => quoted_printable::inset(&escape(value), out),
                        _ => quoted_printable::inset(value, out),
                    }
                }
            }
        }
    }

    /// Replaces the markers in a text with this recipient's values.
    fn plain(&self, marked: &str, own: &Values<'_>) -> String {
        let mut text = String::new();
        for piece in pieces(marked, &self.word, &self.slots) {
            match piece {
                Piece::Text(fixed) => text.push_str(fixed),
                Piece::Slot(index) => text.push_str(&own.of(&self.slots[index])),
            }
        }
        text
    }

    /// The minimum size of a mail of this edition, in octets.
    #[must_use]
    pub fn octets(&self) -> usize {
        let fixed = self.segments.iter().map(|segment| match segment {
            Segment::Fixed(bytes) => bytes.len(),
            _ => 0,
        });
        fixed.sum()
    }

    /// The sender's address. Its domain is used in Message-IDs; without a bounce domain it is also the return path.
    #[must_use]
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// The domain of the sender's address.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.sender
            .rsplit_once('@')
            .map_or("", |(_, domain)| domain)
    }
}

fn list_headers(head: &mut String, list: &ListHeaders) {
    header::verbatim(head, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    header::phrase_and_id(head, "List-Id", &list.name, &list.id);
    header::verbatim(head, "List-Help", &format!("<{}>", list.help));
    header::verbatim(head, "List-Owner", &format!("<mailto:{}>", list.owner));
    if let Some(archive) = &list.archive {
        header::verbatim(head, "List-Archive", &format!("<{archive}>"));
    }
    header::verbatim(head, "List-Post", "NO");
    header::verbatim(head, "Precedence", "bulk");
    header::verbatim(head, "Feedback-ID", &list.feedback_id);
}

/// Collects segments; `fixed` is the fixed segment that is still being extended.
#[derive(Default)]
struct Compiler {
    segments: Vec<Segment>,
    fixed: String,
}

impl Compiler {
    fn open(&mut self, segment: Segment) {
        if !self.fixed.is_empty() {
            self.segments
                .push(Segment::Fixed(std::mem::take(&mut self.fixed)));
        }
        self.segments.push(segment);
    }

    fn part(&mut self, kind: &str, body: Vec<Piece<'_>>, open: fn(usize) -> Segment) {
        self.fixed.push_str("--");
        self.fixed.push_str(BOUNDARY);
        self.fixed.push_str("\r\n");
        header::verbatim(
            &mut self.fixed,
            "Content-Type",
            &format!("{kind}; charset=utf-8"),
        );
        header::verbatim(
            &mut self.fixed,
            "Content-Transfer-Encoding",
            "quoted-printable",
        );
        self.fixed.push_str("\r\n");
        let mut encoder = Encoder::default();
        let ends_its_line = matches!(body.last(), Some(Piece::Text(text)) if text.ends_with('\n'));
        for piece in body {
            match piece {
                Piece::Text(text) => encoder.text(text),
                Piece::Slot(index) => {
                    encoder.soft_break();
                    self.fixed.push_str(&encoder.take());
                    self.open(open(index));
                }
            }
        }
        // A slot at the very end leaves a soft line break; the line end that follows belongs to the delimiter (RFC 2046
        // §5.1.1).
        if !ends_its_line {
            encoder.text("\n");
        }
        encoder.finish();
        self.fixed.push_str(&encoder.take());
    }

    fn finish(mut self) -> Vec<Segment> {
        if !self.fixed.is_empty() {
            self.segments.push(Segment::Fixed(self.fixed));
        }
        self.segments
    }
}

/// A date in the format of RFC 5322 §3.3, in UTC.
fn date(now: UnixMillis) -> String {
    now.timestamp()
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

/// Escapes a recipient's value for HTML. Apostrophes too, unlike on pages: an operator's template may have the value in
/// an attribute between them.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
