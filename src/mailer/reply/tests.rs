use super::*;

const HARD: Verdict = Verdict::FailRecipient(Bounce::Hard);
const SOFT: Verdict = Verdict::FailRecipient(Bounce::Soft);

#[test]
fn replies_mean_what_the_field_means_by_them() {
    for (phase, code, words, verdict) in [
        (Phase::Rcpt, 550, "5.1.1 No such user here", HARD),
        (Phase::Rcpt, 550, "5.1.10 Recipient not found", HARD),
        (
            Phase::Rcpt,
            550,
            "User unknown in virtual mailbox table",
            HARD,
        ),
        (Phase::Dot, 550, "5.1.1 gone", HARD),
        (Phase::Rcpt, 550, "mailbox unavailable", SOFT),
        (Phase::Rcpt, 552, "5.2.2 mailbox full", SOFT),
        (Phase::Dot, 552, "5.3.4 message too big", SOFT),
        (
            Phase::Rcpt,
            550,
            "5.4.1 Recipient address rejected: Access denied",
            SOFT,
        ),
        (Phase::Rcpt, 450, "4.2.0 greylisted", Verdict::Defer),
        (Phase::Rcpt, 452, "4.2.2 over quota", Verdict::Defer),
        (Phase::Dot, 451, "try again", Verdict::Defer),
        (Phase::Mail, 451, "4.3.0 busy", Verdict::Defer),
        (
            Phase::Mail,
            550,
            "5.7.1 sender not allowed",
            Verdict::FailOurs,
        ),
        (
            Phase::Rcpt,
            554,
            "5.7.1 blocked by a list",
            Verdict::FailOurs,
        ),
        (Phase::Dot, 550, "5.7.26 unauthenticated", Verdict::FailOurs),
        (Phase::Dot, 554, "looks like spam", Verdict::FailOurs),
        (Phase::Rcpt, 421, "4.7.0 closing", Verdict::PauseRelay),
        (
            Phase::Dot,
            421,
            "4.7.0 [TSS04] deferred",
            Verdict::SlowProvider,
        ),
        (
            Phase::Rcpt,
            450,
            "4.7.28 unusual rate",
            Verdict::SlowProvider,
        ),
        (Phase::Mail, 450, "4.7.28 unusual rate", Verdict::PauseRelay),
        (
            Phase::Rcpt,
            421,
            "RP-001 unfortunately",
            Verdict::SlowProvider,
        ),
        (
            Phase::Mail,
            421,
            "4.7.0 [TSS04] deferred",
            Verdict::PauseRelay,
        ),
        (
            Phase::Greeting,
            421,
            "4.7.0 too many connections",
            Verdict::PauseRelay,
        ),
        (
            Phase::Rcpt,
            550,
            "5.1.1 <a@example.org> has sent to too many recipients this hour",
            Verdict::SlowProvider,
        ),
        (
            Phase::Rcpt,
            550,
            "5.1.1 <spam@example.org>: user unknown, see https://x.example/#blocked",
            HARD,
        ),
        (
            Phase::Rcpt,
            550,
            "5.1.1 sender rejected, bad reputation",
            Verdict::FailOurs,
        ),
        (Phase::Rcpt, 550, "5.2.1 account disabled", SOFT),
        (
            Phase::Rcpt,
            550,
            "5.2.1 <a@b.example>... User Unknown",
            HARD,
        ),
        (Phase::Dot, 550, "Unknown user a@b.example", SOFT),
        (
            Phase::Rcpt,
            550,
            "5.5.0 Invalid recipient. LPN007_416",
            HARD,
        ),
        (
            Phase::Rcpt,
            550,
            "5.7.1 Recipient rejected: User unknown",
            SOFT,
        ),
        (
            Phase::Rcpt,
            554,
            "5.7.1 Relay access denied",
            Verdict::FailOurs,
        ),
        (Phase::Auth, 535, "5.7.8 bad password", Verdict::PauseRelay),
        (Phase::Greeting, 554, "no service", Verdict::PauseRelay),
    ] {
        assert_eq!(
            decide(phase, &Reply::new(code, words)),
            verdict,
            "{phase} {code} {words}"
        );
    }
}

/// Each of these was once classified as its opposite.
#[test]
fn whose_fault_it_is_hangs_on_whom_the_words_are_about() {
    let no_domain = Verdict::FailRecipient(Bounce::NoDomain);
    let ours = Verdict::FailOurs;
    for (code, words, verdict) in [
        // About our DNS or our names.
        (
            550,
            "5.1.8 <b1@bounces.example.org>: Sender address rejected: Domain not found",
            ours,
        ),
        (
            550,
            "<b1@bounces.example.org>: Sender address rejected: Domain not found",
            ours,
        ),
        (
            550,
            "5.7.1 <news.example.org>: Helo command rejected: Host not found",
            ours,
        ),
        (
            554,
            "5.7.1 Client host rejected: cannot find your reverse hostname: host not found",
            ours,
        ),
        (550, "5.1.8 sender domain does not exist", ours),
        (550, "5.7.1 Sender domain not found in DNS", ours),
        (550, "invalid domain name in MAIL FROM", ours),
        (550, "return path does not exist", ours),
        (550, "helo name does not exist", ours),
        (550, "unable to verify return-path: no such user", ours),
        (550, "callout verification failed: no such user", ours),
        (
            550,
            "5.7.25 The DNS record for 192.0.2.1 does not exist",
            ours,
        ),
        (
            550,
            "5.1.8 MX record for bounces.example.org does not exist",
            ours,
        ),
        (550, "Absender unbekannt", ours),
        (
            550,
            "5.1.1 user unknown: blocked using zen.spamhaus.org",
            ours,
        ),
        // About the recipient's domain.
        (
            550,
            "5.4.310 DNS domain example.net does not exist [Message=InfoDomainNonexistent]",
            no_domain,
        ),
        (
            550,
            "5.4.4 The domain example.net does not exist",
            no_domain,
        ),
        (550, "5.1.2 Host unknown", no_domain),
        (550, "5.1.2 bad destination", no_domain),
        (
            550,
            "all relevant MX records point to non-existent hosts",
            no_domain,
        ),
        (550, "No MX or A records for example.net", no_domain),
        (
            550,
            "Domain example.net does not accept mail (nullMX)",
            no_domain,
        ),
        (550, "Die Domain example.net existiert nicht", no_domain),
        (550, "le domaine example.net n'existe pas", no_domain),
        (556, "5.1.10 recipient domain has null MX", HARD),
        (556, "Domain does not accept mail", no_domain),
        (556, "no", no_domain),
        // About the recipient, with a word that is otherwise about the sender.
        (
            550,
            "5.1.1 <ada@example.net>: Recipient address rejected: User unknown in relay recipient table",
            HARD,
        ),
        (
            550,
            "<ada@example.net>: Recipient address rejected: User unknown in relay recipient table",
            HARD,
        ),
        (
            550,
            "User ada (ada@example.net) not listed in Domino Directory",
            HARD,
        ),
        (
            550,
            "5.1.1 user not listed in public Name & Address book",
            HARD,
        ),
        (
            550,
            "5.1.1 Your email to <ada@example.net> could not be delivered: mailbox not found",
            HARD,
        ),
        (
            550,
            "Your email to <ada@example.net> could not be delivered: mailbox not found",
            HARD,
        ),
        (
            550,
            "5.1.1 user unknown; if you think this is an error contact the abuse desk or your sender policy",
            HARD,
        ),
        (
            550,
            "5.5.0 Requested action not taken: mailbox unavailable (S2017062302)",
            HARD,
        ),
        (550, "5.5.0 Requested action not taken", SOFT),
        (553, "5.5.0 something about a protocol", ours),
        (503, "5.5.0 bad sequence", ours),
        // In the servers' own languages.
        (550, "Benutzer unbekannt", HARD),
        (550, "Empfänger existiert nicht", HARD),
        (550, "adresse inconnue", HARD),
        (550, "Le destinataire n'existe pas", HARD),
        (550, "El usuario no existe", HARD),
        (550, "buzón no encontrado", HARD),
        (550, "Utente sconosciuto", HARD),
        (550, "indirizzo inesistente", HARD),
        (550, "Gebruiker onbekend", HARD),
        (550, "Odbiorca nie istnieje", HARD),
        (550, "メールアドレスが見つかりません", HARD),
        (550, "5.2.0 Das Postfach ist voll", SOFT),
        (550, "Boîte aux lettres pleine", SOFT),
        (550, "El buzón está lleno", SOFT),
        (550, "Casella piena", SOFT),
        (550, "Mailbox is vol", SOFT),
        (550, "Skrzynka jest pełna", SOFT),
        // About something else.
        (
            550,
            "The record for this message does not exist in the queue",
            SOFT,
        ),
        (550, "5.4.0 unknown error", SOFT),
        (550, "mailbox unavailable", SOFT),
        // A full mailbox is not throttling.
        (552, "5.2.2 The mailbox has exceeded its maximum size", SOFT),
        (552, "The mailbox has exceeded its maximum size", SOFT),
        (550, "5.2.2 user has exceeded its maximum", SOFT),
        (
            550,
            "the domain has exceeded its maximum of messages",
            Verdict::SlowProvider,
        ),
    ] {
        let given = decide(Phase::Rcpt, &Reply::new(code, words));
        assert_eq!(given, verdict, "{code} {words}");
    }
}

/// Nobody is named yet when the relay replies to MAIL.
#[test]
fn a_relay_that_defers_at_mail_rests_unless_it_is_about_the_sender() {
    for (code, words, verdict) in [
        (
            452,
            "4.3.1 Insufficient system storage",
            Verdict::PauseRelay,
        ),
        (451, "4.3.0 Temporary lookup failure", Verdict::PauseRelay),
        (451, "try again", Verdict::PauseRelay),
        // A filter of the relay that is down, and refusals of every client.
        (
            451,
            "4.7.1 Service unavailable - try again later",
            Verdict::PauseRelay,
        ),
        (
            450,
            "4.7.1 Client host rejected: cannot find your reverse hostname",
            Verdict::PauseRelay,
        ),
        (
            451,
            "4.3.5 Server configuration problem: relay policy",
            Verdict::PauseRelay,
        ),
        (451, "Greylisted, please try again", Verdict::Defer),
        (450, "4.7.1 Greylisting in action", Verdict::Defer),
        (
            451,
            "Could not complete sender verify callout",
            Verdict::Defer,
        ),
        (
            450,
            "4.1.8 <b1@bounces.example.org>: Sender address rejected: Domain not found",
            Verdict::Defer,
        ),
        (451, "4.1.8 DNS failure", Verdict::Defer),
        (451, "4.7.23 SPF lookup timed out", Verdict::Defer),
        (451, "4.7.20 No passing DKIM signature", Verdict::Defer),
        (451, "4.7.5 DMARC temporary error", Verdict::Defer),
        (450, "Sending domain not verified yet", Verdict::Defer),
        (450, "From address is not verified", Verdict::Defer),
        (550, "5.7.1 sender not allowed", Verdict::FailOurs),
    ] {
        let reply = Reply::new(code, words);
        assert_eq!(
            decide_at_relay(Phase::Mail, &reply),
            verdict,
            "{code} {words}"
        );
    }
    let full = Reply::new(452, "4.3.1 Insufficient system storage");
    assert_eq!(decide_at_relay(Phase::Rcpt, &full), Verdict::Defer);
}

#[test]
fn a_relay_that_finds_a_message_too_large_says_so_to_everybody() {
    for (code, words, verdict) in [
        (
            552,
            "5.3.4 Message size exceeds fixed maximum message size",
            Verdict::FailOurs,
        ),
        (554, "5.3.4 too much", Verdict::FailOurs),
        (552, "Message size exceeds fixed limit", Verdict::FailOurs),
        (552, "message too large", Verdict::FailOurs),
        (552, "5.2.3 Message too large for this mailbox", SOFT),
        (552, "5.2.2 mailbox full", SOFT),
        (552, "mailbox full, message too large", SOFT),
        (550, "5.1.1 no such user", HARD),
        (452, "4.3.4 message too large", Verdict::Defer),
    ] {
        for phase in [Phase::Rcpt, Phase::Dot] {
            let reply = Reply::new(code, words);
            assert_eq!(decide_at_relay(phase, &reply), verdict, "{code} {words}");
        }
    }
}
