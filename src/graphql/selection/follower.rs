//! One subscriber's place in what a selection shows.

use std::sync::Arc;

use super::{Rendered, Selection};
use crate::domain::cursor::Resume;
use crate::domain::event::EventKind;
use crate::graphql::scalar::Cursor;
use crate::graphql::watch::{Met, There, Watch};
use crate::item::{Item, Reach, Ready};
use crate::queries::{self, View};

/// One subscriber's place in what a selection shows.
pub struct Follower<R> {
    selection: Arc<Selection<R>>,
    watch: Watch,
    due: Option<Due<R>>,
}

/// What was met and is not handed out yet.
enum Due<R> {
    Met(Met),
    First(Item<R>),
}

pub(super) fn reach(met: &Met) -> Reach {
    match met {
        // After it, a subscription ends: each sees to that by itself.
        Met::Event(_, entry) if entry.kind == EventKind::PageArchived => Reach::Own,
        Met::Event(number, _) => Reach::All(*number),
        Met::Quiet(number) => Reach::Quiet(*number),
        Met::Snapshot(_) | Met::Reset(_) | Met::Gone => Reach::Own,
    }
}

impl Watch {
    /// Where a client may resume that has handled what is met.
    pub(super) fn cursor(&self, met: &Met) -> Arc<str> {
        match met {
            Met::Event(number, _) | Met::Quiet(number) => {
                let view = View::now(&self.app, self.sight.clone());
                queries::log::at_number(&view, self.page, *number).encode().into()
            }
            Met::Snapshot(standing) | Met::Reset(standing) => standing.cursor.0.as_str().into(),
            Met::Gone => "".into(),
        }
    }
}

impl<R: Rendered> Follower<R> {
    /// Begins to follow after a cursor, or from now on; none where the subscription is better executed by itself, which
    /// then says what is wrong.
    pub(super) async fn begin(selection: Arc<Selection<R>>, after: Option<&Cursor>) -> Option<Follower<R>> {
        let (app, filter) = (&selection.app, Arc::clone(&selection.filter));
        let mut watch = Watch::new(app, selection.sight.clone(), selection.page, filter)
            .await
            .ok()?;
        let mut due = None;
        match after {
            Some(cursor) => {
                let number = crate::domain::cursor::Cursor::decode(&cursor.0).ok()?.number;
                if !selection.is_current(number).await.ok()? {
                    return None;
                }
                match watch.place_after(cursor).await.ok()? {
                    Resume::After(number) => watch.follow.seek(number),
                    Resume::Reset => watch.reset_first(),
                }
            }
            None => due = Some(Due::First(selection.snapshot(&mut watch).await.ok()??)),
        }
        Some(Follower { selection, watch, due })
    }

    /// The same for all followers of one selection.
    pub fn selection(&self) -> u64 {
        self.selection.id
    }

    /// The number up to which everything was handed out, or passed over.
    pub fn position(&self) -> u64 {
        self.watch.follow.position()
    }

    /// Goes on after another number.
    pub fn seek(&mut self, number: u64) {
        self.watch.follow.seek(number);
    }

    /// Another follower of the same selection, at the same place.
    pub fn fork(&self) -> Follower<R> {
        Follower {
            selection: Arc::clone(&self.selection),
            watch: self.watch.fork(),
            due: None,
        }
    }

    /// What comes next, if it is there. It can be dropped at any time and called again.
    pub async fn ready(&mut self) -> Ready<R> {
        if self.due.is_none() {
            match self.watch.ready().await {
                There::Met(met) => self.due = Some(Due::Met(met)),
                There::Nothing => return Ready::Nothing,
                There::End => return Ready::End,
            }
        }
        self.hand_out().await
    }

    /// What comes next, whenever it comes. It can be dropped at any time and called again.
    pub async fn next(&mut self) -> Ready<R> {
        if self.due.is_none() {
            match self.watch.next().await {
                Some(met) => self.due = Some(Due::Met(met)),
                None => return Ready::End,
            }
        }
        self.hand_out().await
    }

    async fn hand_out(&mut self) -> Ready<R> {
        let item = match &self.due {
            None => return Ready::Nothing,
            Some(Due::First(item)) => item.clone(),
            Some(Due::Met(met)) => self.selection.show(&self.watch, met.clone()).await,
        };
        self.due = None;
        Ready::Item(item)
    }
}
