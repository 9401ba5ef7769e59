//! Turns bare addresses in the text into links, as readers expect.
//!
//! CommonMark links only addresses in angle brackets. This handles the others like GitHub does: from `http://` or
//! `https://` to the next white space, without the punctuation that ends the surrounding sentence.

use pulldown_cmark::{CowStr, Event, LinkType, Tag, TagEnd, TextMergeStream};

/// Characters that end a sentence or a quotation rather than an address.
const CLOSING: &str = "?!.,:;*_~'’”";

/// The same events, with the addresses in their text as links.
pub(super) fn linked<'a>(
    events: impl Iterator<Item = Event<'a>>,
) -> impl Iterator<Item = Event<'a>> {
    // Inside these elements an address is left alone: a link has its own target, and code is literal.
    let mut inside = 0_usize;
    let mut in_html_link = false;
    TextMergeStream::new(events).flat_map(move |event| {
        match &event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_)) => inside += 1,
            Event::End(TagEnd::Link | TagEnd::Image | TagEnd::CodeBlock) => {
                inside = inside.saturating_sub(1);
            }
            // A tag that is never closed ends with its paragraph.
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

/// Splits a text at its addresses.
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

/// The first address in a text, with the text before and after it. Runs in linear time for any input, because a
/// writer must not be able to keep a processor busy.
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
        // An address with a placeholder is not linked, because the placeholder is filled in for each reader.
        if address.len() > from - start && !address.contains(['{', '}']) {
            let end = start + address.len();
            return Some((text.get(..start)?, address, text.get(end..)?));
        }
        // The rest of this word cannot be an address either.
        from = end;
    }
}

/// The address without trailing punctuation. A closing bracket is kept only if the address contains the opening
/// one.
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

    /// Every save scans the text and cannot be cancelled, so even a text of the maximum size must not keep a
    /// processor busy.
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
