//! Hands of one account, its own or a role's, in whatever region is asked for.

use super::super::hands::Hands;
use super::super::planner::Reach;
use super::AwsHands;
use forewarn_runtime::aws::{Aws, Role};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What an account or region is called that nobody knows.
const UNKNOWN: &str = "unknown";

/// Reaches into the regions of one account; who has been reached once is kept.
#[derive(Debug)]
pub struct AwsReach {
    aws: Aws,
    role: Option<Role>,
    known: Mutex<BTreeMap<String, Arc<AwsHands>>>,
}

impl AwsReach {
    /// Takes the own credentials, or a role's; nothing is asked yet.
    pub fn new(aws: Aws, role: Option<Role>) -> Self {
        Self { aws, role, known: Mutex::default() }
    }

    fn in_region(&self, region: &str) -> Result<Arc<AwsHands>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hands) = known.get(region) {
            return Ok(Arc::clone(hands));
        }
        // Without any, the SDK would tell of every place where it has looked.
        self.aws.check_credentials(self.aws.base()).map_err(|e| e.to_string())?;
        let hands = AwsHands::new(&self.aws, region, self.role.as_ref()).map_err(|e| e.to_string())?;
        let hands = Arc::new(hands);
        known.insert(region.to_owned(), Arc::clone(&hands));
        Ok(hands)
    }
}

impl Reach for AwsReach {
    fn hands(&self, account: &str, region: &str) -> Result<Arc<dyn Hands>, String> {
        let region = match region {
            UNKNOWN => self.aws.region().map_err(|e| e.to_string())?,
            known => known,
        };
        let hands = self.in_region(region)?;
        let (ours, _) = hands.home();
        if account != UNKNOWN && account != ours {
            return Err(format!("it is in account {account}, and plans are looked at in account {ours}"));
        }
        Ok(hands)
    }
}
