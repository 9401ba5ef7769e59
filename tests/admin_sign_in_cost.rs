//! Signing in takes as long for an unknown address as for an editor's.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::app::TestApp;
use crate::support::editor::{EDITOR, invited, signed_in};

/// Hashing the password takes by far the most time. Without a hash for unknown addresses the answer would come after a
/// tenth of the time; the limit of a half allows for what a busy machine does to the median of seven.
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
    let mut times = [const { Vec::<Duration>::new() }; 4];
    for _ in 0..7 {
        for (address, times) in addresses.into_iter().zip(&mut times) {
            let form = [("email", address), ("password", "not the password")];
            let begun = Instant::now();
            let page = app.reader().post("/admin/sign-in", &form).await;
            times.push(begun.elapsed());
            page.expect(422);
        }
    }
    let medians = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    println!("{medians:?}");
    let known = medians[0];
    for (address, median) in addresses.into_iter().zip(medians) {
        let alike = median * 2 > known && median < known * 2;
        assert!(alike, "{address}: {median:?}, an editor's: {known:?}");
    }
}
