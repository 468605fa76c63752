//! Access: who may do what, and which stores they may see. Pure.
//!
//! A [`Scope`] says what a credential may do, an [`Audience`] whose stores exist for it. [`secret`] makes and
//! recognises the secrets that credentials are proved with.

pub mod secret;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

/// What a credential may do, and what a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// What needs no credential.
    Public,
    /// Send polls, and nothing else.
    Ingest,
    /// Look.
    Read,
    /// Look, and trigger reports and statements.
    Report,
    /// Everything.
    Admin,
}

impl Scope {
    /// The scopes of tokens.
    pub const ALL: [Self; 4] = [Self::Ingest, Self::Read, Self::Report, Self::Admin];

    /// The word in commands and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Report => "report",
            Self::Admin => "admin",
        }
    }

    /// The scope of a token with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    /// Whether a credential of this scope may use what asks for `needed`.
    pub const fn may(self, needed: Self) -> bool {
        match needed {
            Self::Public => true,
            Self::Ingest => matches!(self, Self::Ingest | Self::Admin),
            Self::Read => matches!(self, Self::Read | Self::Report | Self::Admin),
            Self::Report => matches!(self, Self::Report | Self::Admin),
            Self::Admin => matches!(self, Self::Admin),
        }
    }
}

/// The stores that exist for a credential. For every other store, answers are as if no source named it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Audience {
    /// All stores.
    #[default]
    All,
    /// The stores of these owners.
    Groups(Arc<BTreeSet<String>>),
    /// One store, by its id.
    Store(Arc<str>),
}

impl Audience {
    /// The stores of some owners.
    pub fn of_groups(groups: impl IntoIterator<Item = String>) -> Self {
        Self::Groups(Arc::new(groups.into_iter().collect()))
    }

    /// Whether it is all stores.
    pub const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Whether a store is in it.
    pub fn has(&self, id: &str, group: &str) -> bool {
        match self {
            Self::All => true,
            Self::Groups(groups) => groups.contains(group),
            Self::Store(own) => **own == *id,
        }
    }

    /// Whether it has all that `other` has, whatever stores there are.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Groups(own), Self::Groups(groups)) => groups.is_subset(own),
            (Self::Store(own), Self::Store(store)) => own == store,
            _ => false,
        }
    }

    /// Its stored form, a JSON object; none for all stores.
    pub fn json(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Groups(groups) => Some(json!({"groups": **groups}).to_string()),
            Self::Store(store) => Some(json!({"store": **store}).to_string()),
        }
    }

    /// The audience of a text from [`json`](Self::json); none if it is malformed.
    pub fn from_json(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else {
            return Some(Self::All);
        };
        let object: Value = serde_json::from_str(text).ok()?;
        if let Some(store) = object.get("store") {
            return Some(Self::Store(store.as_str()?.into()));
        }
        let groups = object.get("groups")?.as_array()?.iter();
        let groups: Option<Vec<_>> = groups.map(|group| group.as_str().map(str::to_owned)).collect();
        Some(Self::of_groups(groups?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_may_what_the_table_of_the_guide_says() {
        use Scope::{Admin, Ingest, Public, Read, Report};
        let may = |scope: Scope| [Public, Ingest, Read, Report, Admin].map(|needed| scope.may(needed));
        assert_eq!(may(Public), [true, false, false, false, false]);
        assert_eq!(may(Ingest), [true, true, false, false, false]);
        assert_eq!(may(Read), [true, false, true, false, false]);
        assert_eq!(may(Report), [true, false, true, true, false]);
        assert_eq!(may(Admin), [true; 5]);
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.as_str()), Some(scope));
        }
        assert_eq!(Scope::from_name("public"), None, "no token is for what needs none");
    }

    #[test]
    fn an_audience_has_its_own_stores_and_covers_smaller_ones() {
        let groups = |names: &[&str]| Audience::of_groups(names.iter().map(|&name| name.to_owned()));
        let (a, ab, store) = (groups(&["a"]), groups(&["a", "b"]), Audience::Store("7".into()));
        assert!(a.has("1", "a") && !a.has("1", "b") && !a.has("1", "") && !a.has("a", ""));
        assert!(store.has("7", "b") && !store.has("8", "b"));
        assert!(ab.covers(&a) && !a.covers(&ab) && !a.covers(&Audience::All) && !a.covers(&store));
        assert!(store.covers(&store) && !store.covers(&a) && Audience::All.covers(&ab));
        for audience in [Audience::All, a, ab, store] {
            assert_eq!(Audience::from_json(audience.json().as_deref()), Some(audience));
        }
        for text in [
            "",
            "{}",
            "[]",
            r#"{"groups": "a"}"#,
            r#"{"groups": [1]}"#,
            r#"{"store": 7}"#,
        ] {
            assert_eq!(Audience::from_json(Some(text)), None, "{text}");
        }
    }
}
