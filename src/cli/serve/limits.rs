//! What a request may ask for: the flags for it.

use std::time::Duration;

use clap::Args;

use crate::budget;
use crate::transport::preflight::Limits;

#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of a request")]
pub(super) struct RequestLimits {
    /// The most a document may cost: the prices of its fields, multiplied by the lengths of the lists above them. One unit is
    /// about 5 µs of CPU.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_COST", value_name = "COST", default_value_t = Limits::default().cost)]
    document_cost: u64,
    /// The most bytes of a document.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_BYTES", value_name = "BYTES", default_value_t = Limits::default().bytes)]
    document_bytes: usize,
    /// The most tokens of a document.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_TOKENS", value_name = "COUNT", default_value_t = Limits::default().tokens)]
    document_tokens: usize,
    /// How deep brackets may stand in one another. The parser needs stack for each.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_NESTING", value_name = "LEVELS", default_value_t = Limits::default().nesting, value_parser = levels)]
    document_nesting: usize,
    /// How deep selections may stand in one another, with fragments expanded.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_DEPTH", value_name = "LEVELS", default_value_t = Limits::default().depth, value_parser = clap::value_parser!(u64).range(1..=32))]
    document_depth: u64,
    /// The most selections, with fragments expanded.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_FIELDS", value_name = "COUNT", default_value_t = Limits::default().fields)]
    document_fields: u64,
    /// The most aliases, with fragments expanded.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_ALIASES", value_name = "COUNT", default_value_t = Limits::default().aliases)]
    document_aliases: u64,
    /// The most directives, with fragments expanded.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_DIRECTIVES", value_name = "COUNT", default_value_t = Limits::default().directives)]
    document_directives: u64,
    /// The most bytes of arguments, each as often as it is read.
    #[arg(long, env = "ALLCLEAR_DOCUMENT_ARGUMENTS", value_name = "BYTES", default_value_t = Limits::default().arguments)]
    document_arguments: u64,
    /// The most bytes of all variables.
    #[arg(long, env = "ALLCLEAR_VARIABLE_BYTES", value_name = "BYTES", default_value_t = Limits::default().variable_bytes)]
    variable_bytes: u64,
    /// The most values in all variables.
    #[arg(long, env = "ALLCLEAR_VARIABLE_VALUES", value_name = "COUNT", default_value_t = Limits::default().variable_values)]
    variable_values: u64,
    /// How deep lists and objects of variables may stand in one another.
    #[arg(long, env = "ALLCLEAR_VARIABLE_NESTING", value_name = "LEVELS", default_value_t = Limits::default().variable_nesting)]
    variable_nesting: u64,
    /// How long one execution may take, in seconds. It counts from when the request was let in.
    #[arg(long, env = "ALLCLEAR_EXECUTION_TIMEOUT", value_name = "SECONDS", default_value_t = budget::Limits::default().time.as_secs(), value_parser = clap::value_parser!(u64).range(1..=300))]
    execution_timeout: u64,
    /// Do not tell the schema, nor suggest names in errors.
    #[arg(long, env = "ALLCLEAR_NO_INTROSPECTION")]
    no_introspection: bool,
}

/// Where the parser stops by itself, in selections.
const MAX_NESTING: usize = 64;

fn levels(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(levels @ 1..=MAX_NESTING) => Ok(levels),
        _ => Err(format!("must be a number from 1 to {MAX_NESTING}")),
    }
}

impl RequestLimits {
    pub(super) fn execution(&self) -> budget::Limits {
        budget::Limits {
            time: Duration::from_secs(self.execution_timeout),
            ..budget::Limits::default()
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            bytes: self.document_bytes,
            tokens: self.document_tokens,
            nesting: self.document_nesting,
            depth: self.document_depth,
            fields: self.document_fields,
            aliases: self.document_aliases,
            directives: self.document_directives,
            cost: self.document_cost,
            arguments: self.document_arguments,
            introspectable: !self.no_introspection,
            variable_nesting: self.variable_nesting,
            variable_values: self.variable_values,
            variable_bytes: self.variable_bytes,
            ..Limits::default()
        }
    }
}
