//! A message as a mail client would show it.

use mail_parser::MessageParser;

/// The parts of a raw message, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The header fields, unfolded, in their order.
    pub headers: Vec<(String, String)>,
    /// The subject.
    pub subject: String,
    /// The sender's name, or the address if there is no name.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl View {
    /// Parses `raw`; missing parts stay empty.
    #[must_use]
    pub fn of(raw: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse(raw) else {
            return Self::default();
        };
        let mailbox = |address: Option<&mail_parser::Address<'_>>| {
            let first = address.and_then(|a| a.first());
            let name = first.and_then(|a| a.name()).unwrap_or_default().to_owned();
            let address = first
                .and_then(|a| a.address())
                .unwrap_or_default()
                .to_owned();
            (name, address)
        };
        let (name, address) = mailbox(message.from());
        Self {
            headers: message
                .headers_raw()
                .map(|(name, value)| (name.to_owned(), unfold(value)))
                .collect(),
            subject: message.subject().unwrap_or_default().to_owned(),
            from: if name.is_empty() {
                address
            } else {
                format!("{name} <{address}>")
            },
            to: mailbox(message.to()).1,
            text: message
                .body_text(0)
                .map(|b| b.into_owned())
                .unwrap_or_default(),
            html: message
                .body_html(0)
                .map(|b| b.into_owned())
                .unwrap_or_default(),
        }
    }
}

fn unfold(value: &str) -> String {
    value
        .split("\r\n")
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}
