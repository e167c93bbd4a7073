//! Several nodes on one database, and many readers of one log: what is changed on one node is heard on all, and who
//! catches up does so together with the others.

mod bells;
mod catch_up;
mod log_lines;

use std::time::Duration;

use allclear::app::Settings;
use allclear::store::Hearing;
use allclear::transport::Config;

use crate::support::database::{Test, places};

/// How often a node looks by itself that is to hear of everything by the bell: never while a test runs.
const NEVER_MILLIS: u64 = 60 * 60 * 1000;

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node that never looks by itself, on PostgreSQL; `None` where there is none.
async fn relying_on_the_bell() -> Option<Test> {
    let settings = Settings {
        poll_millis: NEVER_MILLIS,
        ..Settings::default()
    };
    on_postgres(settings).await
}

async fn on_postgres(settings: Settings) -> Option<Test> {
    let place = places()
        .await
        .into_iter()
        .find(|place| place.url.starts_with("postgres"))?;
    Some(Test::start(place, settings, Config::default()).await)
}

impl Test {
    /// Waits until this node hears what others change, on its n-th connection.
    async fn until_hearing(&self, connection: u64) {
        let mut hearing = self.app.store.hearing();
        let hears = hearing.wait_for(|hearing| *hearing == Hearing::Yes(connection));
        let heard = tokio::time::timeout(PATIENCE, hears).await.expect("it hears in time");
        heard.expect("the store is there");
    }
}
