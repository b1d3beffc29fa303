//! Explanations as people read them.

use crate::support::{LEAK, hand, one};
use forewarn_rules::explain::{Explanation, TermKind};
use forewarn_rules::predict::Identity;

#[test]
fn an_explanation_names_every_term() {
    let e = hand().explain(&one(LEAK), 0, &Identity::default()).unwrap();
    let first = &e.hazards[0];
    let kinds: Vec<TermKind> = first.terms.iter().map(|t| t.kind).collect();
    assert_eq!(kinds, [TermKind::Prior, TermKind::FirstPassage, TermKind::Rule, TermKind::Calibration]);
    let rule = &first.terms[2];
    assert_eq!(rule.rule.as_deref(), Some("memory-nearly-full"));
    assert_eq!((rule.feature.as_deref(), rule.value, rule.bin), (Some("memory_q24"), Some(0.82), Some(0.5)));
    // In the later spans the week's trend says more than the day's.
    assert_eq!(e.hazards[1].terms[2].rule.as_deref(), Some("memory-leak"));
    assert_eq!(e.silent_rules, hand().rules().len() - 2);
}

#[test]
fn the_text_reads_from_top_to_bottom() {
    let lines = hand().explain(&one(LEAK), 0, &Identity::default()).unwrap().lines();
    assert_eq!(lines[0], "i-00000000000000000 as of 2026-02-15T12:00:00Z: high");
    assert!(lines[1].starts_with("  P(24 h) 0."), "{}", lines[1]);
    assert_eq!(lines[2], "hazard 0-24h");
    assert_eq!(lines[3], "    -4.600  prior of 0.3 incidents per instance and month");
    assert!(
        lines[4].contains(
            "memory in use is 91.3 % and grows 4.8 % a day; it goes past 95 % and beyond its own past within 24 hours"
        ),
        "{}",
        lines[4]
    );
    assert!(lines[5].contains("memory-nearly-full: memory is 91 % and grows 5.2 % a day"), "{}", lines[5]);
    assert!(lines[5].ends_with("[memory_q24 0.82 >= 0.5]"), "{}", lines[5]);
    assert!(lines.last().unwrap().contains("rules did not fire; rule set hand 1"));
}

#[test]
fn explanations_survive_json_and_an_unknown_row_is_refused() {
    let rules = hand();
    let e = rules.explain(&one(LEAK), 0, &Identity::default()).unwrap();
    let back: Explanation = serde_json::from_str(&serde_json::to_string(&e).unwrap()).unwrap();
    assert_eq!(back, e);
    assert_eq!(
        rules.explain(&one(LEAK), 1, &Identity::default()).unwrap_err().to_string(),
        "row 1 was asked for, but the table has 1"
    );
}
