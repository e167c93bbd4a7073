//! Making tokens, replacing them, and taking them back.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::transact::transact;
use super::{Call, Context, page, valid};
use crate::access::secret::Secret;
use crate::domain::refusal::{Refusal, Thing};
use crate::domain::role::{Role, Token};
use crate::domain::time::Timestamp;
use crate::entity::token;
use crate::error::{Error, Result};
use crate::store::{ROW_LOCK, Write};

/// The most pages one token names: who has more uses a token for all, or several.
pub const MAX_PAGES: usize = 100;

/// For how long at most an old token holds beside the one that takes its place, in seconds: seven days. A token that is
/// replaced because it may have leaked is not to be open for longer by a slip of the keyboard.
pub const MAX_GRACE_SECONDS: i64 = 7 * 24 * 60 * 60;

/// A token to be made.
#[derive(Clone, Debug, Serialize)]
pub struct Create {
    pub name: String,
    pub role: Role,
    /// The pages it holds on; all unless given.
    pub pages: Option<Vec<Uuid>>,
    pub expires_at: Option<Timestamp>,
}

/// A token to be taken back.
#[derive(Clone, Debug, Serialize)]
pub struct Revoke {
    pub token: Uuid,
}

/// A token to be replaced by one like it.
#[derive(Clone, Debug, Serialize)]
pub struct Rotate {
    pub token: Uuid,
    /// For how long the old one holds beside the new one.
    pub grace_seconds: i64,
    /// When the new one expires; unless given it lasts as long as the old one was to.
    pub expires_at: Option<Timestamp>,
}

/// A token that was made.
#[derive(Serialize, Deserialize)]
pub struct Made {
    pub token: Token,
    /// Its text, which nobody can be shown again: it is not kept, neither for an idempotency key.
    #[serde(skip)]
    pub text: Option<String>,
    /// The token whose place it takes.
    pub replaced: Option<Token>,
}

/// Makes a token.
///
/// # Errors
/// `NAME_REQUIRED`, `EXPIRY_IN_PAST`, `PAGE_NOT_FOUND`, `TOO_MANY_ITEMS`.
pub async fn create(context: &Context, call: Call, input: Create) -> Result<Made> {
    transact(context, "tokenCreate", call, input, |write, input| {
        create_in(write, input).boxed()
    })
    .await
}

async fn create_in(write: &mut Write, input: Create) -> Result<Made> {
    let name = valid::name(&input.name)?;
    check_expiry(write, input.expires_at)?;
    let pages = match input.pages {
        Some(pages) => Some(found_pages(write, pages).await?),
        None => None,
    };
    let (token, text) = insert(write, (name, input.role, pages), input.expires_at).await?;
    write.note(token.id);
    Ok(Made {
        token,
        text: Some(text),
        replaced: None,
    })
}

/// Takes a token back: it opens nothing any more, and what it opened ends. Doing so again changes nothing.
///
/// # Errors
/// `TOKEN_NOT_FOUND`.
pub async fn revoke(context: &Context, call: Call, input: Revoke) -> Result<Token> {
    let revoked = transact(context, "tokenRevoke", call, input, |write, input| {
        revoke_in(write, input).boxed()
    })
    .await?;
    context.app.access.revise(context.app.clock.now(), &revoked);
    Ok(revoked)
}

async fn revoke_in(write: &mut Write, input: Revoke) -> Result<Token> {
    let (mut token, sha256) = locked(write, input.token).await?;
    if token.revoked_at.is_none() {
        token.revoked_at = Some(write.now());
        update(write, &token, sha256).await?;
        write.note(token.id);
    }
    Ok(token)
}

/// Replaces a token by one of the same name, role and pages. The old one holds for a while beside it.
///
/// # Errors
/// `TOKEN_NOT_FOUND`, `TOKEN_ENDED`, `GRACE_TOO_LONG`, `EXPIRY_IN_PAST`.
pub async fn rotate(context: &Context, call: Call, input: Rotate) -> Result<Made> {
    let made = transact(context, "tokenRotate", call, input, |write, input| {
        rotate_in(write, input).boxed()
    })
    .await?;
    if let Some(replaced) = &made.replaced {
        context.app.access.revise(context.app.clock.now(), replaced);
    }
    Ok(made)
}

async fn rotate_in(write: &mut Write, input: Rotate) -> Result<Made> {
    let (mut old, sha256) = locked(write, input.token).await?;
    if !(0..=MAX_GRACE_SECONDS).contains(&input.grace_seconds) {
        let max = MAX_GRACE_SECONDS;
        return Err(Refusal::GraceTooLong { max }.at(["graceSeconds"]).into());
    }
    let now = write.now();
    if !old.is_valid(now) || old.succeeded_by.is_some() {
        return Err(Refusal::TokenEnded.at(["token"]).into());
    }
    check_expiry(write, input.expires_at)?;
    let lasting = old.expires_at.map(|end| end.millis_since(old.created_at));
    let expires_at = input.expires_at.or(lasting.map(|millis| now.plus_millis(millis)));
    let like = (old.name.clone(), old.role, old.pages.clone());
    let (token, text) = insert(write, like, expires_at).await?;
    let end = now.plus_millis(input.grace_seconds * 1000);
    old.expires_at = Some(old.expires_at.map_or(end, |expires| expires.min(end)));
    old.succeeded_by = Some(token.id);
    update(write, &old, sha256).await?;
    write.note(token.id);
    Ok(Made {
        token,
        text: Some(text),
        replaced: Some(old),
    })
}

fn check_expiry(write: &Write, expires_at: Option<Timestamp>) -> Result<()> {
    match expires_at.is_some_and(|end| end <= write.now()) {
        true => Err(Refusal::ExpiryInPast.at(["expiresAt"]).into()),
        false => Ok(()),
    }
}

/// The pages, each once, if all of them are there.
async fn found_pages(write: &Write, pages: Vec<Uuid>) -> Result<Vec<Uuid>> {
    if pages.len() > MAX_PAGES {
        return Err(Refusal::TooManyItems { max: MAX_PAGES }.at(["pages"]).into());
    }
    for (index, id) in pages.iter().enumerate() {
        page::require(write, *id, Thing::Page, "pages")
            .await
            .map_err(|error| match error {
                Error::Refused(refused) => refused.why.at(["pages", &index.to_string()]).into(),
                other => other,
            })?;
    }
    let pages: BTreeSet<Uuid> = pages.into_iter().collect();
    Ok(pages.into_iter().collect())
}

type Like = (String, Role, Option<Vec<Uuid>>);

async fn insert(write: &Write, (name, role, pages): Like, expires_at: Option<Timestamp>) -> Result<(Token, String)> {
    let secret = Secret::fresh()?;
    let token = Token {
        id: Uuid::now_v7(),
        name,
        public_part: secret.public_part().to_owned(),
        role,
        pages,
        created_by: write.author().actor.clone(),
        created_at: write.now(),
        expires_at,
        revoked_at: None,
        last_used_at: None,
        succeeded_by: None,
    };
    let row = token::Model::from_domain(&token, secret.hash().to_hex())?;
    token::Entity::insert(row.into_active_model().reset_all())
        .exec_without_returning(write.db())
        .await?;
    Ok((token, secret.reveal()))
}

async fn update(write: &Write, token: &Token, sha256: String) -> Result<()> {
    let row = token::Model::from_domain(token, sha256)?;
    token::Entity::update(row.into_active_model().reset_all())
        .exec(write.db())
        .await?;
    Ok(())
}

/// A token, and the hash of its text, locked until the transaction ends.
async fn locked(write: &Write, id: Uuid) -> Result<(Token, String)> {
    let found = token::Entity::find_by_id(id).lock(ROW_LOCK).one(write.db()).await?;
    let row = found.ok_or_else(|| Refusal::NotFound(Thing::Token).at(["token"]))?;
    let sha256 = row.sha256.clone();
    Ok((row.into_domain()?, sha256))
}
