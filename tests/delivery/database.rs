//! The database under the nodes, and what befalls it.

use std::ffi::OsStr;
use std::path::Path;

use allclear::domain::time::Timestamp;
use allclear::store::{Options, Store};
use sea_orm::{ConnectionTrait, Database as Connect, DatabaseConnection, DbErr};

use crate::postgres::{Cluster, binaries, command, owner};

/// The one database of the cluster that the nodes use.
const NAME: &str = "delivery";

/// Where the log is kept.
pub(crate) enum Database {
    Sqlite { url: String },
    Postgres(Cluster),
}

impl Database {
    pub(crate) fn sqlite(folder: &Path) -> Database {
        Database::Sqlite {
            url: format!("sqlite://{}?mode=rwc", folder.join("allclear.db").display()),
        }
    }

    /// An empty database in a cluster that nobody else uses, for it is going to be stopped.
    pub(crate) async fn postgres(cluster: Cluster) -> Result<Database, String> {
        let database = Database::Postgres(cluster);
        let admin = database.admin().await.map_err(|error| error.to_string())?;
        let made = admin.execute_unprepared(&format!("CREATE DATABASE {NAME}")).await;
        made.map_err(|error| error.to_string())?;
        Ok(database)
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Database::Sqlite { url } => url.clone(),
            Database::Postgres(cluster) => cluster.url(NAME),
        }
    }

    /// Connects for one look. A connection that stayed would keep SQLite's WAL alive through the death of a node.
    pub(crate) async fn connect(&self) -> Result<DatabaseConnection, DbErr> {
        let mut options = sea_orm::ConnectOptions::new(self.url());
        options.max_connections(1).sqlx_logging(false);
        Connect::connect(options).await
    }

    async fn admin(&self) -> Result<DatabaseConnection, DbErr> {
        match self {
            Database::Sqlite { .. } => self.connect().await,
            Database::Postgres(cluster) => {
                let mut options = sea_orm::ConnectOptions::new(cluster.url("postgres"));
                options.max_connections(1).sqlx_logging(false);
                Connect::connect(options).await
            }
        }
    }

    /// Prunes what is older, by the product's own code, as a node's upkeep would. Retention is told in days on the
    /// command line; here it is a matter of seconds.
    pub(crate) async fn prune(&self, older_than: Timestamp) -> Result<u64, String> {
        let options = Options {
            url: self.url(),
            connections: 2,
            listen_url: None,
        };
        let store = Store::open(&options).await.map_err(|error| error.to_string())?;
        let pruned = store.prune(older_than).await;
        store.close().await;
        pruned.map_err(|error| error.to_string())
    }

    /// Stops PostgreSQL as a crash would, and starts it.
    pub(crate) async fn restart(&self) -> Result<(), String> {
        let Database::Postgres(cluster) = self else {
            return Err("SQLite does not restart by itself".to_owned());
        };
        let folder = cluster.folder.clone();
        let restarted = tokio::task::spawn_blocking(move || {
            let binaries = binaries().ok_or("PostgreSQL's programs are gone")?;
            let (data, log) = (folder.join("data"), folder.join("log"));
            let status = command(&binaries.join("pg_ctl"), owner()?)
                .args([OsStr::new("-D"), data.as_os_str(), OsStr::new("-l"), log.as_os_str()])
                .args(["-w", "-t", "30", "-m", "immediate", "restart"])
                .current_dir(&folder)
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .status();
            match status {
                Ok(status) if status.success() => Ok(()),
                other => Err(format!("pg_ctl restart: {other:?}")),
            }
        });
        restarted.await.map_err(|error| error.to_string())?
    }

    /// Cuts the connections of an application, or of all of them.
    pub(crate) async fn cut(&self, application: Option<&str>) -> Result<(), String> {
        let only = application.map(|name| format!("AND application_name = '{name}'"));
        let cut = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{NAME}' {}",
            only.unwrap_or_default()
        );
        let admin = self.admin().await.map_err(|error| error.to_string())?;
        let done = admin.execute_unprepared(&cut).await;
        // It was opened for this alone.
        let _ = admin.close().await;
        done.map(|_| ()).map_err(|error| error.to_string())
    }
}
