//! An SMTP server for tests: speaks the protocol, keeps what it accepted, and misbehaves on demand.
//!
//! It records a mail before it replies to the final dot, so that "the server accepted it" and "the client knows" can
//! differ, as they do in reality.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

use self::conversation::Conversation;

mod conversation;

/// A mail that the server accepted.
#[derive(Clone, Debug)]
pub struct Received {
    /// Value of the `Message-ID` header.
    pub message_id: String,
    /// Envelope sender.
    pub from: String,
    /// Envelope recipient.
    pub to: String,
    /// The message, without dot-stuffing.
    pub raw: String,
    /// The `MAIL` and `RCPT` commands.
    pub commands: [String; 2],
    /// The number of its connection, from 0.
    pub connection: usize,
}

/// The commands that a rule can apply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Greeting,
    Ehlo,
    Auth,
    Mail,
    Rcpt,
    Data,
    Dot,
}

/// What the server does instead of accepting.
#[derive(Clone, Debug)]
pub enum Act {
    /// Replies with these lines (without the last CRLF).
    Say(String),
    /// Replies with these lines, and closes the connection.
    SayAndDrop(String),
    /// Closes the connection without a reply.
    Drop,
    /// Waits, then goes on as usual.
    Wait(Duration),
}

/// A function that decides the server's behaviour if no rule matches.
pub type Whim = Arc<dyn Fn(At, &str) -> Option<Act> + Send + Sync>;

struct Rule {
    at: At,
    /// Part of the recipient's address; empty for all.
    matching: String,
    act: Act,
    times: Option<usize>,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    received: Vec<Received>,
    connections: usize,
    /// Open connections now, and the most at any time.
    open: usize,
    most_open: usize,
    /// The names from clients' `EHLO`.
    hellos: Vec<String>,
    commands: HashMap<String, usize>,
    refuse: bool,
    whim: Option<Whim>,
    log: Option<File>,
}

/// The features that the server offers.
#[derive(Clone)]
pub struct Offers {
    pub pipelining: bool,
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// SIZE (RFC 1870): the largest message it accepts, in octets.
    pub size: Option<usize>,
    pub starttls: Option<TlsAcceptor>,
    /// TLS from the first byte.
    pub implicit_tls: Option<TlsAcceptor>,
    /// The server closes a connection, with 421, instead of taking more mails than this.
    pub mails: Option<usize>,
    /// `AUTH PLAIN` with this base64 initial response.
    pub auth: Option<String>,
    /// Sends Latin-1 instead of UTF-8.
    pub latin1: bool,
    /// Sends this right after the reply to STARTTLS, in clear text.
    pub injected: Option<String>,
}

impl Default for Offers {
    fn default() -> Self {
        Self {
            pipelining: true,
            smtputf8: true,
            dsn: true,
            size: None,
            starttls: None,
            implicit_tls: None,
            mails: None,
            auth: None,
            latin1: false,
            injected: None,
        }
    }
}

/// A running server; ends when dropped.
pub struct SmtpServer {
    port: u16,
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SmtpServer {
    /// Listens on a free port of this machine.
    pub async fn start() -> Self {
        Self::offering(Offers::default()).await
    }

    /// Listens with other features.
    pub async fn offering(offers: Offers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let news = Arc::new(Notify::new());
        let (shared, bell) = (Arc::clone(&state), Arc::clone(&news));
        let task = tokio::spawn(async move {
            let mut conversations = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let number = {
                    let mut state = shared.lock().unwrap();
                    if state.refuse {
                        continue;
                    }
                    state.connections += 1;
                    state.open += 1;
                    state.most_open = state.most_open.max(state.open);
                    state.connections - 1
                };
                tcp.set_nodelay(true).unwrap();
                let conversation = Conversation {
                    offers: offers.clone(),
                    state: Arc::clone(&shared),
                    news: Arc::clone(&bell),
                    number,
                    gone: AtomicBool::new(false),
                    last_word: AtomicBool::new(false),
                };
                conversations.spawn(conversation.run(tcp));
            }
        });
        Self {
            port,
            state,
            news,
            task,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value for `CANVASS_MAIL__SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// From now on, does `act` at this command, for recipients containing `matching`, `times` times or for ever.
    pub fn rule(&self, at: At, matching: &str, act: Act, times: Option<usize>) {
        self.state.lock().unwrap().rules.push(Rule {
            at,
            matching: matching.to_owned(),
            act,
            times,
        });
    }

    /// Shorthand for a rule that always replies `reply`.
    pub fn say(&self, at: At, matching: &str, reply: &str) {
        self.rule(at, matching, Act::Say(reply.to_owned()), None);
    }

    /// Removes all rules.
    pub fn forgive(&self) {
        let mut state = self.state.lock().unwrap();
        state.rules.clear();
        state.refuse = false;
    }

    /// Closes new connections at once.
    pub fn refuse_connections(&self) {
        self.state.lock().unwrap().refuse = true;
    }

    /// Accepts new connections again.
    pub fn accept_connections(&self) {
        self.state.lock().unwrap().refuse = false;
    }

    /// Sets the behaviour if no rule matches.
    pub fn whim(&self, whim: impl Fn(At, &str) -> Option<Act> + Send + Sync + 'static) {
        self.state.lock().unwrap().whim = Some(Arc::new(whim));
    }

    /// From now on, writes Message-ID, recipient and subject of each mail to this file before replying. Several servers
    /// may share it.
    pub fn record_into(&self, file: &Path) {
        let file = OpenOptions::new().create(true).append(true).open(file);
        self.state.lock().unwrap().log = Some(file.unwrap());
    }

    /// All accepted mails, in order.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// The recipients of all accepted mails, in order.
    pub fn recipients(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.received.iter().map(|mail| mail.to.clone()).collect()
    }

    /// The number of accepted mails.
    pub fn count(&self) -> usize {
        self.state.lock().unwrap().received.len()
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// The most connections that were open at the same time.
    pub fn most_open(&self) -> usize {
        self.state.lock().unwrap().most_open
    }

    /// The names from clients' `EHLO`, in order.
    pub fn hellos(&self) -> Vec<String> {
        self.state.lock().unwrap().hellos.clone()
    }

    /// How often a command was received.
    pub fn commands(&self, command: &str) -> usize {
        self.state
            .lock()
            .unwrap()
            .commands
            .get(command)
            .copied()
            .unwrap_or(0)
    }

    /// Waits until `n` mails were accepted; panics after `limit`.
    pub async fn wait_for(&self, n: usize, limit: Duration) -> Vec<Received> {
        let waiting = async {
            loop {
                let news = self.news.notified();
                if self.count() >= n {
                    return;
                }
                news.await;
            }
        };
        if tokio::time::timeout(limit, waiting).await.is_err() {
            panic!("{} of {n} mails came within {limit:?}", self.count());
        }
        self.received()
    }

    /// Waits for the next mail to this address.
    pub async fn mail_to(&self, address: &str, limit: Duration) -> Received {
        let waiting = async {
            loop {
                let news = self.news.notified();
                if let Some(mail) = self.received().into_iter().rev().find(|m| m.to == address) {
                    return mail;
                }
                news.await;
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(mail) => mail,
            Err(_) => panic!("no mail to {address} came within {limit:?}"),
        }
    }
}
