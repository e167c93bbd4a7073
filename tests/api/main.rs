//! The API as its users meet it: real databases, real sockets, one file for each topic.

mod support;

mod access;
mod backfill;
mod backup;
mod bad_input;
mod bad_request;
mod clients;
mod component;
mod connection;
mod consistency;
mod demo;
mod fault;
mod history;
mod idempotency;
mod import;
mod incident;
mod library;
mod log;
mod maintenance;
mod markdown;
mod migrations;
mod missing;
mod nodes;
mod page;
mod plans;
mod postmortem;
mod private_page;
mod schema;
mod shutdown;
mod statements;
mod storage;
mod subscription;
mod timeline;
mod uptime;
