//! Markdown to HTML in which nothing runs.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Options, Parser, html};

/// What a mail may be made of. Everything else is taken out and its text kept; scripts and styles
/// go with their text.
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
        .clean_content_tags(HashSet::from([
            "script", "style", "title", "textarea", "select", "iframe", "object", "template",
            "noscript", "noembed", "noframes", "xmp", "math", "svg",
        ]))
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
            // The alignment of a column is the one style Markdown writes.
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

/// An address as a mail may carry it. Relative ones stay, so that the editor is told about them;
/// what only looks relative to one parser (a scheme after odd white space) goes.
fn address<'a>(element: &str, value: &'a str) -> Option<Cow<'a, str>> {
    let value = value.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    if value
        .chars()
        .any(|c| c.is_control() || (c.is_whitespace() && c != ' '))
    {
        return None;
    }
    // Without its own scheme it would take the mail client's, which is none.
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

/// Renders Markdown (CommonMark with tables and strike-through; HTML inside it is cleaned).
pub(super) fn to_safe_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    // A NUL is not a character of any mail; CommonMark would replace it, and so would readers.
    let markdown = markdown.replace('\0', "");
    let mut rendered = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut rendered, Parser::new_ext(&markdown, options));
    clean(&rendered)
}

/// Takes out of HTML what a mail may not carry.
///
/// Where an element is taken out, its neighbours may nest differently when read again (a paragraph
/// in a paragraph, for one), so the result is cleaned until every parser reads it alike.
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

    #[test]
    fn markdown_becomes_plain_elements() {
        assert_eq!(
            to_safe_html("a **b** ~~c~~ `d`"),
            "<p>a <strong>b</strong> <del>c</del> <code>d</code></p>\n"
        );
        assert_eq!(
            to_safe_html("|a|b|\n|-|-:|\n|1|2|"),
            "<table><thead><tr><th>a</th><th style=\"text-align:right\">b</th></tr></thead><tbody>\n<tr><td>1</td><td style=\"text-align:right\">2</td></tr>\n</tbody></table>\n"
        );
        assert_eq!(
            to_safe_html("3. c\n4. d"),
            "<ol start=\"3\">\n<li>c</li>\n<li>d</li>\n</ol>\n"
        );
    }

    #[test]
    fn what_runs_is_left_out() {
        assert_eq!(
            to_safe_html("[a](javascript:alert(1))"),
            "<p><a>a</a></p>\n"
        );
        assert_eq!(
            to_safe_html("<a href=\"\u{2028}javascript:alert(1)\">a</a>"),
            "<p><a>a</a></p>\n"
        );
        assert_eq!(
            to_safe_html("<img src=x onerror=alert(1)>"),
            "<img src=\"x\">"
        );
        assert_eq!(to_safe_html("<img src=mailto:a@example.org>"), "<img>");
        assert_eq!(
            to_safe_html("<svg><script>alert(1)</script></svg>a"),
            "<p>a</p>\n"
        );
        assert_eq!(
            to_safe_html("<td style='text-align:left;background:url(x)'>"),
            ""
        );
    }

    #[test]
    fn an_address_without_a_scheme_gets_one() {
        assert_eq!(
            to_safe_html("[a](//example.org/x)"),
            "<p><a href=\"https://example.org/x\">a</a></p>\n"
        );
        assert_eq!(to_safe_html("[a](/x)"), "<p><a href=\"/x\">a</a></p>\n");
    }
}
