//! How many stores are in each state, without the rest of what an [`Overview`](super::overview::Overview) says.

use super::fleet::{BusinessTime, Fleet};
use super::history::History;
use super::interval::Micros;
use super::poll::Poll;
use super::store_state::StoreState;
use super::window::{Window, reach};

/// How many stores of `fleet` are in each state at `as_of`, in the order of [`StoreState::ALL`].
///
/// `business` must span [`BusinessTime::span_for`] `as_of`, and `history` must hold every poll within [`reach`] of it.
pub fn state_counts(fleet: &Fleet, business: &BusinessTime, history: &History, as_of: Micros) -> [usize; 4] {
    let mut counts = [0; StoreState::ALL.len()];
    let mut scratch = Vec::new();
    let counted = Window::Week.counted(as_of);
    for store in fleet.stores() {
        let open = business.of(store.pattern).intervals();
        let polls = history.of(store.key, reach(as_of), &mut scratch);
        // Only the last counted poll decides.
        let counts_in = |poll: &&Poll| poll.at() >= counted.start && open.contains(poll.at());
        let last = polls.iter().rev().find(counts_in);
        let state = StoreState::at(last.map_or(&[], std::slice::from_ref), open, as_of);
        if let Some(place) = StoreState::ALL.iter().position(|one| *one == state) {
            counts[place] += 1;
        }
    }
    counts
}
