//! Impact of incidents and the indicator of a page.
use super::code::coded_enum;
use super::component::ComponentStatus;

coded_enum! {
    /// How bad it is.
    pub enum Impact {
        None = "none",
        Maintenance = "maintenance",
        Minor = "minor",
        Major = "major",
        Critical = "critical",
    }
}

coded_enum! {
    /// What a page says of its components.
    pub enum Condition {
        AllOperational = "all_operational",
    }
}
impl Condition {
    pub fn words(self) -> &'static str {
        "All Systems Operational"
    }
    pub fn indicator(self) -> Impact {
        Impact::None
    }
}
pub fn condition(_statuses: &[ComponentStatus]) -> Condition {
    Condition::AllOperational
}
pub fn blend(statuses: &[ComponentStatus]) -> Impact {
    condition(statuses).indicator()
}
