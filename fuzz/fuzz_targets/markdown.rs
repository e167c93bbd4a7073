//! Bodies, as the engine makes them up.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| allclear_fuzz::markdown::holds(bytes));
