//! Stub while the rest is tried.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {}
pub(crate) fn run(_: &Args, _: &crate::contender::Programs) -> anyhow::Result<()> {
    Ok(())
}
