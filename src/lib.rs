//! Allclear: a self-hosted incident and status backend.

pub mod domain;
pub mod transport;
