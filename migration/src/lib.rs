//! The steps that bring a database to its present shape: one file each, append only, the same on both databases.

pub use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod m0001_pages;
mod m0002_incidents;
mod m0003_maintenances;
mod m0004_log;
mod m0005_tokens;
mod m0006_audiences;
mod m0007_audit_chains;
mod m0008_versions;

/// All steps, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_pages::Migration),
            Box::new(m0002_incidents::Migration),
            Box::new(m0003_maintenances::Migration),
            Box::new(m0004_log::Migration),
            Box::new(m0005_tokens::Migration),
            Box::new(m0006_audiences::Migration),
            Box::new(m0007_audit_chains::Migration),
            Box::new(m0008_versions::Migration),
        ]
    }
}
