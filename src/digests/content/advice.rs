//! What an editor should know before sending.
//!
//! Advice is a warning; it blocks only a mail that may not be sent (no postal address: CAN-SPAM, CASL) or that
//! would be pointless (no subject, no body, a poll that nobody can answer).

use serde::Serialize;

use super::{Body, NESTING_MAX, Pieces};

/// Gmail shows the first 102 kB of HTML and hides the rest, including the unsubscribe link.
pub const CLIPPED_AT: usize = 102_000;
/// From here on there is little room left below [`CLIPPED_AT`].
pub const WARN_AT: usize = 80_000;
/// Beyond this size clipping is likely: a long name or the relay's additions may use up the rest.
pub const BUDGET: usize = 90_000;
/// Phones show about this many characters of a subject.
const SUBJECT_SHOWN: usize = 60;
/// A bare address longer than this fills lines that nobody reads.
const BARE_MAX: usize = 80;

/// How serious a piece of advice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Could be better, but readers lose nothing.
    Hints,
    /// Should be checked: readers miss something. The issue can be sent.
    Warns,
    /// The issue cannot be sent like this.
    Blocks,
}

/// The code of the advice that a poll will not be open when the issue goes out.
pub const DEAD_POLL: &str = "dead_poll";

/// One piece of advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// Whether it prevents sending.
    pub weight: Weight,
    /// A stable name for tests and scripts.
    pub code: &'static str,
    /// What to do, in a sentence.
    pub text: String,
}

/// The parts of a draft that advice is given on.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The subject as written, placeholders included.
    pub subject: &'a str,
    /// The preview text as written; if empty, the first words of the body are used.
    pub preheader: &'a str,
    /// The body.
    pub body: &'a Body,
    /// The newsletter's postal address.
    pub postal_address: &'a str,
    /// The size of the finished HTML in bytes, layout included.
    pub html_bytes: usize,
    /// Polls in the body that do not exist or take no answers.
    pub dead_polls: &'a [String],
}

/// All advice on a draft, the most serious first.
pub fn judge(draft: &Draft<'_>) -> Vec<Advice> {
    let mut advice = Advices::default();
    subject(draft, &mut advice);
    if draft.body.is_empty() {
        advice.blocks("empty", "There is nothing in this mail yet.".to_owned());
    }
    if draft.body.is_too_deep() {
        advice.blocks(
            "too_deep",
            format!("The text is nested more than {NESTING_MAX} levels deep, so it is shown as it was typed. Remove quotations, lists or HTML tags, and close those that are open."),
        );
    }
    if draft.postal_address.trim().is_empty() {
        advice.blocks(
            "no_postal_address",
            "The newsletter has no postal address, which the law requires in every mail. Add it in the newsletter’s settings.".to_owned(),
        );
    }
    for slug in draft.dead_polls {
        advice.blocks(DEAD_POLL, format!("When this goes out, no poll called “{slug}” will be open. Check its name, and when it opens and closes."),
        );
    }
    if draft.preheader.chars().count() > 140 {
        advice.hints(
            "long_preheader",
            "The preview text is longer than any inbox shows; 40 to 100 characters read well."
                .to_owned(),
        );
    }
    if draft.body.begins_with(draft.subject) {
        let text = "The text begins with the subject: in the archive it appears twice.";
        advice.hints("subject_twice", text.to_owned());
    }
    links(draft.body, &mut advice);
    placeholders(draft, &mut advice);
    size(draft.html_bytes, &mut advice);
    let mut advice = advice.0;
    advice.sort_by_key(|advice| std::cmp::Reverse(advice.weight));
    advice
}

/// Whether nothing prevents sending.
pub fn may_send(advice: &[Advice]) -> bool {
    advice.iter().all(|advice| advice.weight != Weight::Blocks)
}

#[derive(Default)]
struct Advices(Vec<Advice>);

impl Advices {
    fn hints(&mut self, code: &'static str, text: String) {
        self.0.push(Advice {
            weight: Weight::Hints,
            code,
            text,
        });
    }

    fn warns(&mut self, code: &'static str, text: String) {
        self.0.push(Advice {
            weight: Weight::Warns,
            code,
            text,
        });
    }

    fn blocks(&mut self, code: &'static str, text: String) {
        self.0.push(Advice {
            weight: Weight::Blocks,
            code,
            text,
        });
    }
}

fn subject(draft: &Draft<'_>, advice: &mut Advices) {
    let shown = Pieces::of_line(draft.subject).with_fallbacks();
    let shown = shown.trim();
    let length = shown.chars().count();
    let letters = || shown.chars().filter(|c| c.is_alphabetic());
    if shown.is_empty() {
        advice.blocks("no_subject", "The mail has no subject.".to_owned());
    } else if length > SUBJECT_SHOWN {
        advice.warns(
            "long_subject",
            format!("The subject has {length} characters; phones show about {SUBJECT_SHOWN}. Put what matters first."),
        );
    }
    if letters().count() > 10
        && letters().all(|c| !c.is_lowercase())
        && letters().any(char::is_uppercase)
    {
        advice.warns(
            "shouting_subject",
            "A subject in capitals looks like shouting, to spam filters too.".to_owned(),
        );
    }
    if ["re:", "fw:", "fwd:", "aw:"]
        .iter()
        .any(|tag| shown.to_lowercase().starts_with(tag))
    {
        advice.warns(
            "false_reply",
            "The subject looks like a reply or a forward, which readers may regard as a trick."
                .to_owned(),
        );
    }
}

fn links(body: &Body, advice: &mut Advices) {
    let empty = body
        .links()
        .iter()
        .filter(|link| link.address.is_empty())
        .count();
    if empty > 0 {
        advice.warns(
            "empty_link",
            format!(
                "{} without an address, or with one that is not allowed in a mail.",
                count(empty, "link or image", "links or images")
            ),
        );
    }
    for link in body.links().iter().filter(|link| !link.address.is_empty()) {
        let shown = shorten(&link.address);
        if link.is_relative() {
            advice.warns(
                "relative_link",
                format!("“{shown}” leads nowhere from a mail; write the whole address, beginning with https://."),
            );
        } else if let Some(host) = local_host(&link.address) {
            advice.warns(
                "local_link",
                format!("“{shown}” leads to {host}, which readers cannot reach."),
            );
        } else if link.image && link.address.to_ascii_lowercase().starts_with("http:") {
            advice.warns(
                "insecure_image",
                format!("“{shown}” is not served over https; many mail clients will not show it."),
            );
        }
        if !link.image && link.shown == link.address && link.shown.chars().count() > BARE_MAX {
            advice.warns(
                "bare_address",
                format!("“{shown}” appears in the text in full. Words are easier to read: [words](https://…)."),
            );
        }
        if link.address.contains("%7B%7B") {
            let shown = shorten(&link.address.replace("%7B", "{").replace("%7D", "}"));
            advice.warns(
                "placeholder_in_link",
                format!(
                    "“{shown}” contains a placeholder, which is not filled in inside an address."
                ),
            );
        }
    }
    if body.images_without_alt() > 0 {
        advice.warns(
            "missing_alt",
            format!(
                "{} without a description. Write it between the square brackets: ![a description](https://…).",
                count(body.images_without_alt(), "image", "images")
            ),
        );
    }
    let images = body.links().iter().filter(|link| link.image).count();
    if images > 0 && body.text().with_fallbacks().chars().count() < 80 * images.min(3) {
        advice.warns("mostly_images", "This mail is mostly images: readers who block images see little, and spam filters distrust it.".to_owned());
    }
}

fn placeholders(draft: &Draft<'_>, advice: &mut Advices) {
    let mut unfilled = Pieces::of_line(draft.subject).unfilled();
    unfilled.extend(Pieces::of_line(draft.preheader).unfilled());
    unfilled.extend(draft.body.html().unfilled());
    unfilled.dedup();
    for placeholder in unfilled {
        let poll = placeholder.trim_matches(['{', '}', ' ']);
        let poll = poll.strip_prefix("poll:").map(str::trim);
        if poll.is_some_and(|poll| draft.dead_polls.iter().any(|dead| dead == poll)) {
            // The advice that the poll takes no answers is already there, and more relevant.
            continue;
        }
        let text = if placeholder.contains("poll:") {
            format!("“{placeholder}” does not become a poll: it must be in a paragraph of its own.")
        } else {
            format!("Nothing replaces “{placeholder}”: readers will see it as it is.")
        };
        advice.warns("unfilled_placeholder", text);
    }
}

fn size(bytes: usize, advice: &mut Advices) {
    let kilobytes = bytes.div_ceil(1000);
    if bytes > CLIPPED_AT {
        advice.warns("clipped", format!("The mail is {kilobytes} kB; Gmail cuts it off at 102 kB and hides the end, including the unsubscribe link."));
    } else if bytes > BUDGET {
        advice.warns(
            "over_budget",
            format!("The mail is {kilobytes} kB; Gmail cuts mails off at 102 kB, and more than 90 kB is too close to that. Shorten it."),
        );
    } else if bytes > WARN_AT {
        advice.warns(
            "large",
            format!("The mail is {kilobytes} kB; Gmail cuts mails off at 102 kB."),
        );
    }
}

/// The host of an address, if it is known only on this machine or in this network.
fn local_host(address: &str) -> Option<&str> {
    let rest = address.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = if host.starts_with('[') {
        host
    } else {
        host.split(':').next()?
    };
    let lower = host.to_ascii_lowercase();
    let private = lower
        .parse::<std::net::Ipv4Addr>()
        .is_ok_and(|ip| ip.is_private() || ip.is_loopback() || ip.is_link_local());
    let named = ["localhost", "[::1]"].contains(&lower.as_str())
        || [".localhost", ".local", ".internal", ".lan"]
            .iter()
            .any(|end| lower.ends_with(end));
    (private || named).then_some(host)
}

fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 {
        format!("One {one}")
    } else {
        format!("{number} {many}")
    }
}

fn shorten(address: &str) -> String {
    if address.chars().count() <= 60 {
        return address.to_owned();
    }
    let start: String = address.chars().take(59).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests;
