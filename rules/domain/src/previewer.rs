//! The port through which a prediction run asks what a recovery would do.

use crate::round::Round;

/// Looks at what a recovery would do about predictions, and puts it into them.
pub trait RecoveryPreviewer: std::fmt::Debug {
    /// Says whether a run of this time is looked at now; one that is only caught up with is not, since what is seen now says nothing
    /// of then.
    fn is_fresh(&self, as_of: i64) -> bool;

    /// Puts a preview into each prediction at high of a round. Nothing is changed in AWS; what can't be found out, the preview says.
    fn attach(&self, round: &mut Round);
}
