//! Single mails that wait in the outbox.

use std::time::Duration;

use canvass::app::App;
use canvass::mailer::mime::Mailbox;
use canvass::mailer::outbox::{self, OutboxMail, Priority};
use canvass::mailer::templates::Template;
use canvass::types::EmailAddress;

use super::app::TestApp;

/// An urgent confirmation to `to`, valid for an hour.
pub fn mail(app: &App, to: &str) -> OutboxMail {
    let template = Template::ConfirmSubscription;
    OutboxMail {
        template,
        data: app.mail_templates.sample(template).clone(),
        from: Mailbox {
            name: "The newsroom".to_owned(),
            address: EmailAddress::parse("news@example.org").unwrap(),
        },
        reply_to: None,
        to: EmailAddress::parse(to).unwrap(),
        priority: Priority::Now,
        expires: app.clock.now() + Duration::from_secs(3_600),
    }
}

/// Enqueues such a mail.
pub async fn enqueue(app: &TestApp, to: &str) {
    enqueue_in(&app.app, to).await;
}

/// Like [`enqueue`], also beside the program that sends it.
pub async fn enqueue_in(app: &App, to: &str) {
    let txn = app.db.write_txn("test").await.unwrap();
    outbox::enqueue(&txn, app, &mail(app, to)).await.unwrap();
    txn.commit().await.unwrap();
}
