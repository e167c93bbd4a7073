//! What a page consists of: the page, its groups and its components, in the order they are shown.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::component::{Component, ComponentGroup, ComponentStatus};
use super::impact::{self, Condition};
use super::page::Page;

/// What a page consists of: bounded, so that it is read as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// `None` if the page is archived.
    pub page: Option<Arc<Page>>,
    /// In the order they are shown.
    pub groups: Vec<Arc<ComponentGroup>>,
    /// In the order they are shown: groups and ungrouped components by position, then the components of a group.
    pub components: Vec<Arc<Component>>,
    /// Archived components: incidents still name them.
    archived: Vec<Arc<Component>>,
}

impl Parts {
    /// The parts of a page, given in any order.
    pub fn new(
        page: Option<Page>,
        groups: Vec<ComponentGroup>,
        components: Vec<Component>,
        archived: Vec<Component>,
    ) -> Parts {
        let mut parts = Parts {
            page: page.map(Arc::new),
            groups: groups.into_iter().map(Arc::new).collect(),
            components: components.into_iter().map(Arc::new).collect(),
            archived: archived.into_iter().map(Arc::new).collect(),
        };
        parts.sort();
        parts
    }

    /// How many things these are, archived components included.
    pub fn count(&self) -> usize {
        1 + self.groups.len() + self.components.len() + self.archived.len()
    }

    /// Replaces the page; `None` archives it.
    pub fn set_page(&mut self, page: Option<&Page>) {
        self.page = page.cloned().map(Arc::new);
    }

    /// Adds a group, or replaces the one with its id.
    pub fn set_group(&mut self, group: &ComponentGroup) {
        self.groups.retain(|known| known.id != group.id);
        self.groups.push(Arc::new(group.clone()));
        self.sort();
    }

    /// Removes a group. Its components are shown ungrouped.
    pub fn remove_group(&mut self, id: Uuid) {
        self.groups.retain(|known| known.id != id);
        self.sort();
    }

    /// Adds a component, or replaces the one with its id.
    pub fn set_component(&mut self, component: &Component) {
        self.forget_component(component.id);
        self.components.push(Arc::new(component.clone()));
        self.sort();
    }

    /// Archives a component.
    pub fn archive_component(&mut self, component: &Component) {
        self.forget_component(component.id);
        self.archived.push(Arc::new(component.clone()));
    }

    fn forget_component(&mut self, id: Uuid) {
        self.components.retain(|known| known.id != id);
        self.archived.retain(|known| known.id != id);
    }

    fn sort(&mut self) {
        self.groups.sort_by_key(|group| (group.position, group.id));
        let position: HashMap<Uuid, i32> = self.groups.iter().map(|group| (group.id, group.position)).collect();
        self.components
            .sort_by_key(|component| component.place(component.group.and_then(|group| position.get(&group).copied())));
    }

    /// A component of this page, including archived ones.
    pub fn component(&self, id: Uuid) -> Option<&Arc<Component>> {
        self.components
            .iter()
            .chain(&self.archived)
            .find(|component| component.id == id)
    }

    /// The index of a component in the order they are shown; archived ones come last.
    pub fn place(&self, id: Uuid) -> usize {
        self.components
            .iter()
            .position(|component| component.id == id)
            .unwrap_or(usize::MAX)
    }

    /// A group of this page.
    pub fn group(&self, id: Uuid) -> Option<&Arc<ComponentGroup>> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// The components of a group.
    pub fn in_group(&self, id: Uuid) -> impl Iterator<Item = &Arc<Component>> {
        self.components
            .iter()
            .filter(move |component| component.group == Some(id))
    }

    /// The page's indicator and status text, from the statuses of its components.
    pub fn condition(&self) -> Condition {
        let statuses: Vec<ComponentStatus> = self.components.iter().map(|component| component.status).collect();
        impact::condition(&statuses)
    }
}
