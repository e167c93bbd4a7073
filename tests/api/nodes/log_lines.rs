//! What a node says in its log of whether it hears the others.

use allclear::app::Settings;
use tracing::Level;

use super::on_postgres;
use crate::support::database::Test;
use crate::support::lines::Lines;

const FLAG: &str = "--database-listen-url";

#[tokio::test]
async fn a_node_that_does_not_hear_its_own_bell_says_so_once_and_names_the_flag() {
    let lines = Lines::default();
    let _kept = lines.keep(Level::INFO);
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
