//! The envelope: who answers for the mail, and the one who gets it.

/// An address that must not be put on an SMTP command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address holds a character that an SMTP command line cannot carry")]
pub struct Unmailable;

/// Return path and recipient of one mail. One recipient a mail: a refusal is then about a person, not a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    from: String,
    to: String,
}

impl Envelope {
    /// `from` is the return path, empty for the null sender of RFC 5321 §4.5.5.
    ///
    /// # Errors
    /// When an address could end the command line or its angle brackets early.
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
        })
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

    /// Whether the relay must speak SMTPUTF8 (RFC 6531) to take this mail.
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.from.is_ascii() || !self.to.is_ascii()
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
}
