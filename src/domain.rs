//! The rules of incidents, maintenances and pages: no I/O, no clock, no framework.

pub mod audience;
mod code;
pub mod component;
pub mod cursor;
pub mod impact;
pub mod summary;
pub mod text;
pub mod time;
pub mod uptime;
