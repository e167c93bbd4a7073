//! The tables that the query of a status page reads.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

#[derive(Clone, Copy, Debug, DeriveActiveEnum, Enum, EnumIter, Eq, Ord, PartialEq, PartialOrd)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub(super) enum ComponentStatus {
    #[sea_orm(string_value = "operational")]
    Operational,
    #[sea_orm(string_value = "under_maintenance")]
    UnderMaintenance,
    #[sea_orm(string_value = "degraded_performance")]
    DegradedPerformance,
    #[sea_orm(string_value = "partial_outage")]
    PartialOutage,
    #[sea_orm(string_value = "major_outage")]
    MajorOutage,
}

#[derive(Clone, Copy, Debug, DeriveActiveEnum, Enum, EnumIter, Eq, PartialEq)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub(super) enum IncidentStatus {
    #[sea_orm(string_value = "investigating")]
    Investigating,
    #[sea_orm(string_value = "identified")]
    Identified,
    #[sea_orm(string_value = "monitoring")]
    Monitoring,
    #[sea_orm(string_value = "resolved")]
    Resolved,
    #[sea_orm(string_value = "postmortem")]
    Postmortem,
}

#[derive(Clone, Copy, Debug, DeriveActiveEnum, Enum, EnumIter, Eq, PartialEq)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub(super) enum Impact {
    #[sea_orm(string_value = "none")]
    None,
    #[sea_orm(string_value = "maintenance")]
    Maintenance,
    #[sea_orm(string_value = "minor")]
    Minor,
    #[sea_orm(string_value = "major")]
    Major,
    #[sea_orm(string_value = "critical")]
    Critical,
}

pub(super) mod page {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "page")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) slug: String,
        pub(crate) name: String,
        pub(crate) archived_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod component_group {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "component_group")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) page_id: Uuid,
        pub(crate) name: String,
        pub(crate) position: i32,
        pub(crate) archived_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod component {
    use sea_orm::entity::prelude::*;

    use super::ComponentStatus;

    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "component")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) page_id: Uuid,
        pub(crate) group_id: Option<Uuid>,
        pub(crate) name: String,
        pub(crate) position: i32,
        pub(crate) status: ComponentStatus,
        pub(crate) archived_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod incident {
    use sea_orm::entity::prelude::*;

    use super::{Impact, IncidentStatus};

    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "incident")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) page_id: Uuid,
        pub(crate) title: String,
        pub(crate) status: IncidentStatus,
        pub(crate) peak_impact: Impact,
        pub(crate) impact_override: Option<Impact>,
        pub(crate) started_at: i64,
        pub(crate) resolved_at: Option<i64>,
        pub(crate) audience: String,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {
        #[sea_orm(has_many = "super::timeline_update::Entity")]
        Update,
    }

    impl Related<super::timeline_update::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Update.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod timeline_update {
    use sea_orm::entity::prelude::*;

    use super::IncidentStatus;

    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "timeline_update")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) owner_id: Uuid,
        pub(crate) number: i32,
        pub(crate) status: IncidentStatus,
        pub(crate) body: String,
        pub(crate) display_at: i64,
        pub(crate) audience: String,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {
        #[sea_orm(
            belongs_to = "super::incident::Entity",
            from = "Column::OwnerId",
            to = "super::incident::Column::Id"
        )]
        Incident,
    }

    impl Related<super::incident::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Incident.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
