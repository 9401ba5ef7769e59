//! The transport of mails: to a relay, into the built-in mailbox, or into files.
//!
//! This file: which route a lane's mail takes, and the lane's connections. `opened`: sending the message over a route
//! that is open.

mod opened;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::opened::Opened;
pub(super) use super::relays::Way;
use super::smtp::{
    Envelope, Patience, Recycle, Refusal, Relay, Session, SmtpUrlError, trust_of_this_machine,
};
use super::{
    breaker::Cause,
    fate::Fate,
    mailing::Reason,
    relays::{Choice, Kind, Relays, Seat},
    reply::Phase,
};
use crate::{
    app::App,
    config::{self, Config},
    db,
};

/// The longest sleep before the relays' rate limits are checked again.
const LOOK: Duration = Duration::from_millis(250);

/// The configured transport.
#[derive(Clone, Debug)]
pub enum Transport {
    /// One relay or several.
    Smtp(Relays),
    /// The table `captured_mail`, shown at `/mailbox`.
    Mailbox,
    /// One `.eml` file per mail in this directory.
    Files(PathBuf),
    /// For commands that run beside the server: they enqueue mails but send none themselves.
    Nowhere,
}

/// A transport that cannot be used. The message names the setting.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A relay's URL is wrong.
    #[error("{0}: {1}")]
    Url(String, SmtpUrlError),
    /// Two relays have the same name.
    #[error("{0}: another relay is also called {1}; give each a unique name")]
    Twice(String, String),
    /// The TLS library cannot be set up.
    #[error("mail.smtp_url: TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Transport {
    /// Reads the configuration. Opens no connection.
    ///
    /// # Errors
    /// Names the setting that is wrong, without its value.
    pub fn of(config: &Config) -> Result<Self, TransportError> {
        match config.mail.transport {
            config::Transport::Mailbox => Ok(Self::Mailbox),
            config::Transport::File => Ok(Self::Files(config.data_dir.join("mail"))),
            config::Transport::Smtp => relays(config).map(Self::Smtp),
        }
    }
}

fn relays(config: &Config) -> Result<Relays, TransportError> {
    let mail = &config.mail;
    let hello = config.hello_name();
    let trust = trust_of_this_machine()?;
    let command = Duration::from_secs(mail.command_timeout_seconds);
    let mut relays = Relays::default();
    for (index, settings) in mail.all_relays().iter().enumerate() {
        let setting = mail.relay_setting(index);
        let mut relay = Relay::parse(settings.url.expose(), &hello, trust.clone())
            .map_err(|error| TransportError::Url(setting.clone(), error))?;
        relay.patience = Patience {
            connect: command.min(Patience::default().connect),
            dot: Duration::from_secs(mail.final_dot_timeout_seconds),
            ..Patience::of(command)
        };
        relay.recycle = Recycle {
            mails: settings
                .mails_per_connection
                .unwrap_or(mail.mails_per_connection),
            ..Recycle::default()
        };
        let connections = settings.connections.unwrap_or(mail.connections);
        relays
            .push(settings, relay, connections)
            .map_err(|name| TransportError::Twice(setting, name))?;
    }
    Ok(relays)
}

/// Connects and logs in to a relay, for `canvass check`. Sends nothing.
///
/// # Errors
/// The step that failed and the server's words.
pub async fn probe(relay: &Relay) -> Result<(), Refusal> {
    Session::connect(relay).await?.quit().await;
    Ok(())
}

/// One lane's connections: at most one to each relay, kept open between mails.
pub(super) struct Line {
    app: App,
    /// The lane is for single mails only, and has a connection of its own at every relay.
    reserved: bool,
    places: Vec<Option<Place>>,
}

struct Place {
    session: Option<Session>,
    seat: Seat,
}

impl Line {
    pub(super) fn new(app: &App, reserved: bool) -> Self {
        let relays = match &app.transport {
            Transport::Smtp(relays) => relays.len(),
            _ => 0,
        };
        Self {
            app: app.clone(),
            reserved,
            places: (0..relays).map(|_| None).collect(),
        }
    }

    /// How long no relay can be used: each is paused or has no connection left for this lane. `None`: look for work.
    pub(super) fn wait(&self) -> Option<Duration> {
        let Transport::Smtp(relays) = &self.app.transport else {
            return None;
        };
        let (now, at) = (Instant::now(), self.app.clock.now());
        relays.wait(now, at, !self.reserved, |way| self.places[way].is_some())
    }

    /// Chooses the relay for a mail, except those in `not`. `key` belongs to the reader, so that the same reader gets
    /// the same relay. `None`: all relays are paused, or, during a wait, the process began to stop or `stale` said that
    /// the mail may not be wanted any more.
    pub(super) async fn choose(
        &mut self,
        key: u64,
        kind: Kind,
        not: &[usize],
        stale: impl Fn() -> bool,
    ) -> Result<Option<Way>, db::DbErr> {
        let app = self.app.clone();
        let Transport::Smtp(relays) = &app.transport else {
            return Ok(Some(Way::default()));
        };
        loop {
            let (now, at) = (Instant::now(), app.clock.now());
            let placed = |way: usize| self.reserved || self.places[way].is_some();
            match relays.choose(key, kind, now, at, placed, not) {
                Choice::Way(way) => {
                    if self.sit(relays, way.relay).await {
                        return Ok(Some(way));
                    }
                    relays.not_taken(way);
                }
                Choice::Refill(way) => relays.refill(&app, way).await?,
                Choice::None => return Ok(None),
                Choice::Wait(_) if app.stopping.is_cancelled() || stale() => return Ok(None),
                Choice::Wait(wait) => tokio::time::sleep(wait.min(LOOK)).await,
            }
        }
    }

    /// Like [`choose`](Self::choose), but only a relay that takes the mail at once over a connection that is open
    /// already.
    pub(super) fn choose_at_once(&self, key: u64, kind: Kind) -> Option<Way> {
        let app = self.app.clone();
        let Transport::Smtp(relays) = &app.transport else {
            return None;
        };
        let connected = |relay: usize| self.has_session(relay);
        let (now, at) = (Instant::now(), app.clock.now());
        let placed = |relay: usize| self.reserved || connected(relay);
        let Choice::Way(way) = relays.choose(key, kind, now, at, placed, &[]) else {
            return None;
        };
        if !connected(way.relay) {
            relays.not_taken(way);
            return None;
        }
        Some(way)
    }

    /// Whether there are relays other than these, working or not.
    pub(super) fn has_others(&self, relays: &[usize]) -> bool {
        self.places.len() > relays.len()
    }

    /// Whether every configured relay refuses our mails.
    pub(super) fn all_refuse_us(&self) -> bool {
        matches!(&self.app.transport, Transport::Smtp(relays) if relays.all_refuse_us())
    }

    /// Whether a connection to this relay is open.
    pub(super) fn is_connected(&self, way: Way) -> bool {
        self.has_session(way.relay)
    }

    fn has_session(&self, relay: usize) -> bool {
        let place = self.places.get(relay).and_then(Option::as_ref);
        place.is_some_and(|place| place.session.is_some())
    }

    /// Releases a relay that was chosen ahead and is not used.
    pub(super) fn forgo(&self, way: Option<Way>) {
        if let Some(way) = way {
            self.not_taken(way);
        }
    }

    /// Takes a connection slot at a relay, and gives up the slots at other relays that other lanes wait for.
    async fn sit(&mut self, relays: &Relays, way: usize) -> bool {
        if self.places[way].is_none() {
            let seat = relays.route(way).seat(self.reserved);
            self.places[way] = seat.map(|seat| Place {
                session: None,
                seat,
            });
        }
        if self.places.len() > 1 && !self.reserved {
            for (other, place) in self.places.iter_mut().enumerate() {
                if other != way && relays.route(other).is_full() {
                    leave(place).await;
                }
            }
        }
        self.places[way].is_some()
    }

    /// Connects if needed, and runs the conversation up to the `354`.
    pub(super) async fn open(
        &mut self,
        way: Way,
        envelope: &Envelope,
    ) -> Result<Opened<'_>, Refusal> {
        let relays = match &self.app.transport {
            Transport::Mailbox => return Ok(Opened::Mailbox(&self.app)),
            Transport::Files(directory) => return Ok(Opened::Files(&self.app, directory)),
            Transport::Nowhere => {
                let why = "this process sends nothing";
                return Err(Refusal::unusable(Phase::Connect, why));
            }
            Transport::Smtp(relays) => relays,
        };
        let Some(place) = &mut self.places[way.relay] else {
            return Err(Refusal::unusable(Phase::Rcpt, "no connection is free"));
        };
        if let Some(old) = place
            .session
            .take_if(|session| !session.takes(envelope) || session.was_left())
        {
            old.quit().await;
        }
        let session = match &mut place.session {
            Some(session) => session,
            none => none.insert(relays.route(way.relay).connect().await?),
        };
        session.open(envelope).await.map(Opened::Smtp)
    }

    /// Reports the fate of a mail to the relay's breaker and counters.
    pub(super) fn note(&self, way: Way, fate: &Fate) {
        let Transport::Smtp(relays) = &self.app.transport else {
            return;
        };
        let (now, at) = (Instant::now(), self.app.clock.now());
        match fate {
            Fate::Sent => {
                relays.count(way.relay, "handed_over");
                relays.took(way.relay, now);
            }
            Fate::InDoubt(words) => {
                relays.count(way.relay, "in_doubt");
                relays.lost(way.relay, words, now, at, &self.app.random);
            }
            Fate::Lost(words) => {
                relays.not_taken(way);
                relays.lost(way.relay, words, now, at, &self.app.random);
            }
            Fate::Closed(words) => {
                relays.not_taken(way);
                relays.closed(way.relay, words, at);
            }
            Fate::RelayRests(words) | Fate::LoginRefused(words) => {
                let cause = match fate {
                    Fate::LoginRefused(_) => Cause::Login,
                    _ => Cause::Usual,
                };
                relays.not_taken(way);
                relays.rests(way.relay, cause, words, now, at, &self.app.random);
            }
            Fate::Later(words) | Fate::Never(_, words) | Fate::ProviderRests(words) => {
                let never = matches!(fate, Fate::Never(..));
                relays.count(way.relay, if never { "failed" } else { "deferred" });
                relays.not_taken(way);
                let random = &self.app.random;
                match fate {
                    Fate::Never(Reason::Ours, _) => {
                        relays.refused_us(way.relay, words, now, at, random);
                    }
                    Fate::Later(_) => relays.deferred(way, words, now, at, random),
                    _ => relays.said(way.relay, &words.told(), at),
                }
            }
            Fate::TooLarge(_) => relays.not_taken(way),
        }
    }

    /// Undoes the choice of a relay for a mail that is not sent after all.
    pub(super) fn not_taken(&self, way: Way) {
        if let Transport::Smtp(relays) = &self.app.transport {
            relays.not_taken(way);
        }
    }

    /// Drops the connections without a `QUIT`: their state is unknown.
    pub(super) fn abandon(&mut self) {
        for place in &mut self.places {
            drop(place.take());
        }
    }

    /// Closes the connections, if there are any.
    pub(super) async fn close(&mut self) {
        for place in &mut self.places {
            leave(place).await;
        }
    }
}

/// Closes the connection, if there is one, and gives up its slot after that: another lane may take it at once.
async fn leave(place: &mut Option<Place>) {
    if let Some(mut place) = place.take()
        && let Some(session) = place.session.take()
    {
        place.seat.leave();
        session.quit().await;
    }
}

/// Gives back the unused part of what this process reserved of the relays' daily limits; `end`: the process stops.
pub(super) async fn give_back(app: &App, end: bool) -> Result<(), db::DbErr> {
    match &app.transport {
        Transport::Smtp(relays) => relays.give_back(app, end).await,
        _ => Ok(()),
    }
}
