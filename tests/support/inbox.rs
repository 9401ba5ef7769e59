//! A captured mail, as its recipient sees it.

use mail_parser::{MessageParser, MimeHeaders};

/// One decoded mail; `raw` is what was sent.
#[derive(Debug, Clone)]
pub struct Mail {
    pub raw: Vec<u8>,
    pub to: String,
    pub from: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Mail {
    pub fn parse(raw: &[u8]) -> Self {
        let message = MessageParser::default()
            .parse(raw)
            .unwrap_or_else(|| panic!("not a mail: {}", String::from_utf8_lossy(raw)));
        let address = |list: Option<&mail_parser::Address<'_>>| {
            list.and_then(|l| l.first())
                .and_then(|a| a.address())
                .unwrap_or_default()
                .to_owned()
        };
        // `body_text` derives a text from the HTML if there is no text part: a
        // mail must have both, so only read real parts.
        let part = |kind: &str| {
            message
                .parts
                .iter()
                .find(|p| {
                    p.content_type().is_some_and(|c| {
                        c.ctype() == "text" && c.subtype().unwrap_or_default() == kind
                    })
                })
                .and_then(|p| p.text_contents())
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            raw: raw.to_vec(),
            to: address(message.to()),
            from: address(message.from()),
            subject: message.subject().unwrap_or_default().to_owned(),
            text: part("plain"),
            html: part("html"),
        }
    }

    /// The value of a header, unfolded; `None` if the mail has no such header.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(&self.raw);
        let head = head.split("\r\n\r\n").next().unwrap_or_default();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.split("\r\n").find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }

    /// Every link of the HTML part, then every bare URL of the text part.
    pub fn links(&self) -> Vec<String> {
        let html = scraper::Html::parse_document(&self.html);
        let anchors = scraper::Selector::parse("a[href]").unwrap();
        let mut links: Vec<String> = html
            .select(&anchors)
            .filter_map(|a| a.attr("href"))
            .map(str::to_owned)
            .collect();
        links.extend(
            self.text
                .split(|c: char| c.is_whitespace() || "<>\"".contains(c))
                .map(|w| w.trim_end_matches(|c: char| ".,;:)]'".contains(c)))
                .filter(|w| w.starts_with("http://") || w.starts_with("https://"))
                .map(str::to_owned),
        );
        links
    }

    /// The first link whose path begins like this, for instance `/confirm/`.
    pub fn link(&self, path: &str) -> String {
        self.links()
            .into_iter()
            .find(|l| reqwest::Url::parse(l).is_ok_and(|u| u.path().starts_with(path)))
            .unwrap_or_else(|| panic!("no link to {path} in the mail:\n{}", self.text))
    }
}
