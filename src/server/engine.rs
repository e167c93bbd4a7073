//! The schema and its selections, as the edge asks them.

use std::sync::Arc;

use async_graphql::{Request, Response};
use futures_util::StreamExt;
use uuid::Uuid;

use crate::app::App;
use crate::budget::Budget;
use crate::domain::audience::Audience;
use crate::graphql::selection::{self, Rendered, Selections, Started};
use crate::graphql::{self, Schema};
use crate::item::Ready;
use crate::queries::Basis;
use crate::transport::{Engine, Executed, Follower, Rendering, RequestId, Subscription, Validity};

/// What executes the API.
#[derive(Clone)]
pub(super) struct Api {
    app: Arc<App>,
    schema: Schema,
    selections: Arc<Selections<Rendering>>,
}

impl Api {
    pub(super) fn new(app: Arc<App>, schema: Schema) -> Api {
        let selections = Arc::new(Selections::new(Arc::clone(&app), schema.clone()));
        Api {
            app,
            schema,
            selections,
        }
    }
}

impl Engine for Api {
    type Follower = selection::Follower<Rendering>;

    async fn execute(&self, request: Request) -> Executed {
        let budget = Budget::new(self.app.settings.execution);
        let graphql::Executed { response, basis } = graphql::execute(&self.schema, request, &budget).await;
        let holds = |basis| -> Arc<dyn Validity> {
            let app = Arc::clone(&self.app);
            Arc::new(BasisHolds { app, basis })
        };
        Executed {
            response,
            work: Some(budget.work()),
            validity: basis.map(holds),
        }
    }

    async fn subscribe(&self, request: Request, after: Option<String>) -> Subscription<Self::Follower> {
        match self.selections.subscribe(request, after).await {
            Started::Alone(answers) => {
                let executed = answers.map(|(response, work)| Executed {
                    response,
                    work: Some(work),
                    validity: None,
                });
                Subscription::Alone(executed.boxed())
            }
            Started::Shared(follower) => Subscription::Shared(follower),
        }
    }
}

/// An answer is right while the logs of its pages stand where they stood, and its time has not come.
struct BasisHolds {
    app: Arc<App>,
    basis: Basis,
}

impl Validity for BasisHolds {
    fn is_current(&self) -> bool {
        let is_due = self.basis.until.is_some_and(|until| self.app.clock.now() >= until);
        let stands =
            |(page, audience, number): &(Uuid, Audience, u64)| self.app.live.number(*page, *audience) == Some(*number);
        !is_due && self.basis.pages.iter().all(stands)
    }
}

impl Rendered for Rendering {
    async fn of(response: Response) -> Rendering {
        Rendering::new(response, &RequestId::fresh()).await
    }

    fn ended(response: Response) -> Rendering {
        Rendering::ended(response, &RequestId::fresh())
    }

    fn panicked() -> Rendering {
        Rendering::panicked()
    }

    fn is_lasting(&self) -> bool {
        self.is_lasting()
    }

    fn size(&self) -> usize {
        self.size()
    }
}

impl Follower for selection::Follower<Rendering> {
    fn selection(&self) -> u64 {
        self.selection()
    }

    fn position(&self) -> u64 {
        self.position()
    }

    fn seek(&mut self, number: u64) {
        self.seek(number);
    }

    fn fork(&self) -> Self {
        self.fork()
    }

    async fn ready(&mut self) -> Ready<Rendering> {
        self.ready().await
    }

    async fn next(&mut self) -> Ready<Rendering> {
        self.next().await
    }
}
