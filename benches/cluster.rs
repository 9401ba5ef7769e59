//! A temporary PostgreSQL cluster on loopback, with the default (durable) settings.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Cluster {
    bin: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
}

impl Cluster {
    /// `None` if PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let bin = newest()?;
        let dir = tempfile::tempdir().unwrap();
        if root() {
            let mut owner = Command::new("chown");
            let owner = owner.arg("postgres").arg(dir.path()).status().unwrap();
            assert!(owner.success(), "the directory cannot be given to postgres");
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let cluster = Self { bin, dir, port };
        let data = cluster.path("data");
        cluster.run(
            "initdb",
            &[
                "-D",
                &data,
                "-U",
                "canvass",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ],
        );
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={}",
            cluster.dir.path().display()
        );
        let log = cluster.path("log");
        cluster.run(
            "pg_ctl",
            &["-D", &data, "-l", &log, "-w", "-o", &options, "start"],
        );
        Some(cluster)
    }

    /// Creates an empty database and returns its URL.
    pub fn database(&self, name: &str) -> String {
        let port = self.port.to_string();
        let made = ["-h", "127.0.0.1", "-p", &port, "-U", "canvass", name];
        self.run("dropdb", &[&["--if-exists", "--force"], &made[..]].concat());
        self.run("createdb", &made);
        format!("postgres://canvass@127.0.0.1:{port}/{name}")
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.bin.join(program);
        let mut command = if root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let output = command
            .args(arguments)
            .current_dir(self.dir.path())
            .stdout(Stdio::null())
            .status();
        assert!(output.unwrap().success(), "{arguments:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.path("data");
        self.run("pg_ctl", &["-D", &data, "-m", "immediate", "-s", "stop"]);
    }
}

fn root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

fn newest() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut bins: Vec<PathBuf> = versions
        .filter_map(|v| Some(v.ok()?.path().join("bin")))
        .filter(|bin| Path::exists(&bin.join("initdb")))
        .collect();
    bins.sort();
    bins.pop()
}
