//! What the timelines of incidents and of maintenances have in common.

use std::sync::Arc;

use async_graphql::{OutputType, SimpleObject};
use uuid::Uuid;

use super::charged::Charged;
use super::component::{self, Component};
use super::connection::{self, Arguments, Counted, Counting};
use super::enums::{ComponentStatus, UpdateOrder};
use super::error::Result;
use super::scalar::{DateTime, Markdown};
use crate::domain;
use crate::domain::cursor::CursorInvalid;
use crate::domain::timeline::{Change, Revision, Update};
use crate::error::Error;
use crate::queries::{Key, Slice, View};

/// The part of a timeline that is asked for; `node` makes the entry at a place in it.
///
/// # Errors
/// Those of the arguments; `CURSOR_INVALID` also for the cursor of an entry that has left the timeline, since nothing
/// tells where it stood.
pub(super) fn connection<S, T: OutputType>(
    view: &View,
    updates: &[Update<S>],
    arguments: Arguments,
    order: UpdateOrder,
    node: impl Fn(usize) -> T,
) -> Result<Counting<T>> {
    let window = arguments.window()?;
    let place = |key: Key| updates.iter().position(|update| update.id == key.id);
    if [window.after, window.before]
        .into_iter()
        .flatten()
        .any(|key| place(key).is_none())
    {
        return Err(Error::from(CursorInvalid).into());
    }
    let mut places: Vec<usize> = (0..updates.len()).collect();
    if order == UpdateOrder::NewestFirst {
        places.reverse();
    }
    let key = |at: &usize| {
        let update = &updates[*at];
        Key {
            order: update.display_at.millis(),
            id: update.id,
        }
    };
    let slice = Slice::of(places, &window, key, |own, other| match order {
        UpdateOrder::OldestFirst => place(own) > place(other),
        UpdateOrder::NewestFirst => place(own) < place(other),
    });
    let counted = Counted::Known(updates.len());
    Ok(connection::build(view, slice, counted, key, node))
}

/// What an update said before it was edited.
#[derive(SimpleObject, Debug)]
pub struct UpdateRevision {
    /// What it said.
    body: Markdown,
    /// The time it showed.
    display_at: DateTime,
    /// When it was replaced.
    replaced_at: DateTime,
}

/// What an update made of a component; `from` and `to` are the same where it only names it.
#[derive(SimpleObject, Debug)]
pub struct ComponentChange {
    /// The component.
    component: Component,
    /// Its status before.
    from: ComponentStatus,
    /// Its status after.
    to: ComponentStatus,
}

/// Revisions as the API shows them.
pub(super) fn revisions(view: &View, all: &[Revision]) -> Result<Charged<Vec<UpdateRevision>>> {
    let revision = |revision: &Revision| {
        Ok(UpdateRevision {
            body: Markdown(view.show(&revision.body)?.clone()),
            display_at: revision.display_at.into(),
            replaced_at: revision.replaced_at.into(),
        })
    };
    let revisions: Result<Vec<_>> = all.iter().map(revision).collect();
    Ok(Charged::list(view, revisions?))
}

/// Bytes of Markdown that are rendered where they are: 16 KiB, which take 2 ms. Longer texts are rendered on a thread for
/// blocking work.
const SHORT: usize = 16 << 10;

/// The HTML of a Markdown text, charged to the answer's budget.
pub(super) async fn html(view: &View, body: &str) -> Result<String> {
    let budget = view.budget();
    budget.breathe().await;
    budget.check().map_err(Error::from)?;
    if body.len() <= SHORT {
        return Ok(view.show(view.app().markdown.to_html(body))?);
    }
    let render = || {
        let (app, body) = (Arc::clone(view.app()), body.to_owned());
        move || app.markdown.to_html(&body)
    };
    let html = budget.apart(render).await.map_err(Error::from)?;
    Ok(view.show(html)?)
}

/// Component changes as the API shows them.
pub(super) async fn changes(
    view: &View,
    carried: Option<&[domain::component::Component]>,
    page: Uuid,
    all: &[Change],
) -> Result<Charged<Vec<ComponentChange>>> {
    let mut changes = Vec::with_capacity(all.len());
    for change in all {
        let component = component::named(view, carried, page, change.component).await?;
        changes.push(ComponentChange {
            component,
            from: change.from.into(),
            to: change.to.into(),
        });
    }
    Ok(Charged::list(view, changes))
}

/// Declares the entries of one kind of timeline, under the name of the field that leads back to its owner.
macro_rules! timeline_update {
    (
        $(#[$meta:meta])*
        $name:ident of $owner:ident: $owner_type:ty = $state:ty, $status:ty, $kind:expr,
        $(#[$owner_meta:meta])*
        $(,)?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $owner: $owner_type,
            index: usize,
        }

        impl $name {
            fn state(&self) -> &$state {
                &self.$owner.state.updates[self.index]
            }
        }

        $(#[$meta])*
        #[async_graphql::Object]
        impl $name {
            /// Its global id.
            pub(super) async fn id(&self) -> async_graphql::ID {
                $crate::graphql::id::encode($kind, self.state().id)
            }

            $(#[$owner_meta])*
            async fn $owner(&self) -> $owner_type {
                self.$owner.clone()
            }

            /// 1, 2, 3, … in the order of posting.
            async fn number(&self) -> i32 {
                self.state().number
            }

            /// The status it gave.
            async fn status(&self) -> $status {
                self.state().status.into()
            }

            /// What it says, as it was written.
            async fn body(&self) -> $crate::graphql::error::Result<$crate::graphql::scalar::Markdown> {
                let body = self.$owner.view.show(&self.state().body)?;
                Ok($crate::graphql::scalar::Markdown(body.clone()))
            }

            /// What it says, as HTML that is safe to show.
            async fn body_html(&self) -> $crate::graphql::error::Result<String> {
                $crate::graphql::timeline::html(&self.$owner.view, &self.state().body).await
            }

            /// The time shown, which may lie before it was posted.
            async fn display_at(&self) -> $crate::graphql::scalar::DateTime {
                self.state().display_at.into()
            }

            /// When it was posted.
            async fn created_at(&self) -> $crate::graphql::scalar::DateTime {
                self.state().created_at.into()
            }

            /// When its text or time was last replaced; null where it stands as it was posted.
            async fn edited_at(&self) -> Option<$crate::graphql::scalar::DateTime> {
                self.state().edited_at.map(Into::into)
            }

            /// What it said before it was edited, oldest first.
            async fn revisions(
                &self,
            ) -> $crate::graphql::error::Result<
                $crate::graphql::charged::Charged<Vec<$crate::graphql::timeline::UpdateRevision>>,
            > {
                $crate::graphql::timeline::revisions(&self.$owner.view, &self.state().revisions)
            }

            /// What it made of components.
            async fn component_changes(
                &self,
            ) -> $crate::graphql::error::Result<
                $crate::graphql::charged::Charged<Vec<$crate::graphql::timeline::ComponentChange>>,
            > {
                let owner = &self.$owner;
                let changes = &self.state().changes;
                $crate::graphql::timeline::changes(&owner.view, owner.carried.as_deref(), owner.state.page, changes)
                    .await
            }

            /// Who sees it: what is the staff's alone is not there for others.
            async fn audience(&self) -> $crate::graphql::enums::Audience {
                self.state().audience.into()
            }

            /// What the system it was imported from calls it; null where it was posted here.
            async fn external_ref(&self) -> Option<&str> {
                self.state().external_ref.as_deref()
            }
        }
    };
}

pub(super) use timeline_update;
