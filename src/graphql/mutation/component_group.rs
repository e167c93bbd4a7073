//! Changing component groups.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::{after, call, change, command, payload};
use crate::commands;
use crate::domain;
use crate::graphql::component::ComponentGroup;
use crate::graphql::error::Result;
use crate::graphql::id::{self, Kind};
use crate::graphql::user_error::split;

/// A component group to be made.
#[derive(InputObject, Debug)]
pub struct ComponentGroupCreateInput {
    /// The page. `PAGE_NOT_FOUND`.
    page: ID,
    /// Its name, 1 to 200 characters on one line.
    name: String,
    /// What it holds.
    description: Option<String>,
    /// Where it stands on the page; after the last group unless given.
    position: Option<i32>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// New values of a component group. What is left out stays; null removes what can be removed.
#[derive(InputObject, Debug)]
pub struct ComponentGroupAmendInput {
    /// The group. `COMPONENT_GROUP_NOT_FOUND`.
    group: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// Its name.
    name: Option<String>,
    /// What it holds.
    description: MaybeUndefined<String>,
    /// Where it stands on the page.
    position: Option<i32>,
}

/// A component group to be taken off.
#[derive(InputObject, Debug)]
pub struct ComponentGroupRemoveInput {
    /// The group. `COMPONENT_GROUP_NOT_FOUND`.
    group: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
}

payload! {
    /// The answer to `componentGroupCreate`.
    ComponentGroupCreatePayload {
        /// The group; null where it was not made.
        group: ComponentGroup,
    }
}
payload! {
    /// The answer to `componentGroupAmend`.
    ComponentGroupAmendPayload {
        /// The group; null where it was not changed.
        group: ComponentGroup,
    }
}
payload! {
    /// The answer to `componentGroupRemove`.
    ComponentGroupRemovePayload {
        /// The group as it stood before; null where it was not taken off.
        group: ComponentGroup,
    }
}

fn shown(ctx: &Context<'_>, group: Option<domain::component::ComponentGroup>) -> Result<Option<ComponentGroup>> {
    let view = after(ctx)?;
    Ok(group.map(|state| ComponentGroup {
        state: Arc::new(state),
        view,
    }))
}

#[derive(Debug, Default)]
pub struct ComponentGroupMutation;

#[Object]
impl ComponentGroupMutation {
    /// Makes a component group.
    async fn component_group_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ComponentGroupCreateInput,
    ) -> Result<ComponentGroupCreatePayload> {
        let create = commands::component_group::Create {
            page: id::of(Kind::Page, &input.page),
            name: input.name,
            description: input.description,
            position: input.position,
            external_ref: None,
        };
        let created = commands::component_group::create(&command(ctx)?, call(input.idempotency_key), create).await;
        let (group, user_errors) = split(created)?;
        Ok(ComponentGroupCreatePayload {
            group: shown(ctx, group)?,
            user_errors,
        })
    }

    /// Gives a component group new values.
    async fn component_group_amend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ComponentGroupAmendInput,
    ) -> Result<ComponentGroupAmendPayload> {
        let amend = commands::component_group::Amend {
            group: id::of(Kind::ComponentGroup, &input.group),
            expected_version: input.expected_version,
            name: input.name,
            description: change(input.description),
            position: input.position,
        };
        let (group, user_errors) = split(commands::component_group::amend(&command(ctx)?, call(None), amend).await)?;
        Ok(ComponentGroupAmendPayload {
            group: shown(ctx, group)?,
            user_errors,
        })
    }

    /// Takes a component group off; its components stay, by themselves.
    async fn component_group_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ComponentGroupRemoveInput,
    ) -> Result<ComponentGroupRemovePayload> {
        let remove = commands::component_group::Remove {
            group: id::of(Kind::ComponentGroup, &input.group),
            expected_version: input.expected_version,
        };
        let (group, user_errors) = split(commands::component_group::remove(&command(ctx)?, call(None), remove).await)?;
        Ok(ComponentGroupRemovePayload {
            group: shown(ctx, group)?,
            user_errors,
        })
    }
}
