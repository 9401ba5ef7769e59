//! Addresses that stand bare in the text become links, as every reader expects of them.
//!
//! CommonMark links only what stands in angle brackets. This reads the rest as GitHub does: from `http://` or `https://` to the
//! next white space, without the punctuation that ends the sentence around it.

use pulldown_cmark::{CowStr, Event, LinkType, Tag, TagEnd, TextMergeStream};

/// What ends a sentence or a quotation rather than an address.
const CLOSING: &str = "?!.,:;*_~'’”";

/// The same events, with the addresses in their text as links.
pub(super) fn linked<'a>(
    events: impl Iterator<Item = Event<'a>>,
) -> impl Iterator<Item = Event<'a>> {
    // Inside these an address is somebody else's words: a link has its own, code is read letter by letter.
    let mut inside = 0_usize;
    let mut in_html_link = false;
    TextMergeStream::new(events).flat_map(move |event| {
        match &event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_)) => inside += 1,
            Event::End(TagEnd::Link | TagEnd::Image | TagEnd::CodeBlock) => {
                inside = inside.saturating_sub(1);
            }
            // One that nobody closed ends with its paragraph.
            Event::Start(Tag::Paragraph) => in_html_link = false,
            Event::InlineHtml(tag) => {
                let tag = tag.to_ascii_lowercase();
                in_html_link = match tag.strip_prefix("<a") {
                    Some(rest) => in_html_link || rest.starts_with(char::is_whitespace),
                    None => in_html_link && !tag.starts_with("</a"),
                };
            }
            Event::Text(text) if inside == 0 && !in_html_link && text.contains("://") => {
                return cut(text);
            }
            _ => {}
        }
        vec![event]
    })
}

/// A text, cut at its addresses.
fn cut<'a>(text: &str) -> Vec<Event<'a>> {
    let mut events = Vec::new();
    let mut rest = text;
    while let Some((before, address, after)) = next(rest) {
        if !before.is_empty() {
            events.push(Event::Text(CowStr::from(before.to_owned())));
        }
        events.extend([
            Event::Start(Tag::Link {
                link_type: LinkType::Autolink,
                dest_url: CowStr::from(address.to_owned()),
                title: CowStr::Borrowed(""),
                id: CowStr::Borrowed(""),
            }),
            Event::Text(CowStr::from(address.to_owned())),
            Event::End(TagEnd::Link),
        ]);
        rest = after;
    }
    if !rest.is_empty() {
        events.push(Event::Text(CowStr::from(rest.to_owned())));
    }
    events
}

/// The first address in a text, with what stands before and after it. Each letter is looked at a fixed number of times, however the text is
/// made: whoever writes it must not be able to keep a processor.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let colon = from + text.get(from..)?.find("://")?;
        from = colon + 3;
        let before = text.get(..colon)?;
        let scheme = ["https", "http"].into_iter().find(|scheme| {
            let start = before.len().checked_sub(scheme.len());
            let word = start.and_then(|start| before.get(start..));
            word.is_some_and(|word| word.eq_ignore_ascii_case(scheme))
        });
        let Some(scheme) = scheme else { continue };
        let start = colon - scheme.len();
        let glued = text.get(..start)?.chars().next_back();
        if glued.is_some_and(char::is_alphanumeric) {
            continue;
        }
        let behind = text.get(from..)?;
        let end = from
            + behind
                .find(|c: char| c.is_whitespace() || c.is_control() || "<>\"“”„«»".contains(c))
                .unwrap_or(behind.len());
        let address = trimmed(text.get(start..end)?);
        // A placeholder is filled for each reader, and an address is not.
        if address.len() > from - start && !address.contains(['{', '}']) {
            let end = start + address.len();
            return Some((text.get(..start)?, address, text.get(end..)?));
        }
        // Nothing further in this word is an address either.
        from = end;
    }
}

/// Without the punctuation behind it. A closing bracket belongs to it only if one was opened in it.
fn trimmed(mut address: &str) -> &str {
    let count = |bracket: char| address.matches(bracket).count();
    let mut round = count(')').saturating_sub(count('('));
    let mut square = count(']').saturating_sub(count('['));
    while let Some(last) = address.chars().next_back() {
        match last {
            ')' if round > 0 => round -= 1,
            ']' if square > 0 => square -= 1,
            last if CLOSING.contains(last) => {}
            _ => break,
        }
        address = &address[..address.len() - last.len_utf8()];
    }
    address
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::markdown::to_safe_html;

    fn line(markdown: &str) -> String {
        let html = to_safe_html(markdown).unwrap();
        html.trim()
            .trim_start_matches("<p>")
            .trim_end_matches("</p>")
            .to_owned()
    }

    #[test]
    fn an_address_is_a_link_to_itself() {
        let linked = |address: &str| format!("<a href=\"{address}\">{address}</a>");
        for (markdown, address, after) in [
            ("https://e.org/a_b_c/d*e", "https://e.org/a_b_c/d*e", ""),
            ("https://e.org/a?b=c.", "https://e.org/a?b=c", "."),
            ("https://e.org/(a)", "https://e.org/(a)", ""),
            ("https://e.org/a)", "https://e.org/a", ")"),
            ("http://e.org”, he said", "http://e.org", "”, he said"),
            ("HTTPS://e.org", "HTTPS://e.org", ""),
            ("https://e.org/((a)))].", "https://e.org/((a))", ")]."),
        ] {
            assert_eq!(line(markdown), linked(address) + after);
        }
        let two = line("see (https://e.org/a), https://e.org/b!");
        let (a, b) = (linked("https://e.org/a"), linked("https://e.org/b"));
        assert_eq!(two, format!("see ({a}), {b}!"));
        assert_eq!(
            line("https://e.org/?a&amp;b"),
            "<a href=\"https://e.org/?a&amp;b\">https://e.org/?a&amp;b</a>"
        );
    }

    #[test]
    fn what_is_no_bare_address_stays_as_it_is() {
        for text in [
            "<a href=\"https://a.org\">https://e.org</a>",
            "https:// and http://.",
            "xhttps://e.org",
            "javascript://e.org",
            "https://e.org/{{name}}",
        ] {
            assert_eq!(line(text), text);
        }
        assert_eq!(line("`https://e.org`"), "<code>https://e.org</code>");
        assert_eq!(
            line("[see https://e.org](https://a.org)"),
            "<a href=\"https://a.org\">see https://e.org</a>"
        );
        assert_eq!(
            line("<https://e.org>"),
            "<a href=\"https://e.org\">https://e.org</a>"
        );
    }

    /// Every save looks through the text, and nothing cancels it: a text of the most that is taken must not keep a processor.
    #[test]
    fn no_text_of_the_longest_kind_takes_long() {
        for (begin, again) in [
            ("https://e.org/", ")"),
            ("https://e.org/", "]"),
            ("", "ahttp://"),
            ("", "http://{"),
            ("", "(http://"),
            ("", "http://e).("),
        ] {
            let text = begin.to_owned() + &again.repeat(200_000 / again.len());
            let began = Instant::now();
            let events = super::cut(&text);
            let took = began.elapsed();
            assert!(took < Duration::from_secs(2), "{begin}{again}…: {took:?}");
            assert!(!events.is_empty());
        }
    }
}
