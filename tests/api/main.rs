//! The API as its users meet it: real databases, real sockets, one file for each topic.

mod support;

mod clients;
mod demo;
mod import;
