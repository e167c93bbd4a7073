//! An issuer of JWTs on this machine: keys that it makes and takes back, what it publishes, and how often it is asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use allclear::access::issuer::Trust;
use allclear::domain::role::Role;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaKeyPair,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a test waits until an issuer is asked.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whom its JWTs are for.
pub(crate) const AUDIENCE: &str = "allclear";

/// Who vouches for the address of an issuer behind TLS: a certificate as PEM.
pub(crate) const AUTHORITY: &[u8] = include_bytes!("../../fixtures/issuer/authority.pem");

const RSA_KEY: &[u8] = include_bytes!("../../fixtures/issuer/rsa.pk8");

/// All that JWTs may be signed with.
pub(crate) const ALGORITHMS: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// A key, by a name, for one algorithm.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Puts more members into an object, or others; null takes one out.
fn put(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
        object.retain(|_, value| !value.is_null());
    }
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Pair {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("random numbers");
    Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).expect("a key"))
}

impl Key {
    pub(crate) fn new(name: &'static str, algorithm: &'static str) -> Key {
        let pair = match algorithm {
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("random numbers");
                Pair::Ed(Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key"))
            }
            _ => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(RSA_KEY).expect("a key"))),
        };
        Key { name, algorithm, pair }
    }

    /// Its public part, as it is published.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": base64(public.n), "e": base64(public.e) })
            }
            Pair::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "x": base64(x), "y": base64(y) })
            }
            Pair::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key()) }),
        };
        jwk["kid"] = json!(self.name);
        jwk["alg"] = json!(self.algorithm);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A JWT with claims.
    pub(crate) fn jwt(&self, claims: &Value) -> String {
        self.jwt_with(json!({}), claims)
    }

    /// The same with more in its header, or with other things there.
    pub(crate) fn jwt_with(&self, more: Value, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm, "typ": "JWT", "kid": self.name });
        put(&mut header, more);
        let message = format!("{}.{}", base64(header.to_string()), base64(claims.to_string()));
        let signed = self.sign(message.as_bytes());
        format!("{message}.{}", base64(signed))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &dyn ring::signature::RsaEncoding = match self.algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    other => panic!("{other} is nothing RSA signs with"),
                };
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signed).expect("it signs");
                signed
            }
            Pair::Ecdsa(pair) => pair.sign(&random, message).expect("it signs").as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// What it answers, and how often it was asked.
struct Desk {
    url: String,
    /// What it says of itself, where that is not as it should be.
    said: Mutex<Option<Value>>,
    keys: Mutex<Said>,
    asked: watch::Sender<usize>,
}

/// An issuer that serves until it is dropped.
pub(crate) struct Issuer {
    pub(crate) url: String,
    address: SocketAddr,
    desk: Arc<Desk>,
    serving: Option<JoinHandle<()>>,
}

/// An answer that can be given over and over.
#[derive(Clone)]
struct Said {
    status: StatusCode,
    to: Option<String>,
    text: Bytes,
}

impl Said {
    fn new(status: StatusCode, text: impl Into<Bytes>) -> Said {
        let (to, text) = (None, text.into());
        Said { status, to, text }
    }
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text).into_response();
        if let Some(to) = self.to {
            let to = to.parse().expect("a header value");
            response.headers_mut().insert(header::LOCATION, to);
        }
        response
    }
}

/// What is accepted speaks TLS.
struct OverTls(TcpListener, TlsAcceptor);

impl Listener for OverTls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.0.accept().await.expect("a connection");
            // One that does not believe us goes away.
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Speaks TLS with the certificate that [`AUTHORITY`] vouches for.
fn acceptor() -> TlsAcceptor {
    let server = include_bytes!("../../fixtures/issuer/server.pem");
    let server = CertificateDer::from_pem_slice(server).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(RSA_KEY.to_vec()));
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![server], key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

impl Issuer {
    /// Starts one that publishes nothing yet.
    pub(crate) async fn start() -> Issuer {
        Issuer::start_at("http").await
    }

    /// Starts one behind TLS.
    pub(crate) async fn start_over_tls() -> Issuer {
        Issuer::start_at("https").await
    }

    async fn start_at(scheme: &str) -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let url = format!("{scheme}://{address}/staff");
        let desk = Desk {
            url: url.clone(),
            said: Mutex::default(),
            keys: Mutex::new(Said::new(StatusCode::OK, "{\"keys\":[]}")),
            asked: watch::Sender::new(0),
        };
        let mut issuer = Issuer {
            url,
            address,
            desk: Arc::new(desk),
            serving: None,
        };
        issuer.serve(listener);
        issuer
    }

    fn serve(&mut self, listener: TcpListener) {
        let routes = Router::new()
            .route(
                "/staff/.well-known/openid-configuration",
                get(async |State(desk): State<Arc<Desk>>| {
                    let right = json!({ "issuer": desk.url, "jwks_uri": format!("{}/keys", desk.url) });
                    let said = desk.said.lock().expect("nobody panics").clone();
                    Said::new(StatusCode::OK, said.unwrap_or(right).to_string())
                }),
            )
            .route(
                "/staff/keys",
                get(async |State(desk): State<Arc<Desk>>| {
                    desk.asked.send_modify(|count| *count += 1);
                    desk.keys.lock().expect("nobody panics").clone()
                }),
            )
            .with_state(Arc::clone(&self.desk));
        let is_over_tls = self.url.starts_with("https");
        self.serving = Some(tokio::spawn(async move {
            let served = match is_over_tls {
                true => axum::serve(OverTls(listener, acceptor()), routes).await,
                false => axum::serve(listener, routes).await,
            };
            served.expect("it serves");
        }));
    }

    /// Nobody answers at its address from now on.
    pub(crate) async fn go_away(&mut self) {
        let serving = self.serving.take().expect("it serves");
        serving.abort();
        // The port is free once it has ended.
        let _ = serving.await;
    }

    /// It answers again.
    pub(crate) async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its own port");
        self.serve(listener);
    }

    /// Publishes these keys and no others.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.publish_as(StatusCode::OK, json!({ "keys": keys }).to_string());
    }

    /// Answers this to whoever asks for its keys.
    pub(crate) fn publish_as(&self, status: StatusCode, text: impl Into<Bytes>) {
        *self.desk.keys.lock().expect("nobody panics") = Said::new(status, text);
    }

    /// Sends whoever asks for its keys elsewhere.
    pub(crate) fn redirect(&self, to: &str) {
        let mut said = Said::new(StatusCode::FOUND, "");
        said.to = Some(to.to_owned());
        *self.desk.keys.lock().expect("nobody panics") = said;
    }

    /// Says something else of itself.
    pub(crate) fn say(&self, said: Value) {
        *self.desk.said.lock().expect("nobody panics") = Some(said);
    }

    /// How often it was asked for its keys.
    pub(crate) fn asked(&self) -> usize {
        *self.desk.asked.borrow()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn asked_times(&self, times: usize) {
        let mut asked = self.desk.asked.subscribe();
        let waited = tokio::time::timeout(PATIENCE, asked.wait_for(|asked| *asked >= times));
        waited.await.expect("it is asked in time").expect("it is there");
    }

    /// What a server is told that trusts it: each role is called by its name in `allclear_role`.
    pub(crate) fn trust(&self) -> Trust {
        Trust {
            issuer: self.url.clone(),
            audiences: vec![AUDIENCE.to_owned()],
            role_claim: "allclear_role".to_owned(),
            roles: Role::ALL.iter().map(|role| (role.as_str().to_owned(), *role)).collect(),
            ..Trust::default()
        }
    }

    /// What a JWT of it claims that holds for ten minutes from a second on, with more in it, or with other things.
    pub(crate) fn claims(&self, now: i64, more: Value) -> Value {
        let mut claims = json!({
            "iss": self.url, "aud": AUDIENCE, "sub": "mara", "iat": now, "exp": now + 600, "allclear_role": "responder",
        });
        put(&mut claims, more);
        claims
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}
