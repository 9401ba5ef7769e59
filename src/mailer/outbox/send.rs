//! A lane sends what is due in the outbox.

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
        fate::Fate,
        mailing::Reason,
        patience::{FAULT, Which},
        relays::Kind,
        remember::Remembered,
        retry::{Waiting, pause},
        smtp::Outcome,
        stop,
        transport::{Line, Way},
    },
};

/// A mail that takes longer does not hold up those that were taken with it.
const LONG: Duration = Duration::from_millis(300);

/// Takes some mails and sends them. Returns whether any was settled or put off.
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
                // What is met here is met again, and would be by every lane, before anything else it does. What it says may be a
                // reader's: the panic hook has logged the place.
                tracing::error!(mail = mail.id.0, "a fault of this program at one mail");
                line.abandon();
                put_off(app, &mail).await?;
                worked = true;
            }
        }
    }
    put_all_back(app, &mut mails).await?;
    Ok(worked)
}

/// Sends one mail; when that takes long, the others in hand are put back for other lanes.
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
    // Both go on: what is being dealt with may be next for the database's one writer, and would be waited for without end.
    let (dealt, shared) = tokio::join!(dealing, sharing);
    shared?;
    dealt
}

/// A fault met this mail: it is tried later, and not for ever. After the intent nobody knows whether it went.
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

/// Sends one mail; `false` when the relay wants a rest.
async fn deal(app: &App, line: &mut Line, mail: &Taken) -> Result<bool, DbErr> {
    let now = app.clock.now();
    if now >= mail.expires {
        store::finish(app, mail, Final::Expired, "expired before it could be sent").await?;
        if !mail.decoy {
            count("expired");
        }
        return Ok(true);
    }
    let (mut lost, mut rested, mut taken_back) = (false, String::new(), false);
    // The relays that do not take it from us, and what the last of them said.
    let (mut refused_by, mut refused) = (Vec::new(), None);
    let fate = loop {
        let key = mail.id.0.unsigned_abs();
        let way = line
            .choose(key, Kind::Single, &refused_by, || false)
            .await?;
        let Some(way) = way else {
            if let Some(fate) = refused.take() {
                break fate;
            }
            // No attempt is spent, unless it is this mail that the relays send away.
            let mut next = (now, mail.attempt);
            if taken_back && !app.mailer.unspent.again(Which::Single(mail.id)) {
                let attempt = mail.attempt + 1;
                let pause = pause(Waiting::Single, attempt, &app.random);
                next = (app.clock.now() + pause, attempt);
            }
            store::put_back(app, mail, next.0, next.1, &rested).await?;
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
        line.note(way, &fate);
        match fate {
            // Most likely a connection that had grown old: once more, over a new one.
            Fate::Lost(_) if !lost => lost = true,
            // Another relay may have time.
            Fate::RelayRests(words) => rested = words.told(),
            fate @ (Fate::Never(Reason::Ours, _) | Fate::TooLarge(_)) => {
                refused_by.push(way.relay);
                if !line.has_others(&refused_by) {
                    break fate;
                }
                refused = Some(fate);
            }
            fate => break fate,
        }
    };
    let attempt = mail.attempt + 1;
    let mut waiting = Waiting::InDoubt;
    let (outcome, state, words) = match fate {
        Fate::Sent => ("sent", Some(Final::Sent), String::new()),
        // It is about us, not about whoever waits for it: somebody may put that right while the mail is of use.
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
        | Fate::ProviderRests(words)
        | Fate::RelayRests(words) => {
            waiting = Waiting::Single;
            ("deferred", None, words.told())
        }
        Fate::InDoubt(words) => ("deferred", None, words.told()),
    };
    count(outcome);
    match state {
        Some(state) => remember(app, || store::finish(app, mail, state, &words)).await?,
        None => {
            // A relay may have taken its time to say so.
            let at = app.clock.now() + pause(waiting, attempt, &app.random);
            remember(app, || store::put_back(app, mail, at, attempt, &words)).await?;
        }
    }
    Ok(true)
}

/// Writes what became of a mail, as soon as that can be.
async fn remember<F, Fut>(app: &App, write: F) -> Result<(), DbErr>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<(), DbErr>>,
{
    let remembered = Remembered::begin();
    loop {
        let Err(error) = write().await else {
            return Ok(());
        };
        tracing::error!(%error, "what became of a mail could not be written");
        if !remembered.again(app).await {
            return Err(error);
        }
    }
}

/// `None`: it was not sent, and that is settled; somebody else may have it now.
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
            tracing::error!(mail = mail.id.0, %error, "a waiting mail cannot be made");
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
        // This process stood still for longer than its lease. Whether somebody else has the mail, the fence will say.
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
        // It was not taken, for certain: the intent is taken back before it is tried again.
        store::take_back(app, mail).await?;
        *taken_back = true;
    }
    Ok(Some(fate))
}

fn count(outcome: &'static str) {
    metrics::counter!("canvass_mails_total", "kind" => "single", "outcome" => outcome).increment(1);
}
