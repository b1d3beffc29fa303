//! A preview in a few lines, for people.

use super::{Basis, Check, CheckState, Downtime, PreviewDecision, RecoveryPreview, Similar};
use serde::Serialize;

impl RecoveryPreview {
    /// Says it in words: what would be done, what was checked, how others like it ended.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.intent()];
        // What is said of a check is not said again as a reason.
        let is_new = |r: &&String| !self.checks.iter().any(|c| c.state != CheckState::Passed && r.ends_with(&c.detail));
        let refusals: Vec<&str> = self.refusals.iter().filter(is_new).map(String::as_str).collect();
        if !refusals.is_empty() {
            lines.push(format!("against it: {}", refusals.join("; ")));
        }
        lines.extend(self.checked());
        lines.extend(self.similar.as_ref().and_then(ended));
        lines
    }

    fn intent(&self) -> String {
        if self.steps.is_empty() {
            return "plan: none could be made".to_owned();
        }
        let stance = match self.stance {
            PreviewDecision::Tells => "people are told, nothing else is done",
            PreviewDecision::Acts => "it would begin",
            PreviewDecision::Asks => "it would begin once approved",
            PreviewDecision::Waits => "it would wait",
            PreviewDecision::Refuses => "it would not be done",
            PreviewDecision::Unknown => "whether it would be done can't be told",
        };
        let mut parts = vec![format!("plan: {}", word(&self.action)), stance.to_owned()];
        if let Some(downtime) = &self.downtime {
            parts.push(format!("down for about {}", expected(downtime)));
        }
        if let Some(step) = &self.undo_until
            && self.action.mutates()
        {
            parts.push(format!("a failure up to `{}` is undone", word(step)));
        }
        parts.join("; ")
    }

    /// Says what passed in one line, and what did not in one each; one reason is told once.
    fn checked(&self) -> Vec<String> {
        let of = |state: CheckState| self.checks.iter().filter(move |c| c.state == state);
        let mut lines = Vec::new();
        let mut passed: Vec<String> = of(CheckState::Passed).map(|c| word(&c.what)).collect();
        passed.dedup();
        if !passed.is_empty() {
            let age = self.newest_snapshot_age_s.map(|s| format!(" (newest {} old)", span(s))).unwrap_or_default();
            lines.push(format!("checked {}: {}{age}", self.checked_at, passed.join(", ")));
        }
        for (state, says) in [(CheckState::Failed, "failed"), (CheckState::Unknown, "not known")] {
            let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
            for Check { what, detail, .. } in of(state) {
                match reasons.iter_mut().find(|(why, _)| why == detail) {
                    Some((_, kinds)) => kinds.push(word(what)),
                    None => reasons.push((detail, vec![word(what)])),
                }
            }
            lines.extend(reasons.into_iter().map(|(why, kinds)| format!("{says}: {}: {why}", kinds.join(", "))));
        }
        lines
    }
}

fn ended(similar: &Similar) -> Option<String> {
    let Similar { episodes, hits, false_alarms, recoveries, recovered, handed_over } = *similar;
    let mut parts = Vec::new();
    if episodes > 0 {
        parts.push(format!("of {episodes} such episodes {hits} failed and {false_alarms} did not"));
    }
    if recoveries > 0 {
        parts.push(format!("of {recoveries} such recoveries {recovered} helped and {handed_over} went to people"));
    }
    (!parts.is_empty()).then(|| format!("before: {}", parts.join("; ")))
}

fn expected(downtime: &Downtime) -> String {
    let from = match downtime.from {
        Basis::Past => format!("median of {}", downtime.recoveries),
        Basis::Typical => "typical".to_owned(),
    };
    format!("{} ({from})", span(downtime.expected_s))
}

/// Says a span of time, rounded down to its largest unit; up to two hours in minutes.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Gives the name of something as JSON has it, with spaces.
fn word(of: &impl Serialize) -> String {
    let name = serde_json::to_value(of).ok().and_then(|v| v.as_str().map(str::to_owned));
    name.unwrap_or_default().replace('_', " ")
}
