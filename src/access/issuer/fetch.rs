//! Asking an issuer over HTTPS where its keys are, and for them. It is trusted to say who somebody is, and not to be well:
//! what it answers is bounded in size and time, and it cannot send us elsewhere.

use std::error::Error as StdError;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use url::{Host, Url};

use super::key::{self, Key};

/// How long asking may take in all. Somebody may wait for it, who is told of anything that is away within 3.5 s.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most bytes of an answer: a hundred keys of the longest kind, without certificates.
const MAX_BYTES: usize = 256 * 1024;

/// How much of another issuer's name is told, in bytes.
const LONGEST_WORD: usize = 200;

/// Where an issuer says where its keys are (OpenID Connect Discovery 1.0, 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The part of discovery that is of use here.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

/// What asks an issuer.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    issuer: String,
    /// Where its keys are; it is asked for that where this is none.
    jwks: Option<Url>,
}

/// An address of an issuer, or why it cannot be one: who can change what comes from there can make keys of their own.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
    match (url.scheme(), is_loopback(&url)) {
        ("https", _) | ("http", true) => {}
        ("http", false) => {
            return Err(format!(
                "{text:?} must begin with https://: what is read from there is believed"
            ));
        }
        _ => return Err(format!("{text:?} must be a URL like https://id.example.com")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must hold no name and no password".to_owned());
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Fetcher {
    /// Asks an issuer whose addresses were looked at, and whom the usual authorities vouch for, or others besides.
    ///
    /// # Errors
    /// What is wrong with a certificate of the others.
    pub(super) fn new(
        issuer: String,
        jwks: Option<Url>,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Fetcher, String> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for authority in authorities {
            roots
                .add(authority)
                .map_err(|error| format!("it holds a certificate of no authority: {error}"))?;
        }
        let provider = rustls::crypto::ring::default_provider();
        let tls = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        // It is asked every few minutes: a connection that waits for that serves nobody.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Fetcher { client, issuer, jwks })
    }

    /// The keys it publishes.
    ///
    /// # Errors
    /// Why there are none, for the log.
    pub(super) async fn keys(&self) -> Result<Vec<Key>, String> {
        let asked = tokio::time::timeout(PATIENCE, async {
            let jwks = match &self.jwks {
                Some(jwks) => jwks.clone(),
                None => self.discover().await?,
            };
            let text = self.get(&jwks).await?;
            key::read(&text).map_err(|why| format!("{jwks}: {why}"))
        });
        let seconds = PATIENCE.as_secs();
        asked
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {seconds} s")))
    }

    /// Where its keys are.
    async fn discover(&self) -> Result<Url, String> {
        let place = format!("{}{DISCOVERY}", self.issuer.trim_end_matches('/'));
        let place = address(&place)?;
        let text = self.get(&place).await?;
        let found: Discovered =
            serde_json::from_slice(&text).map_err(|error| format!("{place}: it is no configuration: {error}"))?;
        // One who is another's there is another everywhere: so says the standard, and so it must, where several share a host.
        if found.issuer != self.issuer {
            return Err(format!(
                "{place}: it is the configuration of another issuer, {:?}",
                beginning(&found.issuer)
            ));
        }
        let jwks = address(&found.jwks_uri).map_err(|why| format!("{place}: {why}"))?;
        match jwks.scheme() == "https" || place.scheme() == "http" {
            true => Ok(jwks),
            false => Err(format!("{place}: its keys are not behind https://")),
        }
    }

    async fn get(&self, place: &Url) -> Result<Bytes, String> {
        let failed = |why: &dyn StdError| format!("{place}: {}", told(why));
        let uri: Uri = place.as_str().parse().map_err(|error| failed(&error))?;
        let request = Request::get(uri)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("allclear/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| failed(&error))?;
        let response = self.client.request(request).await.map_err(|error| failed(&error))?;
        if response.status() != StatusCode::OK {
            return Err(format!("{place}: it answers {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        Ok(body.map_err(|error| failed(&*error))?.to_bytes())
    }
}

/// An error with what it comes from.
fn told(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// As much of what an issuer says as is worth a line of the log.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_WORD)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_behind_tls_or_on_this_machine() {
        for good in [
            "https://id.example.com",
            "https://id.example.com/realms/x/",
            "http://localhost:8080",
            "http://127.0.0.1:1/x",
            "http://[::1]:1",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "ftp://id.example.com",
            "https://name:word@id.example.com",
            "id.example.com",
            "",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
