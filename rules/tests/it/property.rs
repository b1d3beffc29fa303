//! What must hold for every row: monotone, ordered, bounded, and dependent on nothing but itself.

use crate::support::{builtin, calibrated, table};
use forewarn_domain::prediction::Level;
use forewarn_domain::signal::SIGNALS;
use forewarn_rules::assess::Score;
use forewarn_rules::feature::{FEATURES, INSTANCE_COLUMNS, WIDTH, column_index, columns, instance_index};
use forewarn_rules::hazard::probabilities;
use forewarn_rules::predict::Identity;
use forewarn_rules::ruleset::{Evidence, RuleSet};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::slice::from_ref;
use std::sync::LazyLock;

/// The first-passage features: probabilities, all of them.
const PASSAGE: [&str; 6] = ["q24", "q72", "q168", "x24", "x72", "x168"];

static RULES: LazyLock<[&'static RuleSet; 2]> = LazyLock::new(|| [builtin(), calibrated()]);

/// The columns that some rule or first passage reads; the others cannot matter.
static READ: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let passage = SIGNALS.iter().flat_map(|s| PASSAGE.map(|q| column_index(&format!("{}_{q}", s.name)).unwrap()));
    let mut read: BTreeSet<usize> = passage.collect();
    for r in builtin().rules() {
        read.extend(r.when.columns());
        if let Evidence::Binned { feature, .. } = &r.evidence {
            read.insert(*feature);
        }
    }
    read.into_iter().collect()
});

/// A value that some rule could turn at, or none.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![Just(f64::NAN), Just(0.0), Just(1.0), 0.0..1.0_f64, -10.0..10.0_f64, 0.0..120.0_f64]
}

/// A row whose instance columns allow an assessment.
fn row() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(value(), READ.len()).prop_map(|values| {
        let mut row = vec![f64::NAN; WIDTH];
        for (i, v) in READ.iter().zip(values) {
            row[*i] = v;
        }
        for (i, known) in [30.0, 1.0, 0.1, 9.0, f64::NAN].into_iter().enumerate() {
            row[instance_index(i)] = known;
        }
        for (i, name) in columns().iter().enumerate() {
            if name.ends_with("_n") {
                row[i] = 2016.0;
            } else if PASSAGE.iter().any(|q| name.ends_with(&format!("_{q}"))) {
                row[i] = row[i].abs().clamp(0.0, 1.0);
            }
        }
        row
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn probabilities_are_ordered_and_bounded(rows in prop::collection::vec(row(), 1..4)) {
        for rules in RULES.iter() {
            let assessed = rules.assess(&table(&rows)).unwrap();
            for i in 0..rows.len() {
                let p = assessed.probabilities(i);
                prop_assert!(p.iter().all(|v| (0.0..=1.0).contains(v)));
                prop_assert!(p[0] <= p[1] && p[1] <= p[2]);
                prop_assert_ne!(assessed.level[i], Level::Unassessable);
            }
        }
    }

    #[test]
    fn another_rule_never_lowers_a_probability(row in row(), extra in 0_usize..64) {
        for rules in RULES.iter() {
            let t = table(from_ref(&row));
            let mut fired = rules.fired(&t).unwrap();
            let mut score = Score::default();
            rules.score(&t, &fired, 0, &mut score);
            let before = probabilities(&rules.calibrate(&score.prior, &score.log_odds));
            let level = rules.levels().of(&before);
            fired[extra % rules.rules().len()][0] = true;
            rules.score(&t, &fired, 0, &mut score);
            let after = probabilities(&rules.calibrate(&score.prior, &score.log_odds));
            prop_assert!((0..3).all(|k| after[k] >= before[k] - 1e-12));
            prop_assert!(rules.levels().of(&after) >= level);
        }
    }

    #[test]
    fn a_raised_bin_or_passage_never_lowers_a_probability(row in row(), which in 0_usize..200, by in 0.0..50.0_f64) {
        for rules in RULES.iter() {
            let mut features: Vec<usize> = rules.rules().iter().filter_map(|r| match &r.evidence {
                Evidence::Binned { feature, .. } => Some(*feature),
                Evidence::Constant(_) => None,
            }).collect();
            for s in &SIGNALS {
                features.extend(PASSAGE.map(|q| column_index(&format!("{}_{q}", s.name)).unwrap()));
            }
            let feature = features[which % features.len()];
            let mut raised = row.clone();
            // Unknown becomes known, or known becomes more.
            raised[feature] = if raised[feature].is_nan() { by } else { raised[feature] + by };
            let (a, b) = (table(from_ref(&row)), table(&[raised]));
            // The same rules fire, so that only the feature's own evidence changes.
            let fired = rules.fired(&a).unwrap();
            let p = |t| {
                let mut score = Score::default();
                rules.score(t, &fired, 0, &mut score);
                probabilities(&rules.calibrate(&score.prior, &score.log_odds))
            };
            let (before, after) = (p(&a), p(&b));
            prop_assert!((0..3).all(|k| after[k] >= before[k] - 1e-12), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_row_is_judged_alone(rows in prop::collection::vec(row(), 2..6), rotate in 0_usize..6) {
        let rules = RULES[1];
        let whole = rules.assess(&table(&rows)).unwrap();
        let mut shuffled = rows.clone();
        shuffled.rotate_left(rotate % rows.len());
        let turned = rules.assess(&table(&shuffled)).unwrap();
        for i in 0..rows.len() {
            let alone = rules.assess(&table(&rows[i..=i])).unwrap();
            let j = (i + rows.len() - rotate % rows.len()) % rows.len();
            for k in 0..3 {
                prop_assert_eq!(whole.log_odds[k][i].to_bits(), alone.log_odds[k][0].to_bits());
                prop_assert_eq!(whole.log_odds[k][i].to_bits(), turned.log_odds[k][j].to_bits());
            }
            for rule in 0..rules.rules().len() {
                prop_assert_eq!(whole.fired[rule][i], alone.fired[rule][0]);
            }
            prop_assert_eq!(whole.level[i], alone.level[0]);
            prop_assert_eq!(whole.failure_type[i], turned.failure_type[j]);
        }
    }

    #[test]
    fn explanations_add_up(row in row()) {
        for rules in RULES.iter() {
            let t = table(from_ref(&row));
            let assessed = rules.assess(&t).unwrap();
            let e = rules.explain(&t, 0, &Identity::default()).unwrap();
            for (k, h) in e.hazards.iter().enumerate() {
                let sum: f64 = h.terms.iter().map(|t| t.log_odds).sum();
                prop_assert!((sum - h.log_odds).abs() < 1e-9);
                let assessed = assessed.hazards[k][0];
                prop_assert!(assessed.is_nan() || (h.hazard - assessed).abs() < 1e-12);
            }
            let text = e.lines().join("\n");
            prop_assert!(!text.contains("NaN") && !text.contains("null"), "{}", text);
            let heard = rules.rules().len() - e.silent_rules;
            prop_assert_eq!(heard, assessed.fired.iter().filter(|rows| rows[0]).count());
        }
    }

    #[test]
    fn predictions_read_well_whatever_the_row(row in row()) {
        let rules = RULES[0];
        let t = table(&[row]);
        let assessed = rules.assess(&t).unwrap();
        let p = rules.predict(&t, &assessed, 0, &forewarn_rules::predict::Identity::default());
        let texts = p.factors.iter().map(|f| f.text.clone()).chain(p.counterfactual.iter().map(|c| c.text.clone()))
            .chain(p.window.iter().map(|w| w.text.clone())).chain(p.notes.iter().cloned());
        for text in texts {
            prop_assert!(!text.contains("NaN") && !text.contains("null") && !text.contains("inf "), "{}", text);
        }
        prop_assert!(p.factors.windows(2).all(|w| w[0].evidence >= w[1].evidence));
        if let Some(c) = &p.counterfactual {
            prop_assert!(c.confidence <= p.confidence);
            prop_assert!(c.confidence < p.confidence || c.text.starts_with("even if "), "{:?}", c);
            let distinct: BTreeSet<_> = c.signals.iter().collect();
            prop_assert!(distinct.len() == c.signals.len() && c.signals[0] == c.signal, "{:?}", c);
        }
        if let Some(w) = &p.window {
            prop_assert!(p.as_of <= w.p10 && w.p10 <= w.p50 && w.p50 <= w.p90);
        }
    }
}

#[test]
fn rows_have_the_width_of_the_table() {
    assert_eq!(columns().len(), SIGNALS.len() * FEATURES.len() + INSTANCE_COLUMNS.len());
}
