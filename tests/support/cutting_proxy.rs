//! A proxy between the program and PostgreSQL that breaks connections exactly at a `COMMIT`, or at a statement that is
//! a transaction of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Where a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never sees the `COMMIT`.
    Before,
    /// The server commits, but its response does not arrive.
    After,
    /// The server sees neither the `COMMIT` nor that the client is gone.
    Vanish,
    /// The server sees it long after the client has gone on.
    Late,
}

#[derive(Default)]
struct State {
    /// Every n-th commit is cut, each way in turn; 0 for none.
    every: usize,
    ways: Vec<Cut>,
    seen: usize,
    cuts: usize,
    /// Bytes that the server has sent.
    answered: usize,
    /// Whether new connections are refused.
    closed: bool,
    /// Connections that are kept open, so that the server does not notice that its client is gone.
    vanished: Vec<TcpStream>,
}

/// A running proxy; ends when dropped.
pub struct CuttingProxy {
    port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl CuttingProxy {
    /// Starts a proxy in front of the server of `url`.
    pub async fn before(url: &str) -> Self {
        let address = url
            .rsplit_once('@')
            .unwrap()
            .1
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = state.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                if shared.lock().unwrap().closed {
                    continue;
                }
                let server = TcpStream::connect(&address).await.unwrap();
                connections.spawn(carry(client, server, shared.clone()));
            }
        });
        Self { port, state, task }
    }

    /// The database's URL through this proxy.
    pub fn url(&self, url: &str) -> String {
        let (user, rest) = url.rsplit_once('@').unwrap();
        let name = rest.split_once('/').unwrap().1;
        format!("{user}@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// From now on, cuts every n-th commit, in each of these ways in turn.
    pub fn cut(&self, every: usize, ways: &[Cut]) {
        let mut state = self.state.lock().unwrap();
        state.every = every;
        state.ways = ways.to_vec();
    }

    /// Refuses or accepts new connections from now on.
    pub fn close(&self, closed: bool) {
        self.state.lock().unwrap().closed = closed;
    }

    /// How many bytes the server has sent.
    pub fn answered(&self) -> usize {
        self.state.lock().unwrap().answered
    }

    /// The number of cuts so far.
    pub fn cuts(&self) -> usize {
        self.state.lock().unwrap().cuts
    }
}

impl State {
    fn at_commit(&mut self) -> Option<Cut> {
        self.seen += 1;
        if self.every == 0 || !self.seen.is_multiple_of(self.every) {
            return None;
        }
        self.cuts += 1;
        Some(self.ways[self.cuts % self.ways.len()])
    }
}

/// The simple query `COMMIT`, as the driver sends it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// Prefixes of the names of writers whose statements are transactions of their own; the name is one of the parameters.
pub const WRITERS: [&str; 2] = ["ledger ", "box "];
/// The delay of [`Cut::Late`].
const LATE: Duration = Duration::from_millis(400);

async fn carry(mut client: TcpStream, mut server: TcpStream, state: Arc<Mutex<State>>) {
    let (mut from_client, mut from_server) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(n @ 1..) = read else { return };
                let bytes = &from_client[..n];
                let holds = |mark: &[u8]| bytes.windows(mark.len()).any(|w| w == mark);
                let commits = holds(COMMIT) || WRITERS.iter().any(|name| holds(name.as_bytes()));
                let cut = if commits { state.lock().unwrap().at_commit() } else { None };
                match cut {
                    Some(Cut::Before) => return,
                    Some(Cut::Vanish) => {
                        state.lock().unwrap().vanished.push(server);
                        return;
                    }
                    Some(Cut::Late) => {
                        drop(client);
                        tokio::time::sleep(LATE).await;
                        let _ = server.write_all(bytes).await;
                        let _ = server.read(&mut from_server).await;
                        return;
                    }
                    Some(Cut::After) => {
                        let _ = server.write_all(bytes).await;
                        let _ = server.read(&mut from_server).await;
                        return;
                    }
                    None => {}
                }
                if server.write_all(bytes).await.is_err() { return }
            }
            read = server.read(&mut from_server) => {
                let Ok(n @ 1..) = read else { return };
                state.lock().unwrap().answered += n;
                if client.write_all(&from_server[..n]).await.is_err() { return }
            }
        }
    }
}
