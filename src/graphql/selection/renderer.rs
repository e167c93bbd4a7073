//! One execution of a subscription that answers whatever it is fed, one item after the other.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Request, Response};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::domain::filter::EventFilter;
use crate::error::Error;
use crate::graphql::Schema;
use crate::graphql::error::Result;
use crate::graphql::event::PageEvent;
use crate::graphql::watch::Watch;

type Item = Result<PageEvent>;

/// Put into a request, it makes the subscription show what it is fed instead of what happens.
pub(in crate::graphql) struct Feed(Mutex<Option<(mpsc::UnboundedReceiver<Item>, oneshot::Sender<Asked>)>>);

/// What a subscription was asked for by its arguments.
pub(super) struct Asked {
    pub(super) slug: String,
    pub(super) page: Uuid,
    pub(super) filter: Arc<EventFilter>,
}

impl Feed {
    /// Begins to show what is fed; called by the subscription, once it has read its arguments.
    pub(in crate::graphql) fn open(&self, slug: String, watch: Watch) -> Result<impl Stream<Item = Item> + use<>> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((items, begun)) = taken else {
            return Err(Error::Corrupt("a subscription that begins twice".to_owned()).into());
        };
        let asked = Asked {
            slug,
            page: watch.page,
            filter: watch.filter,
        };
        // Nobody waits any more if the subscriber is gone.
        let _ = begun.send(asked);
        Ok(futures_util::stream::unfold(items, |mut items| async move {
            items.recv().await.map(|item| (item, items))
        }))
    }
}

/// The execution.
pub(super) struct Renderer {
    feed: mpsc::UnboundedSender<Item>,
    answers: BoxStream<'static, Response>,
    /// It was fed something that nobody waited for: its next answer is to that.
    owes: bool,
}

impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderer")
            .field("owes", &self.owes)
            .finish_non_exhaustive()
    }
}

impl Renderer {
    /// Begins to execute; none where that cannot be done: executed by itself, the request says why.
    pub(super) async fn begin(schema: &Schema, request: Request) -> Option<(Renderer, Asked)> {
        let (feed, items) = mpsc::unbounded_channel();
        let (begun, asked) = oneshot::channel();
        let request = request.data(Feed(Mutex::new(Some((items, begun)))));
        let mut answers = schema.execute_stream(request);
        let asked = tokio::select! {
            asked = asked => asked.ok()?,
            _ = answers.next() => return None,
        };
        let owes = false;
        Some((Renderer { feed, answers, owes }, asked))
    }

    /// The answer to one item; none where a resolver panicked: nothing is left then that could answer. It can be dropped
    /// at any time.
    pub(super) async fn render(&mut self, item: Item) -> Option<Response> {
        AssertUnwindSafe(self.answer(item)).catch_unwind().await.ok().flatten()
    }

    async fn answer(&mut self, item: Item) -> Option<Response> {
        if self.owes {
            self.answers.next().await?;
            self.owes = false;
        }
        self.feed.send(item).ok()?;
        self.owes = true;
        let answer = self.answers.next().await;
        self.owes = false;
        answer
    }
}
