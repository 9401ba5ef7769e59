//! Compiles an editor's text into the edition that is mailed.
//!
//! One function for the preview, the test mail and the sending, so that what was previewed is what goes out.

use serde::Serialize;

use super::content::advice::{self, Advice};
use super::content::{Body, Personal, Piece, Pieces};
use super::model::{Content, public_slug};
use crate::mailer::mailing::Size;
use crate::mailer::mime::{Choices, Draft, Edition, ListHeaders, Mailbox, Slots};
use crate::mailer::templates::{Template, TemplateError, Templates};
use crate::newsletters::Newsletter;
use crate::polls::Offered;
use crate::types::{EmailAddress, IssueId, PollId, Purpose};

/// A poll as it appears in a mail: its first question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name, as in `{{poll:slug}}`.
    pub slug: String,
    /// Its key, for the links.
    pub poll: PollId,
    /// The question.
    pub question: String,
    /// The number of further questions.
    pub more: usize,
    /// The options that can be answered by a link. If there are none, the mail links to the whole question.
    pub options: Vec<Offered>,
}

/// The input of an edition.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Which issue.
    pub issue: IssueId,
    /// Its name in the archive's links.
    pub slug: &'a str,
    /// What the editor wrote.
    pub content: &'a Content,
    /// The parsed body of `content`.
    pub body: &'a Body,
    /// The newsletter that sends it.
    pub newsletter: &'a Newsletter,
    /// The polls in the body that take answers.
    pub polls: &'a [Asked],
    /// The public origin, `https://host` without a path.
    pub origin: &'a str,
    /// The domain of its List-Id.
    pub domain: &'a str,
    /// Whether it is in the archive; a mail to a sample or a segment is not.
    pub in_archive: bool,
    /// Random bytes for the markers of the mailer's slots, drawn after the texts were read: see [`Slots::new`].
    pub chance: [u8; 16],
}

/// A compiled issue, and the advice on it.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What the mailer fills in for each reader.
    pub edition: Edition,
    /// The most serious advice first.
    pub advice: Vec<Advice>,
    /// The size of its mails.
    pub size: Size,
    /// The text that mail programs show beside the subject.
    pub preheader: String,
}

/// Why an issue cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A template is broken.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The newsletter's sender is no longer a valid address (the rules became stricter).
    #[error("the newsletter's sender is not a valid address")]
    Sender,
}

#[derive(Serialize)]
struct Frame<'a> {
    lang: &'a str,
    accent: &'a str,
    dark_accent: &'a str,
    publication: &'a str,
    newsletter: &'a str,
    subject: &'a str,
    preheader: &'a str,
    content_html: &'a str,
    content_text: &'a str,
    email: String,
    unsubscribe_url: String,
    manage_url: String,
    /// An invisible link before and after everything else, if a poll is asked: only programs follow it.
    canary_url: Option<String>,
    archive_url: Option<&'a str>,
    postal_address: &'a str,
}

#[derive(Serialize)]
struct PollBlock<'a> {
    question: &'a str,
    choices: Vec<Choice>,
    /// The page of the whole question, if it cannot be answered by a single link.
    answer_url: Option<String>,
    /// A note on the further questions, which the mail does not ask.
    more: Option<String>,
}

#[derive(Serialize)]
struct Choice {
    label: String,
    url: String,
}

/// Compiles an issue; `measure` computes the size of its mails.
///
/// # Errors
/// A broken template or sender; no text of an editor can make it fail.
pub fn compile(
    templates: &Templates,
    parts: &Parts<'_>,
    measure: impl Fn(&Edition) -> Size,
) -> Result<Compiled, CompileError> {
    let Parts {
        content,
        body,
        newsletter,
        ..
    } = *parts;
    let mut slots = Slots::new(parts.chance);
    // The subject for pages and the archive; each mail has its reader's name in it.
    let subject = subject(content);
    let subject_pieces = Pieces::of_line(&content.subject);
    let (own_subject, _) = fill(templates, &subject_pieces, parts, &mut slots)?;
    let written = if content.preheader.is_empty() {
        body.lead()
    } else {
        &content.preheader
    };
    let (preheader, _) = fill(templates, &Pieces::of_line(written), parts, &mut slots)?;
    let (_, html) = fill(templates, body.html(), parts, &mut slots)?;
    let (text, _) = fill(templates, body.text(), parts, &mut slots)?;
    let archive = newsletter
        .archive
        .then(|| format!("{}/archive/{}", parts.origin, newsletter.slug));
    let archived = archive
        .as_ref()
        .filter(|_| parts.in_archive)
        .map(|archive| format!("{archive}/{}", parts.slug));
    let rendered = templates.render(
        Template::Issue,
        &Frame {
            lang: &newsletter.language,
            accent: &newsletter.accent,
            dark_accent: &newsletter.dark_accent(),
            publication: &newsletter.from_name,
            newsletter: &newsletter.name,
            subject: &subject,
            preheader: &preheader,
            content_html: &html,
            content_text: text.trim_end(),
            email: slots.email(),
            unsubscribe_url: slots.link("/unsubscribe/", Purpose::Unsubscribe, &[newsletter.id.0]),
            manage_url: slots.link("/manage/", Purpose::Manage, &[]),
            canary_url: parts
                .polls
                .first()
                .map(|poll| slots.link("/c/", Purpose::Canary, &[poll.poll.0, parts.issue.0])),
            archive_url: archived.as_deref(),
            postal_address: newsletter.address_below_name(),
        },
    )?;
    let edition = Edition::compile(Draft {
        from: mailbox(newsletter, &newsletter.from_address)?,
        reply_to: match &newsletter.reply_to {
            Some(address) => Some(mailbox(newsletter, address)?),
            None => None,
        },
        subject: own_subject.trim().to_owned(),
        text: rendered.text,
        html: rendered.html,
        slots,
        list: Some(list_headers(parts, archive)),
    });
    let size = measure(&edition);
    Ok(Compiled {
        edition,
        advice: advise(parts, size.html),
        size,
        preheader: Pieces::of_line(written).with_fallbacks(),
    })
}

/// The subject as mailed to readers without a name.
pub fn subject(content: &Content) -> String {
    let subject = Pieces::of_line(&content.subject).with_fallbacks();
    subject.trim().to_owned()
}

/// One of the newsletter's own addresses.
fn mailbox(newsletter: &Newsletter, address: &str) -> Result<Mailbox, CompileError> {
    Ok(Mailbox {
        name: newsletter.from_name.clone(),
        address: EmailAddress::parse(address).map_err(|_| CompileError::Sender)?,
    })
}

/// The headers of RFC 2369, 2919 and 8058, and Gmail's Feedback-ID. `archive` is the address of the newsletter's
/// archive, if it has one.
fn list_headers(parts: &Parts<'_>, archive: Option<String>) -> ListHeaders {
    let newsletter = parts.newsletter;
    ListHeaders {
        name: newsletter.name.clone(),
        id: format!("{}.{}", newsletter.slug, parts.domain),
        unsubscribe: vec![newsletter.id.0],
        help: format!("{}/subscribe/{}", parts.origin, newsletter.slug),
        owner: newsletter.answers_to().to_owned(),
        archive,
        feedback_id: format!("{}:{}:issue:canvass", parts.issue.0, newsletter.slug),
    }
}

/// The advice on an issue. `html_bytes` is the size of its HTML part.
fn advise(parts: &Parts<'_>, html_bytes: usize) -> Vec<Advice> {
    let asked = parts.body.polls();
    let takes_answers = |slug: &str| parts.polls.iter().any(|poll| poll.slug == slug);
    let dead = asked.into_iter().filter(|slug| !takes_answers(slug));
    let dead_polls: Vec<String> = dead.map(str::to_owned).collect();
    advice::judge(&advice::Draft {
        subject: &parts.content.subject,
        preheader: &parts.content.preheader,
        body: parts.body,
        postal_address: &parts.newsletter.postal_address,
        html_bytes,
        dead_polls: &dead_polls,
    })
}

/// A part with its placeholders replaced by the mailer's markers and its polls by their blocks, once as text and
/// once as HTML. The caller uses the one of the kind it passed in.
fn fill(
    templates: &Templates,
    part: &Pieces,
    parts: &Parts<'_>,
    slots: &mut Slots,
) -> Result<(String, String), TemplateError> {
    let (mut text, mut html) = (String::new(), String::new());
    for piece in part.iter() {
        match piece {
            Piece::Literal(literal) => {
                text.push_str(literal);
                html.push_str(literal);
            }
            Piece::Personal(Personal::Name { fallback }) => {
                let marker = slots.name(fallback);
                text.push_str(&marker);
                html.push_str(&marker);
            }
            Piece::Poll(slug) => {
                // A poll that takes no answers is left out here; advice blocks the sending.
                let Some(poll) = parts.polls.iter().find(|poll| poll.slug == *slug) else {
                    continue;
                };
                let block = poll_block(poll, parts.issue, slots);
                let rendered = templates.render(Template::PollBlock, &block)?;
                text.push_str(rendered.text.trim_end());
                html.push_str(rendered.html.trim_end());
            }
        }
    }
    Ok((text, html))
}

/// A poll with links of the reader's own: its options, in an order that differs between readers, or one link to all
/// of it.
fn poll_block<'a>(poll: &'a Asked, issue: IssueId, slots: &mut Slots) -> PollBlock<'a> {
    let numbers = |key: i64| [poll.poll.0, key, issue.0];
    let mut options = Choices::new(&[issue.0, poll.poll.0]);
    for option in &poll.options {
        let numbers = numbers(option.key);
        if option.last {
            options.add_last(&option.label, "/v/", Purpose::Vote, &numbers);
        } else {
            options.add(&option.label, "/v/", Purpose::Vote, &numbers);
        }
    }
    let answer_url = poll
        .options
        .is_empty()
        .then(|| slots.link("/v/", Purpose::Vote, &numbers(0)));
    let choices = slots.choices(options).into_iter();
    PollBlock {
        question: &poll.question,
        choices: choices.map(|(label, url)| Choice { label, url }).collect(),
        answer_url,
        more: match poll.more {
            0 => None,
            1 => Some("There is one more question there.".to_owned()),
            n => Some(format!("There are {n} more questions there.")),
        },
    }
}

/// The name that the issue would have in the archive if it went out on that local date.
pub fn slug(content: &Content, local_date: &str) -> String {
    public_slug(
        &Pieces::of_line(&content.subject).with_fallbacks(),
        local_date,
        None,
    )
}
