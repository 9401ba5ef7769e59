//! Linked answers as text: what a reader is shown, and can download.

use serde::Serialize;

use super::store::{self, Linked};
use crate::app::App;
use crate::db::DbErr;
use crate::polls::answer::Choice;
use crate::polls::definition::by_id;
use crate::polls::model::{Poll, Question};
use crate::polls::results::said_to;
use crate::types::{ReaderId, UnixMillis};

/// A linked answer as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedAnswer {
    /// The poll's slug.
    pub slug: String,
    /// The first question.
    pub question: String,
    pub answers: Vec<Said>,
    /// The consent text that was agreed to, and its version.
    pub words: String,
    pub version: i64,
    pub agreed: UnixMillis,
    pub linked: UnixMillis,
    pub changed: UnixMillis,
}

/// A question and what was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    pub question: String,
    pub answer: String,
}

/// What a ballot says, question by question; questions without an answer are left out.
pub fn in_words(poll: &Poll, choices: &[u8]) -> Vec<Said> {
    let choice = Choice::from_stored(choices);
    let said = |question: &Question| Said {
        question: question.text.clone(),
        answer: said_to(poll, question, &choice).join(", "),
    };
    let all = poll.questions.iter().map(said);
    all.filter(|said| !said.answer.is_empty()).collect()
}

/// Every linked answer of a reader, the newest first.
pub async fn answers(app: &App, reader: ReaderId) -> Result<Vec<LinkedAnswer>, DbErr> {
    let mut answers = Vec::new();
    for link in store::of_reader(app.db.read(), reader).await? {
        if let Some(poll) = by_id(&app.db, link.poll).await? {
            answers.push(answer(&poll, link));
        }
    }
    Ok(answers)
}

fn answer(poll: &Poll, link: Linked) -> LinkedAnswer {
    LinkedAnswer {
        slug: link.slug,
        question: poll.headline().to_owned(),
        answers: in_words(poll, &link.choices),
        words: link.words.text,
        version: link.words.version,
        agreed: link.agreed,
        linked: link.linked,
        changed: link.changed,
    }
}
