//! The reading direction: Arabic and Hebrew begin at the right, so there the number is at the left and
//! the bar grows leftwards.

use cosmic_text::Align;

use super::super::sketch::{Bar, Sketch};
use super::{INK, Painter, Style};

/// The width reserved for a number, and the same with the gap to its label.
const VALUE: f32 = 180.0;
const VALUE_AND_GAP: f32 = 190.0;

/// The reading direction of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    LeftToRight,
    RightToLeft,
}

/// Positions in a column that begins at `left` and is `wide`, all in pixels.
impl Direction {
    /// The position of a label, and its maximum width.
    pub(super) fn label(self, left: f32, wide: f32) -> (f32, f32) {
        let at = match self {
            Self::LeftToRight => left,
            Self::RightToLeft => left + VALUE_AND_GAP,
        };
        (at, wide - VALUE_AND_GAP)
    }

    /// The position of a number, its maximum width, and its alignment: to the outer side.
    pub(super) fn value(self, left: f32, wide: f32) -> (f32, f32, Align) {
        match self {
            Self::LeftToRight => (left + wide - VALUE, VALUE, Align::Right),
            Self::RightToLeft => (left, VALUE, Align::Left),
        }
    }

    /// The left end of a bar of this length.
    pub(super) fn bar(self, left: f32, wide: f32, length: f32) -> f32 {
        match self {
            Self::LeftToRight => left,
            Self::RightToLeft => left + wide - length,
        }
    }

    /// A mark put before a label, so that an option that begins with a word in the other script is
    /// laid out like the others.
    pub(super) fn mark(self) -> char {
        match self {
            Self::LeftToRight => '\u{200E}',
            Self::RightToLeft => '\u{200F}',
        }
    }
}

impl Painter {
    /// The direction of the whole picture: that of its first letter.
    pub(super) fn direction(&mut self, sketch: &Sketch) -> Direction {
        let words = sketch.question.clone();
        let join = |all: String, bar: &Bar| all + " " + &bar.label;
        let words = sketch.bars.iter().fold(words, join);
        self.direction_of(&words)
    }

    fn direction_of(&mut self, text: &str) -> Direction {
        let style = Style {
            headline: false,
            size: 30.0,
            lines: 1,
            color: INK,
            align: None,
        };
        let buffer = self.laid_out(text, 4_000.0, style);
        match buffer.layout_runs().next() {
            Some(run) if run.rtl => Direction::RightToLeft,
            _ => Direction::LeftToRight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{LeftToRight, RightToLeft};
    use super::*;

    #[test]
    fn the_first_letter_decides_for_the_whole_picture() {
        let mut painter = Painter::new();
        for (question, label, direction) in [
            ("", "نعم", RightToLeft),
            ("", "כן", RightToLeft),
            ("", "Yes", LeftToRight),
            ("2026?", "כן", RightToLeft),
            // The question determines the direction of an option that begins in the other script.
            ("האם?", "CNN, BBC ודומיהם בלבד (2026)", RightToLeft),
            ("Which?", "כן", LeftToRight),
            ("", "", LeftToRight),
        ] {
            let sketch = Sketch {
                question: question.to_owned(),
                bars: vec![Bar {
                    label: label.to_owned(),
                    value: "34%".to_owned(),
                    length: 340,
                }],
                foot: String::new(),
                host: String::new(),
            };
            let found = painter.direction(&sketch);
            assert_eq!(found, direction, "{question} {label}");
        }
    }

    #[test]
    fn both_directions_are_each_other_in_a_mirror() {
        let (left, wide, length) = (72.0, 1_000.0, 340.0);
        let mirrored = |at: f32, width: f32| 2.0 * left + wide - at - width;
        let (at, room) = LeftToRight.label(left, wide);
        assert_eq!(RightToLeft.label(left, wide), (mirrored(at, room), room));
        let (at, room, align) = LeftToRight.value(left, wide);
        let value = (mirrored(at, room), room, Align::Left);
        assert_eq!(RightToLeft.value(left, wide), value);
        assert_eq!(align, Align::Right);
        let at = LeftToRight.bar(left, wide, length);
        let other = RightToLeft.bar(left, wide, length);
        assert_eq!(other, mirrored(at, length));
        // The label and the number do not overlap.
        let (label, label_wide) = LeftToRight.label(left, wide);
        let (value, ..) = LeftToRight.value(left, wide);
        assert!(label + label_wide < value);
    }
}
