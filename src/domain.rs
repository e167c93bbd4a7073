//! The rules of incidents, maintenances and pages: no I/O, no clock, no framework.

pub mod audience;
pub mod code;
pub mod component;
pub mod cursor;
pub mod event;
pub mod filter;
pub mod impact;
pub mod incident;
pub mod maintenance;
pub mod page;
pub mod parts;
pub mod refusal;
pub mod role;
pub mod summary;
pub mod text;
pub mod time;
pub mod timeline;
pub mod uptime;

#[cfg(test)]
pub(crate) mod sample;
