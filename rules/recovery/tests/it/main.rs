//! Recovery decisions: gates, admission, the course of a recovery, and thousands of simulated worlds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admission;
mod course;
mod gates;
mod preview;
mod record;
mod simulation;
mod world;

use forewarn_recovery::facts::{InstanceFacts, InstanceState, Market};

/// A running instance that nothing speaks against: the tests say what is different.
fn instance() -> InstanceFacts {
    InstanceFacts {
        state: InstanceState::Running,
        market: Market::OnDemand,
        enrolled: true,
        self_heal: false,
        stop_protection: false,
        termination_protection: false,
        instance_store: false,
        assigned_public_ip: false,
        elastic_ip: true,
        stateful: false,
        multi_attach: false,
        broken_volume: None,
        last_target: false,
        group: None,
        kept: None,
        controller: None,
    }
}
