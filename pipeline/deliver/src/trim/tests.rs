use super::*;
use crate::announcement::Detail;
use forewarn_log::event::KINDS;
use jsonschema::Validator;
use proptest::prelude::*;
use std::sync::LazyLock;

fn validator(name: &str) -> Validator {
    let kind = KINDS.iter().find(|k| k.full() == name).unwrap();
    let generator = schemars::generate::SchemaSettings::draft07().into_generator();
    jsonschema::validator_for(kind.schema(generator).as_value()).unwrap()
}

static UPDATED: LazyLock<Validator> = LazyLock::new(|| validator("forewarn.prediction.updated.v1"));
static GROWN: LazyLock<Validator> = LazyLock::new(|| validator("forewarn.workload.updated.v1"));

fn size(detail: &Value) -> usize {
    detail.to_string().len()
}

fn prediction(factors: &[(f64, usize)], texts: usize, notes: usize) -> Value {
    let text = "ä".repeat(texts);
    let factors: Vec<Value> = factors
        .iter()
        .map(|(evidence, text)| {
            json!({"signal": "disk", "device": "path=/data", "rule": "first-passage", "evidence": evidence, "now": 88.1,
                   "slope_per_day": null, "eta_hours": 4.5, "text": "x".repeat(*text)})
        })
        .collect();
    json!({
        "event_id": "e-1", "event_type": "forewarn.prediction.updated.v1", "previous": "medium",
        "prediction_id": "p-1", "episode_id": "ep-1", "sequence": 3, "instance_id": "i-1", "account": "123456789012",
        "region": "eu-central-1", "workload": text, "as_of": "2026-02-15T06:00:00Z", "confidence": "high",
        "status": "changed", "probability": {"24h": 0.7, "72h": 0.8, "168h": 0.9},
        "window": {"p10": "2026-02-15T06:00:00Z", "p50": "2026-02-15T08:00:00Z", "p90": "2026-02-15T09:00:00Z", "text": text},
        "failure_type": "disk_full", "recommended_action": "free_disk", "unassessable": null, "factors": factors,
        "counterfactual": {"signal": "disk", "p24": 0.1, "confidence": "low", "text": text},
        "notes": vec![text.clone(); notes],
        "ruleset": {"name": "default", "version": "1", "sha256": "ab"}, "engine": "0.1.0",
        "links": {"chart": text, &text: "x"},
    })
}

fn workload(members: usize) -> Value {
    let levels = ["low", "high", "medium"];
    let members: Vec<Value> = (0..members)
        .map(|n| json!({"instance_id": format!("i-{n:017x}"), "episode_id": format!("{n:064x}"), "level": levels[n % 3]}))
        .collect();
    json!({
        "event_id": "e-1", "event_type": "forewarn.workload.updated.v1", "previous": "low",
        "workload_episode_id": "we-1", "workload": "asg/web", "failure_type": "disk_full", "recommended_action": null,
        "account": "123456789012", "region": "eu-central-1", "since": "2026-02-15T06:00:00Z",
        "as_of": "2026-02-15T06:00:00Z", "level": "high", "confidence": "high", "members": members, "text": "many",
    })
}

#[test]
fn what_fits_is_left_alone() {
    let detail = prediction(&[(1.0, 40)], 10, 2);
    assert_eq!(trim(detail.clone(), FLOOR, &size), detail);
}

#[test]
fn factors_go_from_the_weakest_and_it_is_said() {
    let factors: Vec<(f64, usize)> = (0..400).map(|n| (f64::from(n % 20), 100)).collect();
    let detail = prediction(&factors, 10, 2);
    let trimmed = trim(detail.clone(), FLOOR, &size);
    let kept = trimmed["factors"].as_array().unwrap();
    assert_eq!(trimmed[TRIMMED], json!([format!("factors: {} of 400", kept.len())]));
    let weakest = kept.iter().map(|f| f["evidence"].as_f64().unwrap()).fold(f64::MAX, f64::min);
    let gone = detail["factors"].as_array().unwrap().iter().filter(|f| !kept.contains(f));
    assert!(gone.map(|f| f["evidence"].as_f64().unwrap()).all(|e| e <= weakest));
    assert!(size(&trimmed) > FLOOR - 400, "no more is taken than needed: {}", size(&trimmed));
    assert_eq!(trimmed["counterfactual"], detail["counterfactual"]);
    assert!(UPDATED.is_valid(&trimmed));
}

#[test]
fn a_plan_goes_after_all_that_is_said_of_the_prediction_and_it_is_said() {
    let outlook = forewarn_domain::preview::RecoveryPreview::unseen("x", 0);
    let mut detail = prediction(&[(1.0, 40)], 10, 2);
    detail["plan"] = json!(outlook);
    assert_eq!(trim(detail.clone(), FLOOR, &size), detail);
    detail["plan"]["refusals"] = json!(vec!["y".repeat(60); 2_000]);
    let trimmed = trim(detail, FLOOR, &size);
    assert!(trimmed["plan"].is_null() && UPDATED.is_valid(&trimmed), "{trimmed:#}");
    assert_eq!(trimmed[TRIMMED].as_array().unwrap().last(), Some(&json!("plan")));
}

#[test]
fn members_at_the_lowest_level_go_first() {
    let trimmed = trim(workload(900), FLOOR, &size);
    let kept = trimmed["members"].as_array().unwrap();
    let of = |level: &str| kept.iter().filter(|m| m["level"] == level).count();
    assert_eq!((of("high"), of("low")), (300, 0));
    assert!(of("medium") > 0 && of("medium") < 300, "{}", of("medium"));
    assert_eq!(trimmed[TRIMMED], json!([format!("members: {} of 900", kept.len())]));
    assert!(GROWN.is_valid(&trimmed));
}

#[test]
fn long_texts_go_first_and_a_detail_of_nothing_else_fits() {
    let mut detail = prediction(&[(1.0, 300_000)], 200_000, 3);
    detail["links"] = json!({"chart": "y".repeat(9_000)});
    let trimmed = trim(detail, FLOOR, &size);
    assert_eq!(trimmed["factors"].as_array().unwrap().len(), 1);
    assert_eq!(trimmed[TRIMMED][0], "texts: 8 shortened to 512 bytes");
    assert_eq!(trimmed[TRIMMED].as_array().unwrap().len(), 1, "that was enough");
    // The name of a link is no text that can be shortened.
    let named = trim(prediction(&[], 200_000, 0), FLOOR, &size);
    assert!(named["links"].as_object().unwrap().is_empty() && UPDATED.is_valid(&named));
    assert!(size(&trimmed) <= FLOOR && UPDATED.is_valid(&trimmed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn it_always_fits_and_is_always_valid(
        factors in proptest::collection::vec((0.0f64..9.0, 0usize..3000), 0..120),
        texts in 0usize..60_000,
        notes in 0usize..5,
        limit in FLOOR..2 * FLOOR,
        unknown in proptest::collection::vec(".{0,40}", 0..3000),
    ) {
        let mut detail = prediction(&factors, texts, notes);
        detail["later"] = json!(unknown);
        let trimmed = trim(detail.clone(), limit, &size);
        prop_assert!(size(&trimmed) <= limit, "{}", size(&trimmed));
        prop_assert!(UPDATED.is_valid(&trimmed));
        for key in ["event_id", "event_type", "prediction_id", "episode_id", "instance_id", "sequence", "confidence", "probability"] {
            prop_assert_eq!(&trimmed[key], &detail[key]);
        }
        for key in ["p10", "p50", "p90"] {
            prop_assert_eq!(&trimmed["window"][key], &detail["window"][key]);
        }
        let told: Detail = serde_json::from_value(trimmed.clone()).unwrap();
        prop_assert_eq!(told.trimmed.is_empty(), trimmed == detail);
        prop_assert_eq!(trim(trimmed.clone(), limit, &size), trimmed);
    }
}
