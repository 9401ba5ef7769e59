//! Where mails leave: to a relay, into the built-in mailbox, or into files.

use std::path::PathBuf;

use super::smtp::{
    Envelope, Outcome, Patience, Ready, Recycle, Refusal, Relay, Session, SmtpUrlError,
    trust_of_this_machine,
};
use super::{
    mime::View,
    reply::{Phase, Reply},
};
use crate::{
    app::App,
    config::{self, Config},
    db,
    types::keys::random_token,
};

/// The configured transport.
#[derive(Clone, Debug)]
pub enum Transport {
    /// A relay.
    Smtp(Box<Relay>),
    /// The table `captured_mail`, shown at `/mailbox`.
    Mailbox,
    /// One `.eml` file a mail in this directory.
    Files(PathBuf),
    /// A command beside the server: it enqueues, and sends nothing itself.
    Nowhere,
}

/// A transport that cannot be used: names the setting.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The relay's URL.
    #[error("mail.smtp_url: {0}")]
    Url(#[from] SmtpUrlError),
    /// TLS of this build.
    #[error("mail.smtp_url: TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Transport {
    /// Reads the configuration; connects to nothing.
    ///
    /// # Errors
    /// The setting that is wrong, without its value.
    pub fn of(config: &Config) -> Result<Self, TransportError> {
        let mail = &config.mail;
        match mail.transport {
            config::Transport::Mailbox => Ok(Self::Mailbox),
            config::Transport::File => Ok(Self::Files(config.data_dir.join("mail"))),
            config::Transport::Smtp => {
                let hello = match mail.hello_name.as_str() {
                    "" => config.host(),
                    name => name.to_owned(),
                };
                let url = mail.smtp_url.expose();
                let mut relay = Relay::parse(url, &hello, trust_of_this_machine()?)?;
                let seconds = std::time::Duration::from_secs;
                let command = seconds(mail.command_timeout_seconds);
                relay.patience = Patience {
                    connect: command.min(Patience::default().connect),
                    dot: seconds(mail.final_dot_timeout_seconds),
                    ..Patience::of(command)
                };
                relay.recycle = Recycle {
                    mails: mail.mails_per_connection,
                    ..Recycle::default()
                };
                Ok(Self::Smtp(Box::new(relay)))
            }
        }
    }

    /// Says hello to the relay, for `canvass check`; captures nothing and sends nothing.
    ///
    /// # Errors
    /// The step that failed and the server's words.
    pub async fn probe(&self) -> Result<(), Refusal> {
        if let Self::Smtp(relay) = self {
            Session::connect(relay).await?.quit().await;
        }
        Ok(())
    }
}

/// One lane's way out: with a relay, a connection that is kept.
pub(super) struct Line {
    app: App,
    session: Option<Session>,
}

/// The way is open: the relay said `354`.
pub(super) enum Opened<'l> {
    Smtp(Ready<'l>),
    Mailbox(&'l App),
    Files(&'l App, &'l PathBuf),
}

impl Line {
    pub(super) fn new(app: &App) -> Self {
        Self {
            app: app.clone(),
            session: None,
        }
    }

    /// Connects where needed and goes up to the `354`.
    pub(super) async fn open(&mut self, envelope: &Envelope) -> Result<Opened<'_>, Refusal> {
        let relay = match &self.app.transport {
            Transport::Mailbox => return Ok(Opened::Mailbox(&self.app)),
            Transport::Files(directory) => return Ok(Opened::Files(&self.app, directory)),
            Transport::Nowhere => {
                let why = "this process sends nothing";
                return Err(Refusal::unusable(Phase::Connect, why));
            }
            Transport::Smtp(relay) => relay,
        };
        if let Some(old) = self.session.take_if(|session| !session.reusable()) {
            old.quit().await;
        }
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::connect(relay).await?),
        };
        session.open(envelope).await.map(Opened::Smtp)
    }

    /// Closes the connection, if there is one.
    pub(super) async fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.quit().await;
        }
    }
}

impl Opened<'_> {
    /// Sends the message.
    pub(super) async fn finish(self, envelope: &Envelope, message: &[u8]) -> Outcome {
        let kept = match self {
            Self::Smtp(ready) => return ready.finish(message).await,
            Self::Mailbox(app) => capture(app, envelope, message)
                .await
                .map_err(|e| e.to_string()),
            Self::Files(app, directory) => {
                let name = format!("{}-{}.eml", app.clock.now().0, random_token(&app.random));
                write_file(directory, &name, message)
                    .await
                    .map_err(|e| e.to_string())
            }
        };
        match kept {
            Ok(()) => Outcome::Accepted(Reply::new(250, "kept")),
            Err(why) => Outcome::NotSent(why),
        }
    }
}

async fn capture(app: &App, envelope: &Envelope, message: &[u8]) -> Result<(), db::DbErr> {
    let subject = View::of(message).subject;
    let txn = app.db.write_txn("capture_mail").await?;
    db::run(
        &*txn,
        "INSERT INTO captured_mail (envelope_from, envelope_to, subject, raw, captured_ms)
         VALUES ($1, $2, $3, $4, $5)",
        [
            envelope.from().into(),
            envelope.to().into(),
            subject.into(),
            message.to_vec().into(),
            app.clock.now().0.into(),
        ],
    )
    .await?;
    txn.commit().await
}

async fn write_file(directory: &PathBuf, name: &str, message: &[u8]) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    tokio::fs::create_dir_all(directory).await?;
    let mut file = tokio::fs::File::create(directory.join(name)).await?;
    file.write_all(message).await?;
    file.sync_all().await
}
