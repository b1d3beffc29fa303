//! The `forewarn` binary.

fn main() {}
