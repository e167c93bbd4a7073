//! Who sends a request: what the edge asks of the access module.

use std::future::Future;
use std::net::IpAddr;

use async_graphql::Request;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use futures_util::future::BoxFuture;

use super::address::{Address, Proxies};
use super::{RequestError, RequestId};

/// The access module, as the edge sees it.
///
/// HTTP calls both functions for each request. A WebSocket authenticates once, when it is initialised, and admits every
/// operation: a token that was revoked since must be noticed by [`Authenticate::admit`]. Both must give up by themselves
/// when the database does not answer: a socket does nothing else while it is authenticated.
pub trait Authenticate: Clone + Send + Sync + 'static {
    /// What is known of a sender once its token was looked at.
    type Sender: Send + Sync + 'static;

    /// Says whom a token belongs to, that came from an address. No token is a sender too: the public.
    fn authenticate(
        &self,
        bearer: Option<&str>,
        from: Option<IpAddr>,
    ) -> impl Future<Output = Result<Self::Sender, Refused>> + Send;

    /// Says for whom a ticket stands, which came in the address of a GET.
    fn redeem(
        &self,
        _ticket: &str,
        _from: Option<IpAddr>,
    ) -> impl Future<Output = Result<Self::Sender, Refused>> + Send {
        std::future::ready(Err(Refused::Unauthenticated))
    }

    /// Who pays for what a sender asks with a token, where that is not the token itself: those who get new ones all the time
    /// would have a rate for each.
    fn account<'a>(&self, _sender: &'a Self::Sender) -> Option<&'a str> {
        None
    }

    /// Waits until the sender's token opens nothing any more, which ends what it subscribed to, and its WebSocket; none for
    /// a sender whom that cannot happen to, who then costs nothing.
    fn ended(&self, _sender: &Self::Sender) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Puts what resolvers need to know (the sender, the request id) into a request.
    fn admit(
        &self,
        sender: &Self::Sender,
        request_id: &RequestId,
        request: Request,
    ) -> impl Future<Output = Result<Request, Refused>> + Send;
}

/// Why a sender was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token is wrong, revoked or expired: one answer for all three, so that none can be told apart.
    Unauthenticated,
    /// The token could not be looked up: the database is away, or the issuer of a JWT.
    Unavailable,
}

impl From<Refused> for RequestError {
    fn from(refused: Refused) -> RequestError {
        match refused {
            Refused::Unauthenticated => {
                RequestError::new("UNAUTHENTICATED", StatusCode::UNAUTHORIZED, "This token is not valid.")
            }
            Refused::Unavailable => RequestError::new(
                "UNAVAILABLE",
                StatusCode::SERVICE_UNAVAILABLE,
                "The service is not available right now; try again shortly.",
            ),
        }
    }
}

/// The bearer token of a request's `Authorization` header, where there is one.
///
/// A header of another scheme is refused as a wrong token is: silently serving such a sender the public view would
/// hide a mistake.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let token = value.to_str().ok().and_then(bearer_token);
    token.map(Some).ok_or(Refused::Unauthenticated)
}

/// Where a ticket stands in the address of a GET.
const TICKET: &str = "ticket";

/// What a request says of who sends it, and where it comes from.
pub(super) struct Credentials {
    bearer: Option<String>,
    ticket: Option<String>,
    from: Option<IpAddr>,
}

impl Credentials {
    pub(super) const fn new(bearer: Option<String>, from: Option<IpAddr>) -> Credentials {
        Credentials {
            bearer,
            ticket: None,
            from,
        }
    }

    /// What the headers of a request say.
    pub(super) fn of_headers(
        headers: &HeaderMap,
        extensions: &Extensions,
        proxies: &Proxies,
    ) -> Result<Credentials, Refused> {
        let bearer = bearer(headers)?.map(str::to_owned);
        Ok(Credentials::new(bearer, proxies.sender(extensions, headers)))
    }

    /// What a request as a whole says.
    pub(super) fn of(parts: &Parts, proxies: &Proxies) -> Result<Credentials, Refused> {
        // Only where nothing can be changed.
        let query = parts.uri.query().filter(|_| parts.method == Method::GET);
        let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let ticket = pairs.find_map(|(name, value)| (name == TICKET).then(|| value.into_owned()));
        Ok(Credentials {
            ticket,
            ..Credentials::of_headers(&parts.headers, &parts.extensions, proxies)?
        })
    }

    /// Whether there is anything to be looked at.
    pub(super) const fn has_any(&self) -> bool {
        self.bearer.is_some() || self.ticket.is_some()
    }

    /// The token that was given.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// Who counts as one sender, without a token.
    pub(super) fn address(&self) -> Address {
        Address::of(self.from)
    }

    /// Who it is; what a header says comes before a ticket.
    pub(super) async fn identify<A: Authenticate>(&self, access: &A) -> Result<A::Sender, Refused> {
        match (&self.bearer, &self.ticket) {
            (None, Some(ticket)) => access.redeem(ticket, self.from).await,
            (bearer, _) => access.authenticate(bearer.as_deref(), self.from).await,
        }
    }
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110, 11.1).
pub(super) fn bearer_token(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        assert_eq!(bearer_token("Bearer abc"), Some("abc"));
        assert_eq!(bearer_token("bearer   abc "), Some("abc"));
        for wrong in ["", "abc", "Bearer", "Bearer ", "Basic abc"] {
            assert_eq!(bearer_token(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_header_of_another_scheme_is_a_wrong_token_not_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), Ok(None));

        headers.insert(header::AUTHORIZATION, "Basic YTpi".parse().expect("a header value"));
        assert_eq!(bearer(&headers), Err(Refused::Unauthenticated));
    }
}
