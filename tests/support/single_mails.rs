//! Single mails that wait in the outbox.

use std::time::Duration;

use canvass::mailer::mime::Mailbox;
use canvass::mailer::outbox::{self, OutboxMail, Priority};
use canvass::mailer::templates::Template;
use canvass::types::EmailAddress;

use super::app::TestApp;

/// An urgent confirmation to `to`, valid for an hour.
pub fn mail(app: &TestApp, to: &str) -> OutboxMail {
    let template = Template::ConfirmSubscription;
    OutboxMail {
        template,
        data: app.app.mail_templates.sample(template).clone(),
        from: Mailbox {
            name: "The newsroom".to_owned(),
            address: EmailAddress::parse("news@example.org").unwrap(),
        },
        reply_to: None,
        to: EmailAddress::parse(to).unwrap(),
        priority: Priority::Now,
        expires: app.app.clock.now() + Duration::from_secs(3_600),
    }
}

/// Enqueues such a mail.
pub async fn enqueue(app: &TestApp, to: &str) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    outbox::enqueue(&txn, &app.app, &mail(app, to))
        .await
        .unwrap();
    txn.commit().await.unwrap();
}
