//! Says what predictions were worth: backtest, fit and pilot over past histories, and the score of live predictions.

pub mod replay;

pub mod backtest;
pub mod fit;
pub mod pilot;
