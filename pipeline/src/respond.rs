//! The recovery executor: carries out what `forewarn_rules::recovery` decides, and writes it down before and after.

#[cfg(feature = "aws")]
pub mod aws;
pub mod hands;
