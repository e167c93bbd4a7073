//! JWTs of an issuer: the flags for them.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::access::issuer::{Issuer, Trust};
use crate::cli::token::role;
use crate::domain::role::Role;

#[derive(Args, Debug)]
#[command(next_help_heading = "JWTs of an issuer (OpenID Connect)")]
pub(super) struct Issuers {
    /// Let in who has a JWT of this issuer, such as `https://id.example.com/realms/staff`: what JWTs say in `iss`, to the
    /// letter. Where its keys are is read from its `/.well-known/openid-configuration`.
    #[arg(long, env = "ALLCLEAR_OIDC_ISSUER", value_name = "URL", requires = "oidc_audience")]
    oidc_issuer: Option<String>,
    /// Where its keys (JWKS) are, for an issuer that has no such configuration.
    #[arg(long, env = "ALLCLEAR_OIDC_JWKS_URL", value_name = "URL", requires = "oidc_issuer")]
    oidc_jwks_url: Option<String>,
    /// What JWTs for this server say in `aud`. Repeatable: one of them is enough.
    #[arg(
        long = "oidc-audience",
        env = "ALLCLEAR_OIDC_AUDIENCE",
        value_name = "AUDIENCE",
        value_delimiter = ',',
        requires = "oidc_issuer"
    )]
    oidc_audience: Vec<String>,
    /// The claim that tells the role: a text or a list of texts; by its name, or by a path such as `realm_access.roles`.
    #[arg(
        long,
        env = "ALLCLEAR_OIDC_ROLE_CLAIM",
        value_name = "CLAIM",
        default_value = "allclear_role"
    )]
    oidc_role_claim: String,
    /// What it says for which role, such as `oncall=responder`. Repeatable (in the variable with `;` between, as names of
    /// groups may hold commas): the highest that it says counts.
    #[arg(
        long = "oidc-role",
        env = "ALLCLEAR_OIDC_ROLE",
        value_name = "VALUE=ROLE",
        value_delimiter = ';',
        value_parser = mapping,
        requires = "oidc_issuer"
    )]
    oidc_role: Vec<(String, Role)>,
    /// The role of those for whom it says nothing of that. Unless given, their JWTs open nothing.
    #[arg(
        long,
        env = "ALLCLEAR_OIDC_DEFAULT_ROLE",
        value_name = "ROLE",
        value_parser = role,
        requires = "oidc_issuer"
    )]
    oidc_default_role: Option<Role>,
    /// The claim that names the pages a JWT holds on: a slug or a list of slugs, `*` for all. Unless given, all hold on all.
    #[arg(
        long,
        env = "ALLCLEAR_OIDC_PAGES_CLAIM",
        value_name = "CLAIM",
        requires = "oidc_issuer"
    )]
    oidc_pages_claim: Option<String>,
    /// A file of certificates (PEM) that may vouch for the issuer's address, beside the authorities that browsers know.
    #[arg(long, env = "ALLCLEAR_OIDC_CA_FILE", value_name = "FILE", requires = "oidc_issuer")]
    oidc_ca_file: Option<PathBuf>,
}

/// What a claim says, and the role: whatever follows the last `=` is the role, as groups have `=` in their names.
fn mapping(text: &str) -> Result<(String, Role), String> {
    match text.rsplit_once('=') {
        Some((value, named)) if !value.is_empty() => Ok((value.to_owned(), role(named)?)),
        _ => Err("must be like oncall=responder".to_owned()),
    }
}

impl Issuers {
    /// The issuer whose JWTs let in, if there is one.
    pub(super) fn read(&self) -> anyhow::Result<Option<Issuer>> {
        let Some(issuer) = self.oidc_issuer.clone() else {
            return Ok(None);
        };
        let authorities = match &self.oidc_ca_file {
            Some(file) => Some(std::fs::read(file).with_context(|| format!("`--oidc-ca-file`: {}", file.display()))?),
            None => None,
        };
        let trusted = Issuer::new(Trust {
            issuer,
            jwks_url: self.oidc_jwks_url.clone(),
            audiences: self.oidc_audience.clone(),
            role_claim: self.oidc_role_claim.clone(),
            roles: self.oidc_role.clone(),
            default_role: self.oidc_default_role,
            pages_claim: self.oidc_pages_claim.clone(),
            authorities,
        });
        Ok(Some(trusted.map_err(|why| anyhow!("`--oidc-…`: {why}"))?))
    }
}
