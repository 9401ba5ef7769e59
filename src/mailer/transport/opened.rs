//! The last step of a mail: the message goes to the relay that waits for it, into the built-in mailbox, or into a file.

use std::path::{Path, PathBuf};

use crate::{
    app::App,
    db,
    mailer::{
        mime::View,
        reply::Reply,
        smtp::{Envelope, Outcome, Ready},
    },
    types::token::random_token,
};

/// A transport that is ready for the message; a relay has said `354`.
pub(in crate::mailer) enum Opened<'l> {
    Smtp(Ready<'l>),
    Mailbox(&'l App),
    Files(&'l App, &'l PathBuf),
}

impl Opened<'_> {
    /// Sends the message. `next` is the mail that follows over the same connection, if there is one.
    pub(in crate::mailer) async fn finish(
        self,
        envelope: &Envelope,
        message: &[u8],
        next: Option<&Envelope>,
    ) -> Outcome {
        let kept = match self {
            Self::Smtp(ready) => return ready.finish(message, next).await,
            Self::Mailbox(app) => capture(app, envelope, message)
                .await
                .map_err(|e| e.to_string()),
            Self::Files(app, directory) => {
                let name = format!("{}-{}.eml", app.clock.now().0, random_token(&app.random));
                write_file(directory, &name, message)
                    .await
                    .map_err(|e| e.to_string())
            }
        };
        match kept {
            Ok(()) => Outcome::Accepted(Reply::new(250, "kept")),
            Err(why) => Outcome::NotSent(why),
        }
    }
}

async fn capture(app: &App, envelope: &Envelope, message: &[u8]) -> Result<(), db::DbErr> {
    let subject = View::of(message).subject;
    let txn = app.db.write_txn("capture_mail").await?;
    db::run(
        &*txn,
        "INSERT INTO captured_mail (envelope_from, envelope_to, subject, raw, captured_ms)
         VALUES ($1, $2, $3, $4, $5)",
        [
            envelope.from().into(),
            envelope.to().into(),
            subject.into(),
            message.to_vec().into(),
            app.clock.now().0.into(),
        ],
    )
    .await?;
    txn.commit().await
}

async fn write_file(directory: &Path, name: &str, message: &[u8]) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    tokio::fs::create_dir_all(directory).await?;
    // Readable by its owner only, because it holds an address and links.
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(directory.join(name)).await?;
    file.write_all(message).await?;
    file.sync_all().await
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_mail_in_a_file_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let mails = dir.path().join("mail");
        write_file(&mails, "1.eml", b"To: anna@example.org")
            .await
            .expect("a file");
        let there = std::fs::metadata(mails.join("1.eml")).expect("a file");
        assert_eq!(there.permissions().mode() & 0o077, 0);
    }
}
