//! The words that servers refuse with, by what they speak of; from the samples of many servers.

/// What some words speak of. The tables hold words as [`plain`] leaves them: lower case, single spaces round each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Too much at a time.
    Rate,
    /// A mailbox that exists and takes nothing now.
    Mailbox,
    /// Who sends, over which address, with which content: never the recipient's fault.
    Sender,
    /// An address that does not exist.
    NoSuchAddress,
}

/// In this order: the first topic whose words are found counts.
const WORDS: [(Topic, &[&str]); 4] = [
    (Topic::Rate, RATE),
    (Topic::Mailbox, MAILBOX),
    (Topic::Sender, SENDER),
    (Topic::NoSuchAddress, NO_SUCH_ADDRESS),
];

#[rustfmt::skip]
const RATE: &[&str] = &[
    " tss04 ", " ts01 ", " ts02 ", " ts03 ", " rp 001 ", " rp 002 ", " rp 003 ", " ofr 999 ", " rate limit",
    " ratelimit", " unusual rate ", " rate exceed", " rate control", " sending rate", " frequency limited ",
    " too many connections", " too many concurrent", " too many simultaneous", " too many sessions",
    " too many messages", " too many mails", " too many emails", " too many recipients this ",
    " too many recipients from ", " too many recipients received ",
    " exceeded the maximum number of connections", " maximum connections", " connection limit",
    " connections limit", " concurrent connections", " concurrency limit", " throttl",
    " temporarily deferred due to ", " has exceeded its maximum ", " max emails per hour",
    " message limit reached ", " slow down ", " sending too fast ", " sent to too many recipients",
    " 4 7 28 ", " 5 7 28 ",
];

#[rustfmt::skip]
const MAILBOX: &[&str] = &[
    " mailbox full ", " mailbox is full ", " mail box full ", " mailbox size limit", " inbox full ",
    " inbox is full ", " over quota", " overquota", " quota exceeded ", " exceeded storage ",
    " exceeds the quota", " quotaexceeded", " exceeded quota", " disk quota ", " mailbox quota",
    " out of storage ", " storage space ", " insufficient storage ", " boite du destinataire pleine ",
    " account is full ", " disabled ", " suspended ", " inactive ", " frozen ", " deactivated ",
    " account is blocked ", " account has been blocked ", " account is locked ", " account locked ",
    " temporarily unavailable ", " recipient preferences ", " too large ", " too big ", " size limit",
    " exceeds limit ", " maximum size", " message size ", " no space left ",
];

#[rustfmt::skip]
const SENDER: &[&str] = &[
    " spf ", " dkim ", " dmarc ", " arc ", " unauthenticated ", " authentication ", " not authenticated ",
    " authenticate ", " authorized ", " authorised ", " unauthorized ", " reverse dns ", " rdns ", " ptr ",
    " reverse lookup", " reverse host", " reverse name", " helo ", " ehlo ", " hostname ", " blacklist",
    " black list", " blocklist", " block list", " blocked ", " blocking ", " block ", " blackhole",
    " denylist", " listed ", " listing ", " dnsbl", " rbl ", " rbldns ", " spamhaus ", " spamcop ",
    " barracuda", " sorbs ", " abuse", " spam", " junk ", " unsolicited ", " bulk ", " reputation", " poor ",
    " suspicious ", " phish", " malware ", " virus", " infected ", " malicious ", " policy ", " policies ",
    " prohibited ", " forbidden ", " not permitted ", " not allowed ", " not accepted from ",
    " message not accepted ", " relay", " open proxy ", " sender", " senders ", " client host ",
    " your host ", " your ip ", " your server ", " your network ", " your domain ", " your message ",
    " your email ", " your mail ", " your e mail ", " source ip ", " ip address ", " mail from ",
    " envelope from ", " originat", " network not ", " content ", " header", " rfc", " attachment",
    " bad mail ", " not compliant ", " protocol ", " synchroni", " pipelin", " tls ", " starttls ",
    " encrypt", " secure ", " hop count ", " too many hops ", " loop", " bounce ", " too many recipients",
    " greylist", " graylist", " refused due ", " service refuse", " access denied ",
];

#[rustfmt::skip]
const NO_SUCH_ADDRESS: &[&str] = &[
    " user unknown ", " unknown user ", " unknown recipient ", " recipient unknown ", " unknown address ",
    " address unknown ", " unknown mailbox ", " mailbox unknown ", " unknown local part ",
    " unknown account ", " addressee unknown ", " no such user", " no such recipient ", " no such mailbox ",
    " no such address ", " no such person ", " no such account ", " no such email ", " no such mail ",
    " no such local ", " does not exist ", " doesn t exist ", " do not exist ", " user not found ",
    " recipient not found ", " recipnotfound ", " recipientnotfound ", " mailbox not found ",
    " address not found ", " account not found ", " user doesn t have a", " user does not have a",
    " not our user ", " not our customer ", " not a valid mailbox ", " not a valid user ",
    " not a valid recipient ", " not a known user ", " not a local user ", " no mailbox ",
    " no valid recipient ", " no user ", " no account ", " invalid recipient ", " invalid mailbox ",
    " invalid user ", " recipient invalid ", " destinataire invalide ", " unrouteable address ",
    " nosuchuser ", " recipient is not exist", " user no exist ", " usuario desconocido ",
    " utilisateur inconnu ",
];

/// The topic of words that [`plain`] made.
pub(super) fn topic(text: &str) -> Option<Topic> {
    let found = WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|words| text.contains(words)));
    found.map(|(topic, _)| *topic)
}

/// The words alone, for comparing: lower case, one space round each, without addresses and links, which may hold any
/// word.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 2);
    plain.push(' ');
    for word in text.split_whitespace() {
        if word.contains('@') || word.contains("://") || word.starts_with("www.") {
            continue;
        }
        for part in word.split(|c: char| !c.is_alphanumeric()) {
            if !part.is_empty() {
                plain.extend(part.chars().flat_map(char::to_lowercase));
                plain.push(' ');
            }
        }
    }
    plain
}
