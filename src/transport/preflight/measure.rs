//! The size of a selection, with the fragments in it expanded.

use super::limits::{Limits, within};
use crate::transport::RequestError;

/// How large a selection is. Numbers stop at their maximum, so that no document overflows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) depth: u64,
    /// Fields, and fragments where they are used: each is a step of whoever expands the document.
    pub(super) fields: u64,
    pub(super) aliases: u64,
    pub(super) directives: u64,
    /// Bytes of arguments, each as often as it is read.
    pub(super) arguments: u64,
    /// The longest chain of introspection's list fields.
    pub(super) introspection: u64,
}

impl Measure {
    /// Both selections, one beside the other.
    pub(super) fn beside(self, other: Measure) -> Measure {
        Measure {
            depth: self.depth.max(other.depth),
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            arguments: self.arguments.saturating_add(other.arguments),
            introspection: self.introspection.max(other.introspection),
        }
    }

    /// Refuses what is past any limit but the cost, which only concerns the operation that runs.
    pub(super) fn check(self, limits: &Limits) -> Result<(), RequestError> {
        within("depth", self.depth, limits.depth)?;
        within("fields", self.fields, limits.fields)?;
        within("aliases", self.aliases, limits.aliases)?;
        within("directives", self.directives, limits.directives)?;
        within("arguments", self.arguments, limits.arguments)
    }
}
