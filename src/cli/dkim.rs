//! `canvass dkim` and `canvass check dkim`: the keys that sign mails, and their records in DNS.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use super::check::Findings;
use super::out::{say, tell};
use super::{Failed, tool};
use crate::app::App;
use crate::config::Config;
use crate::mailer::dkim::{self, DkimError, Key, Record, State, record};
use crate::mailer::dns::{Resolver, Unreachable};
use crate::newsletters;
use crate::types::EmailAddress;

/// How long a key's DNS record is needed after its last mail: mail may be queued or greylisted, and some receivers
/// verify late.
const STILL_NEEDED: Duration = Duration::from_secs(14 * 24 * 3_600);

#[derive(Debug, Subcommand)]
pub(super) enum DkimCommand {
    /// Create an RSA and an Ed25519 key, and print the DNS records to publish. Nothing is signed with them until they are activated.
    Create {
        /// The domain of the sender's address, or a parent of it.
        #[arg(long)]
        domain: String,
    },
    /// Import a key that was created elsewhere: PEM, PKCS#8 or PKCS#1.
    Import {
        /// The domain of the sender's address, or a parent of it.
        #[arg(long)]
        domain: String,
        /// The name under which its record is published.
        #[arg(long)]
        selector: String,
        /// The file with the private key; - reads standard input.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// List all keys and what each does.
    List,
    /// Sign with this key from now on, instead of the active key of the same kind. Running servers follow within seconds.
    Activate {
        /// The key's selector.
        selector: String,
        /// The key's domain, if several domains have a key with this selector.
        #[arg(long)]
        domain: Option<String>,
        /// Activate it even if DNS has a different record, or none.
        #[arg(long)]
        anyway: bool,
    },
    /// Retire a key: its private half is erased. Keep its record published for two weeks.
    Retire {
        /// The key's selector.
        selector: String,
        /// The key's domain, if several domains have a key with this selector.
        #[arg(long)]
        domain: Option<String>,
    },
}

impl From<DkimError> for Failed {
    fn from(error: DkimError) -> Self {
        match error {
            DkimError::Db(_) | DkimError::Key(_) => Self::Other(error.to_string()),
            _ => Self::Used(error.to_string()),
        }
    }
}

pub(super) async fn run(config: Config, command: DkimCommand) -> Result<ExitCode, Failed> {
    let app = tool(config).await?;
    match command {
        DkimCommand::Create { domain } => to_publish(&dkim::create(&app, &domain).await?)?,
        DkimCommand::Import {
            domain,
            selector,
            key,
        } => {
            let pem = read(&key)?;
            to_publish(&dkim::import(&app, &domain, &selector, &pem).await?)?;
        }
        DkimCommand::List => list(&app).await?,
        DkimCommand::Activate {
            selector,
            domain,
            anyway,
        } => activate(&app, &selector, domain.as_deref(), anyway).await?,
        DkimCommand::Retire { selector, domain } => {
            let key = dkim::retire(&app, &selector, domain.as_deref()).await?;
            let others = dkim::list(&app.db).await?;
            tell!("{selector} is retired. Keep its record published for two weeks.");
            if Key::signing_for(&others, &key.domain).is_empty() {
                tell!(
                    "No key signs for {} now, so its mails are not signed.",
                    key.domain
                );
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, Failed> {
    if file.as_os_str() == "-" {
        let mut pem = Vec::new();
        std::io::stdin().lock().read_to_end(&mut pem)?;
        return Ok(pem);
    }
    std::fs::read(file).map_err(|e| Failed::Used(format!("{} cannot be read: {e}", file.display())))
}

fn to_publish(keys: &[Key]) -> Result<(), Failed> {
    tell!("Publish these records in DNS (the strings of a record are joined without spaces):");
    for key in keys {
        say!("{}", Record::of(key).zone_line());
    }
    tell!("Then run `canvass check dkim`. When it finds them, run:");
    for key in keys {
        tell!("    canvass dkim activate {}", key.selector);
    }
    Ok(())
}

async fn list(app: &App) -> Result<(), Failed> {
    let keys = dkim::list(&app.db).await?;
    if keys.is_empty() {
        tell!("There are no keys, so mails are not signed. `canvass dkim create` creates some.");
    }
    for key in &keys {
        say!(
            "{}\t{}\t{}\t{}",
            key.domain,
            key.selector,
            key.algorithm.signature_name(),
            does(key, app)
        );
    }
    Ok(())
}

fn does(key: &Key, app: &App) -> String {
    let needed = if needed(key, app) {
        "; keep its record published"
    } else {
        ""
    };
    match (key.state, key.stopped) {
        (State::Signing, _) => "signs".to_owned(),
        (State::Waiting, None) => "not activated yet".to_owned(),
        (State::Waiting, Some(at)) => format!("inactive; signed until {}{needed}", day(at)),
        (State::Retired, None) => "retired; never signed".to_owned(),
        (State::Retired, Some(at)) => format!("retired; signed until {}{needed}", day(at)),
    }
}

fn day(at: crate::types::UnixMillis) -> String {
    at.timestamp().strftime("%Y-%m-%d").to_string()
}

/// Whether mails that the key signed may still be in transit.
fn needed(key: &Key, app: &App) -> bool {
    let now = app.clock.now();
    key.stopped.is_some_and(|at| at + STILL_NEEDED > now)
}

async fn activate(
    app: &App,
    selector: &str,
    domain: Option<&str>,
    anyway: bool,
) -> Result<(), Failed> {
    let keys = dkim::list(&app.db).await?;
    // `dkim::activate` itself refuses an unknown or ambiguous name, with a message of its own.
    let wanted = |key: &&Key| key.selector == selector && domain.is_none_or(|d| key.domain == d);
    if let (false, Some(key)) = (anyway, keys.iter().find(wanted)) {
        let record = Record::of(key);
        let found = match Resolver::new(app.config.name_server()) {
            Ok(resolver) => resolver.txt(&record.name).await,
            Err(error) => Err(error),
        };
        match found.map(|found| record.matches(&found)) {
            Ok(Ok(told)) => tell!("{}: {told}.", record.name),
            Ok(Err(problem)) => {
                return Err(Failed::Other(format!(
                    "{}: {problem}. Mails signed with this key would fail; publish the record \
                     (`canvass check dkim` prints it), or add --anyway",
                    record.name
                )));
            }
            Err(error) => tell!("{}: could not be looked up: {error}", record.name),
        }
    }
    let key = dkim::activate(app, selector, domain).await?;
    tell!(
        "{} signs the mails of {} from now on; running servers follow within ten seconds.",
        key.selector,
        key.domain
    );
    Ok(())
}

/// The domains of the newsletters' sender addresses.
async fn senders(app: &App) -> Result<BTreeSet<String>, Failed> {
    let newsletters = newsletters::all(app.db.read()).await?;
    let domain = |address: &str| EmailAddress::parse(address).map(|a| a.domain().to_owned());
    Ok(newsletters
        .iter()
        .filter_map(|newsletter| domain(&newsletter.from_address).ok())
        .collect())
}

/// The sender domains for which no key signs.
pub(super) async fn unsigned(app: &App) -> Result<Vec<String>, Failed> {
    let keys = dkim::list(&app.db).await?;
    let mut domains: Vec<String> = senders(app).await?.into_iter().collect();
    domains.retain(|domain| Key::signing_for(&keys, domain).is_empty());
    Ok(domains)
}

/// Compares the keys in use with the records in DNS.
pub(super) async fn check(config: Config) -> Result<ExitCode, Failed> {
    let app = tool(config).await?;
    let keys = dkim::list(&app.db).await?;
    let mut looking = Looking {
        resolver: Resolver::new(app.config.name_server()).map_err(|e| e.to_string()),
        answered: 0,
        findings: Findings::default(),
    };
    for key in &keys {
        looking.key(key, needed(key, &app)).await;
    }
    for domain in &senders(&app).await? {
        looking.sender(domain, &keys).await;
    }
    let bounces = app.config.mail.bounce_domain.as_str();
    if !bounces.is_empty() {
        looking.bounces(bounces).await;
    }
    if keys.is_empty() {
        Findings::note(
            "keys",
            "there are none, so mails are not signed: run `canvass dkim create --domain …`",
        );
    }
    if let Err(why) = &looking.resolver {
        say!("Nothing was compared with DNS: {why}");
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::from(u8::from(looking.findings.failed > 0)))
}

struct Looking {
    /// The resolver, or the reason why none can be used.
    resolver: Result<Resolver, String>,
    /// The number of names that DNS answered for. Once there was one, a failure concerns only its own name.
    answered: usize,
    findings: Findings,
}

impl Looking {
    /// `None` if there is no answer, which is then recorded as a finding.
    async fn txt(&mut self, name: &str) -> Option<Vec<String>> {
        let found = self.resolver.as_ref().ok()?.txt(name).await;
        self.answer(name, found)
    }

    fn answer<T>(&mut self, name: &str, found: Result<T, Unreachable>) -> Option<T> {
        match found {
            Ok(found) => {
                self.answered += 1;
                Some(found)
            }
            Err(error) if self.answered == 0 && !error.is_an_answer() => {
                self.resolver = Err(error.to_string());
                None
            }
            Err(error) => {
                self.findings
                    .add(name, Err(format!("could not be compared: {error}")));
                None
            }
        }
    }

    async fn key(&mut self, key: &Key, needed: bool) {
        if key.state == State::Retired && !needed {
            return;
        }
        let record = Record::of(key);
        Findings::line(&record.zone_line());
        let Some(found) = self.txt(&record.name).await else {
            return;
        };
        let judged = record.matches(&found);
        match (key.state, judged) {
            (_, Ok(told)) => self.findings.add(&record.name, Ok(told.to_owned())),
            (State::Signing, Err(problem)) => self.findings.add(&record.name, Err(problem)),
            (_, Err(problem)) if needed => Findings::note(
                &record.name,
                &format!("{problem}, and mails that it signed may still be in transit"),
            ),
            (_, Err(problem)) => Findings::note(
                &record.name,
                &format!(
                    "{problem}; publish it before `canvass dkim activate {}`",
                    key.selector
                ),
            ),
        }
    }

    /// Checks the domain of the return paths: it needs a server that takes its mail, and SPF is looked up there.
    async fn bounces(&mut self, domain: &str) {
        if let Some(found) = self.txt(domain).await {
            let spf = record::spf(&found).map(|spf| format!("SPF of the return paths: {spf}"));
            self.findings.add(domain, spf);
        }
        let Ok(resolver) = &self.resolver else {
            return;
        };
        let found = resolver.mx(domain).await;
        let Some(hosts) = self.answer(domain, found) else {
            return;
        };
        let judged = if hosts.is_empty() {
            Err("no MX record: bounces cannot come back".to_owned())
        } else {
            Ok(format!("bounces go to {}", hosts.join(", ")))
        };
        self.findings.add(domain, judged);
    }

    async fn sender(&mut self, domain: &str, keys: &[Key]) {
        let signing = Key::signing_for(keys, domain);
        if signing.is_empty() && !keys.is_empty() {
            Findings::note(domain, "no key signs for it, so its mails are not signed");
        }
        if let Some(found) = self.txt(domain).await {
            match record::spf(&found) {
                Ok(spf) => Findings::note(domain, &format!("SPF says: {spf}")),
                Err(problem) => Findings::note(domain, &problem),
            }
        }
        // If this domain has no record, that of the nearest parent domain applies (RFC 9989 §4.10).
        let mut at = domain;
        let dmarc = loop {
            let Some(found) = self.txt(&format!("_dmarc.{at}")).await else {
                return;
            };
            match record::Dmarc::read(&found) {
                Ok(Some(dmarc)) => break Some(dmarc),
                Ok(None) => {}
                Err(problem) => return self.findings.add(&format!("_dmarc.{at}"), Err(problem)),
            }
            match at.split_once('.') {
                Some((_, above)) if above.contains('.') => at = above,
                _ => break None,
            }
        };
        let Some(dmarc) = dmarc else {
            Findings::note(
                domain,
                "there is no DMARC record; large providers require one (v=DMARC1; p=none is a start)",
            );
            return;
        };
        let told = format!("DMARC asks for p={}", dmarc.policy);
        match signing.first() {
            None => self.findings.add(
                domain,
                match dmarc.policy.as_str() {
                    "none" => Ok(format!("{told}; no signature aligns")),
                    _ => Err(format!("{told}, and no signature aligns")),
                },
            ),
            Some(key) if dmarc.strict && key.domain != domain => self.findings.add(
                domain,
                Err(format!(
                    "{told} with adkim=s, but the key belongs to {}: it does not align",
                    key.domain
                )),
            ),
            Some(key) => self.findings.add(
                domain,
                Ok(format!("{told}; the signature of {} aligns", key.domain)),
            ),
        }
    }
}
