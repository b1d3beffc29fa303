//! One account, the own or a role's, in whatever region is asked for.

use super::super::planner::{RegionReader, Regions};
use super::super::ports::FactReader;
use super::AwsRecovery;
use forewarn_runtime::aws::{Aws, Role};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What an account or region is called that nobody knows.
const UNKNOWN: &str = "unknown";

/// The regions of one account; one that has been asked for is kept.
#[derive(Debug)]
pub struct AwsRegions {
    aws: Aws,
    role: Option<Role>,
    known: Mutex<BTreeMap<String, Arc<AwsRecovery>>>,
}

impl AwsRegions {
    /// Takes the own credentials, or a role's; nothing is asked yet.
    pub fn new(aws: Aws, role: Option<Role>) -> Self {
        Self { aws, role, known: Mutex::default() }
    }

    fn in_region(&self, region: &str) -> Result<Arc<AwsRecovery>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(aws) = known.get(region) {
            return Ok(Arc::clone(aws));
        }
        // Without any, the SDK would tell of every place where it has looked.
        self.aws.check_credentials(self.aws.base()).map_err(|e| e.to_string())?;
        let aws = AwsRecovery::new(&self.aws, region, self.role.as_ref()).map_err(|e| e.to_string())?;
        let aws = Arc::new(aws);
        known.insert(region.to_owned(), Arc::clone(&aws));
        Ok(aws)
    }
}

impl Regions for AwsRegions {
    fn reader(&self, account: &str, region: &str) -> Result<RegionReader, String> {
        let region = match region {
            UNKNOWN => self.aws.region().map_err(|e| e.to_string())?,
            known => known,
        };
        let aws = self.in_region(region)?;
        let (ours, _) = aws.home();
        if account != UNKNOWN && account != ours {
            return Err(format!("it is in account {account}, and plans are looked at in account {ours}"));
        }
        Ok(RegionReader::new(&aws))
    }
}
