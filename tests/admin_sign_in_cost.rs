//! Signing in takes as long for an unknown address as for an editor's.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::app::TestApp;
use crate::support::editor::{EDITOR, invited, signed_in};

/// Hashing the password takes by far the most time. Without a hash for unknown addresses the answer would come after a
/// tenth of the time. Other work of the machine makes some answers later, but none earlier: so the least is compared, and
/// asked for again while it may still be other work.
#[tokio::test]
async fn signing_in_costs_a_hash_for_every_address() {
    let app = TestApp::start().await;
    signed_in(&app).await;
    invited(&app, "new@lindenpost.example").await;
    let addresses = [
        EDITOR,
        // Invited, but without a password.
        "new@lindenpost.example",
        "nobody@lindenpost.example",
        "no address at all",
    ];
    let mut least = [Duration::MAX; 4];
    for round in 0..40 {
        for (address, least) in addresses.into_iter().zip(&mut least) {
            let form = [("email", address), ("password", "not the password")];
            let begun = Instant::now();
            let page = app.reader().post("/admin/sign-in", &form).await;
            *least = begun.elapsed().min(*least);
            page.expect(422);
        }
        let known = least[0];
        let alike = |other: &Duration| *other * 2 > known && *other < known * 2;
        if round > 2 && least.iter().all(alike) {
            return;
        }
    }
    panic!("{addresses:?}: {least:?}");
}
