//! The interner: numbers store ids by first appearance.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::error::{Error, Result};

/// The ids seen so far, each with its index in the order of first appearance.
///
/// Most chains use decimal ids that fit in 64 bits. These are looked up as numbers, which touches one cache
/// line and not three: the map's, the id's, and that of the id it is compared to.
#[derive(Debug, Default)]
pub struct Interner {
    numbers: HashMap<u64, u32, RandomState>,
    texts: HashMap<Box<str>, u32, RandomState>,
    ids: Vec<Box<str>>,
    /// How many ids [`Interner::take_new`] has returned.
    taken: usize,
}

impl Interner {
    /// The index of `id`; a new id is added at the end.
    ///
    /// # Errors
    /// When there are more than four billion ids.
    pub fn place(&mut self, id: &str) -> Result<u32> {
        let number = as_number(id);
        let known = match number {
            Some(number) => self.numbers.get(&number),
            None => self.texts.get(id),
        };
        if let Some(&place) = known {
            return Ok(place);
        }
        let place = u32::try_from(self.len())
            .map_err(|_| Error::invalid("more than four billion store ids in one call (split it)"))?;
        match number {
            Some(number) => self.numbers.insert(number, place),
            None => self.texts.insert(id.into(), place),
        };
        self.ids.push(id.into());
        Ok(place)
    }

    /// How many ids were ever added.
    pub(super) fn len(&self) -> usize {
        self.taken + self.ids.len()
    }

    /// The ids added since the last call, in the order of first appearance; their indexes stay.
    pub(super) fn take_new(&mut self) -> Vec<Box<str>> {
        self.taken += self.ids.len();
        std::mem::take(&mut self.ids)
    }
}

/// The number that `id` spells in the only way: no sign, no leading zero.
fn as_number(id: &str) -> Option<u64> {
    let digits = id.as_bytes();
    // Nineteen digits always fit in 64 bits.
    let plain = matches!(digits.len(), 1..=19) && (digits.len() == 1 || digits[0] != b'0');
    if !plain {
        return None;
    }
    let (head, eights) = digits.split_at(digits.len() % 8);
    let head = head.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
    })?;
    eights.chunks_exact(8).try_fold(head, |number, eight| {
        let eight = u64::from_le_bytes(eight.try_into().ok()?);
        Some(number * 100_000_000 + eight_digits(eight)?)
    })
}

/// The number of eight digits, the first one in the lowest byte. Three multiplications and not eight: each
/// addition waits for the one before it, and every row needs this.
fn eight_digits(digits: u64) -> Option<u64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // A digit's upper half is 3, and stays 3 when 6 is added.
    let is_three = |digits: u64| digits & (0xf0 * EACH) == 0x30 * EACH;
    if !is_three(digits) || !is_three(digits + 0x06 * EACH) {
        return None;
    }
    let ones = digits & (0x0f * EACH);
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            "12345678",
            "1234567812345678",
            "1234567890123456789",
            "1234567:",
            "1234567/",
            "\u{ff}234567",
        ];
        for again in 0..2 {
            for (place, id) in ids.iter().enumerate() {
                assert_eq!(interner.place(id).unwrap() as usize, place, "{id} {again}");
            }
        }
        assert_eq!(interner.take_new().iter().map(|id| &**id).collect::<Vec<_>>(), ids);
    }

    proptest! {
        #[test]
        fn a_number_is_the_one_that_its_digits_spell(id in "[0-9:/a]{0,21}") {
            let spelled = id.parse::<u64>().ok().filter(|number| number.to_string() == id);
            prop_assert_eq!(as_number(&id), spelled.filter(|_| id.len() < 20));
        }
    }
}
