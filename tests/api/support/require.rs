//! What a machine may lack: tests that need it say so and are skipped, unless it is required.

/// Whether `ALLCLEAR_TEST_REQUIRE` names a thing: then its lack is a failure.
fn is_required(thing: &str) -> bool {
    let required = std::env::var("ALLCLEAR_TEST_REQUIRE").unwrap_or_default();
    required.split(',').any(|name| name.trim() == thing)
}

/// Says that a thing is lacking, or fails where it is required.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn lacking(thing: &str, why: &str) {
    assert!(
        !is_required(thing),
        "{thing} is required (ALLCLEAR_TEST_REQUIRE) and lacking: {why}"
    );
    eprintln!("skipped: no {thing} ({why})");
}
