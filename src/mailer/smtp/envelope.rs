//! The envelope: the return path and the recipient.

use std::fmt::Write as _;

/// An address that must not be used in an SMTP command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address contains a character that is not allowed in an SMTP command")]
pub struct Unmailable;

/// Return path and recipient of one mail. There is one recipient per mail, so that a refusal is about one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    from: String,
    to: String,
    id: String,
    octets: usize,
}

impl Envelope {
    /// `from` is the return path, empty for the null sender of RFC 5321 §4.5.5.
    ///
    /// # Errors
    /// If an address could end the command line or its angle brackets early.
    pub fn new(from: &str, to: &str) -> Result<Self, Unmailable> {
        let harmless = |address: &str| {
            !address
                .chars()
                .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>'))
        };
        if to.is_empty() || !harmless(from) || !harmless(to) {
            return Err(Unmailable);
        }
        Ok(Self {
            from: from.to_owned(),
            to: to.to_owned(),
            id: String::new(),
            octets: 0,
        })
    }

    /// Sets the identifier (ENVID) that a delivery status notification repeats: the local part of its Message-ID.
    #[must_use]
    pub fn identified(mut self, message_id: &str) -> Self {
        let local = message_id.trim_start_matches('<').split('@').next();
        self.id = local.unwrap_or_default().to_owned();
        self
    }

    /// Sets the minimum size of the message in octets, as far as it is known before the message is composed.
    #[must_use]
    pub fn sized(mut self, octets: usize) -> Self {
        self.octets = octets;
        self
    }

    /// The size of the message in octets; 0 if it is unknown.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// The recipient.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The return path.
    #[must_use]
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Whether the relay must support SMTPUTF8 (RFC 6531) for this mail.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.from.is_ascii() || !self.to.is_ascii()
    }

    /// The `MAIL` parameters for a server with DSN (RFC 3461 §4.3, §4.4): return only the headers, and repeat our
    /// identifier.
    pub(super) fn mail_wishes(&self) -> String {
        let mut wishes = " RET=HDRS".to_owned();
        // At most 100 characters.
        if !self.id.is_empty() && self.id.len() <= 80 {
            wishes.push_str(" ENVID=");
            xtext(&self.id, &mut wishes);
        }
        wishes
    }

    /// The `RCPT` parameters for such a server (§4.1, §4.2): notify of a failure, not of a delay, and repeat the
    /// recipient.
    pub(super) fn rcpt_wishes(&self) -> String {
        let mut wishes = " NOTIFY=FAILURE".to_owned();
        if self.to.is_ascii() {
            wishes.push_str(" ORCPT=rfc822;");
            xtext(&self.to, &mut wishes);
        }
        wishes
    }
}

/// Appends ASCII text as `xtext` (RFC 3461 §4).
fn xtext(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '!'..='~' if c != '+' && c != '=' => out.push(c),
            // Writing into a String cannot fail.
            _ => {
                let _ = write!(out, "+{:02X}", u32::from(c));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_cannot_be_broken_out_of() {
        for bad in [
            "a@b.c>\r\nRCPT TO:<x@y.z",
            "a@b.c\r\nDATA",
            "a b@c.d",
            "a@b.c\0",
            "",
        ] {
            assert_eq!(Envelope::new("news@example.org", bad), Err(Unmailable));
        }
        assert!(Envelope::new("", "ada@example.org").is_ok());
        assert!(
            Envelope::new("", "jürgen@example.org")
                .unwrap()
                .needs_smtputf8()
        );
    }

    #[test]
    fn wishes_are_written_as_xtext() {
        let envelope = Envelope::new("news@example.org", "a+b=c@example.org").unwrap();
        assert_eq!(envelope.mail_wishes(), " RET=HDRS");
        assert_eq!(
            envelope.rcpt_wishes(),
            " NOTIFY=FAILURE ORCPT=rfc822;a+2Bb+3Dc@example.org"
        );
        let named = envelope.identified("<x-1_y@example.org>");
        assert_eq!(named.mail_wishes(), " RET=HDRS ENVID=x-1_y");
        let foreign = Envelope::new("", "jürgen@example.org").unwrap();
        assert_eq!(foreign.rcpt_wishes(), " NOTIFY=FAILURE");
    }
}
