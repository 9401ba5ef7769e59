//! Pictures of other sites, on our own pages.

use super::tokens;
use crate::web::text::escape;

/// What stands for a picture without a description. The interface is in English, whatever the text is written in.
const NAMELESS: &str = "<span lang=\"en\">Picture</span>";

/// Replaces each picture whose address `is_ours` does not accept by its description, which links to it: no other site
/// hears of readers before they ask for its picture. Inside a link, the description alone is left.
///
/// `html` is cleaned, so that every angle bracket belongs to a tag.
pub fn with_links_to_foreign_pictures(html: &str, is_ours: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(html.len());
    let mut in_link = false;
    for part in html.split_inclusive('>') {
        let (text, tag) = part.split_at(part.find('<').unwrap_or(part.len()));
        out.push_str(text);
        if tag.starts_with("<a ") || tag == "<a>" {
            in_link = true;
        } else if tag == "</a>" {
            in_link = false;
        }
        match foreign(tag, &is_ours) {
            Some((address, words)) => push_link(&mut out, &address, &words, in_link),
            None => out.push_str(tag),
        }
    }
    out
}

/// Address and description of the picture, if the tag is one and not ours.
fn foreign(tag: &str, is_ours: impl Fn(&str) -> bool) -> Option<(String, String)> {
    if !tag.starts_with("<img") {
        return None;
    }
    let tokens = tokens::read(tag);
    let picture = tokens.first()?;
    let of = |name: &str| picture.attribute(name).unwrap_or_default().to_owned();
    let address = of("src");
    (!is_ours(&address)).then(|| (address, of("alt")))
}

fn push_link(out: &mut String, address: &str, words: &str, in_link: bool) {
    if !in_link {
        out.push_str("<a href=\"");
        escape(address, out);
        out.push_str("\">");
    }
    if words.trim().is_empty() {
        out.push_str(NAMELESS);
    } else {
        escape(words, out);
    }
    if !in_link {
        out.push_str("</a>");
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Piece};
    use super::*;

    fn shown(markdown: &str) -> String {
        let html: String = Body::parse(markdown)
            .html()
            .iter()
            .map(|piece| match piece {
                Piece::Literal(html) => html.as_str(),
                _ => "…",
            })
            .collect();
        with_links_to_foreign_pictures(&html, |address| address.starts_with('/'))
    }

    #[test]
    fn a_picture_of_another_site_is_a_link() {
        for (markdown, html) in [
            (
                "![Boats > \"ships\"](https://other.example/a?b&c)",
                "<p><a href=\"https://other.example/a?b&amp;c\">Boats &gt; &quot;ships&quot;</a></p>\n",
            ),
            (
                "![](https://other.example/a.png)",
                "<p><a href=\"https://other.example/a.png\"><span lang=\"en\">Picture</span></a></p>\n",
            ),
            (
                "[![Boats](https://other.example/a.png) at sea](https://example.org) ![x](//other.example/b)",
                "<p><a href=\"https://example.org\">Boats at sea</a> <a href=\"https://other.example/b\">x</a></p>\n",
            ),
            (
                "![{{name|reader}}’s](https://other.example/a.png)",
                "<p><a href=\"https://other.example/a.png\">…’s</a></p>\n",
            ),
        ] {
            assert_eq!(shown(markdown), html, "{markdown}");
        }
    }

    #[test]
    fn everything_else_stays() {
        for markdown in [
            "![Ours](/assets/a.png) and `<img src=\"https://other.example/\">`",
            "A > B, **C** & D\n\n| a | b |\n|---|--:|\n| 1 | 2 |",
        ] {
            let html: String = Body::parse(markdown)
                .html()
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Literal(html) => Some(html.as_str()),
                    _ => None,
                })
                .collect();
            assert_eq!(shown(markdown), html, "{markdown}");
        }
    }
}
