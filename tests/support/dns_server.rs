//! A name server on loopback that answers TXT and MX from a table, and "no such name" to everything else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

type Table = Arc<Mutex<HashMap<(String, u16), Vec<Vec<u8>>>>>;

const MX: u16 = 15;
const TXT: u16 = 16;

/// A running name server; ends when dropped.
pub struct DnsServer {
    pub address: SocketAddr,
    table: Table,
    task: JoinHandle<()>,
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl DnsServer {
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let table = Table::default();
        let answers = table.clone();
        let task = tokio::spawn(async move {
            let mut query = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                if let Some(answer) = answer(&query[..length], &answers) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self {
            address,
            table,
            task,
        }
    }

    /// Sets the only TXT record of a name, in strings of at most 255 octets.
    pub fn txt(&self, name: &str, text: &str) {
        let mut data = Vec::new();
        for string in text.as_bytes().chunks(255) {
            data.push(u8::try_from(string.len()).unwrap());
            data.extend_from_slice(string);
        }
        self.publish(name, TXT, data);
    }

    /// Sets the only MX record of a name.
    pub fn mx(&self, name: &str, host: &str) {
        let mut data = vec![0, 10];
        for label in host.split('.') {
            data.push(u8::try_from(label.len()).unwrap());
            data.extend_from_slice(label.as_bytes());
        }
        data.push(0);
        self.publish(name, MX, data);
    }

    fn publish(&self, name: &str, kind: u16, data: Vec<u8>) {
        let mut table = self.table.lock().unwrap();
        table.insert((name.to_owned(), kind), vec![data]);
    }
}

fn answer(query: &[u8], table: &Table) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    let question = query.get(12..at + 4)?;
    let table = table.lock().unwrap();
    let found = table.get(&(labels.join("."), kind));
    let count = u16::try_from(found.map_or(0, Vec::len)).unwrap();
    let mut out = query[..2].to_vec();
    out.extend_from_slice(&[0x81, if count == 0 { 0x83 } else { 0x80 }, 0, 1]);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(question);
    for data in found.into_iter().flatten() {
        out.extend_from_slice(&[0xc0, 12]);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        out.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        out.extend_from_slice(data);
    }
    Some(out)
}
