//! Placeholder until the fake follows.
