//! Synthetic stores: an id, and perhaps a zone, a week, a name and an owner. None of them is real.

use super::random::{Purpose, Random, scramble};

/// The longest id in bytes: that of a UUID.
const ID_BYTES_MAX: usize = 36;
/// Ids have fifteen digits at least: all lie beyond 2^46, nearly all beyond 2^53.
const ID_MIN: u64 = 100_000_000_000_000;

/// An id as text, held in place so that a million of them are one block of memory.
#[derive(Clone, Copy)]
pub(super) struct Id {
    length: u8,
    bytes: [u8; ID_BYTES_MAX],
}

impl Id {
    /// The id of store number `index`; each index has a different one.
    pub(super) fn new(seed: u64, index: u32, uuid: bool) -> Self {
        let key = Random::stream(seed, Purpose::Id, 0).next();
        let index = u64::from(index);
        if uuid {
            // The lower half alone is unique: two fixed bits and a bijection of the index.
            let high = Random::stream(seed, Purpose::Id, 1 + index).next();
            let low = (0b10 << 62) | scramble(index, key, 62);
            let high = (high & !0xF000) | 0x4000;
            Self::from_text(&uuid::Uuid::from_u64_pair(high, low).to_string())
        } else {
            // Cycle walking: repeated until the number is long enough, the bijection remains one.
            let mut id = scramble(ID_MIN + index, key, 63);
            while id < ID_MIN {
                id = scramble(id, key, 63);
            }
            Self::from_text(&id.to_string())
        }
    }

    fn from_text(text: &str) -> Self {
        let mut bytes = [0; ID_BYTES_MAX];
        let length = text.len().min(ID_BYTES_MAX);
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self {
            length: u8::try_from(length).unwrap_or(u8::MAX),
            bytes,
        }
    }

    /// The id as text.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The facts of a store that do not change while it is polled.
pub(super) struct Store<'a, Week> {
    pub(super) id: Id,
    /// Whether it has any poll; a store without polls still has a zone.
    pub(super) polled: bool,
    /// None for one store in twenty.
    pub(super) zone: Option<&'static str>,
    /// None for one store in five.
    pub(super) week: Option<&'a Week>,
    /// None for one store in thirty.
    pub(super) label: Option<Label>,
}

/// The targets of owners by weight.
const TARGETS: [(u32, &str); 4] = [(85, ""), (8, "99.00"), (4, "98.00"), (3, "99.50")];

/// What people call a store, as CSV fields.
pub(super) struct Label {
    pub(super) name: String,
    pub(super) group: String,
    /// The number of the owner.
    pub(super) owner: u32,
}

impl Label {
    /// Sales in an hour: none for some stores, and whole fives for the others.
    pub(super) fn sales_per_hour(&self, seed: u64, index: u32) -> String {
        let mut random = Random::stream(seed, Purpose::Sales, u64::from(index));
        match random.chance(700) {
            true => format!("{}.00", 40 + 5 * random.below(50)),
            false => String::new(),
        }
    }

    /// The target of its owner, who mostly has none.
    pub(super) fn target(&self, seed: u64) -> &'static str {
        let mut random = Random::stream(seed, Purpose::Target, u64::from(self.owner));
        let target: &&str = random.weighted(&TARGETS);
        target
    }
}

impl<'a, Week> Store<'a, Week> {
    /// Store number `index` of `stores`; its week is one of `weeks`, by weight.
    pub(super) fn new(seed: u64, index: u32, stores: u32, uuid: bool, weeks: &'a [(u32, Week)]) -> Self {
        let mut random = Random::stream(seed, Purpose::Store, u64::from(index));
        let polled = !random.chance(10);
        let zone = (!random.chance(50) || !polled).then(|| *random.weighted(&ZONES));
        let week = (!random.chance(200)).then(|| random.weighted(weeks));
        let label = (!random.chance(33)).then(|| label(&mut random, seed, stores));
        Self {
            id: Id::new(seed, index, uuid),
            polled,
            zone,
            week,
            label,
        }
    }
}

/// A name and an owner. An owner has a few brands, and names each store after one of them and its place.
fn label(random: &mut Random, seed: u64, stores: u32) -> Label {
    // An owner has 25 stores on average, and a few have far more: the smaller of two numbers favours the first ones.
    let owners = (stores / 25).clamp(3, OWNERS_MAX);
    let owner = random.below(owners).min(random.below(owners));
    let group = {
        let offset = Random::stream(seed, Purpose::Owners, 0).below(OWNERS_MAX);
        let number = ((owner + offset) % OWNERS_MAX) as usize;
        let family = FAMILIES[number % FAMILIES.len()];
        format!("{family} {}", FORMS[number / FAMILIES.len() % FORMS.len()])
    };
    let brand = u64::from(owner * 3 + random.below(3));
    let mut of_brand = Random::stream(seed, Purpose::Brand, brand);
    let (first, second) = (of_brand.pick(&FIRSTS), of_brand.pick(&SECONDS));
    let place = random.pick(&PLACES);
    // One name in forty has a comma, so its field is quoted.
    let name = if random.chance(25) {
        format!("\"{first} {second}, {place}\"")
    } else {
        format!("{first} {second} {place}")
    };
    Label { name, group, owner }
}

/// How many owners there can be: every family name with every form.
const OWNERS_MAX: u32 = 400;

/// Zones by weight: most in North America, a few far abroad and at odd offsets.
#[rustfmt::skip]
const ZONES: [(u32, &str); 30] = [
    (5600, "America/New_York"), (2300, "America/Los_Angeles"), (1250, "America/Chicago"), (300, "America/Phoenix"),
    (180, "America/Denver"), (60, "America/Detroit"), (30, "Pacific/Honolulu"), (20, "America/Boise"),
    (20, "America/Anchorage"), (20, "America/Indiana/Indianapolis"), (15, "America/Kentucky/Louisville"),
    (15, "America/Toronto"), (10, "America/Edmonton"), (10, "America/Puerto_Rico"), (10, "America/Halifax"),
    (5, "America/Adak"), (5, "America/St_Johns"), (5, "America/Mexico_City"), (5, "America/Sao_Paulo"),
    (15, "Europe/London"), (5, "Europe/Berlin"), (5, "Africa/Cairo"), (5, "Asia/Beirut"), (10, "Asia/Kolkata"),
    (5, "Asia/Kathmandu"), (5, "Asia/Tokyo"), (5, "Australia/Sydney"), (5, "Australia/Lord_Howe"),
    (5, "Pacific/Auckland"), (5, "Pacific/Chatham"),
];

#[rustfmt::skip]
const FAMILIES: [&str; 50] = [
    "Abara", "Adler", "Alvarez", "Banerjee", "Barlow", "Bianchi", "Calloway", "Castillo", "Chen", "Cho", "Delgado",
    "Dubois", "Egan", "Eriksen", "Farouk", "Ferreira", "Gallagher", "Greco", "Haddad", "Hoang", "Ibarra", "Iyer",
    "Jankowski", "Jensen", "Kapoor", "Kowalski", "Larkin", "Lindqvist", "Mancini", "Mbeki", "Moreau", "Nakamura",
    "Novak", "O'Rourke", "Okafor", "Ortega", "Papadakis", "Park", "Quiroga", "Ramaswamy", "Rossi", "Santoro",
    "Silva", "Tanaka", "Thibault", "Underhill", "Vasquez", "Whitfield", "Yilmaz", "Zamora",
];

#[rustfmt::skip]
const FORMS: [&str; 8] = [
    "Hospitality", "Restaurants", "Kitchens", "Dining Group", "Food Company", "& Sons", "Franchise Partners",
    "Foods LLC",
];

#[rustfmt::skip]
const FIRSTS: [&str; 30] = [
    "Amber", "Blue Agave", "Brick Lane", "Bright Fork", "Cedar", "Copper", "Corner", "Dos Rios", "Early Bird",
    "Ember", "Fig Tree", "Golden Wok", "Green Door", "Hearth", "Iron Skillet", "Jade", "Juniper", "Lantern",
    "Little Anchor", "Magnolia", "Maple", "Nonna's", "Old Mill", "Olive Branch", "Paper Crane", "Red Barn",
    "Saffron", "Silver Spoon", "Tidewater", "Wild Thyme",
];

#[rustfmt::skip]
const SECONDS: [&str; 20] = [
    "Bakery", "Bar & Grill", "Bistro", "Burgers", "Café", "Cantina", "Chicken", "Curry House", "Deli", "Diner",
    "Dumplings", "Grill", "Kitchen", "Noodles", "Pizza", "Ramen", "Smokehouse", "Sushi", "Tacos", "Wings",
];

#[rustfmt::skip]
const PLACES: [&str; 60] = [
    "Airport", "Arbor Heights", "Ash Street", "Bayview", "Beacon Hill", "Bridgeport", "Brookside",
    "Cathedral Square", "Cedar Crossing", "Central Station", "Chestnut Hill", "City Hall", "Clifton",
    "College Avenue", "County Road", "Court Street", "Crestwood", "Depot", "Downtown", "Eastgate", "Elm Park",
    "Fairgrounds", "Fairview", "Ferry Landing", "First Avenue", "Forest Park", "Garden District", "Glenwood",
    "Grand Avenue", "Harbor", "Highland", "Hillcrest", "Kingston", "Lakeshore", "Lincoln Plaza", "Main Street",
    "Market Square", "Meadow Lane", "Midtown", "Mill Creek", "Northgate", "Oak Street", "Old Town", "Orchard",
    "Park Slope", "Pine Ridge", "Plaza", "Railroad Avenue", "Ridgewood", "River Walk", "Riverside", "Southside",
    "Spring Valley", "Stadium", "Sunset Strip", "Union Square", "University", "Waterfront", "West End", "Westfield",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_have_15_to_19_digits() {
        let ids: HashSet<Vec<u8>> = (0..20_000)
            .map(|index| Id::new(9, index, false).as_bytes().to_vec())
            .collect();
        assert_eq!(ids.len(), 20_000);
        for id in ids {
            assert!((15..=19).contains(&id.len()) && id.iter().all(u8::is_ascii_digit));
        }
    }

    #[test]
    fn uuids_are_unique_and_of_version_4() {
        let ids: HashSet<uuid::Uuid> = (0..20_000)
            .map(|index| uuid::Uuid::try_parse_ascii(Id::new(9, index, true).as_bytes()).unwrap())
            .collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
    }

    #[test]
    fn every_zone_is_one_that_the_tz_database_knows() {
        for (_, zone) in ZONES {
            assert!(zone.parse::<chrono_tz::Tz>().is_ok(), "{zone}");
        }
    }

    #[test]
    fn every_family_has_every_form() {
        assert_eq!(OWNERS_MAX as usize, FAMILIES.len() * FORMS.len());
    }
}
