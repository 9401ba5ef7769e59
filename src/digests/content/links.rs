//! The addresses that a body links to.

use super::tokens::Token;

/// An address in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The address as it will be mailed.
    pub address: String,
    /// What the reader sees of it.
    pub shown: String,
    /// Whether it is an image's source, not a link's target.
    pub image: bool,
}

impl Link {
    /// Whether it is relative, and thus leads nowhere: a mail has no address to be relative to.
    pub fn is_relative(&self) -> bool {
        !["http:", "https:", "mailto:", "tel:"]
            .iter()
            .any(|scheme| self.address.to_ascii_lowercase().starts_with(scheme))
    }
}

pub(super) struct Found {
    pub(super) links: Vec<Link>,
    pub(super) images_without_alt: usize,
}

pub(super) fn collect(tokens: &[Token]) -> Found {
    let mut links: Vec<Link> = Vec::new();
    let mut images_without_alt = 0;
    let mut open: Option<usize> = None;
    for token in tokens {
        match token {
            Token::Open { name, .. } if name == "a" => {
                // A link without a target is a mistake to report, so it is included.
                links.push(Link {
                    address: token.attribute("href").unwrap_or_default().to_owned(),
                    shown: String::new(),
                    image: false,
                });
                open = Some(links.len() - 1);
            }
            Token::Close { name } if name == "a" => open = None,
            Token::Open { name, .. } if name == "img" => {
                let alt = token.attribute("alt").unwrap_or_default().trim();
                if alt.is_empty() {
                    images_without_alt += 1;
                }
                if let Some(link) = open.and_then(|at| links.get_mut(at)) {
                    link.shown.push_str(alt);
                }
                links.push(Link {
                    address: token.attribute("src").unwrap_or_default().to_owned(),
                    shown: alt.to_owned(),
                    image: true,
                });
            }
            Token::Text(text) => {
                if let Some(link) = open.and_then(|at| links.get_mut(at)) {
                    link.shown.push_str(text);
                }
            }
            _ => {}
        }
    }
    Found {
        links,
        images_without_alt,
    }
}
