//! A mail's HTML as an inert page.
//!
//! The policy is sent with the page itself, so that it holds in our frame as well as when the page is opened alone: no
//! scripts, no forms, no origin (`sandbox`), and nothing is loaded but images. Remote images are loaded only on
//! request, because opening a mail must not tell anybody that it was opened.

use std::borrow::Cow;

/// What the frame may do: follow links, in the whole window or a new one, if a person clicks.
pub const SANDBOX: &str =
    "allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation";

/// Which images a mail may load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// Images that it contains, and ours.
    Own,
    /// Images of any host, over TLS.
    Remote,
}

/// The content security policy of a mail's HTML. It allows inline styles, because that is how mails are styled.
#[must_use]
pub fn policy(images: Images) -> String {
    let remote = match images {
        Images::Own => "",
        Images::Remote => " https:",
    };
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:{remote}; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox {SANDBOX}"
    )
}

/// Makes the links of the HTML open in the whole window, with a `base` tag; the first one of a page wins. It is
/// inserted after the doctype, where a parser opens the head for it; before the doctype it would trigger quirks mode.
#[must_use]
pub fn page(html: &str) -> String {
    const BASE: &str = "<base target=\"_top\">";
    let (doctype, rest) = html.split_at(doctype_end(html));
    format!("{doctype}{BASE}{rest}")
}

/// Where the doctype ends; 0 if the text does not begin with one.
fn doctype_end(html: &str) -> usize {
    const DOCTYPE: &str = "<!doctype";
    let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
    let start = html.len() - html.trim_start_matches(blank).len();
    let begins = html
        .get(start..start + DOCTYPE.len())
        .is_some_and(|text| text.eq_ignore_ascii_case(DOCTYPE));
    if !begins {
        return 0;
    }
    html[start..].find('>').map_or(0, |end| start + end + 1)
}

/// Whether the HTML may refer to images of other hosts, so that the page should offer to load them.
#[must_use]
pub fn has_remote_images(html: &str, origin: &str) -> bool {
    let text: Cow<'_, str> = html.to_ascii_lowercase().into();
    let ours = format!("{}/", origin.to_ascii_lowercase());
    [
        "src=\"https://",
        "src='https://",
        "url(https://",
        "url('https://",
        "url(\"https://",
    ]
    .iter()
    .any(|mark| {
        let scheme = mark.len() - "https://".len();
        text.match_indices(mark)
            .any(|(at, _)| !text[at + scheme..].starts_with(&ours))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctype_stays_first() {
        assert_eq!(
            page("\u{feff} <!DOCTYPE html>\n<html>"),
            "\u{feff} <!DOCTYPE html><base target=\"_top\">\n<html>"
        );
        assert_eq!(page("<p>a"), "<base target=\"_top\"><p>a");
        assert_eq!(page("<!doctype"), "<base target=\"_top\"><!doctype");
        assert_eq!(page("<!docty\u{e9}"), "<base target=\"_top\"><!docty\u{e9}");
        assert_eq!(page(""), "<base target=\"_top\">");
    }

    #[test]
    fn remote_images_are_those_of_others() {
        let origin = "https://news.example";
        for (html, remote) in [
            ("<img src=\"https://news.example/a.png\">", false),
            ("<img SRC='https://other.example/a.png'>", true),
            (
                "<td background style=\"background:url(https://x.example/a)\">",
                true,
            ),
            (
                "<img src=\"https://news.example.evil.example/a.png\">",
                true,
            ),
            ("<a href=\"https://other.example\">", false),
            ("<img src=\"data:image/png;base64,AA\">", false),
        ] {
            assert_eq!(has_remote_images(html, origin), remote, "{html}");
        }
    }

    #[test]
    fn no_policy_allows_scripts_forms_or_an_origin() {
        for images in [Images::Own, Images::Remote] {
            let policy = policy(images);
            assert!(policy.starts_with("default-src 'none'"));
            assert!(!policy.contains("script") && !policy.contains("allow-same-origin"));
            assert_eq!(policy.contains("https:"), images == Images::Remote);
        }
    }
}
