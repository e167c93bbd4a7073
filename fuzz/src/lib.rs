//! What holds of any input whatever, one module for each place where foreign bytes come in. Each has a function `holds`
//! that takes bytes and panics where something does not hold.
//!
//! The targets of `cargo fuzz` call them with what the engine makes up; an ordinary test (`tests/mutated.rs`) with seeds
//! and what becomes of seeds by chance. README.md tells how both are run.

pub mod cursor;
pub mod import;
pub mod markdown;
pub mod preflight;
pub mod websocket_frame;
