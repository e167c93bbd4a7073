//! Allclear: a self-hosted incident and status backend.
//!
//! The modules in reading order, which is the order of dependence: each may name only those above it.

pub mod domain;
pub mod markdown;
pub mod statuspage;
pub mod budget;
pub mod error;
pub mod clock;
pub mod seeded;
pub mod item;
pub mod price;
pub mod entity;
pub mod store;
pub mod live;
pub mod access;
pub mod app;
pub mod queries;
pub mod commands;
pub mod graphql;
pub mod transport;
pub mod server;
pub mod telemetry;
pub mod cli;
