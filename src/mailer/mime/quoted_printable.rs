//! Quoted-printable (RFC 2045 §6.7) in pieces that can be joined.
//!
//! A piece always begins at the start of a line; [`Encoder::soft_break`] ends the encoded line without ending the line
//! of text. This makes it possible to encode an edition once and insert values into it.

/// The longest encoded line, without its CRLF.
const MAX_LINE: usize = 76;

/// Writes encoded text and remembers the column.
#[derive(Default)]
pub(super) struct Encoder {
    out: String,
    column: usize,
}

impl Encoder {
    /// Appends `text`. Any line end becomes CRLF; NUL is dropped.
    pub(super) fn text(&mut self, text: &str) {
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\0' => {}
                '\r' => {
                    chars.next_if_eq(&'\n');
                    self.hard_break();
                }
                '\n' => self.hard_break(),
                ' ' | '\t' => {
                    // White space before a line end would be stripped in transit.
                    let exposed = matches!(chars.peek(), None | Some('\r' | '\n'));
                    self.character(c, exposed);
                }
                '=' => self.character(c, true),
                // Encoded, a dot alone on a line or "From " at its start is harmless.
                '.' | 'F' if self.column == 0 => self.character(c, true),
                ' '..='~' => self.character(c, false),
                _ => self.character(c, true),
            }
        }
    }

    fn character(&mut self, c: char, encoded: bool) {
        let mut utf8 = [0; 4];
        let bytes = c.encode_utf8(&mut utf8).as_bytes();
        let width = if encoded { bytes.len() * 3 } else { 1 };
        // One column is kept for the `=` of a soft break. A character is never split: some clients decode line by line.
        if self.column + width > MAX_LINE - 1 {
            self.soft_break();
        }
        if encoded {
            const HEX: [u8; 16] = *b"0123456789ABCDEF";
            for byte in bytes {
                self.out.push('=');
                self.out.push(char::from(HEX[usize::from(byte >> 4)]));
                self.out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        } else {
            self.out.push(c);
        }
        self.column += width;
    }

    fn hard_break(&mut self) {
        self.out.push_str("\r\n");
        self.column = 0;
    }

    /// Goes to the start of a line without ending the line of text.
    pub(super) fn soft_break(&mut self) {
        if self.column > 0 {
            self.out.push_str("=\r\n");
            self.column = 0;
        }
    }

    /// Ends the body with a complete last line.
    pub(super) fn finish(&mut self) {
        if self.column > 0 {
            self.hard_break();
        }
    }

    /// Takes out what has been written so far.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }
}

/// Encodes `value` as separate encoded lines that join with the text before and after.
pub(super) fn inset(value: &str, out: &mut Vec<u8>) {
    let mut encoder = Encoder::default();
    encoder.text(value);
    encoder.soft_break();
    out.extend_from_slice(encoder.take().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(text: &str) -> String {
        let mut encoder = Encoder::default();
        encoder.text(text);
        encoder.take()
    }

    fn decode(encoded: &str) -> String {
        let joined = encoded.replace("=\r\n", "");
        let mut bytes = Vec::new();
        let mut rest = joined.bytes();
        while let Some(b) = rest.next() {
            if b == b'=' {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            } else {
                bytes.push(b);
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn encodes_what_would_not_survive() {
        assert_eq!(encode("a = b"), "a =3D b");
        assert_eq!(encode("grün \n"), "gr=C3=BCn=20\r\n");
        assert_eq!(encode(".\nFrom here"), "=2E\r\n=46rom here");
        assert_eq!(encode("a\rb\r\nc\nd\0e"), "a\r\nb\r\nc\r\nde");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_in_short_ascii_lines(text in "(?s).{0,400}") {
            let encoded = encode(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert!(encoded.split("\r\n").all(|line| line.len() <= MAX_LINE && !line.contains(['\r', '\n', '\0'])));
            let expected = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
            prop_assert_eq!(decode(&encoded).replace("\r\n", "\n"), expected);
        }

        #[test]
        fn pieces_join_without_a_seam(before in "[ -~ü\n]{0,200}", value in "[ -~ü]{0,200}", after in "[ -~ü\n]{0,200}") {
            let mut encoder = Encoder::default();
            encoder.text(&before);
            encoder.soft_break();
            let mut joined = encoder.take().into_bytes();
            inset(&value, &mut joined);
            encoder.text(&after);
            joined.extend_from_slice(encoder.take().as_bytes());
            let joined = String::from_utf8(joined).unwrap();
            prop_assert!(joined.split("\r\n").all(|line| line.len() <= MAX_LINE));
            prop_assert_eq!(decode(&joined).replace("\r\n", "\n"), format!("{before}{value}{after}"));
        }
    }
}
