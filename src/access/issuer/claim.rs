//! What a JWT claims, once its signature was found to be good: until when, who, and what that lets them do.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::role::Role;
use crate::domain::text;
use crate::domain::time::Timestamp;

/// How far the clock of the issuer may be off.
pub(super) const SKEW_MILLIS: i64 = 60 * 1000;

/// The longest subject: OpenID Connect allows no longer one.
const MAX_SUBJECT: usize = 255;

/// The most pages that a JWT may name, as of a token.
const MAX_PAGES: usize = 100;

/// What Keycloak claims as `typ` of JWTs that are not for asking an API.
const NOT_TO_LET_IN: [&str; 4] = ["ID", "Logout", "Offline", "Refresh"];

/// What stands for all pages.
const ALL_PAGES: &str = "*";

/// What to make of claims.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) role_claim: String,
    pub(super) roles: Vec<(String, Role)>,
    pub(super) default_role: Option<Role>,
    pub(super) pages_claim: Option<String>,
}

/// What a JWT comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) subject: String,
    /// Until when it says that it holds.
    pub(super) expires_at: Timestamp,
    pub(super) role: Role,
    /// The slugs of the pages it holds on; all where it names none.
    pub(super) pages: Option<BTreeSet<String>>,
}

impl Claims {
    /// When nothing is let in with it any more.
    pub(super) fn end(&self) -> Timestamp {
        self.expires_at.plus_millis(SKEW_MILLIS)
    }
}

impl Policy {
    /// Reads claims whose issuer and audience are the right ones.
    ///
    /// # Errors
    /// Why they open nothing, for the operator: whoever sent them is told nothing of it.
    pub(super) fn read(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Claims, &'static str> {
        let expires_at = instant(claims, "exp")?.ok_or("it never expires")?;
        if now >= expires_at.plus_millis(SKEW_MILLIS) {
            return Err("it has expired");
        }
        for (name, why) in [("nbf", "it does not hold yet"), ("iat", "it was made in the future")] {
            if instant(claims, name)?.is_some_and(|begin| begin > now.plus_millis(SKEW_MILLIS)) {
                return Err(why);
            }
        }
        // It holds only for who proves to have a key, which a bearer does not.
        if claims.contains_key("cnf") {
            return Err("it is bound to a key");
        }
        // Those for logging out, and Keycloak's for other ends, which say so here alone.
        let said = claims.get("typ").and_then(Value::as_str);
        if claims.contains_key("events") || said.is_some_and(|said| NOT_TO_LET_IN.contains(&said)) {
            return Err("it is not to let somebody in");
        }
        Ok(Claims {
            subject: subject(claims)?,
            expires_at,
            role: self.role(claims).ok_or("no role follows from it")?,
            pages: self.pages(claims)?,
        })
    }

    /// The highest of the roles that what it claims stands for.
    fn role(&self, claims: &Map<String, Value>) -> Option<Role> {
        let claimed = words(find(claims, &self.role_claim)).unwrap_or_default();
        let mapped = self.roles.iter().filter(|(value, _)| claimed.contains(&value.as_str()));
        mapped.map(|(_, role)| *role).max().or(self.default_role)
    }

    fn pages(&self, claims: &Map<String, Value>) -> Result<Option<BTreeSet<String>>, &'static str> {
        let Some(name) = &self.pages_claim else {
            return Ok(None);
        };
        // Without the claim it holds on none: what is forgotten must open nothing.
        let claimed = words(find(claims, name)).unwrap_or_default();
        if claimed.contains(&ALL_PAGES) {
            return Ok(None);
        }
        let slugs: BTreeSet<String> = claimed
            .into_iter()
            .filter(|slug| text::slug(slug).is_ok())
            .map(str::to_owned)
            .collect();
        match slugs.len() <= MAX_PAGES {
            true => Ok(Some(slugs)),
            false => Err("it names too many pages"),
        }
    }
}

/// An instant in seconds, as JWTs have them, perhaps with a fraction.
fn instant(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, &'static str> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let whole = value.as_i64().map(|seconds| seconds.saturating_mul(1000));
    // What lies beyond all time is cut down to its end.
    let millis = whole.or_else(|| value.as_f64().map(|seconds| (seconds * 1000.0) as i64));
    millis
        .map(|millis| Some(Timestamp::from_millis(millis)))
        .ok_or("one of its times is none")
}

/// Who it is: printable and bounded, as it goes into the audit.
fn subject(claims: &Map<String, Value>) -> Result<String, &'static str> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or("it has no subject")?;
    let is_printable = subject.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    match !subject.trim().is_empty() && subject.len() <= MAX_SUBJECT && is_printable {
        true => Ok(subject.to_owned()),
        false => Err("its subject is too long, or not of printable ASCII"),
    }
}

/// A claim by its name; where there is none, by the path of objects that its dots tell. Names may hold dots themselves, as
/// in `https://example.com/role`.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

/// A text, or the texts of a list.
fn words(claim: Option<&Value>) -> Option<Vec<&str>> {
    match claim? {
        Value::String(word) => Some(vec![word]),
        Value::Array(words) => Some(words.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn policy() -> Policy {
        let role = |value: &str, role| (value.to_owned(), role);
        Policy {
            role_claim: "realm_access.roles".to_owned(),
            roles: vec![
                role("ops", Role::Responder),
                role("lead", Role::Manager),
                role("eye", Role::Viewer),
            ],
            default_role: None,
            pages_claim: None,
        }
    }

    fn read_by(policy: &Policy, more: Value) -> Result<Claims, &'static str> {
        let mut claims = json!({ "sub": "mara", "exp": NOW + 300, "realm_access": { "roles": ["ops"] } });
        if let (Value::Object(claims), Value::Object(more)) = (&mut claims, more) {
            claims.extend(more);
        }
        policy.read(claims.as_object().expect("claims"), Timestamp::from_millis(NOW * 1000))
    }

    fn read(more: Value) -> Result<Claims, &'static str> {
        read_by(&policy(), more)
    }

    #[test]
    fn claims_say_who_it_is_until_when_and_what_they_may() {
        let expected = Claims {
            subject: "mara".to_owned(),
            expires_at: Timestamp::from_millis((NOW + 300) * 1000),
            role: Role::Responder,
            pages: None,
        };

        assert_eq!(read(json!({})), Ok(expected));
    }

    #[test]
    fn times_hold_to_a_minute_of_skew_and_not_a_second_more() {
        for (claim, good, bad) in [
            ("exp", NOW - 59, NOW - 60),
            ("nbf", NOW + 60, NOW + 61),
            ("iat", NOW + 60, NOW + 61),
        ] {
            assert!(read(json!({ claim: good })).is_ok(), "{claim}");
            assert!(read(json!({ claim: bad })).is_err(), "{claim}");
            for none in [json!(null), json!("1800000300"), json!([NOW]), json!({})] {
                assert!(read(json!({ claim: none })).is_err(), "{claim}: {none}");
            }
        }
        assert!(read(json!({ "exp": 1_800_000_300.5 })).is_ok_and(|claims| claims.expires_at.millis() % 1000 == 500));
        assert!(read(json!({ "exp": 1e300 })).is_ok_and(|claims| claims.expires_at == Timestamp::LATEST));
        assert!(read(json!({ "exp": -1e300 })).is_err());
        assert!(read(json!({ "exp": i64::MAX })).is_ok());
    }

    #[test]
    fn without_an_end_or_a_printable_subject_or_for_who_has_a_key_they_open_nothing() {
        let lacking = json!({ "sub": "mara", "realm_access": { "roles": ["ops"] } });
        let now = Timestamp::from_millis(NOW * 1000);
        assert!(policy().read(lacking.as_object().expect("claims"), now).is_err());

        for subject in [
            json!(null),
            json!(5),
            json!(""),
            json!(" "),
            json!("a\nb"),
            json!("a\u{202e}b"),
            json!("x".repeat(256)),
        ] {
            assert!(read(json!({ "sub": subject })).is_err(), "{subject}");
        }
        assert!(read(json!({ "sub": "x".repeat(255) })).is_ok());
        assert!(read(json!({ "cnf": { "jkt": "x" } })).is_err());
    }

    #[test]
    fn what_an_issuer_makes_for_other_ends_opens_nothing() {
        let logout = "http://schemas.openid.net/event/backchannel-logout";
        for other in [
            json!({ "events": { logout: {} } }),
            json!({ "typ": "ID" }),
            json!({ "typ": "Refresh" }),
        ] {
            assert!(read(other.clone()).is_err(), "{other}");
        }
        assert!(read(json!({ "typ": "Bearer" })).is_ok());
    }

    #[test]
    fn the_highest_role_that_a_word_or_a_list_of_words_stands_for_is_theirs() {
        let role = |claimed: Value| read(json!({ "realm_access": { "roles": claimed } })).map(|claims| claims.role);

        assert_eq!(role(json!("eye")), Ok(Role::Viewer));
        assert_eq!(role(json!(["eye", "lead", "ops", 5, "Lead"])), Ok(Role::Manager));
        for nothing in [
            json!([]),
            json!("OPS"),
            json!("admin"),
            json!(null),
            json!({ "ops": true }),
            json!(5),
        ] {
            assert!(role(nothing.clone()).is_err(), "{nothing}");
        }
    }

    #[test]
    fn without_a_word_that_stands_for_a_role_there_is_the_default_one_if_any() {
        let policy = Policy {
            default_role: Some(Role::Viewer),
            ..policy()
        };

        for (claimed, role) in [(json!([]), Role::Viewer), (json!(["lead"]), Role::Manager)] {
            let claims = read_by(&policy, json!({ "realm_access": { "roles": claimed } }));
            assert_eq!(claims.expect("a role").role, role);
        }
        assert_eq!(
            read_by(&policy, json!({ "realm_access": 5 })).expect("a role").role,
            Role::Viewer
        );
    }

    #[test]
    fn a_claim_is_found_by_its_name_with_dots_before_it_is_taken_for_a_path() {
        let claims = json!({ "https://id.example/role": "a", "x": { "y.z": "b", "y": { "z": "c" } }, "x.w": "d" });
        let claims = claims.as_object().expect("claims");
        let found = |path: &str| find(claims, path).and_then(Value::as_str);

        assert_eq!(found("https://id.example/role"), Some("a"));
        assert_eq!(found("x.y.z"), Some("b"));
        assert_eq!(found("x.w"), Some("d"));
        assert_eq!([found("x.q"), found("q"), found(""), found("x.y.z.q")], [None; 4]);
    }

    #[test]
    fn pages_are_named_by_their_slugs_or_all_by_a_star_and_none_where_none_are_named() {
        let policy = Policy {
            pages_claim: Some("pages".to_owned()),
            ..policy()
        };
        let pages = |claimed: Value| read_by(&policy, json!({ "pages": claimed })).map(|claims| claims.pages);
        let slugs = |slugs: &[&str]| Ok(Some(slugs.iter().map(|&slug| slug.to_owned()).collect()));

        assert_eq!(pages(json!(["shop", "mail", "shop"])), slugs(&["mail", "shop"]));
        assert_eq!(pages(json!("shop")), slugs(&["shop"]));
        assert_eq!(pages(json!("*")), Ok(None));
        for none in [json!(null), json!([]), json!(5), json!("no slug\0")] {
            assert_eq!(pages(none.clone()), slugs(&[]), "{none}");
        }
        let many: Vec<String> = (0..101).map(|number| format!("page-{number}")).collect();
        assert!(pages(json!(many)).is_err());
    }
}
