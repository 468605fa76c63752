//! Pseudo-random numbers that are the same on every machine: splitmix64, in integers only.

/// The increment of splitmix64's state.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The purpose of a stream. One more number drawn for one purpose does not change the others.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Ids: the key at 0, then one stream a store.
    Id = 1,
    /// Zone, week, name and owner; one stream a store.
    Store,
    /// The owners of a fleet; one stream.
    Owners,
    /// The brands of an owner; three streams an owner.
    Brand,
    /// When a store is down; one stream a store.
    Incidents,
    /// When the poller is down; one stream a block of hours.
    Outages,
    /// One sweep: its order, its jitter and its faults.
    Sweep,
    /// The place of a row in a shuffled file; one stream a store, and one an instant of it.
    Shuffle,
    /// What an owner does on holidays; one stream an owner.
    Custom,
    /// Whether hours change with the seasons; one stream a store.
    Season,
    /// What a store sells in an hour, and its target; one stream a store, and one an owner.
    Sales,
    Target,
}

/// A stream of numbers that its seed determines: splitmix64 (Steele, Lea and Flood, 2014).
pub(super) struct Random(u64);

impl Random {
    /// One of many streams of one seed. `purpose` and `index` are mixed in one after the other, so that
    /// neighbouring streams are independent.
    pub(super) const fn stream(seed: u64, purpose: Purpose, index: u64) -> Self {
        Self(mix(mix(mix(seed.wrapping_add(STEP)) ^ purpose as u64) ^ index))
    }

    /// The next 64 bits.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below `limit`; zero when `limit` is. The bias is below `limit` in 2^32.
    pub(super) const fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * limit as u64) >> 32) as u32
    }

    /// True `per_mille` times in a thousand.
    pub(super) const fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille
    }

    /// A random one of `items`, which must not be empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        &items[self.below(count) as usize]
    }

    /// A random one of `items` by weight; `items` must not be empty.
    pub(super) fn weighted<'a, T>(&mut self, items: &'a [(u32, T)]) -> &'a T {
        let mut left = self.below(items.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in items {
            if left < *weight {
                return item;
            }
            left -= weight;
        }
        &items[0].1
    }
}

/// The output function of splitmix64: a bijection in which every input bit reaches every output bit.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A bijection of the numbers below `2^bits`, selected by `key`. It makes unique ids without a set of all ids
/// in memory.
pub(super) const fn scramble(value: u64, key: u64, bits: u32) -> u64 {
    let mask = u64::MAX >> (64 - bits);
    // Each step is a bijection: adding, multiplying by an odd number (modulo 2^bits), xor with a right shift.
    let mut z = value.wrapping_add(key) & mask;
    let mut round = 0;
    while round < 3 {
        z = (z ^ (z >> (bits / 2))).wrapping_mul(0xBF58_476D_1CE4_E5B9) & mask;
        z = (z ^ (z >> (bits / 2 - 3))).wrapping_mul(mix(key) | 1) & mask;
        round += 1;
    }
    z ^ (z >> (bits / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut random = Random(1_234_567);
        let numbers = [(); 5].map(|()| random.next());
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn scrambling_loses_nothing() {
        for key in [0, 1, 0xFFFF_FFFF_FFFF_FFFF] {
            let mut seen = vec![false; 1 << 16];
            for value in 0..1 << 16 {
                let place = usize::try_from(scramble(value, key, 16)).unwrap();
                assert!(!std::mem::replace(&mut seen[place], true));
            }
        }
    }

    #[test]
    fn weights_are_kept_roughly() {
        let mut random = Random(7);
        let items = [(1, 'a'), (0, 'b'), (9, 'c')];
        let picked: String = (0..10_000).map(|_| *random.weighted(&items)).collect();
        let a = picked.matches('a').count();
        assert!((900..1100).contains(&a), "{a}");
        assert!(!picked.contains('b'));
    }

    #[test]
    fn neighbouring_streams_differ() {
        let first = |seed, purpose, index| Random::stream(seed, purpose, index).next();
        let all = [
            first(1, Purpose::Id, 1),
            first(2, Purpose::Id, 1),
            first(1, Purpose::Store, 1),
            first(1, Purpose::Id, 2),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(!all[..i].contains(a));
        }
    }
}
