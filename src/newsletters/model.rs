//! A newsletter's settings, validated from the input of an editor or a script.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Colour, Slug, language};
use crate::scheduler::Zone;
use crate::types::{ConsentTextId, EmailAddress, NewsletterId};

/// The default accent.
pub const DEFAULT_ACCENT: &str = "#0e5f5b";

/// A newsletter as every feature sees it.
#[derive(Clone, Debug)]
pub struct Newsletter {
    pub id: NewsletterId,
    pub slug: String,
    pub name: String,
    /// What readers get, for the sign-up page; may be empty.
    pub description: String,
    pub from_name: String,
    pub from_address: String,
    pub reply_to: Option<String>,
    /// Shown at the foot of every mail; lines separated by `\n`.
    pub postal_address: String,
    /// An IANA name.
    pub time_zone: String,
    /// A BCP 47 tag.
    pub language: String,
    /// `#rrggbb`, readable on white.
    pub accent: String,
    /// Whether past issues can be read on the web.
    pub archive: bool,
}

impl Newsletter {
    /// The text below the sender's name at the foot of a mail: the postal address, without a first line that repeats
    /// the name.
    #[must_use]
    pub fn address_below_name(&self) -> &str {
        match self.postal_address.split_once('\n') {
            Some((first, rest)) if first.trim() == self.from_name.trim() => rest,
            _ => &self.postal_address,
        }
    }

    /// The address at which readers reach the publisher.
    #[must_use]
    pub fn answers_to(&self) -> &str {
        self.reply_to.as_ref().unwrap_or(&self.from_address)
    }

    /// The variant of the accent for dark pages and mails.
    #[must_use]
    pub fn dark_accent(&self) -> String {
        self.colour().lightened_to_read().to_string()
    }

    /// The style sheet that gives a page the newsletter's accent.
    #[must_use]
    pub fn accent_sheet(&self) -> String {
        format!("/accent/{}.css", &self.colour().to_string()[1..])
    }

    fn colour(&self) -> Colour {
        Colour::parse(&self.accent).unwrap_or(Colour::DEFAULT)
    }
}

/// One version of the text that readers of a newsletter agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentText {
    pub id: ConsentTextId,
    pub version: i64,
    pub body: String,
}

/// The input from the form or the JSON, before validation.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Typed {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub from_name: String,
    pub from_address: String,
    pub reply_to: String,
    pub postal_address: String,
    /// A script may create a newsletter before its postal address is known; the editors' form requires it.
    #[serde(skip)]
    pub postal_address_can_wait: bool,
    pub time_zone: String,
    /// Empty: English.
    pub language: String,
    pub accent: String,
    pub consent: String,
    pub archive: bool,
}

/// A validated newsletter that can be stored.
#[derive(Clone, Debug)]
pub struct Draft {
    pub slug: Slug,
    pub name: String,
    pub description: String,
    pub from_name: String,
    pub from_address: EmailAddress,
    pub reply_to: Option<EmailAddress>,
    pub postal_address: String,
    pub time_zone: Zone,
    /// A BCP 47 tag with normalised case.
    pub language: String,
    pub accent: Colour,
    pub consent: String,
    pub archive: bool,
}

/// Error messages for the editor, by field name.
pub type FieldErrors = BTreeMap<&'static str, String>;

impl Typed {
    /// A stored newsletter as the form shows it.
    #[must_use]
    pub fn of(letter: &Newsletter, consent: Option<ConsentText>) -> Self {
        Self {
            slug: letter.slug.clone(),
            name: letter.name.clone(),
            description: letter.description.clone(),
            from_name: letter.from_name.clone(),
            from_address: letter.from_address.clone(),
            reply_to: letter.reply_to.clone().unwrap_or_default(),
            postal_address: letter.postal_address.clone(),
            postal_address_can_wait: false,
            time_zone: letter.time_zone.clone(),
            language: letter.language.clone(),
            accent: letter.accent.clone(),
            consent: consent.map(|text| text.body).unwrap_or_default(),
            archive: letter.archive,
        }
    }

    /// Names this content: a form says by it what it was based on, so that nobody saves over what they have not seen.
    #[must_use]
    pub fn revision(&self) -> String {
        // Text and a boolean: this cannot fail.
        let content = serde_json::to_vec(self).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &content))
    }

    /// Validates every field.
    ///
    /// # Errors
    /// All errors, by field.
    pub fn check(&self) -> Result<Draft, FieldErrors> {
        let mut errors = FieldErrors::new();
        let mut note = |field: &'static str, message: String| {
            errors.entry(field).or_insert(message);
        };
        let name = one_line(&self.name, 120, "Give the newsletter a name.").unwrap_or_else(|e| {
            note("name", e);
            String::new()
        });
        let from_name =
            one_line(&self.from_name, 120, "Write the sender’s name.").unwrap_or_else(|e| {
                note("from_name", e);
                String::new()
            });
        let description = lines(&self.description, 1_000, None).unwrap_or_else(|e| {
            note("description", e);
            String::new()
        });
        let needed = (!self.postal_address_can_wait).then_some("Write the postal address.");
        let postal_address = lines(&self.postal_address, 500, needed).unwrap_or_else(|e| {
            note("postal_address", e);
            String::new()
        });
        let needed = Some("Write what readers agree to.");
        let consent = lines(&self.consent, 2_000, needed).unwrap_or_else(|e| {
            note("consent", e);
            String::new()
        });
        let slug = Slug::parse(self.slug.trim())
            .map_err(|e| note("slug", e.to_string()))
            .ok();
        // The editors' pages use this path.
        if slug.as_ref().is_some_and(|slug| slug.as_str() == "new") {
            note(
                "slug",
                "Choose another name: this one is Canvass’s own.".into(),
            );
        }
        let from_address = EmailAddress::from_typed(&self.from_address)
            .map_err(|e| match self.from_address.trim() {
                "" => note("from_address", "Write the sender’s address.".into()),
                _ => note("from_address", e.to_string()),
            })
            .ok();
        let reply_to = match self.reply_to.trim() {
            "" => None,
            text => EmailAddress::from_typed(text)
                .map_err(|e| note("reply_to", e.to_string()))
                .ok(),
        };
        let time_zone = Zone::parse(&self.time_zone)
            .map_err(|e| note("time_zone", e.to_string()))
            .ok();
        let language = language::parse(&self.language).unwrap_or_else(|e| {
            note("language", e.to_owned());
            String::new()
        });
        let accent = self.accent().map_err(|e| note("accent", e)).ok();
        match (slug, from_address, time_zone, accent) {
            (Some(slug), Some(from_address), Some(time_zone), Some(accent))
                if errors.is_empty() =>
            {
                Ok(Draft {
                    slug,
                    name,
                    description,
                    from_name,
                    from_address,
                    reply_to,
                    postal_address,
                    time_zone,
                    language,
                    accent,
                    consent,
                    archive: self.archive,
                })
            }
            _ => Err(errors),
        }
    }

    fn accent(&self) -> Result<Colour, String> {
        let text = if self.accent.trim().is_empty() {
            DEFAULT_ACCENT
        } else {
            self.accent.trim()
        };
        let colour = Colour::parse(text)
            .ok_or("Give the colour as six hexadecimal digits, such as #0e5f5b.")?;
        if colour.reads_on_white() {
            return Ok(colour);
        }
        Err(format!(
            "{colour} on white has a contrast of {:.1} to 1; readers need 4.5. The nearest colour that works is {}.",
            // Rounded down: a contrast of 4.46 must not be shown as 4.5.
            (colour.contrast(Colour::WHITE) * 10.0).floor() / 10.0,
            colour.darkened_to_read()
        ))
    }
}

/// Trimmed text without line breaks or control characters; `missing` is the error if it is empty.
fn one_line(text: &str, longest: usize, missing: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(missing.into());
    }
    if text.chars().any(char::is_control) {
        return Err("Write this on one line.".into());
    }
    within(text, longest)
}

/// Trimmed text in lines; `\r\n` becomes `\n`. `missing` is the error for an empty text, if it must not be empty.
fn lines(text: &str, longest: usize, missing: Option<&str>) -> Result<String, String> {
    let text = text.trim().replace("\r\n", "\n");
    if text.is_empty()
        && let Some(missing) = missing
    {
        return Err(missing.into());
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err("Remove the control characters.".into());
    }
    within(&text, longest)
}

fn within(text: &str, longest: usize) -> Result<String, String> {
    let count = text.chars().count();
    if count > longest {
        return Err(format!(
            "This has {count} characters; at most {longest} are allowed."
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> Typed {
        Typed {
            slug: "evening-brief".into(),
            name: "The Evening Brief".into(),
            from_name: "Linden Post".into(),
            from_address: "brief@lindenpost.example".into(),
            postal_address: "Linden Post\r\nMain Street 1\r\n12345 Linden".into(),
            time_zone: "europe/berlin".into(),
            consent: "Yes, send me the Evening Brief.".into(),
            ..Typed::default()
        }
    }

    #[test]
    fn what_is_complete_passes_and_is_tidied() {
        let draft = typed().check().expect("complete");
        assert_eq!(draft.time_zone.name(), "Europe/Berlin");
        assert_eq!(
            draft.postal_address,
            "Linden Post\nMain Street 1\n12345 Linden"
        );
        assert_eq!(draft.accent.to_string(), DEFAULT_ACCENT);
        assert!(draft.reply_to.is_none());
    }

    #[test]
    fn every_field_says_what_is_wrong_with_it() {
        let errors = Typed::default().check().expect_err("empty");
        let fields: Vec<_> = errors.keys().copied().collect();
        assert_eq!(
            fields,
            [
                "consent",
                "from_address",
                "from_name",
                "name",
                "postal_address",
                "slug",
                "time_zone"
            ]
        );
        let told: std::collections::BTreeSet<_> = errors.values().collect();
        assert_eq!(told.len(), errors.len(), "each says what: {told:?}");
    }

    #[test]
    fn line_breaks_cannot_reach_a_header() {
        for break_ in ["\r\n", "\n", "\r", "\0", "\u{85}"] {
            let name = format!("Linden{break_}Bcc: all@example.org");
            let errors = Typed {
                from_name: name.clone(),
                name,
                ..typed()
            }
            .check()
            .expect_err("refused");
            assert_eq!(errors.len(), 2, "{break_:?}");
        }
    }

    #[test]
    fn a_pale_accent_is_refused_with_one_that_works() {
        let errors = Typed {
            accent: "#f2c94c".into(),
            ..typed()
        }
        .check()
        .expect_err("pale");
        let message = &errors["accent"];
        let better = message
            .split("works is ")
            .nth(1)
            .expect("named")
            .trim_end_matches('.');
        assert!(
            Typed {
                accent: better.into(),
                ..typed()
            }
            .check()
            .is_ok(),
            "{message}"
        );
    }
}
