//! The three files that other sites' pages load. Their URLs never change, so they may be cached for an hour only.

use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::newsletters::Colour;
use crate::types::token::token_hash;

/// A file as it is sent: without comments and needless white space, which the pages of readers do not need.
struct File {
    body: String,
    tag: String,
}

impl File {
    fn script(source: &str) -> Self {
        let lines = source.lines().map(str::trim);
        let kept: Vec<&str> = lines
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .collect();
        Self::of(squeezed(&kept.join("\n")))
    }

    fn style(source: &str) -> Self {
        let mut parts = source.split("/*");
        let mut body = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            body.push_str(part.split_once("*/").map_or("", |(_, rest)| rest));
        }
        Self::of(body.trim().replace("}\n", "}"))
    }

    fn of(body: String) -> Self {
        let hash = token_hash(&body);
        let hash: String = hash.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self {
            body,
            tag: format!("\"{hash}\""),
        }
    }

    fn answer(&self, headers: &HeaderMap, kind: &'static str) -> Response {
        let known = headers
            .get(IF_NONE_MATCH)
            .is_some_and(|tag| tag.as_bytes() == self.tag.as_bytes());
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            self.body.clone().into_response()
        };
        let out = response.headers_mut();
        out.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        out.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600, stale-while-revalidate=86400"),
        );
        out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        out.insert(
            "cross-origin-resource-policy",
            HeaderValue::from_static("cross-origin"),
        );
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            out.insert(ETAG, tag);
        }
        response
    }
}

/// Punctuation beside which a space in a script means nothing. `+` and `-` do not belong here because of `a + +b`, nor
/// does `/`, which may begin a regular expression.
const TIGHT: &[char] = &[
    '{', '}', '(', ')', '[', ']', ',', ';', ':', '?', '=', '<', '>', '&', '|', '*', '!',
];
/// After these, an end of a line means nothing: every statement that ends with an expression has its semicolon.
const OPEN: &[char] = &['{', '}', '(', '[', ',', ';'];

/// The script without needless spaces, semicolons and ends of lines, outside strings. It must have no comments, no
/// quotes in regular expressions, and no empty statements.
fn squeezed(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    let mut chars = script.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        let needless = match c {
            _ if quote.is_some() => false,
            ' ' => out.ends_with(TIGHT) || chars.peek().is_some_and(|next| TIGHT.contains(next)),
            '\n' => out.ends_with(OPEN),
            _ => false,
        };
        if needless {
            continue;
        }
        // A block's last statement needs no semicolon.
        if c == '}' && quote.is_none() && out.ends_with(';') {
            out.pop();
        }
        out.push(c);
        match quote {
            Some(_) if c == '\\' => out.extend(chars.next()),
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            _ => {}
        }
    }
    out
}

static MODULE: LazyLock<File> = LazyLock::new(|| File::script(include_str!("poll.js")));
static SHEET: LazyLock<File> = LazyLock::new(|| File::style(include_str!("poll.css")));
static FRAME: LazyLock<File> = LazyLock::new(|| File::script(include_str!("frame.js")));

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// `GET /embed/poll.js`: the module behind `<canvass-poll>`.
pub async fn module(headers: HeaderMap) -> Response {
    MODULE.answer(&headers, JAVASCRIPT)
}

const CSS: &str = "text/css; charset=utf-8";

/// `GET /embed/poll.css`: the style sheet, for the page and for the module. `?accent=rrggbb` adds the accent of a
/// newsletter, for polls that name it; `?reserve=66em` adds a size to reserve, in `em` or `px`, for polls that name it.
/// Anything else in the query is ignored.
pub async fn sheet(headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let asked = |name: &str| {
        query
            .split('&')
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
    };
    let accent = asked("accent")
        .and_then(|hex| Colour::parse(&format!("#{hex}")))
        .filter(|colour| colour.reads_on_white());
    let added = [accent.map(accented), asked("reserve").and_then(reserved)];
    if added.iter().all(Option::is_none) {
        return SHEET.answer(&headers, CSS);
    }
    let rules = added.into_iter().flatten();
    let rules = rules.fold(SHEET.body.clone(), |sheet, rule| format!("{sheet}\n{rule}"));
    File::of(rules).answer(&headers, CSS)
}

/// The space for a short element that needs more than the rules for its options reserve. The rule is in the style sheet
/// because a site may allow no inline style. `None` for anything but a whole number of `em` or `px`.
fn reserved(size: &str) -> Option<String> {
    let digits = size
        .strip_suffix("em")
        .or_else(|| size.strip_suffix("px"))?;
    let number = digits.chars().all(|c| c.is_ascii_digit()) && digits.parse::<u16>().is_ok();
    number.then(|| format!("canvass-poll[reserve=\"{size}\"]{{min-block-size:{size}}}"))
}

/// A page may carry polls of several newsletters, so only those with this accent are coloured. `:where` lets the
/// page's own colours win.
fn accented(accent: Colour) -> String {
    let polls = format!(
        ":where(canvass-poll[accent=\"{}\"])",
        accent.to_string().trim_start_matches('#')
    );
    let dark = accent.lightened_to_read();
    format!(
        "{polls}{{--canvass-accent:{accent};--canvass-on-accent:#fff}}\n\
         @supports(color:light-dark(red,red)){{{polls}{{--canvass-accent:light-dark({accent},{dark});--canvass-on-accent:light-dark(#fff,#0d1416)}}}}"
    )
}

/// `GET /embed/frame.js`: reports from the page in an iframe to the page around it.
pub async fn frame_script(headers: HeaderMap) -> Response {
    FRAME.answer(&headers, JAVASCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_has_no_comments_and_no_needless_space() {
        let script = "// Why.\nconst a = \"https://b { c }\";\n\n  if (a) {\n    a(b + +c, `${ d } \\` ,`);\n  }\n";
        assert_eq!(
            File::script(script).body,
            "const a=\"https://b { c }\";if(a){a(b + +c,`${ d } \\` ,`)}"
        );
        for (sent, source) in [
            (&MODULE.body, include_str!("poll.js")),
            (&FRAME.body, include_str!("frame.js")),
        ] {
            // Every string arrives as it was written.
            for line in source.lines().map(str::trim) {
                assert!(!line.contains("; //"), "a comment after code: {line}");
                let strings = line.split('"').skip(1).step_by(2);
                for string in strings.filter(|_| !line.starts_with("//")) {
                    assert!(sent.contains(&format!("\"{string}\"")), "{string}");
                }
            }
        }
        assert_eq!(
            File::style("/* Why. */\na{b:c}/* x */\nd{}").body,
            "a{b:c}d{}"
        );
        assert!(!SHEET.body.contains("/*"));
    }

    #[test]
    fn space_is_reserved_by_whole_numbers_only() {
        assert_eq!(
            reserved("553px").as_deref(),
            Some("canvass-poll[reserve=\"553px\"]{min-block-size:553px}")
        );
        assert!(reserved("66em").is_some());
        for wrong in [
            "", "66", "em", "-1em", "+1em", "6.5em", "1e3px", "70000px", "1}*{em", "66EM",
        ] {
            assert_eq!(reserved(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_accent_is_only_for_the_polls_that_name_it() {
        let violet = Colour::parse("#6a1b9a").expect("a colour");
        let rules = accented(violet);
        assert!(
            rules.starts_with(":where(canvass-poll[accent=\"6a1b9a\"]){--canvass-accent:#6a1b9a;"),
            "{rules}"
        );
        assert_eq!(rules.matches('{').count(), rules.matches('}').count());
    }
}
