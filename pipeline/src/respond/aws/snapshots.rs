//! NOT BUILT YET.

use super::super::hands::{Errand, Reply};
use super::{AwsHands, Part};

/// NOT BUILT YET.
#[derive(Debug)]
pub(super) struct Snapshots;

impl Part for Snapshots {
    fn perform(&self, _hands: &AwsHands, errand: &Errand) -> Reply {
        Reply::Failed(format!("{:?} is not built", errand.kind))
    }

    fn find(&self, _hands: &AwsHands, _errand: &Errand) -> Result<Option<String>, String> {
        Ok(None)
    }
}
