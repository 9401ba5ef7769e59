//! HTML as a list of tokens.
//!
//! For cleaned HTML the list is the tree in document order: the cleaner's output is well nested and contains none
//! of the elements that change the tokenizer's state.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token as Raw, TokenSink, TokenSinkResult, Tokenizer, states::RawKind,
};

/// A start tag, an end tag or text with its entities decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open {
        name: String,
        attributes: Vec<(String, String)>,
    },
    Close {
        name: String,
    },
    Text(String),
}

impl Token {
    /// The value of an attribute of a start tag.
    pub(super) fn attribute(&self, wanted: &str) -> Option<&str> {
        match self {
            Self::Open { attributes, .. } => attributes
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.as_str()),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is not text, or text without visible characters.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.chars().all(char::is_whitespace),
            _ => true,
        }
    }
}

#[derive(Default)]
struct Collector {
    tokens: RefCell<Vec<Token>>,
    /// Whether the input may contain elements whose content is not parsed as markup.
    source: bool,
}

impl Collector {
    /// How the tokenizer must continue after a start tag.
    fn after(&self, tag: &Tag) -> TokenSinkResult<()> {
        if !self.source || tag.kind == TagKind::EndTag {
            return TokenSinkResult::Continue;
        }
        match &*tag.name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
                TokenSinkResult::RawData(RawKind::Rawtext)
            }
            _ => TokenSinkResult::Continue,
        }
    }
}

impl TokenSink for Collector {
    type Handle = ();

    fn process_token(&self, token: Raw, _line: u64) -> TokenSinkResult<()> {
        let mut tokens = self.tokens.borrow_mut();
        match token {
            Raw::TagToken(tag) => {
                let name = tag.name.to_string();
                let at_once = self.source
                    && tag.kind == TagKind::StartTag
                    && tag.self_closing
                    && matches!(name.as_str(), "svg" | "math");
                tokens.push(match tag.kind {
                    TagKind::EndTag => Token::Close { name },
                    TagKind::StartTag => Token::Open {
                        name,
                        attributes: tag
                            .attrs
                            .iter()
                            .map(|attribute| {
                                (
                                    attribute.name.local.to_string(),
                                    attribute.value.to_string(),
                                )
                            })
                            .collect(),
                    },
                });
                if at_once {
                    // Only foreign elements can be self-closing.
                    let name = tag.name.to_string();
                    tokens.push(Token::Close { name });
                }
                return self.after(&tag);
            }
            Raw::CharacterTokens(text) => match tokens.last_mut() {
                Some(Token::Text(before)) => before.push_str(&text),
                _ => tokens.push(Token::Text(text.to_string())),
            },
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// Tokenizes cleaned HTML.
pub(super) fn read(html: &str) -> Vec<Token> {
    read_with(html, Collector::default())
}

/// Tokenizes HTML as somebody wrote it: tags may nest in any way or not match at all.
pub(super) fn read_source(html: &str) -> Vec<Token> {
    let collector = Collector {
        source: true,
        ..Collector::default()
    };
    read_with(html, collector)
}

fn read_with(html: &str, collector: Collector) -> Vec<Token> {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(collector, Default::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.tokens.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_attributes_and_decoded_text() {
        let tokens = read("<p>a &amp; b<br><a href=\"/x?a&amp;b\">c</a></p>");
        assert_eq!(tokens[1], Token::Text("a & b".to_owned()));
        assert_eq!(tokens[3].attribute("href"), Some("/x?a&b"));
        assert_eq!(
            tokens.last(),
            Some(&Token::Close {
                name: "p".to_owned()
            })
        );
    }
}
