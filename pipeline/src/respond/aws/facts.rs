//! NOT BUILT YET.

use super::super::hands::Seen;
use super::AwsHands;
use forewarn_rules::recovery::facts::Read;

pub(super) fn look(_hands: &AwsHands, _instance: &str, _now_ms: i64) -> Seen {
    let no = || "not built".to_owned();
    Seen { instance: Read::Failed(no()), place: Read::Failed(no()), aws_recovers_until: Read::Failed(no()) }
}
