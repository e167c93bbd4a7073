//! One PostgreSQL cluster for all tests of this process.

use std::sync::OnceLock;

use super::postgres::Cluster;

impl Cluster {
    /// The cluster of this process, or why there is none.
    pub(crate) fn shared() -> Result<&'static Cluster, &'static str> {
        static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
        CLUSTER.get_or_init(Cluster::start).as_ref().map_err(String::as_str)
    }
}
