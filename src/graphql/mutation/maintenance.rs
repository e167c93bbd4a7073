//! Changing maintenances and their timelines.

use async_graphql::{Context, ID, InputObject, Object};

use super::{after, call, command, implied, payload};
use crate::commands;
use crate::commands::maintenance::{Changed, PostUpdate};
use crate::domain::maintenance::MaintenanceStatus as Status;
use crate::graphql::enums::MaintenanceStatus;
use crate::graphql::error::Result;
use crate::graphql::id::{self, Kind};
use crate::graphql::maintenance::{Maintenance, MaintenanceUpdate};
use crate::graphql::scalar::{DateTime, Markdown};
use crate::graphql::user_error::{UserError, split};

/// A maintenance to be announced.
#[derive(InputObject, Debug)]
pub struct MaintenanceScheduleInput {
    /// The page. `PAGE_NOT_FOUND`.
    page: ID,
    /// What people call it. `TITLE_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    title: String,
    /// What is said first. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    body: Markdown,
    /// When the work is to begin.
    scheduled_for: DateTime,
    /// When the work is to end. `INVALID_WINDOW` unless it is after the beginning.
    scheduled_until: DateTime,
    /// Whether it starts and completes by itself at the times set.
    #[graphql(default = true)]
    automatic: bool,
    /// The components it is going to affect. `COMPONENT_NOT_FOUND`, `DUPLICATE_COMPONENT`.
    #[graphql(default)]
    components: Vec<ID>,
    /// What another system calls it.
    external_ref: Option<String>,
    /// When it was announced; now unless given. `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// New values of a maintenance that is not over. What is left out stays.
#[derive(InputObject, Debug)]
pub struct MaintenanceAmendInput {
    /// The maintenance. `MAINTENANCE_NOT_FOUND`, `ILLEGAL_TRANSITION`.
    maintenance: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// What people call it. `TITLE_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    title: Option<String>,
    /// When the work is to begin. `INVALID_WINDOW`.
    scheduled_for: Option<DateTime>,
    /// When the work is to end. `INVALID_WINDOW`.
    scheduled_until: Option<DateTime>,
    /// Whether it starts and completes by itself at the times set.
    automatic: Option<bool>,
    /// The components it is going to affect. `COMPONENT_NOT_FOUND`, `DUPLICATE_COMPONENT`.
    components: Option<Vec<ID>>,
}

/// A maintenance whose work begins. Its components that are operational become under maintenance.
#[derive(InputObject, Debug)]
pub struct MaintenanceStartInput {
    /// The maintenance. `MAINTENANCE_NOT_FOUND`, `ILLEGAL_TRANSITION`.
    maintenance: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// What is said. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    #[graphql(default_with = "Markdown(\"The scheduled maintenance has started.\".to_owned())")]
    body: Markdown,
    /// The time shown; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// Something to be said of a maintenance.
#[derive(InputObject, Debug)]
pub struct MaintenanceUpdatePostInput {
    /// The maintenance. `MAINTENANCE_NOT_FOUND`.
    maintenance: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// The status it has then; as it is unless given. `ILLEGAL_TRANSITION`.
    status: Option<MaintenanceStatus>,
    /// What is said. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    body: Markdown,
    /// The time shown; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// A maintenance that is over. Its components that are under maintenance return to operational.
#[derive(InputObject, Debug)]
pub struct MaintenanceCompleteInput {
    /// The maintenance. `MAINTENANCE_NOT_FOUND`, `ILLEGAL_TRANSITION`.
    maintenance: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// What is said. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    #[graphql(default_with = "Markdown(\"The scheduled maintenance has been completed.\".to_owned())")]
    body: Markdown,
    /// The time shown; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// A maintenance that will not take place. Only one that has not begun can be cancelled.
#[derive(InputObject, Debug)]
pub struct MaintenanceCancelInput {
    /// The maintenance. `MAINTENANCE_NOT_FOUND`, `ILLEGAL_TRANSITION`.
    maintenance: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// What is said. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    #[graphql(default_with = "Markdown(\"The scheduled maintenance has been cancelled.\".to_owned())")]
    body: Markdown,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

payload! {
    /// The answer to `maintenanceSchedule`.
    MaintenanceSchedulePayload {
        /// The maintenance; null where it was not announced.
        maintenance: Maintenance,
    }
}
payload! {
    /// The answer to `maintenanceAmend`.
    MaintenanceAmendPayload {
        /// The maintenance; null where it was not changed.
        maintenance: Maintenance,
    }
}
payload! {
    /// The answer to `maintenanceStart`.
    MaintenanceStartPayload {
        /// The maintenance; null where it was not started.
        maintenance: Maintenance,
        /// What was said; null where it was not started.
        update: MaintenanceUpdate,
    }
}
payload! {
    /// The answer to `maintenanceUpdatePost`.
    MaintenanceUpdatePostPayload {
        /// The maintenance; null where nothing was posted.
        maintenance: Maintenance,
        /// What was said; null where nothing was posted.
        update: MaintenanceUpdate,
    }
}
payload! {
    /// The answer to `maintenanceComplete`.
    MaintenanceCompletePayload {
        /// The maintenance; null where it was not completed.
        maintenance: Maintenance,
        /// What was said; null where it was not completed.
        update: MaintenanceUpdate,
    }
}
payload! {
    /// The answer to `maintenanceCancel`.
    MaintenanceCancelPayload {
        /// The maintenance; null where it was not cancelled.
        maintenance: Maintenance,
        /// What was said; null where it was not cancelled.
        update: MaintenanceUpdate,
    }
}

type Shown = (Option<Maintenance>, Option<MaintenanceUpdate>, Vec<UserError>);

fn shown(ctx: &Context<'_>, changed: crate::error::Result<Changed>) -> Result<Shown> {
    let (changed, user_errors) = split(changed)?;
    let Some(Changed {
        maintenance,
        components,
        update,
    }) = changed
    else {
        return Ok((None, None, user_errors));
    };
    let maintenance = Maintenance::carrying(maintenance, after(ctx)?, &components);
    let update = update.and_then(|id| maintenance.update(id));
    Ok((Some(maintenance), update, user_errors))
}

/// The update that moves a maintenance, or only says something of it.
fn update(
    maintenance: &ID,
    expected_version: Option<i32>,
    status: Option<Status>,
    body: Markdown,
    at: Option<DateTime>,
) -> PostUpdate {
    PostUpdate {
        maintenance: id::of(Kind::Maintenance, maintenance),
        expected_version,
        status,
        body: body.0,
        display_at: at.map(|at| at.0),
        components: Vec::new(),
    }
}

#[derive(Debug, Default)]
pub struct MaintenanceMutation;

#[Object]
impl MaintenanceMutation {
    /// Announces a maintenance.
    async fn maintenance_schedule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: MaintenanceScheduleInput,
    ) -> Result<MaintenanceSchedulePayload> {
        let schedule = commands::maintenance::Schedule {
            page: id::of(Kind::Page, &input.page),
            title: input.title,
            body: input.body.0,
            scheduled_for: input.scheduled_for.0,
            scheduled_until: input.scheduled_until.0,
            automatic: input.automatic,
            components: input
                .components
                .iter()
                .map(|one| id::of(Kind::Component, one))
                .collect(),
            external_ref: input.external_ref,
            display_at: input.display_at.map(|at| at.0),
        };
        let scheduled = commands::maintenance::schedule(&command(ctx)?, call(input.idempotency_key), schedule).await;
        let (maintenance, _, user_errors) = shown(ctx, scheduled)?;
        Ok(MaintenanceSchedulePayload {
            maintenance,
            user_errors,
        })
    }

    /// Gives a maintenance that is not over new values.
    async fn maintenance_amend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: MaintenanceAmendInput,
    ) -> Result<MaintenanceAmendPayload> {
        let amend = commands::maintenance::Amend {
            maintenance: id::of(Kind::Maintenance, &input.maintenance),
            expected_version: input.expected_version,
            title: input.title,
            scheduled_for: input.scheduled_for.map(|at| at.0),
            scheduled_until: input.scheduled_until.map(|at| at.0),
            automatic: input.automatic,
            components: input
                .components
                .map(|all| all.iter().map(|one| id::of(Kind::Component, one)).collect()),
        };
        let amended = commands::maintenance::amend(&command(ctx)?, call(None), amend).await;
        let (maintenance, _, user_errors) = shown(ctx, amended)?;
        Ok(MaintenanceAmendPayload {
            maintenance,
            user_errors,
        })
    }

    /// Begins the work of a maintenance.
    async fn maintenance_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: MaintenanceStartInput,
    ) -> Result<MaintenanceStartPayload> {
        let status = Some(Status::InProgress);
        let start = update(
            &input.maintenance,
            input.expected_version,
            status,
            input.body,
            input.display_at,
        );
        let started = commands::maintenance::post_update(&command(ctx)?, call(input.idempotency_key), start).await;
        let (maintenance, update, user_errors) = shown(ctx, implied(started, "status"))?;
        Ok(MaintenanceStartPayload {
            maintenance,
            update,
            user_errors,
        })
    }

    /// Says something of a maintenance, which may move it.
    async fn maintenance_update_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: MaintenanceUpdatePostInput,
    ) -> Result<MaintenanceUpdatePostPayload> {
        let status = input.status.map(Into::into);
        let post = update(
            &input.maintenance,
            input.expected_version,
            status,
            input.body,
            input.display_at,
        );
        let posted = commands::maintenance::post_update(&command(ctx)?, call(input.idempotency_key), post).await;
        let (maintenance, update, user_errors) = shown(ctx, posted)?;
        Ok(MaintenanceUpdatePostPayload {
            maintenance,
            update,
            user_errors,
        })
    }

    /// Completes a maintenance.
    async fn maintenance_complete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: MaintenanceCompleteInput,
    ) -> Result<MaintenanceCompletePayload> {
        let status = Some(Status::Completed);
        let complete = update(
            &input.maintenance,
            input.expected_version,
            status,
            input.body,
            input.display_at,
        );
        let completed = commands::maintenance::post_update(&command(ctx)?, call(input.idempotency_key), complete).await;
        let (maintenance, update, user_errors) = shown(ctx, implied(completed, "status"))?;
        Ok(MaintenanceCompletePayload {
            maintenance,
            update,
            user_errors,
        })
    }

    /// Cancels a maintenance that has not begun.
    async fn maintenance_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: MaintenanceCancelInput,
    ) -> Result<MaintenanceCancelPayload> {
        let status = Some(Status::Cancelled);
        let cancel = update(&input.maintenance, input.expected_version, status, input.body, None);
        let cancelled = commands::maintenance::post_update(&command(ctx)?, call(input.idempotency_key), cancel).await;
        let (maintenance, update, user_errors) = shown(ctx, implied(cancelled, "status"))?;
        Ok(MaintenanceCancelPayload {
            maintenance,
            update,
            user_errors,
        })
    }
}
