//! The present state of one page, held in memory. The log carries the whole of whatever changed, so applying its entries keeps the
//! state current. Pure: no task, no database.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use crate::domain::audience::Audience;
use crate::domain::event::Subject;
use crate::domain::incident::Incident;
use crate::domain::maintenance::Maintenance;
use crate::domain::parts::Parts;
use crate::domain::timeline::Update;
use crate::entity::component_change::Recorded;
use crate::store::log::Entry;

/// The recorded statuses of one component, oldest first.
pub type History = Arc<Vec<Recorded>>;

/// Bytes that an entry of a list takes beside its texts, estimated generously.
const ITEM_BYTES: usize = 512;

/// Bytes that a component change takes: in its update, and as a row of its component's history.
const CHANGE_BYTES: usize = 96;

/// A page as it stood at one number of its log. Copies share what did not change.
#[derive(Clone, Debug)]
pub struct Present {
    staff_number: u64,
    public_number: u64,
    parts: Arc<Parts>,
    /// Newest first: by `started_at`, then by id.
    incidents: Arc<Vec<Arc<HeldIncident>>>,
    /// Latest first: by `scheduled_for`, then by id.
    maintenances: Arc<Vec<Arc<Maintenance>>>,
    /// By component; filled when a history is first read.
    histories: HashMap<Uuid, Arc<OnceLock<History>>>,
    bytes: usize,
}

/// An incident as each audience sees it.
#[derive(Debug, PartialEq)]
pub struct HeldIncident {
    staff: Arc<Incident>,
    public: Option<Arc<Incident>>,
    components: Box<[Uuid]>,
}

impl HeldIncident {
    fn new(incident: Incident) -> HeldIncident {
        let mut components: Vec<Uuid> = incident.updates.iter().flat_map(named).collect();
        components.sort_unstable();
        components.dedup();
        let staff = Arc::new(incident);
        let public = staff.exists_for(Audience::Public).then(|| {
            let seen = staff.as_ref().clone().seen_by(Audience::Public);
            // Almost all incidents look the same to everybody.
            if seen == *staff {
                Arc::clone(&staff)
            } else {
                Arc::new(seen)
            }
        });
        HeldIncident {
            staff,
            public,
            components: components.into(),
        }
    }

    /// The incident as an audience sees it; `None` if it does not exist for that audience.
    pub const fn seen_by(&self, audience: Audience) -> Option<&Arc<Incident>> {
        match audience {
            Audience::Staff => Some(&self.staff),
            Audience::Public => self.public.as_ref(),
        }
    }

    /// The components that its updates name, sorted.
    pub const fn components(&self) -> &[Uuid] {
        &self.components
    }

    fn id(&self) -> Uuid {
        self.staff.id
    }

    fn order(&self) -> (i64, Uuid) {
        (self.staff.started_at.millis(), self.staff.id)
    }

    fn bytes(&self) -> usize {
        let own = incident_bytes(&self.staff);
        let is_shared = self
            .public
            .as_ref()
            .is_none_or(|public| Arc::ptr_eq(public, &self.staff));
        if is_shared { own } else { 2 * own }
    }
}

fn named<S>(update: &Update<S>) -> impl Iterator<Item = Uuid> {
    update.changes.iter().map(|change| change.component)
}

fn order(maintenance: &Maintenance) -> (i64, Uuid) {
    (maintenance.scheduled_for.millis(), maintenance.id)
}

fn timeline_bytes<S>(updates: &[Update<S>]) -> usize {
    let bytes = |update: &Update<S>| {
        let revisions: usize = update.revisions.iter().map(|revision| revision.body.len()).sum();
        ITEM_BYTES + update.body.len() + revisions + CHANGE_BYTES * update.changes.len()
    };
    updates.iter().map(bytes).sum()
}

fn incident_bytes(incident: &Incident) -> usize {
    let postmortem = incident.postmortem.as_ref().map_or(0, |postmortem| {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        text(&postmortem.draft) + text(&postmortem.published)
    });
    let metadata = incident
        .metadata
        .as_ref()
        .map_or(0, |value| 4 * value.to_string().len());
    2 * ITEM_BYTES + incident.title.len() + timeline_bytes(&incident.updates) + postmortem + metadata
}

fn maintenance_bytes(maintenance: &Maintenance) -> usize {
    2 * ITEM_BYTES + maintenance.title.len() + timeline_bytes(&maintenance.updates)
}

/// What is needed to hold a page, collected piece by piece and counted meanwhile.
#[derive(Debug)]
pub(super) struct Collected {
    parts: Parts,
    incidents: Vec<Arc<HeldIncident>>,
    maintenances: Vec<Arc<Maintenance>>,
    bytes: usize,
}

impl Collected {
    pub(super) fn new(parts: Parts) -> Collected {
        let bytes = ITEM_BYTES * (parts.groups.len() + parts.components.len() + 1);
        Collected {
            parts,
            incidents: Vec::new(),
            maintenances: Vec::new(),
            bytes,
        }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add_incidents(&mut self, incidents: Vec<Incident>) {
        for incident in incidents {
            let held = HeldIncident::new(incident);
            self.bytes += held.bytes();
            self.incidents.push(Arc::new(held));
        }
    }

    pub(super) fn add_maintenances(&mut self, maintenances: Vec<Maintenance>) {
        for maintenance in maintenances {
            self.bytes += maintenance_bytes(&maintenance);
            self.maintenances.push(Arc::new(maintenance));
        }
    }

    /// The page as it stood at these numbers of its streams.
    pub(super) fn finish(mut self, staff_number: u64, public_number: u64) -> Present {
        self.incidents.sort_by_key(|held| std::cmp::Reverse(held.order()));
        self.maintenances
            .sort_by_key(|maintenance| std::cmp::Reverse(order(maintenance)));
        let components = self.parts.components.iter();
        Present {
            staff_number,
            public_number,
            histories: components.map(|component| (component.id, Arc::default())).collect(),
            parts: Arc::new(self.parts),
            incidents: Arc::new(self.incidents),
            maintenances: Arc::new(self.maintenances),
            bytes: self.bytes,
        }
    }
}

impl Present {
    /// The number in an audience's stream up to which the log is included.
    pub const fn number(&self, audience: Audience) -> u64 {
        match audience {
            Audience::Public => self.public_number,
            Audience::Staff => self.staff_number,
        }
    }

    /// The page with its groups and components.
    pub const fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// All incidents, newest first.
    pub fn incidents(&self) -> &[Arc<HeldIncident>] {
        &self.incidents
    }

    /// All maintenances, latest first.
    pub fn maintenances(&self) -> &[Arc<Maintenance>] {
        &self.maintenances
    }

    /// The history of a component, if it was read since the component last changed.
    pub fn history(&self, component: Uuid) -> Option<&History> {
        self.histories.get(&component)?.get()
    }

    /// Keeps a history that was read when the log stood at this state's number.
    pub fn keep_history(&self, component: Uuid, history: &History) {
        if let Some(kept) = self.histories.get(&component) {
            kept.get_or_init(|| Arc::clone(history));
        }
    }

    /// Estimated bytes of memory.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The state after the next entry of the staff's stream.
    pub(super) fn after(&self, entry: &Entry) -> Present {
        let mut next = self.clone();
        next.staff_number = entry.staff_number;
        next.public_number = entry.public_number.unwrap_or(next.public_number);
        let payload = &entry.payload;
        let removes = entry.kind.removes();

        let parts = Arc::make_mut(&mut next.parts);
        let is_archived = removes && payload.subject == Subject::Page;
        parts.set_page((!is_archived).then_some(&payload.page));
        match &payload.subject {
            Subject::Page => {}
            Subject::ComponentGroup(group) if removes => parts.remove_group(group.id),
            Subject::ComponentGroup(group) => parts.set_group(group),
            Subject::Component(component) if removes => parts.archive_component(component),
            Subject::Component(component) => {
                parts.set_component(component);
                next.histories.insert(component.id, Arc::default());
            }
            Subject::Incident(incident) => next.set_incident(incident),
            Subject::Maintenance(maintenance) => next.set_maintenance(maintenance),
        }
        next
    }

    fn set_incident(&mut self, incident: &Incident) {
        let held = HeldIncident::new(incident.clone());
        let incidents = Arc::make_mut(&mut self.incidents);
        let before = incidents
            .iter()
            .position(|known| known.id() == incident.id)
            .map(|index| incidents.remove(index));
        self.bytes += held.bytes();
        self.bytes -= before.as_ref().map_or(0, |before| before.bytes());
        // A change of a timeline may have moved any component that it names, or named before.
        let touched = before.iter().flat_map(|before| before.components().to_vec());
        let touched: Vec<Uuid> = touched.chain(held.components().to_vec()).collect();
        let index = incidents.partition_point(|known| known.order() > held.order());
        incidents.insert(index, Arc::new(held));
        self.forget_histories(touched);
    }

    fn set_maintenance(&mut self, maintenance: &Maintenance) {
        let maintenances = Arc::make_mut(&mut self.maintenances);
        let before = maintenances
            .iter()
            .position(|known| known.id == maintenance.id)
            .map(|index| maintenances.remove(index));
        self.bytes += maintenance_bytes(maintenance);
        self.bytes -= before.as_ref().map_or(0, |before| maintenance_bytes(before));
        let timelines = before.iter().flat_map(|before| before.updates.iter());
        let touched: Vec<Uuid> = timelines.chain(&maintenance.updates).flat_map(named).collect();
        let index = maintenances.partition_point(|known| order(known) > order(maintenance));
        maintenances.insert(index, Arc::new(maintenance.clone()));
        self.forget_histories(touched);
    }

    fn forget_histories(&mut self, components: impl IntoIterator<Item = Uuid>) {
        for component in components {
            if let Some(kept) = self.histories.get_mut(&component) {
                *kept = Arc::default();
            }
        }
    }
}

/// Two states are equal if they show the same to every audience.
#[cfg(test)]
impl PartialEq for Present {
    fn eq(&self, other: &Present) -> bool {
        self.staff_number == other.staff_number
            && self.public_number == other.public_number
            && self.parts == other.parts
            && self.incidents == other.incidents
            && self.maintenances == other.maintenances
    }
}
