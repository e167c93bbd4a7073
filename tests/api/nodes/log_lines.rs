//! What a node says in its log of whether it hears the others.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use allclear::app::Settings;
use tracing_subscriber::fmt::MakeWriter;

use super::{PATIENCE, on_postgres};
use crate::support::database::Test;

/// The log of everything that runs on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&lines).into_owned()
    }

    /// Waits for a line that says this.
    async fn until(&self, text: &str) {
        let said = async {
            while !self.text().contains(text) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, said).await.expect("it is said in time");
    }

    /// Keeps what is logged on this thread from now on; each test has a thread of its own.
    fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.clone())
            .with_ansi(false)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

const FLAG: &str = "--database-listen-url";

#[tokio::test]
async fn a_node_that_does_not_hear_its_own_bell_says_so_once_and_names_the_flag() {
    let lines = Lines::default();
    let _kept = lines.keep();
    let Some(first) = on_postgres(Settings::default()).await else {
        return;
    };
    first.until_hearing(1).await;
    assert!(!lines.text().contains(FLAG), "{}", lines.text());

    let deaf = first.another_listening(Some(first.elsewhere())).await;
    lines.until(FLAG).await;
    let said = lines.text();
    serves(&deaf).await;

    let warned: Vec<&str> = said.lines().filter(|line| line.contains(FLAG)).collect();
    assert_eq!(warned.len(), 1, "{said}");
    assert!(
        warned[0].contains("WARN") && warned[0].contains("has not come"),
        "{said}"
    );
    deaf.stop().await;
    first.stop().await;
}

async fn serves(test: &Test) {
    let page = test.page("shop").await;
    test.incident(&page, "Checkout fails", None).await;
    test.watch_from_now("shop").await;
}
