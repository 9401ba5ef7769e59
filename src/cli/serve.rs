//! `canvass serve`: refuses dangerous settings, then runs until SIGTERM or SIGINT.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::{Failed, missing_key};
use crate::app::{App, Role};
use crate::config::{Config, ConfigError, Transport};
use crate::serve::{self, Server};
use crate::types::{Clock, Random};

pub async fn run(config: Config) -> Result<(), Failed> {
    let Some(running) = start(safe(config)?).await? else {
        return Ok(());
    };
    tracing::info!(address = %running.server.address, "listening");
    running.until_stopped().await
}

/// Checks the settings that production requires. All others have safe defaults.
///
/// # Errors
/// The first setting that must be changed.
pub fn safe(config: Config) -> Result<Config, ConfigError> {
    let refuse = |setting: &str, problem: &str| {
        Err(ConfigError {
            setting: setting.into(),
            problem: problem.into(),
        })
    };
    if config.secret_key.is_empty() {
        return Err(missing_key());
    }
    if config.http.public_url.is_empty() && !config.http.bind.ip().is_loopback() {
        return refuse(
            "http.public_url",
            "is not set, and links in mails start with it; set it to the address that readers use (https://polls.example)",
        );
    }
    match config.mail.transport {
        Transport::Smtp if config.mail.all_relays().is_empty() => refuse(
            "mail.smtp_url",
            "is not set, so no mail could be sent; set it (smtps://user:password@host:465), \
             or try `canvass demo`, which needs none",
        ),
        Transport::Mailbox | Transport::File if !config.mail.allow_capture => refuse(
            "mail.transport",
            "is set to keep mails on this server instead of sending them; \
             if that is intended, set mail.allow_capture = true",
        ),
        _ => Ok(config),
    }
}

/// Binds, assembles and starts. If no public URL is set, the bound address is used, which matters for port 0. `None` if
/// somebody stopped it before it had started.
pub async fn start(mut config: Config) -> Result<Option<Running>, Failed> {
    let mut signals = Signals::listen()?;
    // Every viewer of live results holds a connection, and shells grant only 1,024 files by default. If the system
    // does not allow more, the existing limit has to do.
    let _ = rlimit::increase_nofile_limit(OPEN_FILES);
    let bind = config.http.bind;
    let listener = TcpListener::bind(bind).await.map_err(|e| {
        let cause = why_not(e.kind());
        Failed::Other(format!("http.bind: cannot listen on {bind}: {e}{cause}"))
    })?;
    if config.http.public_url.is_empty() {
        config.http.public_url = reachable(listener.local_addr()?);
    }
    // A migration may take minutes, and so may the wait for another node's.
    let app = tokio::select! {
        app = App::build(config, Role::Server, Clock::System, Random::System) => app?,
        () = signals.asked() => {
            tracing::info!("stopped before it had started");
            return Ok(None);
        }
    };
    Ok(Some(Running {
        server: serve::start(app, listener)?,
        signals,
    }))
}

/// What to do about an address that cannot be bound.
fn why_not(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AddrInUse => "; is another server running there?",
        ErrorKind::AddrNotAvailable => {
            "; it has to be an address of this machine, or 0.0.0.0 for all of them"
        }
        ErrorKind::PermissionDenied => {
            "; ports below 1024 are for root: choose a higher one, and let a proxy listen there"
        }
        _ => "",
    }
}

/// The limit of open files to ask for.
const OPEN_FILES: u64 = 65_536;

/// Whether this process was started with SIGHUP ignored, which listening for it would undo. If the system does not
/// tell, false.
fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, 1))
}

/// Whether a Linux process status lists the signal of this number as ignored.
fn ignores(status: &str, signal: u32) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| (mask >> (signal - 1)) & 1 == 1)
}

/// The address at which a browser on this machine reaches a server that listens on `address`.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

/// The signals that ask the server to stop.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` if SIGHUP is ignored.
    hangup: Option<Signal>,
}

impl Signals {
    /// Listens from now on.
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            // It comes when the terminal closes. If it was ignored at start (`nohup`), the server is meant to go on.
            hangup: (!ignores_hangup())
                .then(|| signal(SignalKind::hangup()))
                .transpose()?,
        })
    }

    /// Waits for the operating system or a person to ask for a stop.
    async fn asked(&mut self) {
        tokio::select! {
            () = pressed(&mut self.terminate, &mut self.interrupt) => {}
            () = hung_up(&mut self.hangup) => {}
        }
    }

    /// Like [`asked`](Self::asked), but not by a closing terminal, which is no second request.
    async fn asked_again(&mut self) {
        pressed(&mut self.terminate, &mut self.interrupt).await;
    }
}

async fn pressed(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Waits until the terminal closes; for ever if SIGHUP is ignored.
async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Signals within this time count as one request to stop: programs such as `timeout` signal the process and then
/// its whole group.
const ONE_WISH: Duration = Duration::from_millis(500);

/// A running server, and the signals that stop it.
pub struct Running {
    pub server: Server,
    signals: Signals,
}

impl Running {
    /// Runs until the operating system or a person asks it to stop. A second signal ends the process at once,
    /// unless it follows [within a moment](ONE_WISH).
    pub async fn until_stopped(mut self) -> Result<(), Failed> {
        self.signals.asked().await;
        tracing::info!("stopping once the work in progress is finished");
        let asked = Instant::now();
        let stopped = self.server.stop();
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => {
                    tracing::info!("stopped");
                    return Ok(());
                }
                () = self.signals.asked_again() => {}
            }
            if asked.elapsed() >= ONE_WISH {
                tracing::warn!("stopped at once after a second signal");
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pairs: &[(&str, &str)]) -> Option<String> {
        let mut environment = vec![
            ("CANVASS_SECRET_KEY".to_string(), "k".repeat(32)),
            (
                "CANVASS_MAIL__SMTP_URL".to_string(),
                "smtp://localhost:25".to_string(),
            ),
        ];
        environment.extend(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())));
        let config = crate::config::load(None, &environment).expect("well-formed");
        safe(config).err().map(|e| e.to_string())
    }

    #[test]
    fn production_needs_a_key_a_url_and_a_relay() {
        assert_eq!(refused(&[]), None);
        for (pairs, setting) in [
            (&[("CANVASS_SECRET_KEY", "")][..], "secret_key"),
            (&[("CANVASS_MAIL__SMTP_URL", "")], "mail.smtp_url"),
            (&[("CANVASS_MAIL__TRANSPORT", "mailbox")], "mail.transport"),
            (&[("CANVASS_HTTP__BIND", "0.0.0.0:80")], "http.public_url"),
        ] {
            assert!(
                refused(pairs).is_some_and(|e| e.starts_with(setting)),
                "{pairs:?}"
            );
        }
        assert_eq!(
            refused(&[
                ("CANVASS_MAIL__TRANSPORT", "mailbox"),
                ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
            ]),
            None
        );
    }

    #[test]
    fn a_signal_that_is_ignored_is_found_in_the_status() {
        let status =
            |mask: &str| format!("Name:\tcanvass\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores(&status("0000000000001001"), 1));
        assert!(!ignores(&status("0000000000001000"), 1));
        assert!(ignores(&status("0000000000001000"), 13));
        assert!(!ignores("no such line", 1));
    }
}
