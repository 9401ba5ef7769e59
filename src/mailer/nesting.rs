//! How deeply HTML is nested.
//!
//! The CSS inliner recurses for each level. A few thousand levels overflow the stack, which ends the process and cannot
//! be caught. So callers must check the depth before they hand it HTML.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer};

/// The deepest nesting that is handed to the inliner: a tenth of what fits in a thread's stack of 2 MB.
pub const DEEPEST: usize = 250;

/// Elements that parsers leave without content: the void ones (HTML, 13.1.2) and the obsolete ones that are parsed like
/// them (13.2.6.4.7, 13.3).
const VOID: [&str; 19] = [
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "image", "img",
    "input", "keygen", "link", "meta", "param", "source", "track", "wbr",
];

/// The elements that are open at one place of an HTML text, outermost first. An element without an end tag counts as
/// open until its parent ends, unless the caller ends it.
#[derive(Debug, Default)]
pub struct Open(Vec<String>);

impl Open {
    /// A start tag.
    pub fn begin(&mut self, name: String) {
        if !VOID.contains(&name.as_str()) {
            self.0.push(name);
        }
    }

    /// How many elements stay open after this end tag; `None` if it matches no open element and so ends nothing.
    #[must_use]
    pub fn left_by(&self, name: &str) -> Option<usize> {
        self.0.iter().rposition(|open| open == name)
    }

    /// Ends the innermost element if more than `left` are open, and returns its name.
    pub fn end(&mut self, left: usize) -> Option<String> {
        (self.0.len() > left).then(|| self.0.pop()).flatten()
    }

    /// How many are open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// Their names, outermost first.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[derive(Default)]
struct Depth(RefCell<(Open, usize)>);

impl TokenSink for Depth {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else {
            return TokenSinkResult::Continue;
        };
        let (open, deepest) = &mut *self.0.borrow_mut();
        match tag.kind {
            TagKind::StartTag => {
                open.begin(tag.name.to_string());
                *deepest = open.depth().max(*deepest);
            }
            TagKind::EndTag => {
                if let Some(left) = open.left_by(&tag.name) {
                    while open.end(left).is_some() {}
                }
            }
        }
        TokenSinkResult::Continue
    }
}

/// The most elements that are [open](Open) at once.
#[must_use]
pub fn depth(html: &str) -> usize {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(Depth::default(), Default::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner().1
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn open_elements_are_counted() {
        assert_eq!(depth(""), 0);
        assert_eq!(depth("<p>a<br><b>b</b></p><p>c</p>"), 2);
        assert_eq!(depth("<div></b><div></b><div>"), 3);
        assert_eq!(depth(&"<image><keygen><bgsound>".repeat(9)), 0);
        // This was never a void element: parsers nest it.
        assert_eq!(depth(&"<spacer>".repeat(9)), 9);
        assert_eq!(depth(&"<i>".repeat(9_000)), 9_000);
    }
}
