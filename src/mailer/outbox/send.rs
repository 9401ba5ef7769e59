//! How a lane sends the mails that are due in the outbox.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use super::payload::Payload;
use super::state::Final;
use super::store::{self, Taken};
use crate::{
    app::App,
    config::InDoubt,
    db::DbErr,
    mailer::{
        fate::{Fate, Words},
        mailing::Reason,
        patience::{FAULT, Which},
        relays::Kind,
        remember::Remembered,
        retry::{Waiting, pause},
        smtp::Outcome,
        stop,
        transport::{Line, Way},
        tries::Tries,
    },
};

/// If a mail takes longer than this, the others that were taken with it go to other lanes.
const LONG: Duration = Duration::from_millis(300);

/// Takes some mails and sends them. Returns whether any was settled or deferred.
pub(in crate::mailer) async fn work(app: &App, line: &mut Line) -> Result<bool, DbErr> {
    let mails = store::take(app).await?;
    let mut worked = false;
    let mut mails = VecDeque::from(mails);
    while !app.stopping.is_cancelled() {
        let Some(mail) = mails.pop_front() else {
            break;
        };
        let dealing = AssertUnwindSafe(deal_or_share(app, line, &mail, &mut mails));
        match dealing.catch_unwind().await {
            Ok(dealt) => {
                if !dealt? {
                    break;
                }
                worked = true;
            }
            Err(_) => {
                // The mail may make lanes panic again, and every lane would take it first: so it is deferred. The panic
                // message may contain a reader's data and is not logged; the panic hook has logged the location.
                tracing::error!(mail = mail.id.0, "a bug in this program affected a mail");
                line.abandon();
                put_off(app, &mail).await?;
                worked = true;
            }
        }
    }
    put_all_back(app, &mut mails).await?;
    Ok(worked)
}

/// Sends one mail. If that takes long, the others that were taken with it are put back for other lanes.
async fn deal_or_share(
    app: &App,
    line: &mut Line,
    mail: &Taken,
    others: &mut VecDeque<Taken>,
) -> Result<bool, DbErr> {
    let dealing = deal(app, line, mail);
    tokio::pin!(dealing);
    tokio::select! {
        biased;
        dealt = &mut dealing => return dealt,
        () = tokio::time::sleep(LONG) => {}
    }
    if others.is_empty() {
        return dealing.await;
    }
    let sharing = async {
        let shared = put_all_back(app, others).await;
        app.db.bell().ring();
        shared
    };
    // Both futures must be polled: sending may be next in line for the database's only writer, and if it were left
    // unpolled, putting the others back would wait for it for ever.
    let (dealt, shared) = tokio::join!(dealing, sharing);
    shared?;
    dealt
}

/// Defers a mail that made this program panic, but not for ever. If its intent was written, it is in doubt.
async fn put_off(app: &App, mail: &Taken) -> Result<(), DbErr> {
    let attempt = mail.attempt + 1;
    let intended = store::is_intended(app, mail).await?;
    let over = !app.mailer.faults.again(Which::Single(mail.id));
    let state = match intended {
        true if over || app.config.mail.in_doubt == InDoubt::Hold => Some(Final::Unknown),
        false if over => Some(Final::Failed),
        _ => None,
    };
    match state {
        Some(state) => {
            count(if state == Final::Failed {
                "failed"
            } else {
                "unknown"
            });
            store::finish(app, mail, state, FAULT).await
        }
        None => {
            count("deferred");
            let at = app.clock.now() + pause(Waiting::Single, attempt, &app.random);
            store::put_back(app, mail, at, attempt, FAULT).await
        }
    }
}

async fn put_all_back(app: &App, mails: &mut VecDeque<Taken>) -> Result<(), DbErr> {
    while let Some(mail) = mails.pop_front() {
        store::put_back(app, &mail, app.clock.now(), mail.attempt, "").await?;
    }
    Ok(())
}

/// Sends one mail; `false` if the relay throttles us.
async fn deal(app: &App, line: &mut Line, mail: &Taken) -> Result<bool, DbErr> {
    let now = app.clock.now();
    if now >= mail.expires {
        store::finish(app, mail, Final::Expired, "expired before it could be sent").await?;
        if !mail.decoy {
            count("expired");
        }
        return Ok(true);
    }
    let (mut tries, mut taken_back) = (Tries::default(), false);
    let fate = loop {
        let key = mail.id.0.unsigned_abs();
        let way = line
            .choose(key, Kind::Single, &tries.refused_by, || false)
            .await?;
        let Some(way) = way else {
            if let Some(fate) = tries.refusal() {
                break fate;
            }
            // No attempt is spent, unless the relays keep sending this mail away.
            let mut next = (now, mail.attempt);
            if taken_back && !app.mailer.unspent.again(Which::Single(mail.id)) {
                let attempt = mail.attempt + 1;
                let pause = pause(Waiting::Single, attempt, &app.random);
                next = (app.clock.now() + pause, attempt);
            }
            let words = tries.rested.as_ref().map(Words::told).unwrap_or_default();
            store::put_back(app, mail, next.0, next.1, &words).await?;
            return Ok(false);
        };
        let fate = match send(app, line, way, mail, &mut taken_back).await {
            Ok(Some(fate)) => fate,
            Ok(None) => {
                line.not_taken(way);
                return Ok(true);
            }
            Err(error) => {
                line.not_taken(way);
                return Err(error);
            }
        };
        if let Some(fate) = tries.end(line, way, fate) {
            break fate;
        }
    };
    settle(app, mail, fate).await?;
    Ok(true)
}

/// Stores the result of an attempt to send a mail.
async fn settle(app: &App, mail: &Taken, fate: Fate) -> Result<(), DbErr> {
    let attempt = mail.attempt + 1;
    let mut waiting = Waiting::InDoubt;
    let (outcome, state, words) = match fate {
        Fate::Sent => ("sent", Some(Final::Sent), String::new()),
        // The refusal is about us, not about the addressee: an operator may fix that while the mail is still of use.
        Fate::Never(Reason::Ours, words) | Fate::TooLarge(words) => {
            waiting = Waiting::Single;
            ("deferred", None, words.told())
        }
        Fate::Never(_, words) => ("failed", Some(Final::Failed), words.told()),
        Fate::InDoubt(words) if app.config.mail.in_doubt == InDoubt::Hold => {
            ("unknown", Some(Final::Unknown), words.told())
        }
        Fate::Later(words)
        | Fate::Lost(words)
        | Fate::Closed(words)
        | Fate::ProviderRests(words)
        | Fate::RelayRests(words)
        | Fate::LoginRefused(words) => {
            waiting = Waiting::Single;
            ("deferred", None, words.told())
        }
        Fate::InDoubt(words) => ("deferred", None, words.told()),
    };
    count(outcome);
    match state {
        Some(state) => remember(app, mail, || store::finish(app, mail, state, &words)).await,
        None => {
            // Read the clock again: the relay may have taken long to reply.
            let at = app.clock.now() + pause(waiting, attempt, &app.random);
            remember(app, mail, || {
                store::put_back(app, mail, at, attempt, &words)
            })
            .await
        }
    }
}

/// Writes the outcome of a mail, and retries while the database is unavailable.
async fn remember<F, Fut>(app: &App, mail: &Taken, write: F) -> Result<(), DbErr>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<(), DbErr>>,
{
    let mut remembered = Remembered::begin();
    loop {
        let Err(error) = write().await else {
            return Ok(());
        };
        if !remembered.has_waited() {
            tracing::error!(mail = mail.id.0, %error, "the outcome of a single mail could not be recorded; trying again");
        }
        if !remembered.again(app).await {
            return Err(error);
        }
    }
}

/// Sends one mail over one relay. `None`: it was not sent and needs nothing more; another lane may have it now.
async fn send(
    app: &App,
    line: &mut Line,
    way: Way,
    mail: &Taken,
    taken_back: &mut bool,
) -> Result<Option<Fate>, DbErr> {
    let letter = match Payload::compose(app, mail.id, &mail.payload, &mail.message_id) {
        Ok(letter) => letter,
        Err(error) => {
            tracing::error!(mail = mail.id.0, %error, "a waiting mail cannot be composed");
            store::finish(app, mail, Final::Failed, &error.to_string()).await?;
            count("failed");
            return Ok(None);
        }
    };
    let opened = tokio::select! {
        biased;
        opened = line.open(way, &letter.envelope) => opened,
        () = app.stopping.cancelled() => {
            store::put_back(app, mail, app.clock.now(), mail.attempt, "").await?;
            return Ok(None);
        }
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(refusal) => return Ok(Some(Fate::refused(&refusal))),
    };
    #[cfg(test)]
    assert!(
        !mail.message_id.contains("breaks"),
        "broken, as the test wants"
    );
    if !store::intend(app, mail).await? {
        return Ok(None);
    }
    if !mail.held.good() {
        // This process was suspended for longer than its lease. The fence decides whether another lane has the mail.
        store::put_back(app, mail, app.clock.now(), mail.attempt, "").await?;
        return Ok(None);
    }
    let outcome = tokio::select! {
        biased;
        outcome = opened.finish(&letter.envelope, &letter.message, None) => outcome,
        () = stop::out_of_time(app) => Outcome::InDoubt(stop::UNANSWERED.to_owned()),
    };
    let fate = Fate::after_dot(&outcome);
    if let Fate::Lost(_) | Fate::RelayRests(_) | Fate::Never(Reason::Ours, _) = fate {
        // It was certainly not accepted: take the intent back before the next attempt.
        store::take_back(app, mail).await?;
        *taken_back = true;
    }
    Ok(Some(fate))
}

fn count(outcome: &'static str) {
    metrics::counter!("canvass_mails_total", "kind" => "single", "outcome" => outcome).increment(1);
}
