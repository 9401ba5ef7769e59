//! What decides how the ballots of a poll are read, beside its wording: a rating whose scale is turned round, or a
//! result that counts another tier, says something else with the same ballots. Pure.

use aws_lc_rs::digest::{Context, SHA256};

use super::{Hash, finished, sha256};
use crate::polls::model::{Picture, Poll, PollOption, Question};

/// The terms of a poll, as hashes: nothing in them changes once it is published.
///
/// ```text
/// poll     = SHA-256(headline tier | SHA-256(introduction))
/// question = SHA-256(kind | required | fewest choices | most choices | order | 1 if it has a scale, else 0 | first point
///            | SHA-256(text at the low end) | SHA-256(text at the high end))
/// option   = SHA-256(role | 1 if it has a picture, else 0 | SHA-256(its path) | SHA-256(its alternative text))
/// ```
///
/// Numbers are 8 bytes, big-endian.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    pub poll: Hash,
    /// By key.
    pub questions: Vec<(i64, Hash)>,
    /// By id.
    pub options: Vec<(i64, Hash)>,
}

impl Terms {
    pub fn of(poll: &Poll) -> Self {
        let questions = poll.questions.iter();
        let options = poll.options();
        Self {
            poll: hash(&[poll.headline_tier.code().into()], [poll.intro.as_str()]),
            questions: questions.map(|q| (q.key, of_question(q))).collect(),
            options: options.map(|o| (o.id.0, of_option(o))).collect(),
        }
    }
}

fn of_question(question: &Question) -> Hash {
    let scale = question.scale.as_ref();
    let numbers: [i64; 7] = [
        question.kind.code().into(),
        question.required.into(),
        question.min_choices,
        question.max_choices,
        question.order.code().into(),
        scale.is_some().into(),
        scale.map_or(0, |scale| scale.from),
    ];
    let (low, high) = scale.map_or(("", ""), |scale| (scale.low.as_str(), scale.high.as_str()));
    hash(&numbers, [low, high])
}

fn of_option(option: &PollOption) -> Hash {
    let picture = option.picture.as_ref();
    let numbers: [i64; 2] = [option.role.code().into(), picture.is_some().into()];
    let text = |of: fn(&Picture) -> &String| picture.map_or("", |picture| of(picture).as_str());
    hash(&numbers, [text(|p| &p.path), text(|p| &p.alt)])
}

fn hash<const N: usize>(numbers: &[i64], texts: [&str; N]) -> Hash {
    let mut context = Context::new(&SHA256);
    for number in numbers {
        context.update(&number.to_be_bytes());
    }
    for text in texts {
        context.update(&sha256(text.as_bytes()));
    }
    finished(context)
}
