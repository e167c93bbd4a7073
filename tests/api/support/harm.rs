//! What bad input must not do: change anything, be heard of by anybody, or be logged as a fault of our own.

use serde_json::json;
use tracing::Level;

use super::database::Test;
use super::lines::Lines;
use super::log::number;

/// Does something after which all rows are as before, of which those who follow the page hear nothing, and for which
/// nothing is logged at ERROR. Followed is the staff's stream, which has all that the public's has.
pub(crate) async fn harmless<T>(test: &Test, page: &str, act: impl AsyncFnOnce() -> T) -> T {
    let before = test.state(page).await;
    // A page that was taken off cannot be followed; the heads of its log are among the rows.
    let watching = match before.shown["slug"].as_str() {
        Some(slug) => Some(test.watch_from_now(slug).await),
        None => None,
    };

    let result = blameless(act).await;

    assert_eq!(test.state(page).await, before);
    if let Some((mut watcher, cursor)) = watching {
        // What is done next is the next thing heard of.
        let description = format!("Nothing was heard of after {}.", number(&cursor));
        let amend = json!({ "page": page, "description": description });
        test.mutate("pageAmend", amend, "page { id }").await;
        let heard = watcher.expect("PageAmended").await;
        assert_eq!(number(&heard["cursor"]), number(&cursor) + 1);
    }
    result
}

/// Does something, whatever it changes, for which nothing is logged at ERROR.
pub(crate) async fn blameless<T>(act: impl AsyncFnOnce() -> T) -> T {
    let lines = Lines::default();
    let kept = lines.keep(Level::ERROR);
    let result = act().await;
    drop(kept);
    assert_eq!(lines.text(), "", "logged at ERROR");
    result
}
