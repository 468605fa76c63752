//! Store lists: the ids of a product's stores, in the order of its rows.
//!
//! Products of the same stores share one list. It is stored under its hash, so products of different stores
//! never share one.

use std::sync::OnceLock;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::csv_field::{field, is_quoted};

/// Ids of stores, and the texts derived from them, each made once.
#[derive(Debug, Default)]
pub struct StoreList {
    ids: Texts,
    /// The ids as CSV fields; none if no id needs quotes.
    fields: OnceLock<Option<Texts>>,
    kept: OnceLock<(String, String)>,
}

impl StoreList {
    /// The list of these ids.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            ids: ids.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The list of a text from [`json`](Self::json); none if it is not an array of texts.
    pub fn from_json(json: &str) -> Option<Self> {
        let ids: Vec<String> = serde_json::from_str(json).ok()?;
        Some(Self::new(ids.iter().map(String::as_str)))
    }

    /// How many stores it lists.
    pub fn len(&self) -> usize {
        self.ids.ends.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.from(0)
    }

    /// The ids as CSV fields, quoted where necessary.
    pub fn csv_fields(&self) -> &Texts {
        let quoted = self.fields.get_or_init(|| {
            let all = is_quoted(&self.ids.text);
            all.then(|| self.ids.from(0).map(field).collect())
        });
        quoted.as_ref().unwrap_or(&self.ids)
    }

    /// The ids as a JSON array.
    pub fn json(&self) -> &str {
        &self.kept().1
    }

    /// SHA-256 of [`json`](Self::json) in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.kept().0
    }

    fn kept(&self) -> &(String, String) {
        self.kept.get_or_init(|| {
            let json = serde_json::Value::from_iter(self.ids.from(0)).to_string();
            (Self::hash_of(&json), json)
        })
    }

    /// SHA-256 of a [`json`](Self::json) in hexadecimal digits.
    pub fn hash_of(json: &str) -> String {
        HEXLOWER.encode(&Sha256::digest(json))
    }
}

/// Texts laid end to end.
#[derive(Debug, Default)]
pub struct Texts {
    text: String,
    /// The end of each text.
    ends: Vec<usize>,
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = Self::default();
        for text in texts {
            all.text.push_str(text.as_ref());
            all.ends.push(all.text.len());
        }
        all
    }
}

impl Texts {
    /// The bytes of all texts.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The texts from index `first` on.
    pub fn from(&self, first: usize) -> impl Iterator<Item = &str> {
        let mut start = first.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.ends[first..].iter().map(move |&end| {
            let text = &self.text[start..end];
            start = end;
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back_from_its_json_with_its_hash() {
        let list = StoreList::new(["a", "b,\"c\"", "=1+1", "é"]);
        assert_eq!(list.json(), r#"["a","b,\"c\"","=1+1","é"]"#);
        let again = StoreList::from_json(list.json()).unwrap();
        assert_eq!((again.len(), again.hash()), (4, list.hash()));
        assert_ne!(StoreList::new(["a"]).hash(), list.hash());
        assert!(StoreList::from_json("[1]").is_none());
        let fields: Vec<_> = list.csv_fields().from(1).collect();
        assert_eq!(fields, ["\"b,\"\"c\"\"\"", "=1+1", "é"]);
        assert_eq!(StoreList::new(["a", "b"]).csv_fields().bytes(), 2);
    }
}
