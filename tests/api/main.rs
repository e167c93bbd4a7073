//! The API as its users meet it: real databases, real sockets, one file for each topic.

mod support;

mod access;
mod audit;
mod backfill;
mod backup;
mod bad_inputs;
mod browser;
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
mod limit;
mod log;
mod maintenance;
mod markdown;
mod migrations;
mod mutated;
#[path = "../mutator/mutator.rs"]
mod mutator;
mod nodes;
mod page;
mod plans;
mod postmortem;
mod private_page;
mod rights;
mod schema;
mod staff;
mod shutdown;
mod statements;
mod storage;
mod subscription;
mod ticket;
mod timeline;
mod token;
mod token_end;
mod uptime;
