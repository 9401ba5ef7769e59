//! Closes every open element in HTML, or reports that it nests too deeply.
//!
//! Later steps are safe for any content, but not for any depth. The CSS inliner is recursive, and a few thousand
//! levels overflow the stack and abort the process; a tree builder reopens unclosed formatting in every paragraph,
//! which takes quadratic time; the text part repeats its margins in every line. So the depth is limited here, with
//! a tokenizer, which builds no tree. The output leaves no tag open, so that a tree built from it cannot be much
//! deeper than the depth counted here.

use super::tokens::{self, Token};
use crate::mailer::nesting::Open;
use crate::web::text::escape;

/// The deepest nesting of elements: a quotation counts one, a list item two, a table four.
pub const NESTING_MAX: usize = 50;

/// The limit on open formatting elements, added up over all elements that start inside them: a parser may reopen
/// one inside the other each time.
const REPEATED_MAX: usize = 20_000;

/// It nests deeper than [`NESTING_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooDeep;

/// Elements that are removed together with their content.
pub(super) const WITHOUT_CONTENT: [&str; 14] = [
    "script", "style", "title", "textarea", "select", "iframe", "object", "template", "noscript",
    "noembed", "noframes", "xmp", "math", "svg",
];

/// Tags that change how everything after them is parsed; a fragment contains none of them.
const OF_DOCUMENTS: [&str; 5] = ["html", "head", "body", "frameset", "plaintext"];

/// Elements that a parser reopens if they were not closed (HTML, 13.2.4.3).
const FORMATTING: [&str; 14] = [
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// The elements that this start tag closes implicitly if one of them is the innermost; their end tags may be
/// omitted.
fn ended_by(name: &str) -> &'static [&'static str] {
    match name {
        "li" => &["p", "li"],
        "dt" | "dd" => &["p", "dt", "dd"],
        "td" | "th" => &["p", "td", "th"],
        "tr" => &["p", "td", "th", "tr"],
        "thead" | "tbody" | "tfoot" => &["p", "td", "th", "tr", "thead", "tbody", "tfoot"],
        "p" | "blockquote" | "div" | "dl" | "figure" | "figcaption" | "h1" | "h2" | "h3" | "h4"
        | "h5" | "h6" | "ol" | "pre" | "ul" => &["p"],
        _ => &[],
    }
}

/// The HTML with every open element closed, and without unmatched end tags, comments, and [`WITHOUT_CONTENT`].
///
/// # Errors
/// [`TooDeep`].
pub(super) fn balanced(html: &str) -> Result<String, TooDeep> {
    let mut balance = Balance::default();
    for token in tokens::read_source(html) {
        balance.take(token)?;
    }
    balance.close_to(0);
    Ok(balance.out)
}

#[derive(Default)]
struct Balance {
    out: String,
    open: Open,
    /// An element being removed with its content, and how many elements of its name are open.
    left_out: Option<(String, usize)>,
    repeated: usize,
}

impl Balance {
    fn take(&mut self, token: Token) -> Result<(), TooDeep> {
        if let Some((name, open)) = &mut self.left_out {
            match &token {
                Token::Open { name: inner, .. } if inner == name => *open += 1,
                Token::Close { name: inner } if inner == name => *open -= 1,
                _ => {}
            }
            if *open == 0 {
                self.left_out = None;
            }
            return Ok(());
        }
        match token {
            Token::Text(text) => escape(&text, &mut self.out),
            Token::Open { name, attributes } => return self.open(name, &attributes),
            Token::Close { name } => {
                if let Some(left) = self.open.left_by(&name) {
                    self.close_to(left);
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, name: String, attributes: &[(String, String)]) -> Result<(), TooDeep> {
        if WITHOUT_CONTENT.contains(&name.as_str()) {
            self.left_out = Some((name, 1));
            return Ok(());
        }
        if OF_DOCUMENTS.contains(&name.as_str()) {
            return Ok(());
        }
        let ends = ended_by(&name);
        while self
            .open
            .names()
            .next_back()
            .is_some_and(|open| ends.contains(&open))
        {
            self.close_to(self.open.depth() - 1);
        }
        let formats = |name: &str| FORMATTING.contains(&name);
        if !formats(&name) {
            self.repeated += self.open.names().filter(|open| formats(open)).count();
        }
        self.out.push('<');
        self.out.push_str(&name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, &mut self.out);
            self.out.push('"');
        }
        self.out.push('>');
        self.open.begin(name);
        if self.open.depth() > NESTING_MAX || self.repeated > REPEATED_MAX {
            return Err(TooDeep);
        }
        Ok(())
    }

    /// Closes all open elements except the outermost `depth`.
    fn close_to(&mut self, depth: usize) {
        while let Some(name) = self.open.end(depth) {
            self.out.push_str("</");
            self.out.push_str(&name);
            self.out.push('>');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(html: &str, balance: &str) {
        assert_eq!(balanced(html).as_deref(), Ok(balance), "{html}");
    }

    #[test]
    fn every_element_is_closed_where_its_parent_is() {
        becomes("<div><b>a</div>b", "<div><b>a</b></div>b");
        becomes("a</b></div>", "a");
        becomes("<li>a<li>b", "<li>a</li><li>b</li>");
        becomes("<p>a<p>b<div>c", "<p>a</p><p>b</p><div>c</div>");
        becomes(
            "<table><tr><td>a<td>b<tr><td>c</table>",
            "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
        );
        becomes("a<br>b<hr/>c", "a<br>b<hr>c");
        becomes("<spacer>a<spacer>b", "<spacer>a<spacer>b</spacer></spacer>");
    }

    #[test]
    fn text_and_attributes_stay_what_they_are() {
        becomes(
            "<a href='/?a=1&amp;b=\"<'>1 &lt; 2 &amp; &quot;</a>",
            "<a href=\"/?a=1&amp;b=&quot;&lt;\">1 &lt; 2 &amp; &quot;</a>",
        );
        becomes("a<!-- <b> -->b<![CDATA[</b>]]>", "ab]]&gt;");
    }

    #[test]
    fn what_is_no_text_goes_with_its_content() {
        becomes("a<script>'<div>'</script>b", "ab");
        becomes("a<svg><svg></svg><b></svg>b", "ab");
        becomes("a<svg/>b<title><b></title>c", "abc");
    }

    #[test]
    fn so_deep_and_no_deeper() {
        let nested = |tag: &str, n| format!("<{tag}>").repeat(n) + "x";
        assert!(balanced(&nested("div", NESTING_MAX)).is_ok());
        assert_eq!(balanced(&nested("div", NESTING_MAX + 1)), Err(TooDeep));
        // Unmatched end tags do not reduce the depth.
        assert_eq!(balanced(&"<div></b>".repeat(NESTING_MAX + 1)), Err(TooDeep));
        // Any number of siblings is fine.
        assert!(balanced(&"<li><p>x".repeat(5_000)).is_ok());
        assert!(balanced(&"<div><b>x</b></div>".repeat(5_000)).is_ok());
    }

    #[test]
    fn open_formatting_is_not_repeated_without_end() {
        let bold = "<b>".repeat(NESTING_MAX - 2);
        assert_eq!(
            balanced(&format!("<p>{bold}{}", "<div>x</div>".repeat(15_000))),
            Err(TooDeep)
        );
    }
}
