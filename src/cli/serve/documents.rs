//! Documents that requests name by a hash: the flags for them.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::transport::preflight::Limits;
use crate::transport::{DocumentConfig, Persisted};

#[derive(Args, Debug)]
#[command(next_help_heading = "Documents named by a hash")]
pub(super) struct Documents {
    /// A folder of documents that requests may name: `.graphql` files (by the SHA-256 of their text), and JSON maps of
    /// relay-compiler, graphql-codegen or Apollo (by their ids too).
    #[arg(long, env = "ALLCLEAR_PERSISTED_DOCUMENTS", value_name = "FOLDER")]
    persisted_documents: Option<PathBuf>,
    /// Run those documents and no others.
    #[arg(long, env = "ALLCLEAR_ONLY_PERSISTED", requires = "persisted_documents")]
    only_persisted: bool,
    /// How many documents that clients have sent are remembered by their hash (automatic persisted queries); 0 for none.
    #[arg(long, env = "ALLCLEAR_AUTOMATIC_DOCUMENTS", value_name = "COUNT", default_value_t = DocumentConfig::default().remembered)]
    automatic_documents: usize,
    /// The most bytes of those.
    #[arg(long, env = "ALLCLEAR_AUTOMATIC_DOCUMENT_BYTES", value_name = "BYTES", default_value_t = DocumentConfig::default().remembered_bytes)]
    automatic_document_bytes: usize,
}

impl Documents {
    pub(super) fn read(&self, limits: &Limits) -> anyhow::Result<DocumentConfig> {
        let persisted = match &self.persisted_documents {
            Some(folder) => Persisted::read(folder, limits).context("`--persisted-documents`")?,
            None => Persisted::default(),
        };
        Ok(DocumentConfig {
            persisted,
            only_persisted: self.only_persisted,
            remembered: self.automatic_documents,
            remembered_bytes: self.automatic_document_bytes,
        })
    }
}
