//! Recovery decisions: gates, admission, the course of a recovery, and thousands of simulated worlds.

mod admission;
mod course;
mod gates;
mod simulation;
mod world;
