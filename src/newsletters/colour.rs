//! The accent colour of a newsletter, and whether it is readable.
//!
//! WCAG 2.2 §1.4.3: text on a button of this colour, and links in this colour on white, need a contrast of 4.5 to 1.

use std::fmt;

/// A colour as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

/// The minimum contrast of text (WCAG 2.2 §1.4.3).
const TEXT_CONTRAST: f64 = 4.5;

impl Colour {
    /// The default accent, `model::DEFAULT_ACCENT`.
    pub const DEFAULT: Self = Self {
        red: 0x0e,
        green: 0x5f,
        blue: 0x5b,
    };

    /// The lightest of the dark backgrounds in mails (`email-templates/dark.css`); those of pages are darker.
    const DARK: Self = Self {
        red: 0x2e,
        green: 0x2c,
        blue: 0x28,
    };

    /// The darkest of the light grounds on which pages have links (`--paper-tint` in `web/assets/reader.css`).
    const TINT: Self = Self {
        red: 0xf5,
        green: 0xf4,
        blue: 0xf0,
    };

    /// White.
    pub const WHITE: Self = Self {
        red: 255,
        green: 255,
        blue: 255,
    };

    /// Reads `#rrggbb`, in either case; nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix('#')?;
        if hex.len() != 6 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
        Some(Self {
            red: part(0)?,
            green: part(2)?,
            blue: part(4)?,
        })
    }

    /// The contrast ratio between two colours, 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Whether white text on this colour, and text in this colour on white, is readable.
    #[must_use]
    pub fn reads_on_white(self) -> bool {
        self.contrast(Self::WHITE) >= TEXT_CONTRAST
    }

    /// The nearest darker colour of the same hue that is readable on white; the colour itself if it already is.
    #[must_use]
    pub fn darkened_to_read(self) -> Self {
        self.darkened_on(Self::WHITE)
    }

    /// The same for every light ground of our pages, of which white is the lightest.
    #[must_use]
    pub fn darkened_for_pages(self) -> Self {
        self.darkened_on(Self::TINT)
    }

    fn darkened_on(self, ground: Self) -> Self {
        let mut factor = 1.0_f64;
        let mut colour = self;
        while colour.contrast(ground) < TEXT_CONTRAST {
            factor -= 0.02;
            let part = |value: u8| (f64::from(value) * factor) as u8;
            colour = Self {
                red: part(self.red),
                green: part(self.green),
                blue: part(self.blue),
            };
        }
        colour
    }

    /// The nearest lighter colour that is readable on dark backgrounds, and on which dark text is.
    #[must_use]
    pub fn lightened_to_read(self) -> Self {
        let mut share = 0.0_f64;
        let mut colour = self;
        while colour.contrast(Self::DARK) < TEXT_CONTRAST && share < 1.0 {
            share += 0.02;
            let part = |value: u8| (f64::from(value) + (255.0 - f64::from(value)) * share) as u8;
            colour = Self {
                red: part(self.red),
                green: part(self.green),
                blue: part(self.blue),
            };
        }
        colour
    }

    /// Relative luminance (WCAG 2.2, definition).
    fn luminance(self) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(self.red) + 0.7152 * part(self.green) + 0.0722 * part(self.blue)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn contrast_is_that_of_the_standard() {
        let black = Colour::parse("#000000").expect("black");
        assert!((black.contrast(Colour::WHITE) - 21.0).abs() < 0.001);
        // This is known to be the lightest grey that passes on white.
        assert!(Colour::parse("#767676").expect("grey").reads_on_white());
        assert!(!Colour::parse("#777777").expect("grey").reads_on_white());
    }

    #[test]
    fn only_six_digits_are_a_colour() {
        for text in [
            "", "#fff", "#gggggg", "red", "#0e5f5b;", "#0e5f5b ", "#é1234",
        ] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
        assert_eq!(
            Colour::parse("#0E5F5B").map(|c| c.to_string()).as_deref(),
            Some("#0e5f5b")
        );
    }

    proptest! {
        #[test]
        fn a_darkened_colour_reads(red: u8, green: u8, blue: u8) {
            let colour = Colour { red, green, blue };
            prop_assert!(colour.darkened_to_read().reads_on_white());
            let on_pages = colour.darkened_for_pages();
            prop_assert!(on_pages.reads_on_white());
            prop_assert!(on_pages.contrast(Colour::TINT) >= TEXT_CONTRAST);
        }

        #[test]
        fn a_lightened_colour_reads_in_the_dark(red: u8, green: u8, blue: u8) {
            let colour = Colour { red, green, blue }.lightened_to_read();
            prop_assert!(colour.contrast(Colour::DARK) >= TEXT_CONTRAST);
            // Text on a button of this colour, in mails and on pages.
            for ink in ["#171614", "#0d1416"] {
                let ink = Colour::parse(ink).expect("a colour");
                prop_assert!(colour.contrast(ink) >= TEXT_CONTRAST);
            }
        }
    }
}
