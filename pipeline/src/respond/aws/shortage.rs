//! NOT BUILT YET.

use super::AwsHands;
use forewarn_rules::recovery::action::RecoveryAction;
use forewarn_rules::recovery::facts::Read;
use forewarn_rules::recovery::policy::Policy;

pub(super) fn shortage(
    _hands: &AwsHands,
    _action: RecoveryAction,
    _instance: &str,
    _policy: &Policy,
) -> Read<Option<String>> {
    Read::Failed("not built".to_owned())
}
