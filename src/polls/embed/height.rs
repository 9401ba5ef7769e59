//! The height of the poll in a frame, estimated from its texts, so that the page around it need not shift.

use crate::polls::model::Poll;

/// The characters that fit on a line, and heights in CSS pixels. They follow `reader.css` and `poll.css`; a browser test
/// compares the narrow ones with what is drawn.
struct Room {
    question: usize,
    option: usize,
    link: usize,
    /// What every poll has, and what a newsletter adds.
    rest: u32,
    newsletter: u32,
}

const PHONE: Room = Room {
    question: 27,
    option: 34,
    link: 38,
    rest: 236,
    newsletter: 300,
};
const WIDE: Room = Room {
    question: 50,
    option: 64,
    link: 72,
    rest: 160,
    newsletter: 205,
};

const QUESTION_LINE: u32 = 29;
const OPTION_LINE: u32 = 22;
const OPTION: u32 = 60;
const AROUND_QUESTION: u32 = 26;
/// A rating: the height of a row of points with its margin, that of the texts at its ends, and the points
/// a phone shows in one row.
const SCALE_ROW: u32 = 72;
const SCALE_WORDS: u32 = 24;
const POINTS_IN_A_ROW: usize = 7;
/// The sentence above the questions: its margin and its lines.
const AROUND_INTRO: u32 = 16;
const INTRO_LINE: u32 = 26;
const LINK_BOX: u32 = 84;
const LINK_LINE: u32 = 22;

/// The height of the form in CSS pixels on a phone 375 px wide; on wider screens it needs no more.
pub fn height(poll: &Poll) -> u32 {
    of(poll, &PHONE, true)
}

/// The same for the form that is pasted into an article, where each point of a rating has its own line.
pub fn height_of_pasted(poll: &Poll) -> u32 {
    of(poll, &PHONE, false)
}

/// The height of the pasted form in an article with lines of 600 px.
pub fn height_of_pasted_wide(poll: &Poll) -> u32 {
    of(poll, &WIDE, false)
}

/// The options for which the short element reserves space. The sentence above the questions needs some of it, too.
pub(super) fn rows(poll: &Poll) -> usize {
    let options = poll.options().filter(|option| !option.retired).count();
    let intro = intro(poll, &PHONE).div_ceil(OPTION);
    options + usize::try_from(intro).unwrap_or(0)
}

fn intro(poll: &Poll, room: &Room) -> u32 {
    match poll.intro.is_empty() {
        true => 0,
        false => AROUND_INTRO + lines(&poll.intro, room.option) * INTRO_LINE,
    }
}

fn of(poll: &Poll, room: &Room, scales: bool) -> u32 {
    let mut height = room.rest + intro(poll, room);
    for question in &poll.questions {
        height += AROUND_QUESTION + lines(&question.text, room.question) * QUESTION_LINE;
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
            height += OPTION + (lines(&option.label, room.option) - 1) * OPTION_LINE;
        }
    }
    if poll.newsletter.is_some() {
        height += room.newsletter;
        if let Some(words) = &poll.linking {
            height += LINK_BOX + lines(&words.text, room.link) * LINK_LINE;
        }
    }
    height
}

/// Words are not broken: about one character in ten is lost at the ends of lines.
fn lines(text: &str, chars: usize) -> u32 {
    let length = text.chars().count();
    u32::try_from((length + length / 10).div_ceil(chars).max(1)).unwrap_or(1)
}
