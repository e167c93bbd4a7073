//! Making tokens, replacing them, and taking them back.

use async_graphql::{Context, Enum, ID, InputObject, Object};

use super::{after, call, command, payload};
use crate::commands;
use crate::domain::role::Role;
use crate::graphql::error::Result;
use crate::graphql::id::{self, Kind};
use crate::graphql::query::{admitted, app};
use crate::graphql::scalar::DateTime;
use crate::graphql::token::Token;
use crate::graphql::user_error::split;

/// What a token is for. Each may all that those before it may.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Role")]
pub enum TokenRole {
    /// To see what is private.
    Viewer,
    /// To tell of incidents and maintenances, and to set what components are like.
    Responder,
    /// To change pages and what they consist of.
    Manager,
    /// To hand out tokens.
    Admin,
}

/// A token to be made.
#[derive(InputObject, Debug)]
pub struct TokenCreateInput {
    /// What people are to call it, 1 to 200 characters on one line.
    name: String,
    /// What it is for.
    role: TokenRole,
    /// The pages it holds on, 100 at most; all unless given. Elsewhere its holder is the public. `PAGE_NOT_FOUND`.
    pages: Option<Vec<ID>>,
    /// When it expires; never unless given. `EXPIRY_IN_PAST`.
    expires_at: Option<DateTime>,
    /// Makes a repeated call give the first answer again, for a day, without the token's text.
    idempotency_key: Option<String>,
}

/// A token to be taken back.
#[derive(InputObject, Debug)]
pub struct TokenRevokeInput {
    /// The token. `TOKEN_NOT_FOUND`.
    token: ID,
}

/// A token to be replaced.
#[derive(InputObject, Debug)]
pub struct TokenRotateInput {
    /// The token. `TOKEN_NOT_FOUND`, and `TOKEN_ENDED` for one that was revoked, has expired, or was replaced already.
    token: ID,
    /// For how many seconds the old one holds beside the new one, seven days at most; a day unless given.
    /// `GRACE_TOO_LONG`.
    #[graphql(default = 86_400)]
    grace_seconds: i32,
    /// When the new one expires. Unless given it lasts as long as the old one was to. `EXPIRY_IN_PAST`.
    expires_at: Option<DateTime>,
    /// Makes a repeated call give the first answer again, for a day, without the token's text.
    idempotency_key: Option<String>,
}

/// A ticket to be made.
#[derive(InputObject, Debug)]
pub struct TicketCreateInput {
    /// For how many seconds it lets in, 1 to 300.
    #[graphql(default = 60)]
    lifetime_seconds: i32,
}

payload! {
    /// The answer to `ticketCreate`.
    TicketCreatePayload {
        /// The ticket, to be given as `ticket` in the address of a GET.
        ticket: String,
        /// Until when it lets in. What it opened lasts for as long as the token holds.
        expires_at: DateTime,
    }
}
payload! {
    /// The answer to `tokenCreate`.
    TokenCreatePayload {
        /// The token; null where it was not made.
        token: Token,
        /// Its text. It is not kept and cannot be shown again: null in the answer to a repeated call.
        secret: String,
    }
}
payload! {
    /// The answer to `tokenRevoke`.
    TokenRevokePayload {
        /// The token; null where there is none.
        token: Token,
    }
}
payload! {
    /// The answer to `tokenRotate`.
    TokenRotatePayload {
        /// The new token; null where it was not made.
        token: Token,
        /// Its text. It is not kept and cannot be shown again: null in the answer to a repeated call.
        secret: String,
        /// The old token, which holds for a while; null where it was not replaced.
        replaced_token: Token,
    }
}

#[derive(Debug, Default)]
pub struct TokenMutation;

#[Object]
impl TokenMutation {
    /// Makes a ticket, which stands for your token in the address of a GET for a short while: for a browser's
    /// `EventSource`, which sets no headers. It sees what you see, and changes nothing. For who has a token, or a JWT.
    async fn ticket_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: TicketCreateInput,
    ) -> Result<TicketCreatePayload> {
        let (app, caller) = (app(ctx)?, admitted(ctx)?);
        let (ticket, until) = app
            .access
            .ticket(caller, app.clock.now(), input.lifetime_seconds.into())?;
        Ok(TicketCreatePayload {
            ticket: Some(ticket),
            expires_at: Some(until.into()),
            user_errors: Vec::new(),
        })
    }

    /// Makes a token. For admins of all pages.
    async fn token_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: TokenCreateInput,
    ) -> Result<TokenCreatePayload> {
        let pages = input
            .pages
            .map(|pages| pages.iter().map(|page| id::of(Kind::Page, page)).collect());
        let create = commands::token::Create {
            name: input.name,
            role: input.role.into(),
            pages,
            expires_at: input.expires_at.map(|at| at.0),
        };
        let made = commands::token::create(&command(ctx)?, call(input.idempotency_key), create).await;
        let (made, user_errors) = split(made)?;
        let view = after(ctx)?;
        let (token, secret) = made.map(|made| (made.token, made.text)).unzip();
        Ok(TokenCreatePayload {
            token: token.map(|token| Token::new(token, view)),
            secret: secret.flatten(),
            user_errors,
        })
    }

    /// Takes a token back: it opens nothing any more, and what it subscribed to ends within seconds. For admins of all
    /// pages.
    async fn token_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: TokenRevokeInput,
    ) -> Result<TokenRevokePayload> {
        let revoke = commands::token::Revoke {
            token: id::of(Kind::Token, &input.token),
        };
        let (token, user_errors) = split(commands::token::revoke(&command(ctx)?, call(None), revoke).await)?;
        let view = after(ctx)?;
        Ok(TokenRevokePayload {
            token: token.map(|token| Token::new(token, view)),
            user_errors,
        })
    }

    /// Replaces a token by one of the same name, role and pages; the old one holds for a while beside it. For admins of
    /// all pages.
    async fn token_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: TokenRotateInput,
    ) -> Result<TokenRotatePayload> {
        let rotate = commands::token::Rotate {
            token: id::of(Kind::Token, &input.token),
            grace_seconds: input.grace_seconds.into(),
            expires_at: input.expires_at.map(|at| at.0),
        };
        let made = commands::token::rotate(&command(ctx)?, call(input.idempotency_key), rotate).await;
        let (made, user_errors) = split(made)?;
        let view = after(ctx)?;
        let shown = |token| Token::new(token, view.clone());
        let (token, secret, replaced_token) = match made {
            Some(made) => (Some(made.token), made.text, made.replaced),
            None => (None, None, None),
        };
        Ok(TokenRotatePayload {
            token: token.map(shown),
            secret,
            replaced_token: replaced_token.map(shown),
            user_errors,
        })
    }
}
