//! The plot.
fn main() {}
