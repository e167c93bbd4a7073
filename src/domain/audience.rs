//! Who reads a stream of the log.

use super::code::coded_enum;

/// What is read of before there were audiences: everybody's.
pub(super) const fn everybody() -> Audience {
    Audience::Public
}

coded_enum! {
    /// The two ways a page is seen. A public change is numbered in both streams, a staff-only change in the staff
    /// stream alone (DESIGN.md, 2).
    pub enum Audience {
        Public = "public",
        Staff = "staff",
    }
}
