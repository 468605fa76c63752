//! Store ids by the number of their first appearance.
//!
//! It must never know what an id names.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::error::{Error, Result};

/// The ids seen so far, each with its place in the order of first appearance.
///
/// Most chains use decimal numbers that fit in 64 bits. Those are looked up as numbers, which takes one
/// cache line in place of three: the map's, the text's, and that of the text it is compared to.
#[derive(Debug, Default)]
pub struct Interner {
    numbers: HashMap<u64, u32, RandomState>,
    texts: HashMap<Box<str>, u32, RandomState>,
    ids: Vec<Box<str>>,
}

impl Interner {
    /// The place of `id`, which is added at the end if it is new.
    ///
    /// # Errors
    /// When there are more than four billion.
    pub fn place(&mut self, id: &str) -> Result<u32> {
        let number = as_number(id);
        let known = match number {
            Some(number) => self.numbers.get(&number),
            None => self.texts.get(id),
        };
        if let Some(&place) = known {
            return Ok(place);
        }
        let place = u32::try_from(self.ids.len()).map_err(|_| {
            Error::invalid("more than four billion store ids in one call (split it)")
        })?;
        match number {
            Some(number) => self.numbers.insert(number, place),
            None => self.texts.insert(id.into(), place),
        };
        self.ids.push(id.into());
        Ok(place)
    }

    /// Every id, in the order of first appearance.
    pub fn into_ids(self) -> Vec<Box<str>> {
        self.ids
    }
}

/// The number that `id` spells, if no other text spells the same one: no sign, no zero in front.
fn as_number(id: &str) -> Option<u64> {
    // Nineteen digits always fit.
    let plain = matches!(id.len(), 1..=19) && (id.len() == 1 || !id.starts_with('0'));
    let digit = |number: u64, byte: u8| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u64::from(byte - b'0'))
    };
    if plain {
        id.bytes().try_fold(0, digit)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_opaque_however_they_are_looked_up() {
        let mut interner = Interner::default();
        let ids = [
            "7",
            "007",
            "0",
            "00",
            "-7",
            "+7",
            "7 ",
            "9999999999999999999",
            "18446744073709551616",
            "a",
        ];
        for again in 0..2 {
            for (place, id) in ids.iter().enumerate() {
                assert_eq!(interner.place(id).unwrap() as usize, place, "{id} {again}");
            }
        }
        assert_eq!(
            interner
                .into_ids()
                .iter()
                .map(|id| &**id)
                .collect::<Vec<_>>(),
            ids
        );
    }
}
