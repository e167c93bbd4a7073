//! The page as it stands, made once for all who begin to follow it at the same moment, and for nobody after that.

use std::sync::Arc;
use std::time::Duration;

use allclear::access::Caller;
use allclear::domain::role::Sight;
use allclear::graphql::selection::{Rendered, Selections, Started};
use allclear::graphql::{Limits, admit, schema};
use allclear::item::Ready;
use async_graphql::{Request, Response};
use tokio::time::timeout;

use crate::support::for_each_database;

/// For how long what must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer, and how many hold it.
#[derive(Clone)]
struct Held(Arc<Response>);

impl Rendered for Held {
    async fn of(response: Response) -> Held {
        Held(Arc::new(response))
    }

    fn ended(response: Response) -> Held {
        Held(Arc::new(response))
    }

    fn panicked() -> Held {
        unreachable!("no resolver panics")
    }

    fn is_lasting(&self) -> bool {
        true
    }

    fn size(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn a_snapshot_is_let_go_although_the_subscription_runs_on() {
    for_each_database(async |test| {
        test.page("shop").await;
        let schema = schema(Arc::clone(&test.app), Limits::default(), true);
        let selections: Selections<Held> = Selections::new(Arc::clone(&test.app), schema);
        let request = Request::new("subscription { pageEvents(page: \"shop\") { __typename } }");
        let request = admit(request, Caller::reader(Sight::Public, String::new()));
        let Started::Shared(mut follower) = selections.subscribe(request, None).await else {
            panic!("it is shared");
        };
        let Ready::Item(first) = follower.ready().await else {
            panic!("the snapshot comes first");
        };

        let let_go = async {
            while Arc::strong_count(&first.rendering.0) > 1 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, let_go).await.expect("nobody else holds it");
    })
    .await;
}
