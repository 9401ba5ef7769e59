//! How deep HTML nests.
//!
//! The inliner of style sheets calls itself for each level; some thousand of them end the stack, and with it the process, which
//! nothing can catch. So whoever gives it HTML counts first.

use std::cell::RefCell;

use html5ever::LocalName;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer};

/// The deepest that HTML may nest which is given to the inliner: a tenth of what a thread's stack of 2 MB holds.
pub const DEEPEST: usize = 250;

const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

#[derive(Default)]
struct Depth(RefCell<(Vec<LocalName>, usize)>);

impl TokenSink for Depth {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else {
            return TokenSinkResult::Continue;
        };
        let (open, deepest) = &mut *self.0.borrow_mut();
        match tag.kind {
            TagKind::StartTag if VOID.contains(&&*tag.name) => {}
            TagKind::StartTag => {
                open.push(tag.name);
                *deepest = open.len().max(*deepest);
            }
            // An end tag that ends nothing undoes no depth.
            TagKind::EndTag => {
                if let Some(at) = open.iter().rposition(|name| *name == tag.name) {
                    open.truncate(at);
                }
            }
        }
        TokenSinkResult::Continue
    }
}

/// The most elements that are open at once. Elements whose end tag was left out count as open until their parent ends.
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
        assert_eq!(depth(&"<i>".repeat(9_000)), 9_000);
    }
}
