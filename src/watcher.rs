//! The watcher: applies the alert rules to the polls each minute, and to the past when someone asks.
