//! What actions need that no call of AWS tells: where to, with what, and how people's own software is stopped.

use serde::{Deserialize, Serialize};

/// What a replacement is launched with, where that differs from what it replaces; all of it optional.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Replacement {
    /// A launch template by id or name; without one, the old instance's configuration is captured.
    pub launch_template: Option<String>,
    /// The image.
    pub image_id: Option<String>,
    /// The instance type.
    pub instance_type: Option<String>,
    /// Types to fall back on, in order, where the first has no capacity.
    pub fallback_types: Vec<String>,
    /// The subnet; for a failover to another zone, one there.
    pub subnet_id: Option<String>,
    /// The security group.
    pub security_group: Option<String>,
    /// The key pair.
    pub key_name: Option<String>,
    /// The allocation of the Elastic IP that moves along; without it, the one that the old instance has.
    pub allocation_id: Option<String>,
}

/// Where a failover to another region goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherRegion {
    /// The region.
    pub region: String,
    /// The image there, copied beforehand.
    pub image_id: String,
    /// The subnet there.
    pub subnet_id: String,
    /// The hosted zone of the name.
    pub hosted_zone_id: String,
    /// The name that follows.
    pub record_name: String,
    /// How long it may be kept by resolvers, seconds.
    #[serde(default = "sixty")]
    pub ttl_s: i64,
    /// How old the copies there may be, milliseconds.
    #[serde(default = "a_day")]
    pub copy_age_ms: i64,
}

const fn sixty() -> i64 {
    60
}

const fn a_day() -> i64 {
    86_400_000
}

/// What actions need that no call of AWS tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Targets {
    /// What a replacement is launched with.
    pub replacement: Replacement,
    /// Where a failover to another region goes; without it there is none.
    pub other_region: Option<OtherRegion>,
    /// The security group that lets nothing through but SSM; without it nothing is quarantined.
    pub isolation_group: Option<String>,
    /// The container that is stopped before a spot instance goes.
    pub container: String,
    /// How the application is stopped, where it is no container.
    pub drain_command: Option<String>,
    /// The value of the tag `Name` of data volumes; without it every volume is one.
    pub data_volume: Option<String>,
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            replacement: Replacement::default(),
            other_region: None,
            isolation_group: None,
            container: "myapp-container".to_owned(),
            drain_command: None,
            data_volume: None,
        }
    }
}
