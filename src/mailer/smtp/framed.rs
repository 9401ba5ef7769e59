//! A message on the wire, from the first octet of its headers to its final dot.

use std::{borrow::Cow, fmt};

/// A message with dot-stuffing and the final dot (RFC 5321 §4.5.2).
///
/// It is written in one piece: lettre's own code looks at each octet and sends the dot in a packet of its own.
pub(super) struct Framed<'m> {
    message: Cow<'m, str>,
    /// Pipelined commands that follow in the same packet.
    then: Option<String>,
}

impl<'m> Framed<'m> {
    const END: &'static str = "\r\n.\r\n";

    pub(super) fn new(message: &'m str, then: Option<String>) -> Self {
        // The terminator begins with the last line's CRLF; if the message kept its own, it would gain an empty line.
        let message = message.strip_suffix("\r\n").unwrap_or(message);
        let mut stuffed = Cow::Borrowed(message);
        if message.contains("\r\n.") {
            stuffed = Cow::Owned(message.replace("\r\n.", "\r\n.."));
        }
        if stuffed.starts_with('.') {
            stuffed.to_mut().insert(0, '.');
        }
        Self {
            message: stuffed,
            then,
        }
    }

    /// The size of the message in octets, including the final dot.
    pub(super) fn octets(&self) -> usize {
        self.message.len() + Self::END.len()
    }
}

impl fmt::Display for Framed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        f.write_str(Self::END)?;
        f.write_str(self.then.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dots_are_stuffed_and_the_end_is_one_line() {
        for (message, wire) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n..\r\n.b\r\n", "..\r\n...\r\n..b\r\n.\r\n"),
            ("a\r\n\r\n", "a\r\n\r\n.\r\n"),
            ("", "\r\n.\r\n"),
        ] {
            assert_eq!(Framed::new(message, None).to_string(), wire);
        }
    }

    proptest! {
        #[test]
        fn only_the_end_looks_like_the_end(lines in proptest::collection::vec("[.a ]{0,4}", 0..12)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let framed = Framed::new(&message, None);
            let wire = framed.to_string();
            prop_assert_eq!(wire.len(), framed.octets());
            let ends = format!("\r\n{wire}");
            prop_assert_eq!(ends.find("\r\n.\r\n"), Some(ends.len() - 5));
            let body = wire.strip_suffix(".\r\n").unwrap();
            let read: String = body
                .split_inclusive("\r\n")
                .map(|line| line.strip_prefix('.').unwrap_or(line))
                .collect();
            let expected = if message.is_empty() { "\r\n" } else { message.as_str() };
            prop_assert_eq!(read, expected);
        }
    }
}
