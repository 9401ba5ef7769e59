//! The height of the poll in a frame, estimated from its texts, so that the page around it need not shift.

use crate::polls::model::Poll;

/// Characters of the question and of an option that fit on one line of a narrow phone; the heights of these lines and
/// of the rest, in CSS pixels. They follow `reader.css`; a browser test compares them with what is drawn.
const QUESTION_CHARS: usize = 27;
const OPTION_CHARS: usize = 34;
const QUESTION_LINE: u32 = 29;
const OPTION_LINE: u32 = 22;
const OPTION: u32 = 60;
const AROUND_QUESTION: u32 = 26;
const REST: u32 = 236;
const NEWSLETTER: u32 = 300;
/// A rating: the height of a row of points with its margin, that of the texts at its ends, and the points
/// a phone shows in one row.
const SCALE_ROW: u32 = 72;
const SCALE_WORDS: u32 = 24;
const POINTS_IN_A_ROW: usize = 7;
const LINK_CHARS: usize = 38;
const LINK_BOX: u32 = 84;
const LINK_LINE: u32 = 22;

/// The height of the form in CSS pixels on a phone 375 px wide; on wider screens it needs no more.
pub fn height(poll: &Poll) -> u32 {
    of(poll, true)
}

/// The same for the form that is pasted into an article, where each point of a rating has its own line.
pub fn height_of_pasted(poll: &Poll) -> u32 {
    of(poll, false)
}

fn of(poll: &Poll, scales: bool) -> u32 {
    let mut height = REST;
    for question in &poll.questions {
        height += AROUND_QUESTION + lines(&question.text, QUESTION_CHARS) * QUESTION_LINE;
        if !question.is_single() {
            height += OPTION_LINE;
        }
        if scales && question.scale.is_some() {
            let points = question.options.iter().filter(|o| !o.retired).count();
            let long = points > POINTS_IN_A_ROW;
            height += SCALE_WORDS + SCALE_ROW * if long { 2 } else { 1 };
            continue;
        }
        for option in question.options.iter().filter(|option| !option.retired) {
            height += OPTION + (lines(&option.label, OPTION_CHARS) - 1) * OPTION_LINE;
        }
    }
    if poll.newsletter.is_some() {
        height += NEWSLETTER;
        if let Some(words) = &poll.linking {
            height += LINK_BOX + lines(&words.text, LINK_CHARS) * LINK_LINE;
        }
    }
    height
}

/// Words are not broken: about one character in ten is lost at the ends of lines.
fn lines(text: &str, chars: usize) -> u32 {
    let length = text.chars().count();
    u32::try_from((length + length / 10).div_ceil(chars).max(1)).unwrap_or(1)
}
