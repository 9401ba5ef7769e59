//! Tests the cleaner with 3,655 published XSS payloads, each tried as the body, inside several kinds of Markdown,
//! and as the target of a link and an image.
//!
//! The result is judged by rules that share no code with the cleaner: it is parsed again and must contain no
//! element, attribute or address that could execute.

use std::path::Path;

use super::markdown::{as_typed, to_safe_html};
use super::tokens::{Token, read};

const HARMLESS_ATTRIBUTES: &[&str] = &[
    "href", "src", "alt", "title", "lang", "dir", "width", "height", "start", "colspan", "rowspan",
];

/// Why this HTML is dangerous, if it is.
fn danger(html: &str) -> Option<String> {
    for token in read(html) {
        let Token::Open { name, attributes } = token else {
            continue;
        };
        let plain = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let runs = [
            "script",
            "style",
            "iframe",
            "frame",
            "object",
            "embed",
            "svg",
            "math",
            "link",
            "meta",
            "base",
            "form",
            "input",
            "button",
            "select",
            "textarea",
            "template",
            "noscript",
            "title",
            "xmp",
            "plaintext",
            "video",
            "audio",
            "source",
            "portal",
            "marquee",
            "body",
            "html",
            "head",
            "isindex",
            "applet",
            "animate",
            "set",
            "foreignobject",
            "keygen",
        ];
        if !plain || runs.contains(&name.as_str()) {
            return Some(format!("element {name}"));
        }
        for (attribute, value) in attributes {
            let alignment = attribute == "style"
                && ["text-align:left", "text-align:right", "text-align:center"]
                    .contains(&value.as_str());
            if !alignment && !HARMLESS_ATTRIBUTES.contains(&attribute.as_str()) {
                return Some(format!("attribute {attribute}={value}"));
            }
            if matches!(attribute.as_str(), "href" | "src") {
                // As the most lenient parser would read it: only letters count.
                let bare: String = value
                    .to_lowercase()
                    .chars()
                    .filter(|c| {
                        !c.is_whitespace()
                            && !c.is_control()
                            && *c != '\u{feff}'
                            && *c != '\u{200b}'
                    })
                    .collect();
                if let Some((scheme, _)) = bare.split_once(':') {
                    let safe = ["http", "https", "mailto", "tel"].contains(&scheme)
                        || scheme.contains(['/', '?', '#']);
                    if !safe {
                        return Some(format!("address {value}"));
                    }
                }
            }
        }
    }
    None
}

#[track_caller]
fn survive(markdown: &str) {
    let html = to_safe_html(markdown).unwrap_or_else(|_| as_typed(markdown));
    assert_eq!(danger(&html), None, "{markdown:?} became {html:?}");
    let again = super::markdown::clean(&html);
    assert_eq!(again, html, "a second reading differs for {markdown:?}");
}

#[test]
fn the_judge_knows_danger() {
    for bad in [
        "<script>",
        "<p onclick=x>",
        "<a href=' java\nscript:x'>",
        "<img src=data:x>",
        "<p style=color:red>",
        "<svg>",
        "<x-y>",
        "<td style='text-align:left;background:url(x)'>",
    ] {
        assert!(danger(bad).is_some(), "{bad}");
    }
    assert_eq!(danger("<p><a href=\"https://example.org/a:b\">x</a>"), None);
}

#[test]
fn no_payload_of_the_corpus_survives() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/xss/payloads.jsonl");
    let Ok(lines) = std::fs::read_to_string(&file) else {
        println!("skipped: no corpus at ../shared/corpora/xss");
        return;
    };
    let mut count = 0;
    for line in lines.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let payload = case["payload"].as_str().unwrap();
        for markdown in [
            payload.to_owned(),
            format!("a {payload} b"),
            format!("> - {payload}"),
            format!("[a]({payload})"),
            format!("[a](<{payload}>)"),
            format!("![{payload}]({payload} \"{payload}\")"),
            format!("<{payload}>"),
            format!("|a|\n|-|\n|{payload}|"),
            format!("<a href=\"{payload}\" title='{payload}'>{payload}</a>"),
            format!("<div><p>{payload}"),
        ] {
            survive(&markdown);
        }
        count += 1;
    }
    assert!(count > 3_000, "{count}");
}

proptest::proptest! {
    #[test]
    fn no_mixture_survives(text in "(<|>|</|script|svg|math|style|mtext|img|a|p|table| |href=|src=|onload=|\"|'|javascript:|data:|`|\\[|\\]|\\(|\\)|!|&|#x6a;|;|\n|/|=|:|\u{2028}|\u{0}|é|<!--|-->|title|<!\\[CDATA\\[|\\]\\]>){0,40}") {
        survive(&text);
    }
}
