//! Mutation: everything that can be changed, by what it is about.

pub mod component;
pub mod component_group;
pub mod incident;
pub mod maintenance;
pub mod page;
pub mod postmortem;
pub mod token;

use async_graphql::{Context, MaybeUndefined, MergedObject};

use super::error::Result;
use super::query::{app, budget, caller};
use crate::commands::{self, Call};
use crate::error::Error;
use crate::queries::View;

/// Everything that can be changed. Each needs a token with the right to do it (`FORBIDDEN` without), changes everything
/// it says or nothing, and tells expected failures in `userErrors`.
#[derive(MergedObject, Debug, Default)]
pub struct Mutation(
    page::PageMutation,
    component_group::ComponentGroupMutation,
    component::ComponentMutation,
    incident::IncidentMutation,
    postmortem::PostmortemMutation,
    maintenance::MaintenanceMutation,
    token::TokenMutation,
);

/// What a command needs to know, for a sender who may change things.
///
/// # Errors
/// `FORBIDDEN` for one who may not.
fn command(ctx: &Context<'_>) -> Result<commands::Context> {
    let author = caller(ctx)?.author(ctx.field().name())?;
    Ok(commands::Context {
        app: app(ctx)?.clone(),
        author,
    })
}

/// What the sender sees after the change.
fn after(ctx: &Context<'_>) -> Result<View> {
    Ok(View::now_within(app(ctx)?, caller(ctx)?.sight(), budget(ctx)?))
}

fn call(idempotency_key: Option<String>) -> Call {
    Call { idempotency_key }
}

/// What an input says of a value that can be removed: absent leaves it, null removes it.
fn change<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

/// A refusal of a value that the mutation itself implies: its input has no such field, so it is about the whole.
fn implied<T>(result: crate::error::Result<T>, field: &str) -> crate::error::Result<T> {
    result.map_err(|error| match error {
        Error::Refused(refused) if refused.field == [field] => refused.why.into(),
        other => other,
    })
}

/// Declares a mutation's answer: the thing under its type's name, and what the sender can mend.
macro_rules! payload {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(async_graphql::SimpleObject, Debug)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: Option<$type>,)+
            /// What the sender can mend; where this is not empty, nothing has changed.
            pub user_errors: Vec<crate::graphql::user_error::UserError>,
        }
    };
}

use payload;
