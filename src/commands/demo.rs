//! The demo: a service with a past, a present and a future, entered through the same commands as everything else.

use uuid::Uuid;

use super::incident::{self, BackfillUpdate, ComponentState};
use super::{Call, Context, component, component_group, maintenance, page, postmortem};
use crate::domain::audience::Audience;
use crate::domain::component::ComponentStatus;
use crate::domain::incident::IncidentStatus;
use crate::domain::page::Visibility;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// The slug of the demo's page.
pub const SLUG: &str = "healthwise";

const MINUTE: i64 = 60 * 1000;
const DAY: i64 = 24 * 60 * MINUTE;

const POSTMORTEM: &str = r"# Root Cause Analysis \(RCA\)

## Event Description

On August 4, 2021 several hosted solutions answered slowly or not at all. Searches were affected longest. The degradation
lasted 119 minutes.

Five applications were affected:

- Coach
- EMR Module
- Knowledgebase
- Media Service API
- Custom Content Manager

## Findings and Root Cause

A deployment left one web server node unresponsive \(it still answered the load balancer's health check\). Requests that
reached this node waited until they timed out.

## Corrective Action

1. The node was taken out of the load balancer.
2. It was redeployed and validated.
3. It was put back, and watched for an hour.
";

/// Fills an empty database: the page with its components, the incident of DOMAIN.md section 1 with its postmortem, a
/// maintenance to come, and an incident in progress.
///
/// # Errors
/// Those of the commands it runs.
pub async fn fill(context: &Context) -> Result<()> {
    let create = page::Create {
        slug: SLUG.to_owned(),
        name: "Healthise".to_owned(),
        description: Some("Health education and decision support for care teams.".to_owned()),
        url: Some("https://www.example.com/".to_owned()),
        time_zone: "America/Boise".to_owned(),
        visibility: Visibility::Public,
        external_ref: None,
    };
    let page = page::create(context, Call::PLAIN, create).await?.id;
    let applications = group(context, page, "Applications").await?;
    let coach = component(context, page, applications, "Coach").await?;
    let content_manager = component(context, page, applications, "Custom Content Manager (CCM)").await?;
    let emr = component(context, page, applications, "EMR Modules").await?;
    let services = group(context, page, "Services").await?;
    let knowledgebase = component(context, page, services, "Knowledgebase").await?;
    let media = component(context, page, services, "Media Service API").await?;
    let search = component(context, page, services, "Search").await?;

    outage_of_2021(context, page, [coach, content_manager, emr]).await?;
    maintenance_to_come(context, page, vec![knowledgebase, media]).await?;
    incident_in_progress(context, page, search).await
}

async fn group(context: &Context, page: Uuid, name: &str) -> Result<Uuid> {
    let name = name.to_owned();
    let create = component_group::Create {
        page,
        name,
        description: None,
        position: None,
        external_ref: None,
    };
    Ok(component_group::create(context, Call::PLAIN, create).await?.id)
}

async fn component(context: &Context, page: Uuid, group: Uuid, name: &str) -> Result<Uuid> {
    let create = component::Create {
        page,
        group: Some(group),
        name: name.to_owned(),
        description: None,
        status: ComponentStatus::Operational,
        position: None,
        external_ref: None,
    };
    Ok(component::create(context, Call::PLAIN, create).await?.id)
}

/// The record we start from: its page shows minutes, its duration of 2h 39m comes from the seconds (DOMAIN.md, 1). The
/// sentence counts three components, so three are named; the postmortem tells of five applications.
async fn outage_of_2021(context: &Context, page: Uuid, affected: [Uuid; 3]) -> Result<()> {
    let states = |status| {
        affected
            .iter()
            .map(|component| ComponentState {
                component: *component,
                status,
            })
            .collect()
    };
    let update = |status, at: &str, body: &str, components: Vec<ComponentState>| -> Result<BackfillUpdate> {
        Ok(BackfillUpdate {
            status,
            body: body.to_owned(),
            display_at: instant(at)?,
            components,
        })
    };
    let updates = vec![
        update(
            IncidentStatus::Investigating,
            "2021-08-04T14:27:35.214Z",
            "We are aware of an issue with several of our hosted solutions. Our team is working on a fix.",
            states(ComponentStatus::PartialOutage),
        )?,
        update(
            IncidentStatus::Investigating,
            "2021-08-04T14:28:12.871Z",
            "We are continuing to investigate this issue.",
            Vec::new(),
        )?,
        update(
            IncidentStatus::Investigating,
            "2021-08-04T14:46:03.402Z",
            "We are continuing to investigate this issue.",
            Vec::new(),
        )?,
        update(
            IncidentStatus::Monitoring,
            "2021-08-04T16:02:48.950Z",
            "Most solutions have recovered. Search indexing still has degraded performance; we are monitoring it.",
            states(ComponentStatus::DegradedPerformance),
        )?,
        update(
            IncidentStatus::Resolved,
            "2021-08-04T17:07:10.091Z",
            "This incident has been resolved. All services are operational.",
            Vec::new(),
        )?,
    ];
    let backfill = incident::Backfill {
        page,
        title: "Hosted solutions unavailable".to_owned(),
        started_at: None,
        resolved_at: None,
        impact_override: None,
        external_ref: None,
        metadata: None,
        updates,
    };
    let incident = incident::backfill(context, Call::PLAIN, backfill).await?.incident.id;
    let draft = postmortem::Draft {
        incident,
        body: POSTMORTEM.to_owned(),
    };
    postmortem::draft(context, Call::PLAIN, draft).await?;
    let display_at = Some(instant("2021-08-11T14:08:21.330Z")?);
    postmortem::publish(
        context,
        Call::PLAIN,
        postmortem::Publish {
            incident,
            expected_version: None,
            display_at,
        },
    )
    .await?;
    Ok(())
}

async fn maintenance_to_come(context: &Context, page: Uuid, components: Vec<Uuid>) -> Result<()> {
    let begins = context.app.clock.now().plus_millis(2 * DAY);
    let schedule = maintenance::Schedule {
        page,
        title: "Database upgrade".to_owned(),
        body: "We upgrade the database behind the Knowledgebase. Expect **short interruptions**, no loss of data."
            .to_owned(),
        scheduled_for: begins,
        scheduled_until: begins.plus_millis(90 * MINUTE),
        automatic: true,
        components,
        external_ref: None,
        display_at: None,
    };
    maintenance::schedule(context, Call::PLAIN, schedule).await?;
    Ok(())
}

async fn incident_in_progress(context: &Context, page: Uuid, search: Uuid) -> Result<()> {
    let began = context.app.clock.now().plus_millis(-25 * MINUTE);
    let open = incident::Open {
        page,
        title: "Search is slow".to_owned(),
        status: IncidentStatus::Investigating,
        body: "Searches take several seconds. We are looking for the cause.".to_owned(),
        display_at: Some(began),
        started_at: None,
        components: vec![ComponentState {
            component: search,
            status: ComponentStatus::DegradedPerformance,
        }],
        impact_override: None,
        external_ref: Some("alert-4711".to_owned()),
        metadata: None,
        audience: Audience::Public,
    };
    let opened = incident::open(context, Call::PLAIN, open).await?;
    let identified = incident::PostUpdate {
        incident: opened.incident.id,
        expected_version: None,
        status: Some(IncidentStatus::Identified),
        body: "An index is being rebuilt after last night's import. We expect it to finish within the hour.".to_owned(),
        display_at: Some(began.plus_millis(14 * MINUTE)),
        components: Vec::new(),
        audience: Audience::Public,
    };
    incident::post_update(context, Call::PLAIN, identified).await?;
    Ok(())
}

fn instant(text: &str) -> Result<Timestamp> {
    Timestamp::parse(text).ok_or_else(|| Error::Corrupt(format!("the demo's instant {text}")))
}
