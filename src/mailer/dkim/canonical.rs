//! The relaxed canonicalization of RFC 6376 §3.4, which is what a signature covers.

/// A header field: its name, and everything after the colon, folded as it is but without its last CRLF.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'m> {
    pub(super) name: &'m [u8],
    pub(super) value: &'m [u8],
}

/// Splits a message after its header.
pub(super) fn split(message: &[u8]) -> (&[u8], &[u8]) {
    match message.windows(4).position(|w| w == b"\r\n\r\n") {
        Some(end) => (&message[..end + 2], &message[end + 4..]),
        None => (message, &[]),
    }
}

/// The fields of a header, in order. A line that is not a field is left out.
pub(super) fn fields(head: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::with_capacity(24);
    let mut rest = head;
    while !rest.is_empty() {
        let mut end = 0;
        // A field continues while the next line begins with white space.
        loop {
            end += line_length(&rest[end..]);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (field, after) = rest.split_at(end);
        rest = after;
        let field = field.strip_suffix(b"\r\n").unwrap_or(field);
        if let Some(colon) = field.iter().position(|b| *b == b':') {
            fields.push(Field {
                name: field[..colon].trim_ascii_end(),
                value: &field[colon + 1..],
            });
        }
    }
    fields
}

/// Appends a field in relaxed form (§3.4.2), without its CRLF.
pub(super) fn header(field: Field<'_>, out: &mut Vec<u8>) {
    out.extend(field.name.iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let mut gap = false;
    let start = out.len();
    for &byte in field.value {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => gap = true,
            _ => {
                if gap && out.len() > start {
                    out.push(b' ');
                }
                gap = false;
                out.push(byte);
            }
        }
    }
}

/// Appends a body in relaxed form (§3.4.4). Its lines end with CRLF.
pub(super) fn body(body: &[u8], out: &mut Vec<u8>) {
    let (mut rest, mut empty) = (body, 0);
    while !rest.is_empty() {
        let (line, after) = rest.split_at(line_length(rest));
        rest = after;
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        let length = line.len()
            - line
                .iter()
                .rev()
                .take_while(|b| matches!(b, b' ' | b'\t'))
                .count();
        let line = &line[..length];
        if line.is_empty() {
            // Empty lines count only if something follows.
            empty += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty) {
            out.extend_from_slice(b"\r\n");
        }
        squeezed(line, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a line with each run of white space reduced to one space.
fn squeezed(line: &[u8], out: &mut Vec<u8>) {
    let wide = line.contains(&b'\t') || line.windows(2).any(|w| w == b"  ");
    if !wide {
        out.extend_from_slice(line);
        return;
    }
    let mut gap = false;
    for &byte in line {
        let space = matches!(byte, b' ' | b'\t');
        if !space {
            out.push(byte);
        } else if !gap {
            out.push(b' ');
        }
        gap = space;
    }
}

/// The length of the first line, including its CRLF.
fn line_length(bytes: &[u8]) -> usize {
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().position(|b| *b == b'\n') {
        let end = from + found + 1;
        if end >= 2 && bytes[end - 2] == b'\r' {
            return end;
        }
        from = end;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relaxed_body(text: &str) -> String {
        let mut out = Vec::new();
        body(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn relaxed_header(head: &str) -> String {
        let mut out = Vec::new();
        for field in fields(head.as_bytes()) {
            header(field, &mut out);
            out.extend_from_slice(b"\r\n");
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_example_of_rfc_6376_comes_out() {
        // §3.4.5
        assert_eq!(
            relaxed_header("A: X\r\nB : Y\t\r\n\tZ  \r\n"),
            "a:X\r\nb:Y Z\r\n"
        );
        assert_eq!(relaxed_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
    }

    #[test]
    fn the_ends_of_bodies_are_those_of_the_rfc() {
        for (text, expected) in [
            ("", ""),
            ("\r\n\r\n", ""),
            (" \t\r\n", ""),
            ("a", "a\r\n"),
            ("a\r\n\r\nb \r\n \r\n", "a\r\n\r\nb\r\n"),
            ("\r\na", "\r\na\r\n"),
        ] {
            assert_eq!(relaxed_body(text), expected, "{text:?}");
        }
    }

    /// The corpus holds two other forms: *nofws* is the relaxed one without any white space; *simple* changes only the
    /// empty lines at the end, so that its relaxed form is that of the mail.
    #[test]
    fn real_mails_come_out_as_others_canonicalise_them() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora/dkim-canon");
        if !std::path::Path::new(folder).is_dir() {
            eprintln!("skipped: {folder} is not here");
            return;
        }
        let (mut seen, mut wrong) = (0, Vec::new());
        for n in 0..100 {
            let read = |kind: &str| std::fs::read_to_string(format!("{folder}/{kind}.{n:02}"));
            let Ok(mail) = read("email") else { continue };
            seen += 1;
            let crlf = |text: String| text.replace("\r\n", "\n").replace('\n', "\r\n");
            let whole = |mail: &str| {
                let (head, body) = split(mail.as_bytes());
                let mut out = relaxed_header(std::str::from_utf8(head).unwrap());
                out.push_str("\r\n");
                out + &relaxed_body(std::str::from_utf8(body).unwrap())
            };
            let ours = whole(&crlf(mail));
            // The corpus drops lone CRs as well; our mails cannot contain any.
            let white = |c: &char| !matches!(c, ' ' | '\t' | '\r');
            let tight = crlf(ours.chars().filter(white).collect());
            let nofws = crlf(read("nofws.expected").unwrap());
            // The corpus keeps the case of the names.
            if !tight.eq_ignore_ascii_case(&nofws) {
                wrong.push(format!("{n}: nofws {tight:?} {nofws:?}"));
            }
            let simple = whole(&crlf(read("simple.expected").unwrap()));
            if ours != simple {
                wrong.push(format!("{n}: simple {ours:?} {simple:?}"));
            }
        }
        assert!(seen > 0 && wrong.is_empty(), "{seen}: {}", wrong.join("\n"));
    }

    proptest! {
        #[test]
        fn the_relaxed_form_is_its_own_relaxed_form(text in "[ \tab\r\n]{0,60}") {
            let text = text.replace('\r', "").replace('\n', "\r\n");
            let once = relaxed_body(&text);
            prop_assert_eq!(relaxed_body(&once), once.clone());
            prop_assert!(!once.contains("  ") && !once.contains(" \r\n") && !once.contains('\t'));
        }
    }
}
