//! Allclear: a self-hosted incident and status backend.
//!
//! The modules in reading order, which is the order of dependence: each may name only those above it.

pub mod domain;
pub mod markdown;
