//! Changing incidents and their timelines.
//! Long because an input, its payload and the resolver that joins them are read together.

use async_graphql::{Context, ID, InputObject, Json, MaybeUndefined, Object};

use super::{after, call, change, command, implied, payload};
use crate::commands;
use crate::commands::incident::Changed;
use crate::graphql::enums::{Audience, ComponentStatus, Impact, IncidentStatus};
use crate::graphql::error::Result;
use crate::graphql::id::{self, Kind};
use crate::graphql::incident::{Incident, IncidentUpdate};
use crate::graphql::scalar::{DateTime, Markdown};
use crate::graphql::user_error::{UserError, split};

/// A component, and the status it is to have.
#[derive(InputObject, Debug)]
pub struct ComponentStateInput {
    /// A component of the same page, named once. `COMPONENT_NOT_FOUND`, `DUPLICATE_COMPONENT`.
    component: ID,
    /// How it does.
    status: ComponentStatus,
}

/// An incident to be opened.
#[derive(InputObject, Debug)]
pub struct IncidentOpenInput {
    /// The page. `PAGE_NOT_FOUND`.
    page: ID,
    /// What people call it: 1 to 200 characters on one line. `TITLE_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    title: String,
    /// The status it begins with: an open one, or resolved. `ILLEGAL_TRANSITION` for a postmortem.
    #[graphql(default_with = "IncidentStatus::Investigating")]
    status: IncidentStatus,
    /// What is said first, up to 25,000 characters and 64 KiB. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    body: Markdown,
    /// The time shown beside it; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// When it began; the time shown unless given. `TIME_IN_FUTURE`.
    started_at: Option<DateTime>,
    /// The components it affects, and how they do.
    #[graphql(default)]
    components: Vec<ComponentStateInput>,
    /// Its impact, where it is not to be computed.
    impact_override: Option<Impact>,
    /// What an alerting system calls it. While one with this reference is open on the page, that one is the answer.
    external_ref: Option<String>,
    /// What integrators keep with it: up to 16 KiB of JSON. Everybody who sees the incident can read it.
    metadata: Option<Json<serde_json::Value>>,
    /// Who sees it. One that is the staff's alone changes no component (`STAFF_ONLY`), and can be shown to the public later,
    /// with `incidentPublish`.
    #[graphql(default_with = "Audience::Public")]
    audience: Audience,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// Something to be said of an incident.
#[derive(InputObject, Debug)]
pub struct IncidentUpdatePostInput {
    /// The incident. `INCIDENT_NOT_FOUND`.
    incident: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// The status it has then; as it is unless given. `ILLEGAL_TRANSITION`.
    status: Option<IncidentStatus>,
    /// What is said. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    body: Markdown,
    /// The time shown; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// What becomes of components.
    #[graphql(default)]
    components: Vec<ComponentStateInput>,
    /// Who sees it. What is the staff's alone changes neither the status nor a component (`STAFF_ONLY`), may be said at any
    /// time, and can be said to the public later, with `incidentUpdatePublish`.
    #[graphql(default_with = "Audience::Public")]
    audience: Audience,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// What was said, to be corrected. What is left out stays.
#[derive(InputObject, Debug)]
pub struct IncidentUpdateEditInput {
    /// The update. `INCIDENT_UPDATE_NOT_FOUND`, `UPDATE_IS_POSTMORTEM`.
    update: ID,
    /// The version the incident must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// What it is to say. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    body: Option<Markdown>,
    /// The time it is to show. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
}

/// An incident to be resolved.
#[derive(InputObject, Debug)]
pub struct IncidentResolveInput {
    /// The incident. `INCIDENT_NOT_FOUND`, `ILLEGAL_TRANSITION`.
    incident: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// What is said. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    #[graphql(default_with = "Markdown(\"This incident has been resolved.\".to_owned())")]
    body: Markdown,
    /// The time shown; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// What becomes of components; those it affects and that are not named return to operational.
    #[graphql(default)]
    components: Vec<ComponentStateInput>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// A resolved incident to be opened again.
#[derive(InputObject, Debug)]
pub struct IncidentReopenInput {
    /// The incident. `INCIDENT_NOT_FOUND`, `ILLEGAL_TRANSITION`.
    incident: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// The open status it goes to. `ILLEGAL_TRANSITION`.
    #[graphql(default_with = "IncidentStatus::Investigating")]
    status: IncidentStatus,
    /// Why. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    reason: Markdown,
    /// The time shown; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// What becomes of components.
    #[graphql(default)]
    components: Vec<ComponentStateInput>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// New values of an incident. What is left out stays; null removes what can be removed.
#[derive(InputObject, Debug)]
pub struct IncidentAmendInput {
    /// The incident. `INCIDENT_NOT_FOUND`.
    incident: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// What people call it. `TITLE_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    title: Option<String>,
    /// Its impact; null has it computed.
    impact_override: MaybeUndefined<Impact>,
    /// When it began. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    started_at: Option<DateTime>,
    /// What an alerting system calls it. `EXTERNAL_REF_TAKEN`.
    external_ref: MaybeUndefined<String>,
    /// What integrators keep with it.
    metadata: MaybeUndefined<Json<serde_json::Value>>,
}

/// A resolved incident to be entered afterwards.
#[derive(InputObject, Debug)]
pub struct IncidentBackfillInput {
    /// The page. `PAGE_NOT_FOUND`.
    page: ID,
    /// What people call it. `TITLE_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    title: String,
    /// When it began; the time of its first update unless given. `TIME_IN_FUTURE`.
    started_at: Option<DateTime>,
    /// When it was over; the time of the update that resolved it unless given. `TIME_IN_FUTURE`.
    resolved_at: Option<DateTime>,
    /// Its impact, where it is not to be computed.
    impact_override: Option<Impact>,
    /// What an alerting system calls it.
    external_ref: Option<String>,
    /// What integrators keep with it.
    metadata: Option<Json<serde_json::Value>>,
    /// Its whole timeline, oldest first; the last entry resolves it. `BACKFILL_NOT_RESOLVED`, `UPDATES_OUT_OF_ORDER`,
    /// `TOO_MANY_UPDATES`.
    updates: Vec<IncidentBackfillUpdateInput>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// One entry of the timeline of an incident that is entered afterwards.
#[derive(InputObject, Debug)]
pub struct IncidentBackfillUpdateInput {
    /// The status it gave the incident. `ILLEGAL_TRANSITION`.
    status: IncidentStatus,
    /// What was said. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    body: Markdown,
    /// When. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: DateTime,
    /// What became of components.
    #[graphql(default)]
    components: Vec<ComponentStateInput>,
}

/// An incident to be shown to the public.
#[derive(InputObject, Debug)]
pub struct IncidentPublishInput {
    /// The incident. `INCIDENT_NOT_FOUND`.
    incident: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
}

/// What the staff said among itself, to be said to the public.
#[derive(InputObject, Debug)]
pub struct IncidentUpdatePublishInput {
    /// The update, which is the staff's alone. `INCIDENT_UPDATE_NOT_FOUND`.
    update: ID,
    /// The version the incident must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// The time shown; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
}

payload! {
    /// The answer to `incidentPublish`.
    IncidentPublishPayload {
        /// The incident; null where there is none.
        incident: Incident,
    }
}
payload! {
    /// The answer to `incidentUpdatePublish`.
    IncidentUpdatePublishPayload {
        /// The incident; null where nothing was said.
        incident: Incident,
        /// What was said to the public; it takes the place of what the staff had said.
        update: IncidentUpdate,
    }
}
payload! {
    /// The answer to `incidentOpen`.
    IncidentOpenPayload {
        /// The incident; null where it was not opened.
        incident: Incident,
        /// What was said; null where one with this external reference was open already.
        update: IncidentUpdate,
    }
}
payload! {
    /// The answer to `incidentUpdatePost`.
    IncidentUpdatePostPayload {
        /// The incident; null where nothing was posted.
        incident: Incident,
        /// What was said; null where nothing was posted.
        update: IncidentUpdate,
    }
}
payload! {
    /// The answer to `incidentUpdateEdit`.
    IncidentUpdateEditPayload {
        /// The incident; null where nothing was changed.
        incident: Incident,
        /// What is said now; null where nothing was changed.
        update: IncidentUpdate,
    }
}
payload! {
    /// The answer to `incidentResolve`.
    IncidentResolvePayload {
        /// The incident; null where it was not resolved.
        incident: Incident,
        /// What was said; null where it was not resolved.
        update: IncidentUpdate,
    }
}
payload! {
    /// The answer to `incidentReopen`.
    IncidentReopenPayload {
        /// The incident; null where it was not opened again.
        incident: Incident,
        /// Why; null where it was not opened again.
        update: IncidentUpdate,
    }
}
payload! {
    /// The answer to `incidentAmend`.
    IncidentAmendPayload {
        /// The incident; null where it was not changed.
        incident: Incident,
    }
}
payload! {
    /// The answer to `incidentBackfill`.
    IncidentBackfillPayload {
        /// The incident; null where it was not entered.
        incident: Incident,
    }
}

type Shown = (Option<Incident>, Option<IncidentUpdate>, Vec<UserError>);

/// An incident as its command left it, and the update it posted or edited.
pub(super) fn shown(ctx: &Context<'_>, changed: crate::error::Result<Changed>) -> Result<Shown> {
    let (changed, user_errors) = split(changed)?;
    let Some(Changed {
        incident,
        components,
        update,
    }) = changed
    else {
        return Ok((None, None, user_errors));
    };
    let incident = Incident::carrying(incident, after(ctx)?, &components);
    let update = update.and_then(|id| incident.update(id));
    Ok((Some(incident), update, user_errors))
}

fn states(components: &[ComponentStateInput]) -> Vec<commands::incident::ComponentState> {
    let state = |one: &ComponentStateInput| commands::incident::ComponentState {
        component: id::of(Kind::Component, &one.component),
        status: one.status.into(),
    };
    components.iter().map(state).collect()
}

#[derive(Debug, Default)]
pub struct IncidentMutation;

#[Object]
impl IncidentMutation {
    /// Opens an incident.
    async fn incident_open(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentOpenInput,
    ) -> Result<IncidentOpenPayload> {
        let open = commands::incident::Open {
            page: id::of(Kind::Page, &input.page),
            title: input.title,
            status: input.status.into(),
            body: input.body.0,
            display_at: input.display_at.map(|at| at.0),
            started_at: input.started_at.map(|at| at.0),
            components: states(&input.components),
            impact_override: input.impact_override.map(Into::into),
            external_ref: input.external_ref,
            metadata: input.metadata.map(|metadata| metadata.0),
            audience: input.audience.into(),
        };
        let opened = commands::incident::open(&command(ctx)?, call(input.idempotency_key), open).await;
        let (incident, update, user_errors) = shown(ctx, opened)?;
        Ok(IncidentOpenPayload {
            incident,
            update,
            user_errors,
        })
    }

    /// Says something of an incident, which may move it and set components.
    async fn incident_update_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentUpdatePostInput,
    ) -> Result<IncidentUpdatePostPayload> {
        let post = commands::incident::PostUpdate {
            incident: id::of(Kind::Incident, &input.incident),
            expected_version: input.expected_version,
            status: input.status.map(Into::into),
            body: input.body.0,
            display_at: input.display_at.map(|at| at.0),
            components: states(&input.components),
            audience: input.audience.into(),
        };
        let posted = commands::incident::post_update(&command(ctx)?, call(input.idempotency_key), post).await;
        let (incident, update, user_errors) = shown(ctx, posted)?;
        Ok(IncidentUpdatePostPayload {
            incident,
            update,
            user_errors,
        })
    }

    /// Corrects what was said; the earlier text and time are kept as a revision, for everybody to read.
    async fn incident_update_edit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentUpdateEditInput,
    ) -> Result<IncidentUpdateEditPayload> {
        let edit = commands::incident::EditUpdate {
            update: id::of(Kind::IncidentUpdate, &input.update),
            expected_version: input.expected_version,
            body: input.body.map(|body| body.0),
            display_at: input.display_at.map(|at| at.0),
        };
        let edited = commands::incident::edit_update(&command(ctx)?, call(None), edit).await;
        let (incident, update, user_errors) = shown(ctx, edited)?;
        Ok(IncidentUpdateEditPayload {
            incident,
            update,
            user_errors,
        })
    }

    /// Resolves an incident. The components it affects return to operational unless they are named.
    async fn incident_resolve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentResolveInput,
    ) -> Result<IncidentResolvePayload> {
        let resolve = commands::incident::PostUpdate {
            incident: id::of(Kind::Incident, &input.incident),
            expected_version: input.expected_version,
            status: Some(crate::domain::incident::IncidentStatus::Resolved),
            body: input.body.0,
            display_at: input.display_at.map(|at| at.0),
            components: states(&input.components),
            audience: crate::domain::audience::Audience::Public,
        };
        let resolved = commands::incident::post_update(&command(ctx)?, call(input.idempotency_key), resolve).await;
        let (incident, update, user_errors) = shown(ctx, implied(resolved, "status"))?;
        Ok(IncidentResolvePayload {
            incident,
            update,
            user_errors,
        })
    }

    /// Opens a resolved incident again. A published postmortem is withdrawn first.
    async fn incident_reopen(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentReopenInput,
    ) -> Result<IncidentReopenPayload> {
        let reopen = commands::incident::Reopen {
            incident: id::of(Kind::Incident, &input.incident),
            expected_version: input.expected_version,
            status: input.status.into(),
            reason: input.reason.0,
            display_at: input.display_at.map(|at| at.0),
            components: states(&input.components),
        };
        let reopened = commands::incident::reopen(&command(ctx)?, call(input.idempotency_key), reopen).await;
        let (incident, update, user_errors) = shown(ctx, reopened)?;
        Ok(IncidentReopenPayload {
            incident,
            update,
            user_errors,
        })
    }

    /// Gives an incident new values.
    async fn incident_amend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentAmendInput,
    ) -> Result<IncidentAmendPayload> {
        let amend = commands::incident::Amend {
            incident: id::of(Kind::Incident, &input.incident),
            expected_version: input.expected_version,
            title: input.title,
            impact_override: change(input.impact_override).map(|impact| impact.map(Into::into)),
            started_at: input.started_at.map(|at| at.0),
            external_ref: change(input.external_ref),
            metadata: change(input.metadata).map(|metadata| metadata.map(|metadata| metadata.0)),
        };
        let amended = commands::incident::amend(&command(ctx)?, call(None), amend).await;
        let (incident, _, user_errors) = shown(ctx, amended)?;
        Ok(IncidentAmendPayload { incident, user_errors })
    }

    /// Shows to the public an incident that only the staff saw, with its timeline but for what is the staff's alone. One
    /// that the public sees already stays as it is.
    async fn incident_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentPublishInput,
    ) -> Result<IncidentPublishPayload> {
        let publish = commands::incident::Publish {
            incident: id::of(Kind::Incident, &input.incident),
            expected_version: input.expected_version,
        };
        let published = commands::incident::publish(&command(ctx)?, call(None), publish).await;
        let (incident, _, user_errors) = shown(ctx, published)?;
        Ok(IncidentPublishPayload { incident, user_errors })
    }

    /// Says to the public what the staff said among itself: as an update of now, with an id of its own.
    async fn incident_update_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentUpdatePublishInput,
    ) -> Result<IncidentUpdatePublishPayload> {
        let publish = commands::incident::PublishUpdate {
            update: id::of(Kind::IncidentUpdate, &input.update),
            expected_version: input.expected_version,
            display_at: input.display_at.map(|at| at.0),
        };
        let published = commands::incident::publish_update(&command(ctx)?, call(None), publish).await;
        let (incident, update, user_errors) = shown(ctx, published)?;
        Ok(IncidentUpdatePublishPayload {
            incident,
            update,
            user_errors,
        })
    }

    /// Enters a resolved incident afterwards, with its whole timeline. Components stay as they are now; their history
    /// learns of it. Nobody is notified.
    async fn incident_backfill(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IncidentBackfillInput,
    ) -> Result<IncidentBackfillPayload> {
        let update = |one: IncidentBackfillUpdateInput| commands::incident::BackfillUpdate {
            status: one.status.into(),
            body: one.body.0,
            display_at: one.display_at.0,
            components: states(&one.components),
        };
        let backfill = commands::incident::Backfill {
            page: id::of(Kind::Page, &input.page),
            title: input.title,
            started_at: input.started_at.map(|at| at.0),
            resolved_at: input.resolved_at.map(|at| at.0),
            impact_override: input.impact_override.map(Into::into),
            external_ref: input.external_ref,
            metadata: input.metadata.map(|metadata| metadata.0),
            updates: input.updates.into_iter().map(update).collect(),
        };
        let entered = commands::incident::backfill(&command(ctx)?, call(input.idempotency_key), backfill).await;
        let (incident, _, user_errors) = shown(ctx, entered)?;
        Ok(IncidentBackfillPayload { incident, user_errors })
    }
}
