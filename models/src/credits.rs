//! CPU credits of burstable instances.

/// What an instance type earns and may keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CreditSpec {
    /// The instance type.
    pub instance_type: &'static str,
    /// The number of virtual processors.
    pub vcpus: u32,
    /// The utilisation of each virtual processor, in percent, that earns what it spends.
    pub baseline_percent: f64,
    /// Credits earned in an hour; a credit is one virtual processor at 100 % for a minute.
    pub earned_per_hour: f64,
    /// The most credits that the balance can hold: what 24 hours earn.
    pub max_balance: f64,
}

const fn spec(instance_type: &'static str, vcpus: u32, baseline_percent: f64, earned_per_hour: f64) -> CreditSpec {
    CreditSpec { instance_type, vcpus, baseline_percent, earned_per_hour, max_balance: 24.0 * earned_per_hour }
}

/// The burstable types, from "Key concepts for burstable performance instances" in the Amazon EC2 User Guide.
///
/// The earned credits follow from the baseline, vcpus * baseline % * 60 minutes, and the cap from 24 hours of them.
const SPECS: [CreditSpec; 28] = [
    spec("t2.nano", 1, 5.0, 3.0),
    spec("t2.micro", 1, 10.0, 6.0),
    spec("t2.small", 1, 20.0, 12.0),
    spec("t2.medium", 2, 20.0, 24.0),
    spec("t2.large", 2, 30.0, 36.0),
    spec("t2.xlarge", 4, 22.5, 54.0),
    spec("t2.2xlarge", 8, 17.0, 81.6),
    spec("t3.nano", 2, 5.0, 6.0),
    spec("t3.micro", 2, 10.0, 12.0),
    spec("t3.small", 2, 20.0, 24.0),
    spec("t3.medium", 2, 20.0, 24.0),
    spec("t3.large", 2, 30.0, 36.0),
    spec("t3.xlarge", 4, 40.0, 96.0),
    spec("t3.2xlarge", 8, 40.0, 192.0),
    spec("t3a.nano", 2, 5.0, 6.0),
    spec("t3a.micro", 2, 10.0, 12.0),
    spec("t3a.small", 2, 20.0, 24.0),
    spec("t3a.medium", 2, 20.0, 24.0),
    spec("t3a.large", 2, 30.0, 36.0),
    spec("t3a.xlarge", 4, 40.0, 96.0),
    spec("t3a.2xlarge", 8, 40.0, 192.0),
    spec("t4g.nano", 2, 5.0, 6.0),
    spec("t4g.micro", 2, 10.0, 12.0),
    spec("t4g.small", 2, 20.0, 24.0),
    spec("t4g.medium", 2, 20.0, 24.0),
    spec("t4g.large", 2, 30.0, 36.0),
    spec("t4g.xlarge", 4, 40.0, 96.0),
    spec("t4g.2xlarge", 8, 40.0, 192.0),
];

/// Returns what a burstable type earns and may keep; `None` for a type without credits.
pub fn credit_spec(instance_type: &str) -> Option<CreditSpec> {
    SPECS.iter().find(|spec| spec.instance_type == instance_type).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent_with_its_baselines() {
        for spec in SPECS {
            let earned = f64::from(spec.vcpus) * spec.baseline_percent / 100.0 * 60.0;
            assert!((earned - spec.earned_per_hour).abs() < 1e-9, "{}", spec.instance_type);
        }
        let mut names: Vec<_> = SPECS.iter().map(|s| s.instance_type).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SPECS.len());
    }

    /// Maximum balances as the user guide prints them.
    #[test]
    fn the_caps_are_the_published_ones() {
        for (name, cap) in [
            ("t2.micro", 144.0),
            ("t2.2xlarge", 1958.4),
            ("t3.nano", 144.0),
            ("t3a.large", 864.0),
            ("t4g.xlarge", 2304.0),
            ("t3.2xlarge", 4608.0),
        ] {
            assert!((credit_spec(name).unwrap().max_balance - cap).abs() < 1e-9, "{name}");
        }
        assert_eq!(credit_spec("m5.large"), None);
        assert_eq!(credit_spec(""), None);
    }
}
