//! The steps from a fresh installation to the first sent issue.

use serde::Serialize;

use super::store::Progress;
use crate::config::Transport;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Not called `title`, because the frame has a variable of that name.
    heading: &'static str,
    text: &'static str,
    action: Option<&'static str>,
    href: String,
    pub done: bool,
    /// It was not done, but an issue has been sent all the same.
    skipped: bool,
    /// It is the first step that is not done.
    next: bool,
}

impl Step {
    /// Whether the step is still to be done.
    #[must_use]
    pub fn is_left(&self) -> bool {
        !self.done && !self.skipped
    }
}

/// The places in the list of the steps that need a closer look.
const RELAY: usize = 1;
const SNIPPET: usize = 3;
const TEST: usize = 5;

/// All steps, in the recommended order.
#[must_use]
pub fn steps(so_far: &Progress, transport: Transport) -> Vec<Step> {
    let mut steps = all(so_far, transport);
    if let (Some(slug), Some(step)) = (&so_far.poll, steps.get_mut(SNIPPET)) {
        step.href = format!("/admin/polls/{slug}");
    }
    if let Some(test) = steps.get_mut(TEST).filter(|step| !step.done) {
        test.skipped = so_far.sent_issues > 0;
    }
    if let Some(next) = steps.iter_mut().find(|step| step.is_left()) {
        next.next = true;
    }
    for step in steps.iter_mut().filter(|step| !step.is_left()) {
        step.action = None;
    }
    // From the test on, nothing can be done before there is an issue.
    for step in steps.iter_mut().skip(TEST).filter(|_| so_far.issues == 0) {
        step.action = None;
    }
    if let (Transport::Mailbox, Some(step)) = (transport, steps.get_mut(RELAY)) {
        step.action = Some("Open the mailbox");
        step.href = "/mailbox".to_owned();
    }
    steps
}

/// All steps, each with its action.
fn all(so_far: &Progress, transport: Transport) -> Vec<Step> {
    let relay = match transport {
        Transport::Smtp => {
            "Mails go out through your relay. Before the first issue, have canvass check dkim run on the server: it says whether mail providers find the DNS records by which they recognise you. They are explained in deploy/mail-dns.md."
        }
        Transport::Mailbox => {
            "While you try things out, mails stay in the built-in mailbox. For real readers, set mail.smtp_url."
        }
        Transport::File => "Mails are written to files. For real readers, set mail.smtp_url.",
    };
    vec![
        step(
            "Say who the mail comes from",
            "A newsletter has a sender, a postal address, a time zone, and the words readers agree to.",
            "New newsletter",
            "/admin/newsletters/new",
            so_far.newsletters > 0,
        ),
        // Whatever the transport is, somebody has decided on it.
        step(
            "Know where mails go",
            relay,
            "Mail queue",
            "/admin/mail",
            true,
        ),
        step(
            "Ask the first question",
            "A poll with two options is enough to start.",
            "New poll",
            "/admin/polls/new",
            so_far.poll.is_some(),
        ),
        step(
            "Put the poll into an article",
            "Copy its snippet into the article. This step is done when the first answer has come in.",
            "Show the snippet",
            "/admin/polls",
            so_far.answers > 0,
        ),
        step(
            "Write an issue",
            "Markdown, with the preview beside it. Nothing goes out until you say so.",
            "Write an issue",
            "/admin/issues/new",
            so_far.issues > 0,
        ),
        step(
            "Send yourself a test",
            "See it in your own inbox before anybody else does.",
            "Choose what to test",
            "/admin/issues",
            so_far.tests > 0,
        ),
        step(
            "Send the first issue",
            "You see the number of readers and the time before you confirm.",
            "Choose what to send",
            "/admin/issues",
            so_far.sent_issues > 0,
        ),
    ]
}

fn step(
    heading: &'static str,
    text: &'static str,
    action: &'static str,
    href: &str,
    done: bool,
) -> Step {
    Step {
        heading,
        text,
        action: Some(action),
        href: href.to_owned(),
        done,
        skipped: false,
        next: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_installation_begins_with_the_sender() {
        let steps = steps(&Progress::default(), Transport::Smtp);
        let next: Vec<_> = steps.iter().filter(|s| s.next).map(|s| s.heading).collect();
        assert_eq!(next, ["Say who the mail comes from"]);
        let offered: Vec<_> = steps.iter().filter_map(|s| s.action).collect();
        assert_eq!(
            offered,
            [
                "New newsletter",
                "New poll",
                "Show the snippet",
                "Write an issue"
            ],
            "there is no issue to test or to send"
        );
    }

    /// Where mails leave, and only there, a provider may take them for somebody else's.
    #[test]
    fn the_check_of_dns_is_named_where_mails_leave() {
        for transport in [Transport::Smtp, Transport::Mailbox, Transport::File] {
            let text = steps(&Progress::default(), transport)[RELAY].text;
            let named = text.contains("canvass check dkim");
            assert_eq!(named, transport == Transport::Smtp, "{transport:?}: {text}");
        }
    }

    #[test]
    fn the_snippet_is_that_of_the_first_poll() {
        let so_far = Progress {
            newsletters: 1,
            poll: Some("trust".into()),
            ..Progress::default()
        };
        let steps = steps(&so_far, Transport::Mailbox);
        assert_eq!(steps[3].href, "/admin/polls/trust");
        assert!(steps[3].next);
    }

    #[test]
    fn a_sent_issue_finishes_the_list() {
        let so_far = Progress {
            newsletters: 1,
            poll: Some("trust".into()),
            answers: 1,
            issues: 1,
            sent_issues: 1,
            ..Progress::default()
        };
        let steps = steps(&so_far, Transport::Smtp);
        assert!(steps.iter().all(|s| !s.is_left() && !s.next));
        let untested: Vec<_> = steps
            .iter()
            .filter(|s| !s.done)
            .map(|s| s.heading)
            .collect();
        assert_eq!(untested, ["Send yourself a test"], "nobody did");
    }
}
