//! A PostgreSQL for one test, which can be stopped without warning and started again.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::database::server_needed;
use super::ports::free_port;
use super::require;

/// A cluster, stopped and deleted when dropped.
pub struct Cluster {
    bin: PathBuf,
    /// The user that runs it if we are root, because PostgreSQL refuses to run as root.
    user: Option<&'static str>,
    dir: TempDir,
    port: u16,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.control(&["--mode=immediate", "stop"]);
    }
}

impl Cluster {
    /// One for a test that needs it: where the tests do not run on PostgreSQL, or it cannot be started, it prints that
    /// the test is skipped.
    pub fn needed() -> Option<Self> {
        server_needed()?;
        match Self::start() {
            Ok(cluster) => Some(cluster),
            Err(why) => {
                require::skip(&why);
                None
            }
        }
    }

    /// Creates and starts one; `Err` says what is missing.
    fn start() -> Result<Self, String> {
        let bin = newest_bin().ok_or("initdb is not installed")?;
        let user = if id("-u") != "0" {
            None
        } else if Command::new("id")
            .arg("postgres")
            .output()
            .is_ok_and(|o| o.status.success())
        {
            Some("postgres")
        } else {
            Some("nobody")
        };
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        if let Some(user) = user {
            let owned = Command::new("chown").arg(user).arg(dir.path()).status();
            assert!(owned.unwrap().success());
            // The directory of temporary files may be closed to other users, but they must be able to pass through it.
            for above in dir
                .path()
                .ancestors()
                .skip(1)
                .filter(|p| p.starts_with(std::env::temp_dir()))
            {
                let _ = Command::new("chmod").arg("a+x").arg(above).status();
            }
        }
        let port = free_port();
        let cluster = Self {
            bin,
            user,
            dir,
            port,
        };
        let data = cluster.data();
        let made = cluster.run(
            "initdb",
            &[
                "--pgdata",
                &data,
                "--username=canvass",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ],
        );
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        cluster.up();
        Ok(cluster)
    }

    /// The URL of the database `postgres`, for `database.url`.
    pub fn url(&self) -> String {
        format!("postgres://canvass@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it.
    pub fn up(&self) {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={} -c shared_buffers=32MB",
            self.port,
            self.dir.path().display()
        );
        let log = self.dir.path().join("log").display().to_string();
        let started = self.control(&["--log", &log, "--wait", "--options", &options, "start"]);
        assert!(
            started.status.success(),
            "{}",
            String::from_utf8_lossy(&started.stderr)
        );
    }

    /// Stops it like a crash of the machine, except that the disk is intact.
    pub fn down(&self) {
        let stopped = self.control(&["--mode=immediate", "stop"]);
        assert!(
            stopped.status.success(),
            "{}",
            String::from_utf8_lossy(&stopped.stderr)
        );
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn control(&self, arguments: &[&str]) -> Output {
        let data = self.data();
        let mut all = vec!["--pgdata", &data, "--silent"];
        all.extend(arguments);
        self.run("pg_ctl", &all)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let program = self.bin.join(program);
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut as_user = Command::new("runuser");
                as_user.args(["-u", user, "--"]).arg(program);
                as_user
            }
        };
        // The server must not keep the pipe open from which the output is read.
        let log = self.dir.path().with_extension("output");
        let file = std::fs::File::create(&log).unwrap();
        command
            .args(arguments)
            .current_dir("/")
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let status = command.status().unwrap();
        let stderr = std::fs::read(&log).unwrap_or_default();
        let _ = std::fs::remove_file(&log);
        Output {
            status,
            stdout: Vec::new(),
            stderr,
        }
    }
}

fn id(what: &str) -> String {
    let output = Command::new("id").arg(what).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn newest_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut bins: Vec<PathBuf> = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin: &PathBuf| bin.join("initdb").is_file())
        .collect();
    bins.sort();
    bins.pop()
        .or_else(|| require::program(&["initdb"]).and_then(|p| p.parent().map(Path::to_path_buf)))
}
