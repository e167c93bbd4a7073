//! Real clients, written in JavaScript and Python, against a running server (`tests/clients`).

mod apollo;
mod browser;
mod compilers;
mod event_source;
mod gql;
mod graphql_http;
mod graphql_sse;
mod graphql_ws;
mod node;
mod schemathesis;
mod script;
mod urql;
