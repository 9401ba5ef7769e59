//! More kinds of questions: ratings, rankings, free text, pictures beside options.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0008_questions",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // kind: 0 one option, 1 several, 2 rating, 3 ranked. ordering: 0 fixed, 1 random for each reader.
    // scale_from: the number of the first point of a rating; the labels are shown at both ends of the scale.
    "ALTER TABLE poll_question ADD COLUMN scale_from BIGINT",
    "ALTER TABLE poll_question ADD COLUMN low_label TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE poll_question ADD COLUMN high_label TEXT NOT NULL DEFAULT ''",
    // role: 0 plain, 1 "Other" with the reader's own words, 2 "None of these".
    "ALTER TABLE poll_option ADD COLUMN role SMALLINT NOT NULL DEFAULT 0",
    // A path on this site; NULL: no picture.
    "ALTER TABLE poll_option ADD COLUMN picture TEXT",
    "ALTER TABLE poll_option ADD COLUMN picture_alt TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE poll_option ADD COLUMN picture_width BIGINT",
    "ALTER TABLE poll_option ADD COLUMN picture_height BIGINT",
    // The input of the instant run-off: number of ballots by question (its position) and ranking (option ids by
    // preference, as varints). Changed in the same commit as the ballots, like `tally`.
    "CREATE TABLE ranking_tally (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        question BIGINT NOT NULL,
        ranking {blob} NOT NULL,
        tier SMALLINT NOT NULL,
        slot BIGINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (poll_id, question, ranking, tier, slot)
    ) {clustered}",
    // The free texts beside "Other", equal ones counted together: the key is a hash of the folded text, `written`
    // the first spelling. Changed in the same commit as the ballots.
    "CREATE TABLE words_tally (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        option_id BIGINT NOT NULL,
        words_key {blob} NOT NULL,
        tier SMALLINT NOT NULL,
        slot BIGINT NOT NULL,
        written TEXT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (poll_id, option_id, words_key, tier, slot)
    ) {clustered}",
    // An editor's ruling on a free text. ruling: 1 shown as `shown`, 2 hidden. Without a row it is pending.
    "CREATE TABLE words_ruling (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        option_id BIGINT NOT NULL,
        words_key {blob} NOT NULL,
        ruling SMALLINT NOT NULL,
        shown TEXT NOT NULL DEFAULT '',
        editor_id BIGINT REFERENCES editor(id),
        ruled_ms BIGINT NOT NULL,
        PRIMARY KEY (poll_id, option_id, words_key)
    ) {clustered}",
    // Pictures that editors uploaded, re-encoded by us. name: a hash of the bytes and an extension.
    "CREATE TABLE picture (
        name TEXT NOT NULL PRIMARY KEY,
        media_type TEXT NOT NULL,
        width BIGINT NOT NULL,
        height BIGINT NOT NULL,
        body {blob} NOT NULL,
        created_ms BIGINT NOT NULL
    )",
];
