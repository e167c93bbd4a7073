//! Real clients, written in JavaScript and Python, against a running server (`tests/clients`).

mod apollo;
mod compilers;
mod gql;
mod graphql_http;
mod graphql_ws;
mod script;
