//! The API as its users meet it: real databases, real sockets, one file for each topic.

mod support;

mod access;
mod backfill;
mod bad_input;
mod bad_request;
mod clients;
mod component;
mod connection;
mod demo;
mod history;
mod idempotency;
mod import;
mod incident;
mod maintenance;
mod markdown;
mod missing;
mod page;
mod postmortem;
mod private_page;
mod timeline;
mod uptime;
