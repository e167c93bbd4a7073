//! What the server tells its operators: lines on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// What tells the database's URL, with its password, at a level that somebody may ask for: as a field of spans.
const QUIET: [&str; 2] = ["sea_orm::database=warn", "sea_orm::driver=warn"];

/// Begins to log. `filter` is in the form of `tracing`'s directives, such as `info` or `info,allclear=debug`.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let mut filter = EnvFilter::builder().parse(filter)?;
    for quiet in QUIET {
        filter = filter.add_directive(quiet.parse()?);
    }
    // A second start, as in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}
