//! A lane sends what is due in the outbox.

use super::payload::Payload;
use super::store::{self, Final, Taken};
use crate::{
    app::App,
    config::InDoubt,
    db::DbErr,
    mailer::{
        fate::{Fate, Words},
        retry::{Waiting, pause},
        transport::Line,
    },
};

/// How a look into the outbox ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mailer) enum Looked {
    /// Nothing was due.
    Nothing,
    /// Something was sent, or settled.
    Worked,
    /// The relay wants a rest.
    RelayRests,
}

/// Takes some mails and sends them.
pub(in crate::mailer) async fn work(app: &App, line: &mut Line) -> Result<Looked, DbErr> {
    let mails = store::take(app).await?;
    if mails.is_empty() {
        return Ok(Looked::Nothing);
    }
    let mut mails = mails.into_iter();
    let mut looked = Looked::Worked;
    while !app.stopping.is_cancelled() {
        let Some(mail) = mails.next() else {
            break;
        };
        if !deal(app, line, &mail).await? {
            looked = Looked::RelayRests;
            break;
        }
    }
    for rest in mails {
        store::put_back(app, &rest, app.clock.now(), rest.attempt, "").await?;
    }
    Ok(looked)
}

/// Sends one mail; `false` when the relay wants a rest.
async fn deal(app: &App, line: &mut Line, mail: &Taken) -> Result<bool, DbErr> {
    let now = app.clock.now();
    if now >= mail.expires {
        store::finish(app, mail, Final::Expired, "expired before it could be sent").await?;
        count("expired");
        return Ok(true);
    }
    let mut fate = send(app, line, mail).await?;
    if let Some(Fate::Lost(_)) = fate {
        // Most likely a connection that had grown old: once more, over a new one.
        fate = send(app, line, mail).await?;
    }
    let Some(fate) = fate else {
        return Ok(true);
    };
    let attempt = mail.attempt + 1;
    match fate {
        Fate::Sent => {
            app.mailer.relay_answers();
            count("sent");
            store::finish(app, mail, Final::Sent, "").await?;
        }
        Fate::Never(_, words) => {
            count("failed");
            store::finish(app, mail, Final::Failed, &told(&words)).await?;
        }
        Fate::InDoubt(words) if app.config.mail.in_doubt == InDoubt::Hold => {
            count("unknown");
            store::finish(app, mail, Final::Unknown, &told(&words)).await?;
        }
        Fate::Later(words) | Fate::Lost(words) => {
            count("deferred");
            let at = now + pause(Waiting::Single, attempt, &app.random);
            store::put_back(app, mail, at, attempt, &told(&words)).await?;
        }
        Fate::InDoubt(words) => {
            count("deferred");
            let at = now + pause(Waiting::InDoubt, attempt, &app.random);
            store::put_back(app, mail, at, attempt, &told(&words)).await?;
        }
        Fate::RelayRests(words) => {
            store::put_back(app, mail, now, mail.attempt, &told(&words)).await?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// `None`: somebody else has the mail now.
async fn send(app: &App, line: &mut Line, mail: &Taken) -> Result<Option<Fate>, DbErr> {
    let letter = match Payload::compose(app, &mail.payload, &mail.message_id) {
        Ok(letter) => letter,
        Err(error) => {
            tracing::error!(mail = mail.id.0, %error, "a waiting mail cannot be made");
            store::finish(app, mail, Final::Failed, &error.to_string()).await?;
            count("failed");
            return Ok(None);
        }
    };
    let opened = match line.open(&letter.envelope).await {
        Ok(opened) => opened,
        Err(refusal) => return Ok(Some(Fate::refused(&refusal))),
    };
    if !store::intend(app, mail).await? {
        return Ok(None);
    }
    let outcome = opened.finish(&letter.envelope, &letter.message).await;
    let fate = Fate::after_dot(&outcome);
    if let Fate::Lost(_) = fate {
        // It was not taken, for certain: the intent is taken back before it is tried again.
        store::put_back(app, mail, app.clock.now(), mail.attempt, "").await?;
    }
    Ok(Some(fate))
}

fn told(words: &Words) -> String {
    match words.code {
        0 => words.text.clone(),
        code => format!("{code} {}", words.text),
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("canvass_mails_total", "kind" => "single", "outcome" => outcome).increment(1);
}
