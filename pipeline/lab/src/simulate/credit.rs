//! Knows instance types and keeps the CPU-credit account of the burstable ones.
//!
//! One credit is one vCPU at 100 % for one minute; a burstable type earns at a fixed rate up to a cap of 24 hours'
//! earnings (EC2 User Guide, "CPU credits and baseline utilization for burstable performance instances").

/// Describes one instance type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    /// Its API name.
    pub(super) name: &'static str,
    /// Virtual CPUs.
    pub(super) vcpus: f64,
    /// Credits earned an hour; zero for types that are not burstable.
    pub(super) earn: f64,
    /// Whether EBS throughput beyond a baseline comes out of a bucket.
    pub(super) ebs_burst: bool,
}

const fn size(name: &'static str, vcpus: f64, earn: f64, ebs_burst: bool) -> Size {
    Size { name, vcpus, earn, ebs_burst }
}

/// Burstable types.
pub(super) const BURSTABLE: [Size; 11] = [
    size("t2.micro", 1.0, 6.0, false),
    size("t2.small", 1.0, 12.0, false),
    size("t2.medium", 2.0, 24.0, false),
    size("t2.large", 2.0, 36.0, false),
    size("t3.nano", 2.0, 6.0, true),
    size("t3.micro", 2.0, 12.0, true),
    size("t3.small", 2.0, 24.0, true),
    size("t3.medium", 2.0, 24.0, true),
    size("t3.large", 2.0, 36.0, true),
    size("t3.xlarge", 4.0, 96.0, true),
    size("t3.2xlarge", 8.0, 192.0, true),
];

/// Types with all their CPU all the time.
pub(super) const FIXED: [Size; 10] = [
    size("m5.large", 2.0, 0.0, true),
    size("m5.xlarge", 4.0, 0.0, true),
    size("m6i.large", 2.0, 0.0, true),
    size("m6i.4xlarge", 16.0, 0.0, false),
    size("c5.large", 2.0, 0.0, true),
    size("c5.2xlarge", 8.0, 0.0, true),
    size("c6g.xlarge", 4.0, 0.0, true),
    size("r5.large", 2.0, 0.0, true),
    size("r6g.2xlarge", 8.0, 0.0, true),
    size("r5.8xlarge", 32.0, 0.0, false),
];

impl Size {
    /// The most credits that the type can hold.
    pub(super) fn cap(&self) -> f64 {
        24.0 * self.earn
    }

    /// The utilisation that earns as much as it spends.
    pub(super) fn baseline(&self) -> f64 {
        self.earn / (60.0 * self.vcpus)
    }
}

/// The credit account of one instance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Credits {
    size: Size,
    /// Credits in hand.
    pub(super) balance: f64,
}

impl Credits {
    /// Opens an account with a share of the cap.
    pub(super) fn new(size: Size, share: f64) -> Self {
        Self { size, balance: share.clamp(0.0, 1.0) * size.cap() }
    }

    /// The utilisation that can be paid for over the next `hours`: earnings and savings together.
    pub(super) fn affordable(&self, hours: f64) -> f64 {
        ((self.size.earn * hours + self.balance) / (60.0 * self.size.vcpus * hours)).min(1.0)
    }

    /// Books `hours` at the utilisation `used` (0-1); what would pass the cap is lost.
    pub(super) fn book(&mut self, used: f64, hours: f64) {
        let change = (self.size.earn - 60.0 * self.size.vcpus * used) * hours;
        self.balance = (self.balance + change).clamp(0.0, self.size.cap());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balance_changes_by_earned_less_spent_and_baseline_breaks_even() {
        for size in BURSTABLE {
            let mut account = Credits::new(size, 0.5);
            let before = account.balance;
            account.book(size.baseline(), 5.0);
            assert!((account.balance - before).abs() < 1e-9, "{}", size.name);
            account.book(0.0, 1.0);
            assert!((account.balance - before - size.earn).abs() < 1e-9, "{}", size.name);
            account.book(size.baseline() + 0.01, 1.0);
            assert!((account.balance - before - size.earn + 0.6 * size.vcpus).abs() < 1e-9, "{}", size.name);
        }
    }

    #[test]
    fn spending_what_is_affordable_ends_at_zero_and_never_below() {
        let mut account = Credits::new(BURSTABLE[5], 0.02);
        let used = account.affordable(1.0);
        account.book(used, 1.0);
        assert!(account.balance.abs() < 1e-9);
        assert!((account.affordable(1.0) - BURSTABLE[5].baseline()).abs() < 1e-12);
    }

    #[test]
    fn published_baselines_hold() {
        let of = |n: &str| BURSTABLE.iter().find(|s| s.name == n).map(Size::baseline);
        assert_eq!(of("t3.nano"), Some(0.05));
        assert_eq!(of("t3.large"), Some(0.3));
        assert_eq!(of("t2.medium"), Some(0.2));
    }
}
