//! The API: what GraphQL calls things, and how each is answered.

pub mod audit;
mod charged;
pub mod component;
mod connection;
pub mod enums;
mod error;
pub mod event;
mod execution;
mod id;
pub mod incident;
mod item;
pub mod maintenance;
pub mod mutation;
pub mod node;
pub mod page;
pub mod price;
pub mod query;
pub mod scalar;
pub mod selection;
pub mod server;
pub mod subscription;
pub mod timeline;
pub mod token;
pub mod user_error;
mod watch;

use std::sync::Arc;

use crate::access::Caller;
use crate::app::App;

pub use execution::{Executed, execute};
pub use mutation::Mutation;
pub use query::Query;
pub use server::Limits;
pub use subscription::Subscription;

/// The schema that is served.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(Query, Mutation::default(), Subscription)
        .register_output_type::<node::Node>()
        .register_output_type::<event::PageEvent>()
        .register_output_type::<user_error::UserError>()
}

/// The schema over a running server. Unless it is one that suggests, an error does not say which names are like one that is
/// unknown: comparing a name of 64 KB with all that there are takes longer than the rest of the request.
pub fn schema(app: Arc<App>, limits: Limits, suggests: bool) -> Schema {
    let builder = builder().data(app).data(limits);
    match suggests {
        true => builder.finish(),
        false => builder.disable_suggestions().finish(),
    }
}

/// Lets a request in: its resolvers learn who sent it.
pub fn admit(request: async_graphql::Request, caller: Caller) -> async_graphql::Request {
    request.data(caller).data(execution::SharedView::new(true))
}

/// The schema as text, as `schema.graphql` holds it.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new()
        .include_specified_by()
        .prefer_single_line_descriptions();
    builder().finish().sdl_with_options(options)
}
