//! Runs `pg_dump` and `pg_restore`: no other program knows PostgreSQL's formats as well.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use url::Url;

use super::Failed;
use crate::config;
use crate::types::Secret;

/// URL parameters of our driver that these tools would refuse.
const OURS: &[&str] = &["password", "statement-cache-capacity"];

/// The path of one of the tools.
pub struct Tool(PathBuf);

impl Tool {
    /// Searches `PATH`, then the directories where Debian keeps them by version: the newest can read all older
    /// servers.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn find(name: &str) -> Result<Self, Failed> {
        let by_version = || {
            let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
                .into_iter()
                .flatten()
                .filter_map(|entry| {
                    let entry = entry.ok()?;
                    let version = entry.file_name().to_str()?.parse().ok()?;
                    Some((version, entry.path().join("bin").join(name)))
                })
                .filter(|(_, program)| program.is_file())
                .collect();
            found.sort();
            found.pop().map(|(_, program)| program)
        };
        config::program(name).or_else(by_version).map(Self).ok_or_else(|| {
            Failed::Used(format!(
                "{name} is not installed; it comes with PostgreSQL's client (Debian: postgresql-client)"
            ))
        })
    }

    /// Runs the tool on the database at `url`, with `file` after the options.
    ///
    /// # Errors
    /// The tool's own message.
    pub fn run(&self, url: &Secret, options: &[&str], file: &Path) -> Result<(), Failed> {
        let (url, password) = apart(url)?;
        let mut command = Command::new(&self.0);
        command.arg("--dbname").arg(url).args(options).arg(file);
        command.stdin(Stdio::null());
        if let Some(password) = password {
            // Not as an argument, because every user of the machine can see arguments.
            command.env("PGPASSWORD", password.expose());
        }
        let name = self.0.display();
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failed::Other(format!("{name} failed: {status}"))),
            Err(error) => Err(Failed::Other(format!("{name} cannot be run: {error}"))),
        }
    }
}

/// Splits the password off the URL.
fn apart(url: &Secret) -> Result<(String, Option<Secret>), Failed> {
    // The parser's own error would quote the URL.
    let unreadable = || Failed::Used("database.url cannot be read as a URL".to_owned());
    let mut url = Url::parse(url.expose()).map_err(|_| unreadable())?;
    let asked = url.query_pairs().find(|(name, _)| name == "password");
    let password = match (asked, url.password()) {
        (Some((_, password)), _) => Some(Secret::new(password.into_owned())),
        (None, Some(password)) => {
            let plain = percent_encoding::percent_decode_str(password).decode_utf8();
            Some(Secret::new(plain.map_err(|_| unreadable())?.into_owned()))
        }
        (None, None) => None,
    };
    url.set_password(None).map_err(|()| unreadable())?;
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !OURS.contains(&&**name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Ok((url.into(), password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_an_argument() {
        for (url, rest, password) in [
            (
                "postgres://canvass:p%40ss@db.example:5433/news?sslmode=require",
                "postgres://canvass@db.example:5433/news?sslmode=require",
                Some("p@ss"),
            ),
            (
                "postgresql://canvass@db.example/news?password=s3&statement-cache-capacity=0",
                "postgresql://canvass@db.example/news",
                Some("s3"),
            ),
            (
                "postgres://localhost/news",
                "postgres://localhost/news",
                None,
            ),
        ] {
            let (url, found) = apart(&Secret::new(url)).expect("readable");
            assert_eq!(url, rest);
            assert_eq!(found.as_ref().map(Secret::expose), password);
        }
        assert!(apart(&Secret::new("not a url")).is_err());
    }
}
