//! NOT BUILT YET.

use super::super::hands::{Errand, Reply};
use super::{AwsHands, Part};
use forewarn_rules::recovery::facts::Read;
use forewarn_rules::recovery::policy::Policy;

/// NOT BUILT YET.
#[derive(Debug)]
pub(super) struct Wellness;

impl Part for Wellness {
    fn perform(&self, _hands: &AwsHands, errand: &Errand) -> Reply {
        Reply::Failed(format!("{:?} is not built", errand.kind))
    }

    fn find(&self, _hands: &AwsHands, _errand: &Errand) -> Result<Option<String>, String> {
        Ok(None)
    }
}

pub(super) fn is_well(_hands: &AwsHands, _instance: &str, _policy: &Policy) -> Read<bool> {
    Read::Failed("not built".to_owned())
}
