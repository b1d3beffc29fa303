//! Numeric oracles, shapes that a person would judge at a glance, and properties over arbitrary input.

mod calibration;
mod oracle;
mod passage;
mod properties;
mod regression;
mod scores;
mod shapes;
mod trend;
