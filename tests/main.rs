//! The one integration-test binary: a real app, a real database, a real reader.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test, and what it stands on, fails by panicking"
)]

mod support;

mod admin_sign_in;
mod architecture;
mod backup;
mod bad_input;
mod bounces;
mod browser_embeds;
mod browser_embeds_budget;
mod browser_embeds_trouble;
mod browser_every_page;
mod browser_kinds;
mod browser_polls;
mod browser_progress;
mod browser_scanners;
mod browser_subscribing;
mod digests_api;
mod digests_composing;
mod digests_progress;
mod digests_recipients;
mod digests_sending;
mod documents;
mod every_route;
mod lost_commits;
mod mail_queue;
mod mailbox;
mod mailbox_pages;
mod mailer_bounces;
mod mailer_crash_points;
mod mailer_dkim;
mod mailer_fence;
mod mailer_headers;
mod mailer_kill;
mod mailer_mailing;
mod mailer_nodes;
mod mailer_outbox;
mod mailer_politeness;
mod mailer_prepare;
mod mailer_reply_corpus;
mod mailer_settle;
mod mailer_smtp;
mod mailer_stop;
mod mailer_storms;
mod mailer_templates;
mod newsletters_api;
mod newsletters_editing;
mod polls_admin;
mod polls_ballot_box;
mod polls_elsewhere;
mod polls_export;
mod polls_form;
mod polls_import;
mod polls_import_dumps;
mod polls_insight;
mod polls_kill;
mod polls_kinds;
mod polls_kinds_api;
mod polls_one_reader;
mod polls_pages;
mod polls_pictures;
mod polls_removals;
mod polls_sample;
mod polls_scanners;
mod polls_sealed;
mod polls_sealed_pages;
mod polls_set_aside;
mod polls_sharing;
mod polls_stuffing;
mod polls_tiers;
mod polls_verify;
mod polls_words;
mod program;
mod schema;
mod server;
mod subscriptions_admin;
mod subscriptions_at_the_door;
mod subscriptions_double_opt_in;
mod subscriptions_from_elsewhere;
mod subscriptions_import;
mod subscriptions_leaving;
mod support_itself;
