//! Making and editing polls: what an editor or a script wrote becomes a definition, or a list of what to mend.

use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, Value};

use super::model::{PollState, Tier, Visibility};
use crate::db::entities::{poll, poll_option, poll_question};
use crate::db::{Db, WriteTxn, fetch_one, is_unique_violation, run};
use crate::types::{NewsletterId, PollId, Random, UnixMillis};

/// A poll as it was written, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Part of its address: `/p/{slug}`.
    pub slug: String,
    /// What editors call it; empty: the first question.
    pub title: String,
    pub intro: String,
    pub visibility: Visibility,
    pub headline_tier: Tier,
    pub newsletter: Option<NewsletterId>,
    pub opens_at: Option<UnixMillis>,
    pub closes_at: Option<UnixMillis>,
    pub time_zone: String,
    pub questions: Vec<QuestionText>,
}

/// A question as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionText {
    pub text: String,
    pub required: bool,
    pub min_choices: i64,
    pub max_choices: i64,
    pub options: Vec<String>,
}

/// Something to mend, by the field it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub field: &'static str,
    pub message: String,
}

/// The most questions in a poll, options in a question, and characters of a text.
pub const MAX_QUESTIONS: usize = 20;
pub const MAX_OPTIONS: usize = 50;
pub const MAX_TEXT_CHARS: usize = 300;

impl Definition {
    /// Trims every text and says what to mend; empty: it can be stored.
    pub fn check(&mut self) -> Vec<Fault> {
        for text in [
            &mut self.slug,
            &mut self.title,
            &mut self.intro,
            &mut self.time_zone,
        ] {
            *text = text.trim().to_owned();
        }
        for question in &mut self.questions {
            question.text = question.text.trim().to_owned();
            for option in &mut question.options {
                *option = option.trim().to_owned();
            }
            question.options.retain(|option| !option.is_empty());
        }
        if self.title.is_empty() {
            self.title = self
                .questions
                .first()
                .map(|q| q.text.clone())
                .unwrap_or_default();
        }
        let mut faults = Vec::new();
        let mut fault = |field, message: &str| {
            faults.push(Fault {
                field,
                message: message.to_owned(),
            })
        };
        if !is_slug(&self.slug) {
            fault("slug", "Use 1 to 80 lower-case letters, digits and hyphens");
        }
        if jiff::tz::TimeZone::get(&self.time_zone).is_err() {
            fault("time_zone", "Use a name like Europe/Berlin");
        }
        if let (Some(opens), Some(closes)) = (self.opens_at, self.closes_at)
            && closes <= opens
        {
            fault("closes_at", "The poll must close after it opens");
        }
        if too_long(&self.title) || too_long(&self.intro) {
            fault("title", "Use at most 300 characters");
        }
        if self.questions.is_empty() || self.questions.len() > MAX_QUESTIONS {
            fault("question", "Ask at least one question and at most 20");
        }
        for question in &self.questions {
            let options = &question.options;
            if question.text.is_empty() || too_long(&question.text) || has_control(&question.text) {
                fault(
                    "question",
                    "Write the question in one line, at most 300 characters",
                );
            }
            if options.len() < 2 || options.len() > MAX_OPTIONS {
                fault("options", "Offer at least two answers and at most 50");
            }
            if options
                .iter()
                .any(|option| too_long(option) || has_control(option))
            {
                fault(
                    "options",
                    "Write each answer in one line, at most 300 characters",
                );
            }
            if (1..options.len()).any(|i| options[..i].contains(&options[i])) {
                fault("options", "Two answers are the same");
            }
            let most = i64::try_from(options.len()).unwrap_or(i64::MAX);
            if question.min_choices < 1
                || question.max_choices < question.min_choices
                || question.max_choices > most.max(1)
            {
                fault(
                    "max_choices",
                    "Choose limits between 1 and the number of answers",
                );
            }
        }
        faults
    }
}

/// Whether `text` can be part of a poll's address.
pub fn is_slug(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn too_long(text: &str) -> bool {
    text.chars().count() > MAX_TEXT_CHARS
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// What became of a definition that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    Yes(PollId),
    /// Another poll has this slug.
    SlugTaken,
    /// It is no longer a draft, or somebody else edited it since `revision`.
    Conflict,
}

/// Makes a poll in `state` out of a definition that [`Definition::check`] found whole.
///
/// # Errors
/// What the database said.
pub async fn create(
    txn: &WriteTxn,
    random: &Random,
    now: UnixMillis,
    definition: &Definition,
    state: PollState,
) -> Result<Stored, DbErr> {
    if fetch_one(
        &**txn,
        "SELECT id FROM poll WHERE slug = $1",
        [definition.slug.as_str().into()],
    )
    .await?
    .is_some()
    {
        return Ok(Stored::SlugTaken);
    }
    let row = poll::ActiveModel {
        slug: Set(definition.slug.clone()),
        title: Set(definition.title.clone()),
        intro: Set(definition.intro.clone()),
        state: Set(state.code()),
        visibility: Set(definition.visibility.code()),
        linked: Set(0),
        headline_tier: Set(definition.headline_tier.code()),
        newsletter_id: Set(definition.newsletter),
        opens_ms: Set(definition.opens_at),
        closes_ms: Set(definition.closes_at),
        time_zone: Set(definition.time_zone.clone()),
        secret: Set(Some(random.bytes::<32>().to_vec())),
        revision: Set(0),
        created_ms: Set(now),
        updated_ms: Set(now),
        ..Default::default()
    };
    match poll::Entity::insert(row).exec(&**txn).await {
        Ok(inserted) => {
            insert_questions(&**txn, inserted.last_insert_id, &definition.questions).await?;
            Ok(Stored::Yes(inserted.last_insert_id))
        }
        Err(error) if is_unique_violation(&error) => Ok(Stored::SlugTaken),
        Err(error) => Err(error),
    }
}

/// Replaces a draft. A published poll keeps its questions: use [`retime`] and [`set_state`] on it.
///
/// # Errors
/// What the database said.
pub async fn replace_draft(
    txn: &WriteTxn,
    now: UnixMillis,
    id: PollId,
    revision: i64,
    definition: &Definition,
) -> Result<Stored, DbErr> {
    let sql = "UPDATE poll SET slug = $1, title = $2, intro = $3, visibility = $4, headline_tier = $5, newsletter_id = $6, \
               opens_ms = $7, closes_ms = $8, time_zone = $9, updated_ms = $10, revision = revision + 1 \
               WHERE id = $11 AND revision = $12 AND state = 0";
    let values: [Value; 12] = [
        definition.slug.as_str().into(),
        definition.title.as_str().into(),
        definition.intro.as_str().into(),
        definition.visibility.code().into(),
        definition.headline_tier.code().into(),
        definition.newsletter.into(),
        definition.opens_at.into(),
        definition.closes_at.into(),
        definition.time_zone.as_str().into(),
        now.into(),
        id.into(),
        revision.into(),
    ];
    match run(&**txn, sql, values).await {
        Ok(done) if done.rows_affected() == 0 => return Ok(Stored::Conflict),
        Ok(_) => {}
        Err(error) if is_unique_violation(&error) => return Ok(Stored::SlugTaken),
        Err(error) => return Err(error),
    }
    run(
        &**txn,
        "DELETE FROM poll_option WHERE poll_id = $1",
        [id.into()],
    )
    .await?;
    run(
        &**txn,
        "DELETE FROM poll_question WHERE poll_id = $1",
        [id.into()],
    )
    .await?;
    insert_questions(&**txn, id, &definition.questions).await?;
    Ok(Stored::Yes(id))
}

/// Publishes, closes or reopens a poll. False: it is in another state than `from`.
///
/// # Errors
/// What the database said.
pub async fn set_state(
    txn: &WriteTxn,
    now: UnixMillis,
    id: PollId,
    from: PollState,
    to: PollState,
) -> Result<bool, DbErr> {
    let sql = "UPDATE poll SET state = $1, updated_ms = $2, revision = revision + 1 WHERE id = $3 AND state = $4";
    let done = run(
        &**txn,
        sql,
        [to.code().into(), now.into(), id.into(), from.code().into()],
    )
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Moves the opening, the close, and who may see results when, of a poll in any state.
///
/// # Errors
/// What the database said.
pub async fn retime(
    txn: &WriteTxn,
    now: UnixMillis,
    id: PollId,
    opens_at: Option<UnixMillis>,
    closes_at: Option<UnixMillis>,
    visibility: Visibility,
) -> Result<(), DbErr> {
    let sql = "UPDATE poll SET opens_ms = $1, closes_ms = $2, visibility = $3, updated_ms = $4, revision = revision + 1 WHERE id = $5";
    run(
        &**txn,
        sql,
        [
            opens_at.into(),
            closes_at.into(),
            visibility.code().into(),
            now.into(),
            id.into(),
        ],
    )
    .await
    .map(drop)
}

/// Questions and options get positions from 1; options through the whole poll.
async fn insert_questions<C: ConnectionTrait>(
    txn: &C,
    id: PollId,
    questions: &[QuestionText],
) -> Result<(), DbErr> {
    let mut key = 0;
    for (position, question) in (1_i64..).zip(questions) {
        let row = poll_question::ActiveModel {
            poll_id: Set(id),
            position: Set(position),
            wording: Set(question.text.clone()),
            kind: Set(i16::from(question.max_choices > 1)),
            required: Set(i16::from(question.required)),
            min_choices: Set(question.min_choices),
            max_choices: Set(question.max_choices),
            ordering: Set(0),
            ..Default::default()
        };
        let inserted = poll_question::Entity::insert(row).exec(txn).await?;
        let options = question.options.iter().map(|label| {
            key += 1;
            poll_option::ActiveModel {
                poll_id: Set(id),
                question_id: Set(inserted.last_insert_id),
                position: Set(key),
                label: Set(label.clone()),
                retired_ms: Set(None),
                ..Default::default()
            }
        });
        poll_option::Entity::insert_many(options).exec(txn).await?;
    }
    Ok(())
}

/// Whether the database has a poll with this slug.
///
/// # Errors
/// What the database said.
pub async fn is_taken(db: &Db, slug: &str) -> Result<bool, DbErr> {
    Ok(fetch_one(
        db.read(),
        "SELECT id FROM poll WHERE slug = $1",
        [slug.into()],
    )
    .await?
    .is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Definition {
        Definition {
            slug: "trust".into(),
            title: String::new(),
            intro: String::new(),
            visibility: Visibility::Always,
            headline_tier: Tier::Anonymous,
            newsletter: None,
            opens_at: None,
            closes_at: None,
            time_zone: "UTC".into(),
            questions: vec![QuestionText {
                text: " Do you trust the mainstream media? ".into(),
                required: true,
                min_choices: 1,
                max_choices: 1,
                options: vec!["Yes".into(), " No ".into(), "  ".into()],
            }],
        }
    }

    fn faults(change: impl FnOnce(&mut Definition)) -> Vec<&'static str> {
        let mut definition = definition();
        change(&mut definition);
        definition
            .check()
            .into_iter()
            .map(|fault| fault.field)
            .collect()
    }

    #[test]
    fn a_whole_definition_is_trimmed_and_named_after_its_question() {
        let mut whole = definition();
        assert_eq!(whole.check(), []);
        assert_eq!(whole.title, "Do you trust the mainstream media?");
        assert_eq!(whole.questions[0].options, ["Yes", "No"]);
    }

    #[test]
    fn each_fault_names_its_field() {
        assert_eq!(faults(|d| d.slug = "Trust me".into()), ["slug"]);
        assert_eq!(
            faults(|d| d.time_zone = "Europe/Atlantis".into()),
            ["time_zone"]
        );
        assert_eq!(
            faults(|d| (d.opens_at, d.closes_at) = (Some(UnixMillis(2)), Some(UnixMillis(2)))),
            ["closes_at"]
        );
        assert_eq!(faults(|d| d.questions.clear()), ["question"]);
        assert_eq!(
            faults(|d| d.questions[0].text = "a\r\nb".into()),
            ["question"]
        );
        assert_eq!(faults(|d| d.questions[0].options.truncate(1)), ["options"]);
        assert_eq!(
            faults(|d| d.questions[0].options.push("Yes".into())),
            ["options"]
        );
        assert_eq!(
            faults(|d| d.questions[0].options.push("x".repeat(1_000_000))),
            ["options"]
        );
        assert_eq!(faults(|d| d.questions[0].max_choices = 3), ["max_choices"]);
    }
}
