//! The height of the poll in a frame, estimated from its texts, so that the page around it need not shift.

use crate::polls::linked::SUGGESTED;
use crate::polls::model::{Kind, Poll, PollOption, Question, Role};

/// The characters that fit on a line, and heights in CSS pixels. They follow `reader.css` and `poll.css`; browser tests
/// compare the narrow ones with what is drawn.
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
/// Below the text of a question for several answers, and of a ranking, where it takes two lines.
const HINT: u32 = 31;
const RANKED_HINT: u32 = 50;
/// A rating: the height of a row of points with its margin, that of the texts at its ends, and the points
/// a phone shows in one row.
const SCALE_ROW: u32 = 72;
const SCALE_WORDS: u32 = 24;
const POINTS_IN_A_ROW: usize = 7;
/// The same texts above the points of a pasted form: the characters that they need in addition and that fit on a line.
const FROM_TO: usize = 14;
const SMALL: usize = 44;
/// Only in a frame: an option with its ranks, one with a picture, the characters that either takes from the label, and
/// the field for a reader's own words.
const RANKED_OPTION: u32 = 74;
const PICTURED_OPTION: u32 = 88;
const BESIDE_LABEL: usize = 10;
const OWN_WORDS: u32 = 132;
/// In a frame, what each further question adds, and the line that explains the stars.
const BETWEEN: u32 = 20;
const STARS: u32 = 33;
/// The sentence above the questions: its margin and its lines.
const AROUND_INTRO: u32 = 16;
const INTRO_LINE: u32 = 26;
const LINK_BOX: u32 = 84;
const LINK_LINE: u32 = 22;
/// The short element: what it draws beside intro and questions, and what `poll.css` reserves beside the rows.
const DRAWN: u32 = 188;
const RESERVED: u32 = 272;
/// The line on which a frame stands is a little higher than the frame.
const AROUND_FRAME: u32 = 8;
/// `poll.css` has rules for up to this many rows.
const ROWS: u32 = 12;

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

/// The rows for which the short element reserves space: one for each option, and more if other texts need more than
/// what is reserved for a question of two lines.
pub(super) fn rows(poll: &Poll) -> u32 {
    let options = poll.options().filter(|option| !option.retired).count();
    let options = u32::try_from(options).unwrap_or(0);
    let mut drawn = DRAWN + intro(poll, &PHONE) + questions(poll, &PHONE, false);
    if let (Some(_), Some(words)) = (poll.newsletter, &poll.linking) {
        // What is reserved for the box of a linked poll is enough for the text that editors start from.
        let more = lines(&words.text, PHONE.link).saturating_sub(lines(SUGGESTED, PHONE.link));
        drawn += more * LINK_LINE;
    }
    options
        + drawn
            .saturating_sub(RESERVED + options * OPTION)
            .div_ceil(OPTION)
}

/// The size that the short element reserves for `rows`, if `poll.css` alone does not: that of the `framed` form in
/// pixels; that of a drawn one in the size of the text around it.
pub(super) fn reserve(poll: &Poll, rows: u32, framed: bool) -> Option<String> {
    if framed {
        return Some(format!("{}px", height(poll) + AROUND_FRAME));
    }
    let beside = match (poll.newsletter, &poll.linking) {
        (Some(_), Some(_)) => 44,
        (Some(_), None) => 34,
        _ => 17,
    };
    (rows > ROWS).then(|| format!("{}em", beside + (rows * 15).div_ceil(4)))
}

fn intro(poll: &Poll, room: &Room) -> u32 {
    match poll.intro.is_empty() {
        true => 0,
        false => AROUND_INTRO + lines(&poll.intro, room.option) * INTRO_LINE,
    }
}

fn of(poll: &Poll, room: &Room, framed: bool) -> u32 {
    let mut height = room.rest + intro(poll, room) + questions(poll, room, framed);
    if poll.newsletter.is_some() {
        height += room.newsletter;
        if let Some(words) = &poll.linking {
            height += LINK_BOX + lines(&words.text, room.link) * LINK_LINE;
        }
    }
    height
}

fn questions(poll: &Poll, room: &Room, framed: bool) -> u32 {
    let further = u32::try_from(poll.questions.len().saturating_sub(1)).unwrap_or(0);
    let between = match framed && further > 0 {
        true => STARS + further * BETWEEN,
        false => 0,
    };
    let all = poll.questions.iter();
    between + all.map(|q| question(q, room, framed)).sum::<u32>()
}

fn question(question: &Question, room: &Room, framed: bool) -> u32 {
    let text = AROUND_QUESTION + lines(&question.text, room.question) * QUESTION_LINE;
    let hint = match question.kind {
        Kind::Single | Kind::Rating => 0,
        Kind::Several => HINT,
        Kind::Ranked => RANKED_HINT,
    };
    text + hint + answers(question, room, framed)
}

fn answers(question: &Question, room: &Room, framed: bool) -> u32 {
    let offered: Vec<&PollOption> = question.options.iter().filter(|o| !o.retired).collect();
    let mut height = 0;
    match &question.scale {
        Some(_) if framed => {
            let long = offered.len() > POINTS_IN_A_ROW;
            return SCALE_WORDS + SCALE_ROW * if long { 2 } else { 1 };
        }
        Some(scale) if !scale.low.is_empty() => {
            let chars = FROM_TO + scale.low.chars().count() + scale.high.chars().count();
            height += HINT + (lines_of(chars, SMALL) - 1) * OPTION_LINE;
        }
        _ => {}
    }
    let ranked = question.kind == Kind::Ranked;
    let pictured = offered.iter().any(|option| option.picture.is_some());
    let each = match (pictured, ranked) {
        (true, _) => PICTURED_OPTION,
        (false, true) => RANKED_OPTION,
        (false, false) => OPTION,
    };
    let beside = BESIDE_LABEL * (usize::from(ranked) + usize::from(pictured));
    for option in offered {
        height += each + (lines(&option.label, room.option - beside) - 1) * OPTION_LINE;
        if option.role == Role::Words {
            height += OWN_WORDS;
        }
    }
    height
}

fn lines(text: &str, chars: usize) -> u32 {
    lines_of(text.chars().count(), chars)
}

/// Words are not broken: about one character in ten is lost at the ends of lines.
fn lines_of(length: usize, chars: usize) -> u32 {
    u32::try_from((length + length / 10).div_ceil(chars).max(1)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::example;

    fn of_options(options: usize) -> Poll {
        example::single(&vec!["an option"; options])
    }

    fn reserved(poll: &Poll) -> (u32, Option<String>) {
        let rows = rows(poll);
        (rows, reserve(poll, rows, false))
    }

    #[test]
    fn an_option_is_a_row_and_many_have_a_rule_of_their_own() {
        assert_eq!(reserved(&of_options(3)), (3, None));
        assert_eq!(reserved(&of_options(12)), (12, None));
        assert_eq!(
            reserved(&of_options(13)),
            (13, Some("66em".to_owned())),
            "17 em, and 3.75 em for each row"
        );
    }

    #[test]
    fn what_takes_more_lines_takes_more_rows() {
        let short = of_options(4);
        let mut long = short.clone();
        for option in &mut long.questions[0].options {
            option.label = "a label that no phone can show in a single line, nor in two".to_owned();
        }
        assert!(rows(&long) > rows(&short));
        let mut wordy = short.clone();
        wordy.questions[0].text = "Why? ".repeat(30);
        assert!(rows(&wordy) > rows(&short));
        let mut three = of_options(5);
        three.questions = vec![three.questions[0].clone(); 3];
        assert!(rows(&three) > 15, "the other questions have texts, too");
        assert!(reserved(&three).1.is_some());
    }

    #[test]
    fn a_frame_is_as_high_as_it_will_be_and_not_as_the_text_around_it() {
        let ranked = example::ranked(&["a", "b", "c", "d"], 1, 4);
        let px = format!("{}px", height(&ranked) + AROUND_FRAME);
        assert_eq!(reserve(&ranked, rows(&ranked), true), Some(px));
        assert!(height(&ranked) > height(&of_options(4)));
        let mut other = of_options(4);
        other.questions[0].options[3].role = Role::Words;
        assert!(height(&other) > height(&of_options(4)) + 100);
    }
}
