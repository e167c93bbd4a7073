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

    /// Who pays for what a sender asks, as it is told from others; none where that is its address. Not what it shows: who
    /// gets new tokens all the time would have a rate for each.
    fn account<'a>(&self, _sender: &'a Self::Sender) -> Option<&'a [u8]> {
        None
    }

    /// Names what a sender may see: two senders with the same name get the same answer to the same query, and no others do. `None`
    /// if answers to this sender must not be kept. The public's name is empty.
    fn view(&self, _sender: &Self::Sender) -> Option<Vec<u8>> {
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

/// Where a ticket stands in the address of a GET.
const TICKET: &str = "ticket";

/// What a request says of who sends it, and where it comes from.
#[derive(Default)]
pub(super) struct Credentials {
    shown: Shown,
    from: Option<IpAddr>,
}

/// What a sender shows to be let in. It has no `Debug`, as it is secret.
#[derive(Default)]
enum Shown {
    #[default]
    Nothing,
    Bearer(String),
    Ticket(String),
    /// A header of another scheme. It is refused as a wrong token is: silently serving such a sender the public view
    /// would hide a mistake.
    Unreadable,
}

impl Shown {
    /// What the `Authorization` header of a request has.
    fn of(headers: &HeaderMap) -> Shown {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Shown::Nothing;
        };
        match value.to_str().ok().and_then(bearer_token) {
            Some(token) => Shown::Bearer(token.to_owned()),
            None => Shown::Unreadable,
        }
    }
}

impl Credentials {
    /// What the headers of a request say.
    pub(super) fn of_headers(headers: &HeaderMap, extensions: &Extensions, proxies: &Proxies) -> Credentials {
        Credentials {
            shown: Shown::of(headers),
            from: proxies.sender(extensions, headers),
        }
    }

    /// What a request as a whole says; what a header says comes before a ticket.
    pub(super) fn of(parts: &Parts, proxies: &Proxies) -> Credentials {
        let mut credentials = Credentials::of_headers(&parts.headers, &parts.extensions, proxies);
        // Only where nothing can be changed.
        if matches!(credentials.shown, Shown::Nothing) && parts.method == Method::GET {
            let mut pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
            if let Some((_, ticket)) = pairs.find(|(name, _)| name == TICKET) {
                credentials.shown = Shown::Ticket(ticket.into_owned());
            }
        }
        credentials
    }

    /// The same with a token that was given later, and comes before what was shown.
    pub(super) fn or_rather(self, token: Option<String>) -> Credentials {
        Credentials {
            shown: token.map_or(self.shown, Shown::Bearer),
            ..self
        }
    }

    /// Whether there is anything to be looked at.
    pub(super) const fn has_any(&self) -> bool {
        !matches!(self.shown, Shown::Nothing)
    }

    /// Whether a ticket is shown.
    pub(super) const fn is_ticket(&self) -> bool {
        matches!(self.shown, Shown::Ticket(_))
    }

    /// Who counts as one sender, without a token.
    pub(super) fn address(&self) -> Address {
        Address::of(self.from)
    }

    /// Who it is.
    pub(super) async fn identify<A: Authenticate>(&self, access: &A) -> Result<A::Sender, Refused> {
        match &self.shown {
            Shown::Nothing => access.authenticate(None, self.from).await,
            Shown::Bearer(token) => access.authenticate(Some(token), self.from).await,
            Shown::Ticket(ticket) => access.redeem(ticket, self.from).await,
            Shown::Unreadable => Err(Refused::Unauthenticated),
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
        assert!(matches!(Shown::of(&headers), Shown::Nothing));

        headers.insert(header::AUTHORIZATION, "Basic YTpi".parse().expect("a header value"));
        assert!(matches!(Shown::of(&headers), Shown::Unreadable));
    }
}
