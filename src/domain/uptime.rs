//! To come.
pub const PARTIAL_OUTAGE_WEIGHT: f64 = 0.3;
