//! Changing components.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::{after, call, change, command, payload};
use crate::commands;
use crate::domain;
use crate::graphql::component::Component;
use crate::graphql::enums::ComponentStatus;
use crate::graphql::error::Result;
use crate::graphql::id::{self, Kind};
use crate::graphql::user_error::split;

/// A component to be made.
#[derive(InputObject, Debug)]
pub struct ComponentCreateInput {
    /// The page. `PAGE_NOT_FOUND`.
    page: ID,
    /// The group it stands in; by itself unless given. `COMPONENT_GROUP_NOT_FOUND`.
    group: Option<ID>,
    /// Its name, 1 to 200 characters on one line.
    name: String,
    /// What it does.
    description: Option<String>,
    /// How it does.
    #[graphql(default_with = "ComponentStatus::Operational")]
    status: ComponentStatus,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// New values of a component. What is left out stays; null removes what can be removed.
#[derive(InputObject, Debug)]
pub struct ComponentAmendInput {
    /// The component. `COMPONENT_NOT_FOUND`.
    component: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// Its name.
    name: Option<String>,
    /// What it does.
    description: MaybeUndefined<String>,
}

/// A component to be put elsewhere.
#[derive(InputObject, Debug)]
pub struct ComponentMoveInput {
    /// The component. `COMPONENT_NOT_FOUND`.
    component: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// The group to stand in. Left out, it stays where it is; null, it stands by itself. `COMPONENT_GROUP_NOT_FOUND`.
    group: MaybeUndefined<ID>,
    /// How many siblings stand before it; unless given, its place stays, or is the last of another group.
    position: Option<i32>,
}

/// A status to be set by itself, without an incident.
#[derive(InputObject, Debug)]
pub struct ComponentStatusSetInput {
    /// The component. `COMPONENT_NOT_FOUND`.
    component: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// How it does.
    status: ComponentStatus,
}

/// A component to be taken off.
#[derive(InputObject, Debug)]
pub struct ComponentArchiveInput {
    /// The component. `COMPONENT_NOT_FOUND`.
    component: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
}

payload! {
    /// The answer to `componentCreate`.
    ComponentCreatePayload {
        /// The component; null where it was not made.
        component: Component,
    }
}
payload! {
    /// The answer to `componentAmend`.
    ComponentAmendPayload {
        /// The component; null where it was not changed.
        component: Component,
    }
}
payload! {
    /// The answer to `componentMove`.
    ComponentMovePayload {
        /// The component; null where it was not moved.
        component: Component,
    }
}
payload! {
    /// The answer to `componentStatusSet`.
    ComponentStatusSetPayload {
        /// The component; null where it was not changed.
        component: Component,
    }
}
payload! {
    /// The answer to `componentArchive`.
    ComponentArchivePayload {
        /// The component as it stood before; null where it was not taken off.
        component: Component,
    }
}

fn shown(ctx: &Context<'_>, component: Option<domain::component::Component>) -> Result<Option<Component>> {
    let view = after(ctx)?;
    Ok(component.map(|state| Component {
        state: Arc::new(state),
        view,
    }))
}

#[derive(Debug, Default)]
pub struct ComponentMutation;

#[Object]
impl ComponentMutation {
    /// Makes a component.
    async fn component_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ComponentCreateInput,
    ) -> Result<ComponentCreatePayload> {
        let create = commands::component::Create {
            page: id::of(Kind::Page, &input.page),
            group: input.group.map(|group| id::of(Kind::ComponentGroup, &group)),
            name: input.name,
            description: input.description,
            status: input.status.into(),
            position: None,
            external_ref: None,
        };
        let created = commands::component::create(&command(ctx)?, call(input.idempotency_key), create).await;
        let (component, user_errors) = split(created)?;
        Ok(ComponentCreatePayload {
            component: shown(ctx, component)?,
            user_errors,
        })
    }

    /// Gives a component new values.
    async fn component_amend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ComponentAmendInput,
    ) -> Result<ComponentAmendPayload> {
        let amend = commands::component::Amend {
            component: id::of(Kind::Component, &input.component),
            expected_version: input.expected_version,
            name: input.name,
            description: change(input.description),
        };
        let (component, user_errors) = split(commands::component::amend(&command(ctx)?, call(None), amend).await)?;
        Ok(ComponentAmendPayload {
            component: shown(ctx, component)?,
            user_errors,
        })
    }

    /// Puts a component elsewhere.
    async fn component_move(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ComponentMoveInput,
    ) -> Result<ComponentMovePayload> {
        let move_to = commands::component::Move {
            component: id::of(Kind::Component, &input.component),
            expected_version: input.expected_version,
            group: change(input.group).map(|group| group.map(|group| id::of(Kind::ComponentGroup, &group))),
            position: input.position,
        };
        let (component, user_errors) = split(commands::component::move_to(&command(ctx)?, call(None), move_to).await)?;
        Ok(ComponentMovePayload {
            component: shown(ctx, component)?,
            user_errors,
        })
    }

    /// Sets a component's status by itself, without an incident.
    async fn component_status_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ComponentStatusSetInput,
    ) -> Result<ComponentStatusSetPayload> {
        let set = commands::component::SetStatus {
            component: id::of(Kind::Component, &input.component),
            expected_version: input.expected_version,
            status: input.status.into(),
        };
        let (component, user_errors) = split(commands::component::set_status(&command(ctx)?, call(None), set).await)?;
        Ok(ComponentStatusSetPayload {
            component: shown(ctx, component)?,
            user_errors,
        })
    }

    /// Takes a component off. Incidents keep naming it.
    async fn component_archive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ComponentArchiveInput,
    ) -> Result<ComponentArchivePayload> {
        let archive = commands::component::Archive {
            component: id::of(Kind::Component, &input.component),
            expected_version: input.expected_version,
        };
        let (component, user_errors) = split(commands::component::archive(&command(ctx)?, call(None), archive).await)?;
        Ok(ComponentArchivePayload {
            component: shown(ctx, component)?,
            user_errors,
        })
    }
}
