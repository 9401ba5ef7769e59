//! The foundation: editors, newsletters, readers, polls, issues, and the mail ledger.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0001_foundation",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // Facts about the installation: the sealed pepper of keyed hashes, its name.
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    // ---- Editors -------------------------------------------------------------------------
    "CREATE TABLE editor (
        id {id},
        email_key TEXT NOT NULL UNIQUE,
        email TEXT NOT NULL,
        name TEXT NOT NULL,
        password_hash TEXT,
        created_ms BIGINT NOT NULL,
        disabled_ms BIGINT
    )",
    // A one-time link that sets a password.
    "CREATE TABLE editor_invite (
        token_hash {blob} PRIMARY KEY,
        editor_id BIGINT NOT NULL REFERENCES editor(id),
        created_ms BIGINT NOT NULL,
        expires_ms BIGINT NOT NULL,
        used_ms BIGINT
    )",
    "CREATE TABLE editor_session (
        token_hash {blob} PRIMARY KEY,
        editor_id BIGINT NOT NULL REFERENCES editor(id),
        created_ms BIGINT NOT NULL,
        expires_ms BIGINT NOT NULL
    )",
    "CREATE INDEX editor_session_of ON editor_session (editor_id)",
    "CREATE TABLE api_token (
        id {id},
        name TEXT NOT NULL,
        token_hash {blob} NOT NULL UNIQUE,
        created_ms BIGINT NOT NULL,
        revoked_ms BIGINT
    )",
    // The response to an API write, stored so that a repeated Idempotency-Key gets the same one.
    "CREATE TABLE idempotency (
        token_id BIGINT NOT NULL REFERENCES api_token(id),
        idempotency_key TEXT NOT NULL,
        request_hash {blob} NOT NULL,
        status SMALLINT NOT NULL,
        body TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        PRIMARY KEY (token_id, idempotency_key)
    )",
    "CREATE INDEX idempotency_age ON idempotency (created_ms)",
    // ---- Newsletters and readers -----------------------------------------------------------
    "CREATE TABLE newsletter (
        id {id},
        slug TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        description TEXT NOT NULL DEFAULT '',
        from_name TEXT NOT NULL,
        from_address TEXT NOT NULL,
        reply_to TEXT,
        postal_address TEXT NOT NULL DEFAULT '',
        time_zone TEXT NOT NULL DEFAULT 'UTC',
        language TEXT NOT NULL DEFAULT 'en',
        accent TEXT NOT NULL DEFAULT '',
        archive SMALLINT NOT NULL DEFAULT 1,
        created_ms BIGINT NOT NULL
    )",
    // The exact text that readers consent to. A changed text is a new row with the next version.
    "CREATE TABLE consent_text (
        id {id},
        newsletter_id BIGINT NOT NULL REFERENCES newsletter(id),
        version BIGINT NOT NULL,
        body TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        UNIQUE (newsletter_id, version)
    )",
    // email_key: lower case, domain as A-label. An erased reader keeps the row, because ledgers reference it, but
    // all personal data is removed; email_key is then 'erased:' and random characters.
    "CREATE TABLE reader (
        id {id},
        email_key {ascii} NOT NULL UNIQUE,
        email TEXT NOT NULL,
        name TEXT NOT NULL DEFAULT '',
        time_zone TEXT,
        created_ms BIGINT NOT NULL,
        erased_ms BIGINT
    )",
    // state: 1 active, 2 left, 3 removed by an editor, 4 bounced, 5 complained.
    "CREATE TABLE subscription (
        newsletter_id BIGINT NOT NULL REFERENCES newsletter(id),
        reader_id BIGINT NOT NULL REFERENCES reader(id),
        state SMALLINT NOT NULL,
        confirmed_ms BIGINT NOT NULL,
        changed_ms BIGINT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (newsletter_id, reader_id)
    )",
    "CREATE INDEX subscription_of_reader ON subscription (reader_id)",
    // For the editors' list and its counts.
    "CREATE INDEX subscription_by_state ON subscription (newsletter_id, state, reader_id)",
    "CREATE INDEX reader_erased ON reader (erased_ms) WHERE erased_ms IS NOT NULL",
    // A request that waits for confirmation. Kept apart from readers until it is confirmed, and purged otherwise.
    "CREATE TABLE subscription_request (
        id {id},
        token_hash {blob} NOT NULL UNIQUE,
        newsletter_id BIGINT NOT NULL REFERENCES newsletter(id),
        email_key TEXT NOT NULL,
        email TEXT NOT NULL,
        name TEXT NOT NULL DEFAULT '',
        consent_text_id BIGINT NOT NULL REFERENCES consent_text(id),
        page TEXT NOT NULL,
        source TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        expires_ms BIGINT NOT NULL,
        confirmed_ms BIGINT
    )",
    "CREATE INDEX subscription_request_age ON subscription_request (expires_ms)",
    // When a mail that anybody can trigger was sent to an address (a keyed hash), for the caps of ten minutes and a
    // day.
    "CREATE TABLE triggered_mail (
        address_hash {blob} NOT NULL,
        sent_ms BIGINT NOT NULL
    )",
    "CREATE INDEX triggered_mail_of ON triggered_mail (address_hash, sent_ms)",
    "CREATE INDEX triggered_mail_age ON triggered_mail (sent_ms)",
    // The evidence of consent: who agreed to which text, where and when, and how it was confirmed.
    "CREATE TABLE consent (
        id {id},
        reader_id BIGINT NOT NULL REFERENCES reader(id),
        newsletter_id BIGINT NOT NULL REFERENCES newsletter(id),
        consent_text_id BIGINT NOT NULL REFERENCES consent_text(id),
        page TEXT NOT NULL,
        source TEXT NOT NULL,
        requested_ms BIGINT NOT NULL,
        confirmed_ms BIGINT NOT NULL,
        withdrawn_ms BIGINT
    )",
    "CREATE INDEX consent_of ON consent (reader_id, newsletter_id)",
    // Addresses that must not be mailed, as keyed hashes. They outlive erasure and apply to imports.
    // reason: 1 hard bounce, 2 complaint, 3 editor, 4 erased at the reader's wish.
    "CREATE TABLE suppression (
        address_hash {blob} PRIMARY KEY,
        reason SMALLINT NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        created_ms BIGINT NOT NULL
    )",
    // ---- Polls -----------------------------------------------------------------------------
    // state: 0 draft, 1 published (open between opens_ms and closes_ms), 2 closed by hand.
    // visibility: 0 always, 1 after voting, 2 after the close, 3 never. linked: 0 secret, 1 linked.
    // secret: the key of the voter keys; destroyed some days after the close (then NULL).
    "CREATE TABLE poll (
        id {id},
        slug TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL,
        intro TEXT NOT NULL DEFAULT '',
        state SMALLINT NOT NULL,
        visibility SMALLINT NOT NULL DEFAULT 0,
        linked SMALLINT NOT NULL DEFAULT 0,
        headline_tier SMALLINT NOT NULL DEFAULT 0,
        newsletter_id BIGINT REFERENCES newsletter(id),
        opens_ms BIGINT,
        closes_ms BIGINT,
        time_zone TEXT NOT NULL DEFAULT 'UTC',
        secret {blob},
        revision BIGINT NOT NULL DEFAULT 0,
        created_ms BIGINT NOT NULL,
        updated_ms BIGINT NOT NULL
    )",
    // kind: 0 single choice, 1 several, 2 rating, 3 ranked. ordering: 0 as given, 1 random.
    "CREATE TABLE poll_question (
        id {id},
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        position BIGINT NOT NULL,
        wording TEXT NOT NULL,
        kind SMALLINT NOT NULL,
        required SMALLINT NOT NULL DEFAULT 1,
        min_choices BIGINT NOT NULL DEFAULT 1,
        max_choices BIGINT NOT NULL DEFAULT 1,
        ordering SMALLINT NOT NULL DEFAULT 0,
        UNIQUE (poll_id, position)
    )",
    // retired_ms: no longer offered, but its answers stay counted.
    "CREATE TABLE poll_option (
        id {id},
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        question_id BIGINT NOT NULL REFERENCES poll_question(id),
        position BIGINT NOT NULL,
        label TEXT NOT NULL,
        retired_ms BIGINT
    )",
    "CREATE INDEX poll_option_of ON poll_option (poll_id, question_id, position)",
    // One ballot per voter, enforced by the primary key. choices: option ids in order, as varints.
    // tier: 0 anonymous browser, 1 proof of work, 2 confirmed subscriber, 3 signed in.
    // source: 0 poll page, 1 article form, 2 embed, 3 mail, 4 API.
    "CREATE TABLE ballot (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        voter_key {blob} NOT NULL,
        choices {blob} NOT NULL,
        tier SMALLINT NOT NULL,
        source SMALLINT NOT NULL,
        network {blob},
        cast_ms BIGINT NOT NULL,
        changed_ms BIGINT NOT NULL,
        revision BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (poll_id, voter_key)
    ) {clustered}",
    // Changed in the same commit as the ballots. option_id 0 counts voters. slot: a stripe for each node, so that
    // nodes do not wait for each other's rows; results add up all stripes.
    "CREATE TABLE tally (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        option_id BIGINT NOT NULL,
        tier SMALLINT NOT NULL,
        slot BIGINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (poll_id, option_id, tier, slot)
    ) {clustered}",
    // Where and when readers answered, for the note below every result: ballots by the place where they were first
    // cast, and the time of the first and last of them. Changed in the same commit as the tally.
    "CREATE TABLE poll_source (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        source SMALLINT NOT NULL,
        slot BIGINT NOT NULL,
        n BIGINT NOT NULL,
        first_ms BIGINT NOT NULL,
        last_ms BIGINT NOT NULL,
        PRIMARY KEY (poll_id, source, slot)
    ) {clustered}",
    // reason: 1 closed, 2 not open, 3 foreign option, 4 wrong number, 5 too fast, 6 bad proof.
    "CREATE TABLE refusal (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        reason SMALLINT NOT NULL,
        hour_ms BIGINT NOT NULL,
        slot BIGINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (poll_id, reason, hour_ms, slot)
    )",
    // ---- Issues ----------------------------------------------------------------------------
    // state: 0 draft, 1 scheduled, 2 held (a person decides; held_reason says why), 3 handed to the mailer.
    // slug: random until the handover, then date and subject. revision is incremented by every change.
    "CREATE TABLE issue (
        id {id},
        newsletter_id BIGINT NOT NULL REFERENCES newsletter(id),
        slug TEXT NOT NULL,
        subject TEXT NOT NULL,
        preheader TEXT NOT NULL DEFAULT '',
        body TEXT NOT NULL,
        state SMALLINT NOT NULL,
        revision BIGINT NOT NULL DEFAULT 0,
        editor_id BIGINT REFERENCES editor(id),
        scheduled_ms BIGINT,
        scheduled_local TEXT,
        time_zone TEXT,
        held_reason TEXT NOT NULL DEFAULT '',
        created_ms BIGINT NOT NULL,
        updated_ms BIGINT NOT NULL,
        handed_ms BIGINT,
        UNIQUE (newsletter_id, slug)
    )",
    "CREATE INDEX issue_due ON issue (state, scheduled_ms)",
    // ---- Mail ------------------------------------------------------------------------------
    // Single mails, enqueued in the same transaction as their cause. payload is sealed. state: 0 waiting, 1 intent,
    // 2 sent, 3 failed, 4 unknown (in doubt, held), 5 expired. Lower priority goes first.
    "CREATE TABLE outbox (
        id {id},
        priority SMALLINT NOT NULL,
        template TEXT NOT NULL,
        payload TEXT NOT NULL,
        message_id TEXT NOT NULL,
        state SMALLINT NOT NULL,
        not_before_ms BIGINT NOT NULL,
        expires_ms BIGINT NOT NULL,
        attempt BIGINT NOT NULL DEFAULT 0,
        fence BIGINT NOT NULL DEFAULT 0,
        lease_until_ms BIGINT NOT NULL DEFAULT 0,
        worker TEXT NOT NULL DEFAULT '',
        reply TEXT NOT NULL DEFAULT '',
        created_ms BIGINT NOT NULL,
        finished_ms BIGINT
    )",
    "CREATE INDEX outbox_due ON outbox (state, priority, not_before_ms)",
    // The mailer's part of an issue. state: 0 preparing, 1 sending, 2 paused, 3 cancelling, 4 finished, 5
    // cancelled.
    // edition: the compiled mail with open slots, frozen. audience: the number of readers when it was frozen.
    "CREATE TABLE mailing (
        issue_id BIGINT PRIMARY KEY REFERENCES issue(id),
        newsletter_id BIGINT NOT NULL REFERENCES newsletter(id),
        state SMALLINT NOT NULL,
        edition {blob} NOT NULL,
        audience BIGINT NOT NULL DEFAULT 0,
        not_before_ms BIGINT NOT NULL,
        expires_ms BIGINT NOT NULL,
        frozen_ms BIGINT NOT NULL,
        started_ms BIGINT,
        finished_ms BIGINT,
        reason TEXT NOT NULL DEFAULT ''
    )",
    // A part of an issue's frozen audience: up to 500 readers, ids as delta varints; lo and hi are its range.
    // state: 0 waiting, 1 leased, 2 done. Every lease increments the fence; a write with an older one is refused.
    "CREATE TABLE mail_batch (
        id {id},
        issue_id BIGINT NOT NULL REFERENCES mailing(issue_id),
        lo BIGINT NOT NULL,
        hi BIGINT NOT NULL,
        readers {blob} NOT NULL,
        state SMALLINT NOT NULL,
        attempt BIGINT NOT NULL DEFAULT 1,
        not_before_ms BIGINT NOT NULL,
        fence BIGINT NOT NULL DEFAULT 0,
        worker TEXT NOT NULL DEFAULT '',
        lease_until_ms BIGINT NOT NULL DEFAULT 0,
        crashes BIGINT NOT NULL DEFAULT 0
    )",
    "CREATE INDEX mail_batch_due ON mail_batch (issue_id, state, not_before_ms)",
    // One row for each reader that was attempted or skipped; no row means: still to send.
    // state: 1 intent, 2 sent, 3 deferred, 4 failed, 5 unknown, 6 skipped. reason: why it was skipped or failed,
    // see mailer.
    "CREATE TABLE delivery (
        issue_id BIGINT NOT NULL,
        reader_id BIGINT NOT NULL,
        state SMALLINT NOT NULL,
        reason SMALLINT NOT NULL DEFAULT 0,
        fence BIGINT NOT NULL,
        attempt BIGINT NOT NULL,
        at_ms BIGINT NOT NULL,
        code SMALLINT NOT NULL DEFAULT 0,
        PRIMARY KEY (issue_id, reader_id)
    ) {clustered}",
    // The server's reply, for every attempt that was not simply accepted.
    "CREATE TABLE delivery_attempt (
        issue_id BIGINT NOT NULL,
        reader_id BIGINT NOT NULL,
        attempt BIGINT NOT NULL,
        at_ms BIGINT NOT NULL,
        state SMALLINT NOT NULL,
        code SMALLINT NOT NULL,
        enhanced TEXT NOT NULL DEFAULT '',
        reply TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (issue_id, reader_id, attempt)
    ) {clustered}",
    // Changed in the same commit as the rows that it counts.
    "CREATE TABLE issue_tally (
        issue_id BIGINT NOT NULL,
        state SMALLINT NOT NULL,
        reason SMALLINT NOT NULL,
        slot BIGINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (issue_id, state, reason, slot)
    ) {clustered}",
    // The built-in mailbox: captured mails, for demonstrations and tests.
    "CREATE TABLE captured_mail (
        id {id},
        envelope_from TEXT NOT NULL,
        envelope_to TEXT NOT NULL,
        subject TEXT NOT NULL,
        raw {blob} NOT NULL,
        captured_ms BIGINT NOT NULL
    )",
];
