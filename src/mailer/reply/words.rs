//! The words in refusals, classified by what they are about; from samples of many servers in many languages.

use super::missing::missing;

/// What a text is about. The tables hold words as [`plain`] normalises them: lower case, surrounded by single spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Too many mails at a time.
    Rate,
    /// A mailbox that exists but accepts nothing now.
    Mailbox,
    /// The sender, its address or the content: never the recipient's fault.
    Sender,
    /// A domain that does not exist.
    NoSuchDomain,
    /// An address that does not exist.
    NoSuchAddress,
}

/// Always about the recipient, whatever else the text says: phrases of Postfix gateways, Notes and Outlook.com.
#[rustfmt::skip]
const SURELY_NO_SUCH_ADDRESS: &[&str] = &[
    " unknown in relay recipient table ", " recipient address rejected user unknown ", " not listed in domino directory ",
    " not listed in public name ", " not listed in the domino directory ", " mailbox unavailable s2017062302 ",
];

/// A full mailbox, in words that are otherwise about a rate limit.
const SURELY_FULL: &[&str] = &[
    " mailbox has exceeded its maximum ",
    " has exceeded its maximum size ",
    " has exceeded its maximum storage ",
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
    " message limit reached ", " sending quota", " sending limit", " slow down ", " sending too fast ", " sent to too many recipients",
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
    " exceeds limit ", " maximum size", " message size ", " no space left ", " not enough space ", " mailbox over size ",
    " no mailbox space ", " account space ", " mailbox exceeded ", " quota violation ", " quota has been exceeded ",
    " postfach voll ", " postfach ist voll ", " mailbox voll ", " mailbox ist voll ", " postfach gesperrt ", " konto gesperrt ",
    " quota überschritten ", " speicherplatz", " boîte pleine ", " boite pleine ", " boîte aux lettres pleine ",
    " boîte aux lettres est pleine ", " boîte du destinataire pleine ", " messagerie pleine ", " quota dépassé ",
    " buzón lleno ", " buzón está lleno ", " buzón de correo está lleno ", " cuota excedida ", " casilla llena ",
    " caixa cheia ", " caixa de correio cheia ", " casella piena ", " casella è piena ", " casella di posta piena ",
    " casella postale piena ", " quota superata ", " mailbox vol ", " mailbox is vol ", " postvak vol ", " postvak is vol ",
    " skrzynka pełna ", " skrzynka jest pełna ", " przepełnion", " ящик переполнен ", "メールボックスがいっぱい",
    "メールボックスが満杯", "容量を超え", "容量オーバー", "容量超過", "邮箱已满",
];

#[rustfmt::skip]
const SENDER: &[&str] = &[
    " spf ", " dkim ", " dmarc ", " arc ", " unauthenticated ", " not authenticated ", " authenticate ", " unauthorized ",
    " reverse dns ", " rdns ", " ptr ", " reverse lookup", " reverse host", " reverse name", " helo", " ehlo ", " hello name ",
    " hello domain ", " blacklist", " black list", " blocklist", " block list", " blocked ", " blocking ", " block ",
    " blackhole", " denylist", " dnsbl", " rbl ", " rbldns ", " spamhaus ", " spamcop ", " barracuda", " sorbs ", " spam",
    " junk ", " unsolicited ", " bulk ", " reputation", " poor ", " suspicious ", " phish", " malware ", " virus",
    " infected ", " malicious ", " prohibited ", " forbidden ", " not permitted ", " not allowed ", " not accepted from ",
    " message not accepted ", " relay access ", " relaying ", " relay denied ", " relay not ", " open proxy ",
    " sender address ", " sender domain ", " sender verif", " verification failed for ",
    " sender rejected ", " sender denied ", " client host ",
    " client name ", " client ip ", " your host ", " your hostname ", " your ip ", " your mta ", " your server ", " your network ",
    " your domain ", " source ip ", " ip address ", " mail from ", " envelope from ", " return path", " return address ",
    " from address ", " from header ", " purported responsible ", " connecting host ", " connecting ip ",
    " sending domain ", " sending server ", " sending host ", " sending ip ", " domain of your ", " your address ", " your mx ",
    " network not ", " attachment", " bad mail ",
    " not compliant ", " synchroni", " pipelin", " tls ", " starttls ", " hop count ", " too many hops ", " loop",
    " too many recipients", " greylist", " graylist", " refused due ", " rule imposed ",
    " service refuse", " access denied ", " blockiert ",
    " bloqué", " bloquead", " bloccat", " geblokkeerd ", " zablokowan",
];

/// Also about the sender, but they occur in advice beside "no such address", too.
#[rustfmt::skip]
const SENDER_OR_ADVICE: &[&str] = &[
    " sender", " policy ", " policies ", " relay", " authentication ", " authorized ", " authorised ", " hostname ", " listed ",
    " listing ", " abuse", " originat", " content ", " header", " rfc", " protocol ", " encrypt", " secure ", " bounce ",
    " callout", " callback ", " your mail server ", " your mailserver ", " your email domain ", " your e mail domain ", " your mail domain ",
    " absender", " expéditeur", " remitente", " remetente", " mittente", " afzender", " nadawc",
    "送信者", "差出人",
];

/// Every bounce report contains these. On their own they say that the message was refused.
const THE_MESSAGE: &[&str] = &[
    " your message ",
    " your email ",
    " your mail ",
    " your e mail ",
];

#[rustfmt::skip]
const NO_SUCH_DOMAIN: &[&str] = &[
    " host or domain name not found ", " no such domain ", " no such host ", " domain name not found ", " nxdomain ",
    " name or service not known ", " unrouteable mail domain ", " unroutable mail domain ", " unable to route no mail hosts ",
    " dns error domain ", " couldn t find any host named ", " could not find a mail server ", " invalid domain ",
    " bad destination host ", " bad destination system ", " domain is not found ", " no mail server for ",
    " dns lookup failure ", " could not be found because the domain ", " infodomainnonexistent ",
    " mx records point to non existent hosts ", " no mx or a records for ", " no mx record for ", " no mx records for ",
    " no mx for ", " no mail exchanger", " does not accept mail nullmx ", " null mx ", " nullmx ", " keine domain ",
    "ドメインが見つかりません", "ドメインが存在しません", "ドメインは存在しません", "域名不存在",
];

#[rustfmt::skip]
const NO_SUCH_ADDRESS: &[&str] = &[
    " user unknown ", " unknown user ", " unknown recipient ", " recipient unknown ", " unknown address ",
    " address unknown ", " unknown mailbox ", " mailbox unknown ", " unknown local part ",
    " unknown account ", " addressee unknown ", " no such user", " no such recipient ", " no such mailbox ",
    " no such address ", " no such person ", " no such account ", " no such email ", " no such mail ",
    " no such local ", " recipnotfound ", " recipientnotfound ", " userunknown ", " user doesn t have a",
    " recipient doesn t have an account ", " no one here by that name ", " nobody here by that name ", " addressee not known ",
    " no longer with the company ", " no longer with us ", " no longer on server ", " no longer works here ",
    " address no longer accepts mail ", " not have a final email delivery point ",
    " isn t a valid user ", " isn t a valid mailbox ", " isn t a valid address ", " recipient not ok ", " recipient is not local ",
    " user invalid ", " directory address lookup failed ",
    " kein solcher benutzer ", " kein postfach ", " ungültige adresse ", " ungültiger empfänger ", " adresse invalide ",
    " aucun utilisateur ", " destinatario inválido ", " dirección inválida ", " indirizzo non valido ", " nessun utente ",
    " ongeldig adres ", " brak takiego użytkownika ", " brak użytkownika ", " nieprawidłowy adres ",
    "ユーザはいません", "ユーザーはいません", "ユーザーが見つかりません", "ユーザが見つかりません", "ユーザーは存在しません", "ユーザは存在しません", "ユーザーが存在しません",
    "ユーザが存在しません", "アドレスが見つかりません", "アドレスは存在しません", "アドレスが存在しません", "宛先不明", "宛先が見つかりません",
    "宛先は存在しません", "宛先が存在しません", "存在しないアドレス", "存在しない宛先", "用户不存在", "地址不存在", "收件人不存在", " user does not have a",
    " not our user ", " not our customer ", " not a valid mailbox ", " not a valid user ",
    " not a valid recipient ", " not a known user ", " not a local user ", " no mailbox ",
    " no valid recipient ", " no user ", " no account ", " invalid recipient ", " invalid mailbox ",
    " invalid user ", " recipient invalid ", " destinataire invalide ", " unrouteable address ",
    " nosuchuser ", " recipient is not exist", " user no exist ", " usuario desconocido ",
    " utilisateur inconnu ",
];

/// The topic of a text normalised by [`plain`], given the enhanced code if there is one. The first match counts.
pub(super) fn topic(text: &str, enhanced: Option<(u16, u16, u16)>) -> Option<Topic> {
    let any = |words: &[&str]| words.iter().any(|words| text.contains(words));
    // Servers also use the codes for addresses for a bad reputation, so such a code counts only beside words about the
    // address.
    let of_addresses = matches!(enhanced, Some((_, 1, 1 | 3 | 6 | 10)));
    let full = matches!(enhanced, Some((_, 2, 2)));
    let missing = missing(text);
    let no_address = any(NO_SUCH_ADDRESS) || missing.address;
    let later = any(&[" try again ", " temporar"]);
    let no_domain = !later && (any(NO_SUCH_DOMAIN) || missing.domain);
    [
        (any(SURELY_NO_SUCH_ADDRESS), Topic::NoSuchAddress),
        (full || any(SURELY_FULL), Topic::Mailbox),
        (any(RATE), Topic::Rate),
        (any(MAILBOX), Topic::Mailbox),
        (any(SENDER), Topic::Sender),
        (of_addresses && no_address, Topic::NoSuchAddress),
        (any(SENDER_OR_ADVICE), Topic::Sender),
        (no_domain, Topic::NoSuchDomain),
        (no_address, Topic::NoSuchAddress),
        (any(THE_MESSAGE), Topic::Sender),
    ]
    .into_iter()
    .find_map(|(found, topic)| found.then_some(topic))
}

/// Whether a text normalised by [`plain`] contains words that are only ever about the sender.
pub(super) fn blames_the_sender(text: &str) -> bool {
    SENDER.iter().any(|words| text.contains(words))
}

/// Normalises a text for comparison: lower case, one space around each word, without addresses and links, which may
/// contain any word.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 2);
    plain.push(' ');
    for word in text.split_whitespace() {
        if word.contains("://") || word.starts_with("www.") {
            continue;
        }
        let word = after_an_address(word);
        for part in word.split(|c: char| !c.is_alphanumeric()) {
            if !part.is_empty() {
                plain.extend(part.chars().flat_map(char::to_lowercase));
                plain.push(' ');
            }
        }
    }
    plain
}

/// What follows an address in the same word: `:blocked)` in `(ada@example.net:blocked)`.
fn after_an_address(word: &str) -> &str {
    let Some((_, domain)) = word.rsplit_once('@') else {
        return word;
    };
    let end = domain.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_')));
    end.and_then(|end| domain.get(end..)).unwrap_or_default()
}
