//! What tokens are for, where they hold, and what that lets their holders see.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::audience::Audience;
use super::code::coded_enum;
use super::page::{Page, Visibility};
use super::time::Timestamp;

coded_enum! {
    /// What the holder of a token is: each may all that those before it may.
    pub enum Role {
        /// Sees what is private.
        Viewer = "viewer",
        /// Tells of incidents and maintenances, and sets what components are like.
        Responder = "responder",
        /// Changes pages and what they consist of.
        Manager = "manager",
        /// Hands out tokens.
        Admin = "admin",
    }
}

/// The pages on which a token holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All that there are, and that will be.
    All,
    Pages(Arc<BTreeSet<Uuid>>),
}

impl Scope {
    /// Whether a page is among them.
    pub fn covers(&self, page: Uuid) -> bool {
        match self {
            Scope::All => true,
            Scope::Pages(pages) => pages.contains(&page),
        }
    }
}

impl FromIterator<Uuid> for Scope {
    fn from_iter<I: IntoIterator<Item = Uuid>>(pages: I) -> Scope {
        Scope::Pages(Arc::new(pages.into_iter().collect()))
    }
}

/// What somebody sees: everywhere what the public sees, and of the pages of their scope what the staff sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sight {
    Public,
    Staff(Scope),
}

impl Sight {
    /// All there is.
    pub const ALL: Sight = Sight::Staff(Scope::All);

    /// A text that is the same for those who see the same, and for no others; empty for the public.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Sight::Public => Vec::new(),
            Sight::Staff(Scope::All) => b"*".to_vec(),
            Sight::Staff(Scope::Pages(pages)) => {
                let ids = pages.iter().flat_map(|page| *page.as_bytes());
                std::iter::once(b'#').chain(ids).collect()
            }
        }
    }

    /// As whom they see a page.
    pub fn audience_of(&self, page: Uuid) -> Audience {
        match self {
            Sight::Staff(scope) if scope.covers(page) => Audience::Staff,
            Sight::Staff(_) | Sight::Public => Audience::Public,
        }
    }

    /// Whether a page exists for them: a private one does not exist for the public.
    pub fn reaches(&self, page: &Page) -> bool {
        page.visibility == Visibility::Public || self.audience_of(page.id) == Audience::Staff
    }
}

/// A token as it is kept: without the text that opens anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is looked up by: the beginning of its text.
    pub public_part: String,
    pub role: Role,
    /// The pages it holds on; all where it names none.
    pub pages: Option<Vec<Uuid>>,
    /// Who made it.
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// When it was last seen, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// The token that takes its place.
    pub succeeded_by: Option<Uuid>,
}

impl Token {
    /// The pages on which it holds.
    pub fn scope(&self) -> Scope {
        match &self.pages {
            None => Scope::All,
            Some(pages) => pages.iter().copied().collect(),
        }
    }

    /// Whether it opens anything.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Subject;
    use crate::domain::sample;

    #[test]
    fn each_role_comes_after_those_that_may_less() {
        assert!(Role::ALL.is_sorted());
        assert_eq!(Role::ALL.first(), Some(&Role::Viewer));
        assert_eq!(Role::ALL.last(), Some(&Role::Admin));
    }

    #[test]
    fn a_private_page_exists_for_those_whose_scope_covers_it() {
        let mut page = sample::payload(Subject::Page).page;
        page.visibility = Visibility::Private;
        let of = |pages: &[Uuid]| Sight::Staff(pages.iter().copied().collect());
        let other = Uuid::from_u128(99);

        let reached =
            [Sight::ALL, of(&[other, page.id]), of(&[other]), of(&[]), Sight::Public].map(|sight| sight.reaches(&page));

        assert_eq!(reached, [true, true, false, false, false]);
        page.visibility = Visibility::Public;
        assert!(of(&[]).reaches(&page) && Sight::Public.reaches(&page));
    }

    #[test]
    fn a_token_opens_nothing_from_the_moment_it_expires_or_once_it_is_revoked() {
        let at = Timestamp::from_millis;
        let mut token = Token {
            id: Uuid::nil(),
            name: "x".to_owned(),
            public_part: "x".to_owned(),
            role: Role::Viewer,
            pages: None,
            created_by: "x".to_owned(),
            created_at: at(0),
            expires_at: Some(at(10)),
            revoked_at: None,
            last_used_at: None,
            succeeded_by: None,
        };

        assert_eq!([9, 10].map(|now| token.is_valid(at(now))), [true, false]);
        token.revoked_at = Some(at(5));
        assert!(!token.is_valid(at(4)));
    }
}
