//! NOT BUILT YET.

use super::AwsHands;
use forewarn_rules::recovery::facts::Read;
use forewarn_rules::recovery::trigger::Trigger;

pub(super) fn still_holds(_hands: &AwsHands, _trigger: &Trigger) -> Read<bool> {
    Read::Failed("not built".to_owned())
}
