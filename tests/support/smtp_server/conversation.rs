//! The server's side of the protocol.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::Notify,
};

use super::{Act, At, Offers, Received, State};

/// One client's conversation, from the greeting to `QUIT`.
pub(super) struct Conversation {
    pub(super) offers: Offers,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) news: Arc<Notify>,
    pub(super) number: usize,
    /// The client sent `QUIT`, or was cut off.
    pub(super) gone: AtomicBool,
    /// The server closes the connection after its next reply.
    pub(super) last_word: AtomicBool,
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.leave();
    }
}

enum End {
    Closed,
    StartTls,
}

impl Conversation {
    pub(super) async fn run(self, tcp: TcpStream) {
        if let Some(acceptor) = self.offers.implicit_tls.clone() {
            if let Ok(tls) = acceptor.accept(tcp).await {
                let _ = self.talk(tls, true, true).await;
            }
            return;
        }
        let mut tcp = tcp;
        if let Ok(End::StartTls) = self.talk(&mut tcp, true, false).await {
            let acceptor = self.offers.starttls.clone().unwrap();
            if let Ok(tls) = acceptor.accept(tcp).await {
                let _ = self.talk(tls, false, true).await;
            }
        }
    }

    /// Counts the connection as closed, once, and before the client is told, so that its next connection is not counted
    /// on top of this one.
    fn leave(&self) {
        if !self.gone.swap(true, Ordering::SeqCst)
            && let Ok(mut state) = self.state.lock()
        {
            state.open -= 1;
        }
    }

    /// The action of the first matching rule, or else of the whim.
    fn act(&self, at: At, recipient: &str) -> Option<Act> {
        let mut state = self.state.lock().unwrap();
        let rule = state.rules.iter_mut().find(|rule| {
            rule.at == at && rule.times != Some(0) && recipient.contains(&rule.matching)
        });
        if let Some(rule) = rule {
            rule.times = rule.times.map(|n| n - 1);
            return Some(rule.act.clone());
        }
        let whim = state.whim.clone();
        drop(state);
        whim.and_then(|whim| whim(at, recipient))
    }

    async fn consult(&self, at: At, recipient: &str) -> std::io::Result<Option<String>> {
        self.perform(self.act(at, recipient)).await
    }

    /// Performs an action and returns the reply; `None`: the usual positive one; an error ends the conversation.
    async fn perform(&self, act: Option<Act>) -> std::io::Result<Option<String>> {
        match act {
            None => Ok(None),
            Some(Act::Say(reply)) => Ok(Some(reply)),
            Some(Act::SayAndDrop(reply)) => {
                self.last_word.store(true, Ordering::SeqCst);
                Ok(Some(reply))
            }
            Some(Act::Drop) => Err(std::io::ErrorKind::ConnectionAborted.into()),
            Some(Act::Wait(time)) => {
                tokio::time::sleep(time).await;
                Ok(None)
            }
        }
    }

    async fn talk<S>(&self, stream: S, greet: bool, secure: bool) -> std::io::Result<End>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stream = BufReader::new(stream);
        if greet {
            let refused = self.consult(At::Greeting, "").await?;
            self.say(&mut stream, refused.as_deref().unwrap_or("220 test ESMTP"))
                .await?;
        }
        let (mut from, mut to) = (String::new(), String::new());
        let mut commands = [String::new(), String::new()];
        let mut mails = 0;
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await? == 0 {
                return Ok(End::Closed);
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let verb = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
            *self
                .state
                .lock()
                .unwrap()
                .commands
                .entry(verb.clone())
                .or_default() += 1;
            if let Some((_, name)) = line.split_once(' ').filter(|_| verb == "EHLO") {
                self.state.lock().unwrap().hellos.push(name.to_owned());
            }
            match verb.as_str() {
                "EHLO" => match self.consult(At::Ehlo, "").await? {
                    Some(reply) => self.say(&mut stream, &reply).await?,
                    None => self.say(&mut stream, &self.features(secure)).await?,
                },
                "STARTTLS" if self.offers.starttls.is_some() && !secure => {
                    let mut reply = "220 go ahead".to_owned();
                    if let Some(injected) = &self.offers.injected {
                        reply = format!("{reply}\r\n{injected}");
                    }
                    self.say(&mut stream, &reply).await?;
                    return Ok(End::StartTls);
                }
                "AUTH" => {
                    let known = self
                        .offers
                        .auth
                        .as_ref()
                        .is_some_and(|auth| line.ends_with(auth));
                    let usual = if known { "235 welcome" } else { "535 5.7.8 no" };
                    let refused = self.consult(At::Auth, "").await?;
                    self.say(&mut stream, refused.as_deref().unwrap_or(usual))
                        .await?;
                }
                "MAIL" => {
                    let address = between(&line);
                    let mut reply = if from.is_empty() {
                        self.consult(At::Mail, "").await?
                    } else {
                        Some("503 5.5.1 nested MAIL command".to_owned())
                    };
                    if self.offers.mails.is_some_and(|most| mails >= most) {
                        self.last_word.store(true, Ordering::SeqCst);
                        reply = Some("421 4.7.0 too many messages in this connection".to_owned());
                    }
                    if reply.is_none() {
                        from = format!("<{address}>");
                        commands[0].clone_from(&line);
                    }
                    self.say(&mut stream, reply.as_deref().unwrap_or("250 2.1.0 ok"))
                        .await?;
                }
                "RCPT" => {
                    let address = between(&line);
                    let reply = if from.is_empty() {
                        Some("503 5.5.1 MAIL first".to_owned())
                    } else {
                        self.consult(At::Rcpt, &address).await?
                    };
                    if reply.is_none() {
                        to = address;
                        commands[1].clone_from(&line);
                    }
                    self.say(&mut stream, reply.as_deref().unwrap_or("250 2.1.5 ok"))
                        .await?;
                }
                "DATA" => {
                    let mut reply = self.consult(At::Data, &to).await?;
                    if reply.is_none() && to.is_empty() && !self.offers.pipelining {
                        reply = Some("503 5.5.1 RCPT first".to_owned());
                    }
                    if let Some(reply) = reply {
                        self.say(&mut stream, &reply).await?;
                        continue;
                    }
                    self.say(&mut stream, "354 go on").await?;
                    let raw = read_message(&mut stream).await?;
                    let reply = if to.is_empty() {
                        "554 5.5.1 no valid recipients".to_owned()
                    } else {
                        self.take(&from, &to, raw, commands.clone()).await?
                    };
                    from.clear();
                    to.clear();
                    mails += 1;
                    self.say(&mut stream, &reply).await?;
                }
                "RSET" => {
                    from.clear();
                    to.clear();
                    self.say(&mut stream, "250 2.0.0 ok").await?;
                }
                "QUIT" => {
                    self.leave();
                    self.say(&mut stream, "221 2.0.0 bye").await?;
                    return Ok(End::Closed);
                }
                "NOOP" => self.say(&mut stream, "250 2.0.0 ok").await?,
                _ => self.say(&mut stream, "500 5.5.2 what?").await?,
            }
        }
    }

    /// Records the mail unless a rule refuses it, then replies, waits or drops the connection.
    async fn take(
        &self,
        from: &str,
        to: &str,
        raw: String,
        commands: [String; 2],
    ) -> std::io::Result<String> {
        let act = self.act(At::Dot, to);
        let refused = matches!(&act, Some(Act::Say(reply) | Act::SayAndDrop(reply)) if reply.starts_with(['4', '5']));
        if !refused {
            let header = |name: &str| {
                let line = raw.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or("").to_owned()
            };
            let message_id = header("Message-ID: ");
            let mut state = self.state.lock().unwrap();
            if let Some(log) = &mut state.log {
                // In a single write, because several servers write to one file.
                let line = format!("{message_id}\t{to}\t{}\n", header("Subject: "));
                log.write_all(line.as_bytes())?;
                log.sync_data()?;
            }
            state.received.push(Received {
                message_id,
                from: from.trim_matches(['<', '>']).to_owned(),
                to: to.to_owned(),
                raw,
                commands,
                connection: self.number,
            });
            drop(state);
            self.news.notify_waiters();
        }
        let reply = self.perform(act).await?;
        Ok(reply.unwrap_or_else(|| "250 2.0.0 queued".to_owned()))
    }

    async fn say<S>(&self, stream: &mut BufReader<S>, reply: &str) -> std::io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let line = format!("{reply}\r\n");
        let octets: Vec<u8> = if self.offers.latin1 {
            line.chars().map(|c| u8::try_from(c).unwrap()).collect()
        } else {
            line.into_bytes()
        };
        stream.write_all(&octets).await?;
        stream.flush().await?;
        if self.last_word.load(Ordering::SeqCst) {
            stream.shutdown().await?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    fn features(&self, secure: bool) -> String {
        let mut lines = vec!["test".to_owned(), "8BITMIME".to_owned()];
        if self.offers.pipelining {
            lines.push("PIPELINING".to_owned());
        }
        if self.offers.dsn {
            lines.push("DSN".to_owned());
        }
        if let Some(size) = self.offers.size {
            lines.push(format!("SIZE {size}"));
        }
        if self.offers.smtputf8 {
            lines.push("SMTPUTF8".to_owned());
        }
        if self.offers.starttls.is_some() && !secure {
            lines.push("STARTTLS".to_owned());
        }
        if self.offers.auth.is_some() {
            lines.push("AUTH PLAIN".to_owned());
        }
        let last = lines.len() - 1;
        let lines = lines.iter().enumerate();
        let lines = lines.map(|(i, l)| format!("250{}{l}", if i == last { ' ' } else { '-' }));
        lines.collect::<Vec<_>>().join("\r\n")
    }
}

async fn read_message<S>(stream: &mut BufReader<S>) -> std::io::Result<String>
where
    S: AsyncRead + Unpin,
{
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(String::from_utf8_lossy(&message).into_owned());
        }
        let line = if line.starts_with(b".") {
            &line[1..]
        } else {
            &line
        };
        message.extend_from_slice(line);
    }
}

fn between(line: &str) -> String {
    let address = line.split_once('<').map_or("", |(_, rest)| rest);
    address
        .split_once('>')
        .map_or("", |(address, _)| address)
        .to_owned()
}
