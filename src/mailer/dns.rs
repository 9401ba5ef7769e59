//! DNS look-ups for `canvass check dkim`. Sending does not depend on them.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, RecordType},
};

/// The longest wait for one answer, with room for one retry.
const PATIENCE: Duration = Duration::from_secs(6);

/// Asks name servers.
pub struct Resolver(TokioResolver);

/// DNS gave no answer, so nothing is known about the name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// No name server answers.
    #[error("DNS cannot be reached: {0}")]
    Silent(String),
    /// The server answered with an error (SERVFAIL and the like).
    #[error("the name server returned an error: {0}")]
    Failed(String),
}

impl Unreachable {
    /// Whether a name server did answer, if only with an error.
    #[must_use]
    pub fn is_an_answer(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl Resolver {
    /// Asks `server` (`127.0.0.1`, `[::1]:5353`), or the servers of `/etc/resolv.conf` if none is given.
    ///
    /// # Errors
    /// If the system configuration names no server.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, Unreachable> {
        let unreachable = |e: NetError| Unreachable::Silent(e.to_string());
        let mut builder = match server {
            Some(address) => {
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                for connection in &mut connections {
                    connection.port = address.port();
                }
                let server = NameServerConfig::new(address.ip(), true, connections);
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => TokioResolver::builder_tokio().map_err(unreachable)?,
        };
        let options = builder.options_mut();
        options.timeout = PATIENCE / 3;
        options.attempts = 1;
        Ok(Self(builder.build().map_err(unreachable)?))
    }

    /// The TXT records at `name`, the strings of each joined; empty if the name does not exist or has no such record.
    ///
    /// # Errors
    /// If no server answers in time, or one answers with an error.
    pub async fn txt(&self, name: &str) -> Result<Vec<String>, Unreachable> {
        let found = self.lookup(name, RecordType::TXT).await?;
        let text = |data: &RData| match data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        };
        Ok(found.iter().filter_map(text).collect())
    }

    /// The mail exchangers of `name`, in no particular order.
    ///
    /// # Errors
    /// Like [`Self::txt`].
    pub async fn mx(&self, name: &str) -> Result<Vec<String>, Unreachable> {
        let found = self.lookup(name, RecordType::MX).await?;
        let host = |data: &RData| match data {
            RData::MX(mx) => Some(mx.exchange.to_utf8()),
            _ => None,
        };
        Ok(found.iter().filter_map(host).collect())
    }

    async fn lookup(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, Unreachable> {
        // The trailing dot keeps the resolver from trying search domains.
        let asking = self.0.lookup(format!("{name}."), kind);
        match tokio::time::timeout(PATIENCE, asking).await {
            Ok(Ok(found)) => Ok(found.answers().iter().map(|r| r.data.clone()).collect()),
            Ok(Err(error)) if error.is_nx_domain() || error.is_no_records_found() => Ok(Vec::new()),
            Ok(Err(error @ NetError::Dns(_))) => Err(Unreachable::Failed(error.to_string())),
            Ok(Err(error)) => Err(Unreachable::Silent(error.to_string())),
            Err(_) => Err(Unreachable::Silent("no answer in time".to_owned())),
        }
    }
}
