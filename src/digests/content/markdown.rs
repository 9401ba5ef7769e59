//! Markdown to HTML without anything executable.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Options, Parser, html};

use super::bare;
use super::nesting::{NESTING_MAX, TooDeep, WITHOUT_CONTENT, balanced};
use crate::mailer::nesting;
use crate::web::text::escape;

/// The elements that a mail may contain. All others are removed but their text is kept; scripts and styles are
/// removed with their text.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
];

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = Builder::empty();
    cleaner
        .tags(TAGS.iter().copied().collect())
        .clean_content_tags(WITHOUT_CONTENT.into_iter().collect())
        .generic_attributes(HashSet::from(["lang", "dir", "title"]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href"])),
            ("img", HashSet::from(["src", "alt", "width", "height"])),
            ("ol", HashSet::from(["start"])),
            ("td", HashSet::from(["style", "colspan", "rowspan"])),
            ("th", HashSet::from(["style", "colspan", "rowspan"])),
        ]))
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .url_relative(UrlRelative::PassThrough)
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("a", "href") | ("img", "src") => address(element, value),
            ("img", "width" | "height")
            | ("ol", "start")
            | ("td" | "th", "colspan" | "rowspan") => {
                value.parse::<u16>().is_ok().then_some(Cow::Borrowed(value))
            }
            // Column alignment is the only style that Markdown produces.
            ("td" | "th", "style") => alignment(value).map(Cow::Borrowed),
            _ => Some(Cow::Borrowed(value)),
        })
        // A mail has no opener to protect, and the archive's pages send no referrer.
        .link_rel(None);
    cleaner
});

fn alignment(style: &str) -> Option<&'static str> {
    ["text-align:left", "text-align:center", "text-align:right"]
        .into_iter()
        .find(|allowed| style.replace([' ', ';'], "") == *allowed)
}

/// An address as allowed in a mail. Relative ones are kept, so that the editor is told about them. Addresses that
/// only some parsers take for relative (a scheme after unusual white space) are removed.
fn address<'a>(element: &str, value: &'a str) -> Option<Cow<'a, str>> {
    let value = value.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    if value
        .chars()
        .any(|c| c.is_control() || (c.is_whitespace() && c != ' '))
    {
        return None;
    }
    // Braces are not valid in an address (RFC 3986, appendix A). Encoding them keeps placeholders from being filled
    // in, so no address reveals a reader's name.
    if value.contains(['{', '}']) {
        let value = value.replace('{', "%7B").replace('}', "%7D");
        return address(element, &value).map(|address| Cow::Owned(address.into_owned()));
    }
    // Without a scheme it would use the mail client's, which has none.
    if let Some(host) = value.strip_prefix("//") {
        return Some(Cow::Owned(format!("https://{host}")));
    }
    let scheme = value
        .split(['/', '?', '#'])
        .next()
        .and_then(|start| start.split_once(':'))
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    match (element, scheme.as_deref()) {
        (_, None | Some("http" | "https")) | ("a", Some("mailto" | "tel")) => {
            Some(Cow::Borrowed(value))
        }
        _ => None,
    }
}

/// A tree builder inserts omitted elements and reopens formatting, so the cleaned tree may be this much deeper.
const CLEANED_MAX: usize = 4 * NESTING_MAX;

/// Renders Markdown (CommonMark with tables, strike-through and bare addresses as links) to HTML; HTML inside it is
/// cleaned.
///
/// # Errors
/// [`TooDeep`] if it nests too deeply for recursive algorithms.
pub(super) fn to_safe_html(markdown: &str) -> Result<String, TooDeep> {
    let cleaned = clean(&to_balanced_html(markdown)?);
    if nesting::depth(&cleaned) > CLEANED_MAX {
        return Err(TooDeep);
    }
    Ok(cleaned)
}

/// Renders Markdown to HTML whose nesting is limited but that may still contain anything.
///
/// # Errors
/// [`TooDeep`].
pub(super) fn to_balanced_html(markdown: &str) -> Result<String, TooDeep> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    // NUL is not valid in a mail; CommonMark would replace it with another character, which readers would see.
    let markdown = markdown.replace('\0', "");
    let mut rendered = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(
        &mut rendered,
        bare::linked(Parser::new_ext(&markdown, options)),
    );
    balanced(&rendered)
}

/// Markdown shown as typed, because it could not be rendered.
pub(super) fn as_typed(markdown: &str) -> String {
    let mut html = String::from("<p>");
    for line in markdown.replace('\0', "").lines() {
        escape(line, &mut html);
        html.push_str("<br>\n");
    }
    html.push_str("</p>\n");
    html
}

/// Removes from HTML what a mail may not contain.
///
/// If an element is removed, its neighbours may nest differently when parsed again (a paragraph in a paragraph, for
/// example), so cleaning is repeated until the result no longer changes.
pub(super) fn clean(html: &str) -> String {
    let mut cleaned = CLEANER.clean(html).to_string();
    for _ in 0..4 {
        let again = CLEANER.clean(&cleaned).to_string();
        if again == cleaned {
            break;
        }
        cleaned = again;
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(markdown: &str) -> String {
        to_safe_html(markdown).unwrap()
    }

    #[test]
    fn markdown_becomes_plain_elements() {
        assert_eq!(
            rendered("a **b** ~~c~~ `d`"),
            "<p>a <strong>b</strong> <del>c</del> <code>d</code></p>\n"
        );
        assert_eq!(
            rendered("|a|b|\n|-|-:|\n|1|2|"),
            "<table><thead><tr><th>a</th><th style=\"text-align:right\">b</th></tr></thead><tbody>\n<tr><td>1</td><td style=\"text-align:right\">2</td></tr>\n</tbody></table>\n"
        );
        assert_eq!(
            rendered("3. c\n4. d"),
            "<ol start=\"3\">\n<li>c</li>\n<li>d</li>\n</ol>\n"
        );
    }

    #[test]
    fn what_runs_is_left_out() {
        assert_eq!(rendered("[a](javascript:alert(1))"), "<p><a>a</a></p>\n");
        assert_eq!(
            rendered("<a href=\"\u{2028}javascript:alert(1)\">a</a>"),
            "<p><a>a</a></p>\n"
        );
        assert_eq!(rendered("<img src=x onerror=alert(1)>"), "<img src=\"x\">");
        assert_eq!(rendered("<img src=mailto:a@example.org>"), "<img>");
        assert_eq!(
            rendered("<svg><script>alert(1)</script></svg>a"),
            "<p>a</p>\n"
        );
        assert_eq!(
            rendered("<td style='text-align:left;background:url(x)'>"),
            ""
        );
    }

    #[test]
    fn an_address_without_a_scheme_gets_one() {
        assert_eq!(
            rendered("[a](//example.org/x)"),
            "<p><a href=\"https://example.org/x\">a</a></p>\n"
        );
        assert_eq!(rendered("[a](/x)"), "<p><a href=\"/x\">a</a></p>\n");
    }
}
