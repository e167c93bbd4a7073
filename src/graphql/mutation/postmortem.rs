//! Writing postmortems.

use async_graphql::{Context, ID, InputObject, Object};

use super::incident::shown;
use super::{call, command, payload};
use crate::commands;
use crate::graphql::error::Result;
use crate::graphql::id::{self, Kind};
use crate::graphql::incident::Incident;
use crate::graphql::scalar::{DateTime, Markdown};

/// A text to be kept as the draft of a postmortem.
#[derive(InputObject, Debug)]
pub struct PostmortemDraftInput {
    /// The incident, which must be over. `INCIDENT_NOT_FOUND`, `ILLEGAL_TRANSITION`.
    incident: ID,
    /// What was learnt. `BODY_REQUIRED`, `TOO_LONG`, `CONTROL_CHARACTER`.
    body: Markdown,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// A draft to be published.
#[derive(InputObject, Debug)]
pub struct PostmortemPublishInput {
    /// The incident. `INCIDENT_NOT_FOUND`; `POSTMORTEM_NOT_FOUND` without a draft.
    incident: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
    /// The time shown; now unless given. `UPDATE_BEFORE_START`, `TIME_IN_FUTURE`.
    display_at: Option<DateTime>,
    /// Makes a repeated call give the first answer again, for a day.
    idempotency_key: Option<String>,
}

/// A published postmortem to be taken back.
#[derive(InputObject, Debug)]
pub struct PostmortemWithdrawInput {
    /// The incident. `INCIDENT_NOT_FOUND`; `POSTMORTEM_NOT_FOUND` where none is published.
    incident: ID,
    /// The version it must have. `STALE_VERSION`.
    expected_version: Option<i32>,
}

payload! {
    /// The answer to `postmortemDraft`.
    PostmortemDraftPayload {
        /// The incident; null where nothing was kept.
        incident: Incident,
    }
}
payload! {
    /// The answer to `postmortemPublish`.
    PostmortemPublishPayload {
        /// The incident; null where nothing was published.
        incident: Incident,
    }
}
payload! {
    /// The answer to `postmortemWithdraw`.
    PostmortemWithdrawPayload {
        /// The incident; null where nothing was taken back.
        incident: Incident,
    }
}

#[derive(Debug, Default)]
pub struct PostmortemMutation;

#[Object]
impl PostmortemMutation {
    /// Keeps the draft of a postmortem, in place of an earlier draft. The staff alone sees it.
    async fn postmortem_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: PostmortemDraftInput,
    ) -> Result<PostmortemDraftPayload> {
        let incident = id::of(Kind::Incident, &input.incident);
        let draft = commands::postmortem::Draft {
            incident,
            body: input.body.0,
        };
        let drafted = commands::postmortem::draft(&command(ctx)?, call(input.idempotency_key), draft).await;
        let (incident, _, user_errors) = shown(ctx, drafted)?;
        Ok(PostmortemDraftPayload { incident, user_errors })
    }

    /// Publishes the draft as the last entry of the timeline, or revises what is published.
    async fn postmortem_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: PostmortemPublishInput,
    ) -> Result<PostmortemPublishPayload> {
        let publish = commands::postmortem::Publish {
            incident: id::of(Kind::Incident, &input.incident),
            expected_version: input.expected_version,
            display_at: input.display_at.map(|at| at.0),
        };
        let published = commands::postmortem::publish(&command(ctx)?, call(input.idempotency_key), publish).await;
        let (incident, _, user_errors) = shown(ctx, published)?;
        Ok(PostmortemPublishPayload { incident, user_errors })
    }

    /// Takes the published postmortem back: it leaves the timeline and becomes the draft again.
    async fn postmortem_withdraw(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: PostmortemWithdrawInput,
    ) -> Result<PostmortemWithdrawPayload> {
        let withdraw = commands::postmortem::Withdraw {
            incident: id::of(Kind::Incident, &input.incident),
            expected_version: input.expected_version,
        };
        let withdrawn = commands::postmortem::withdraw(&command(ctx)?, call(None), withdraw).await;
        let (incident, _, user_errors) = shown(ctx, withdrawn)?;
        Ok(PostmortemWithdrawPayload { incident, user_errors })
    }
}
