//! A running server: listen, answer, drain, stop.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::background::Tasks;
use crate::routes;
use crate::web::connections;

/// How long responses in progress may take after the stop.
const ANSWERS: Duration = Duration::from_secs(5);
/// How long the database may take to close.
const CLOSING: Duration = Duration::from_millis(1_500);

/// A server that runs until it is told to stop.
#[derive(Debug)]
pub struct Server {
    /// The assembled parts.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    http: JoinHandle<()>,
    tasks: Tasks,
}

/// Starts answering on `listener`, and the background tasks.
///
/// # Errors
/// When the listener has no address.
pub fn start(app: App, listener: TcpListener) -> std::io::Result<Server> {
    start_within(app, listener, connections::QUIET)
}

/// Like [`start`], but a connection is closed when nothing moves on it for `quiet`.
///
/// # Errors
/// As [`start`].
pub fn start_within(app: App, listener: TcpListener, quiet: Duration) -> std::io::Result<Server> {
    crate::probes::collect();
    let address = listener.local_addr()?;
    let http = tokio::spawn(connections::serve(
        listener,
        routes::router(&app),
        app.clock.clone(),
        app.stopping.clone(),
        quiet,
    ));
    let tasks = Tasks::start(&app);
    Ok(Server {
        app,
        address,
        http,
        tasks,
    })
}

impl Server {
    /// Stops in two stages, within 10 s in all: no new connections and no new mail, then the work in progress is
    /// finished.
    pub async fn stop(self) {
        self.app.stopping.cancel();
        let mut http = self.http;
        let answered = async {
            if tokio::time::timeout(ANSWERS, &mut http).await.is_err() {
                http.abort();
                tracing::warn!("some connections were cut because they took too long to end");
            }
        };
        let ((), ended) = tokio::join!(answered, self.tasks.ended());
        if !ended {
            tracing::warn!("a background task did not end in time");
        }
        match tokio::time::timeout(CLOSING, self.app.db.clone().close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the database did not close cleanly"),
            Err(_) => tracing::warn!("the database did not close in time"),
        }
    }
}
