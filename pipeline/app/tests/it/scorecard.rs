//! A fleet lived through round by round: what the scorecard says of it is what a backtest says afterwards.

use crate::person::{done, forewarn, json, simulated};
use forewarn_deliver::{JsonLinesBus, outbox, pump};
use forewarn_domain::prior::Prior;
use forewarn_domain::signal_map::SignalMap;
use forewarn_evaluate::backtest;
use forewarn_evaluate::replay::Steps;
use forewarn_history::{History, IncidentRow};
use forewarn_log::event::prediction::Outcome;
use forewarn_log::{Event, EventLog, Filter, Row, SqliteLog, Table};
use forewarn_predict::announce;
use forewarn_predict::evidence::Look;
use forewarn_predict::fleet::Fleet;
use forewarn_predict::{resolve, shadow};
use forewarn_rules::prior::PriorFrom;
use forewarn_rules::ruleset::RuleSet;
use forewarn_rules::truth::Incident;
use forewarn_runtime::threads::Threads;
use serde_json::Value;
use std::path::Path;

const HOUR: i64 = 3_600_000;
/// 2026-01-05T00:00:00Z.
const FROM_MS: i64 = 1_767_571_200_000;
const FROM: &str = "2026-01-05T00:00:00Z";
const TO: &str = "2026-01-15T00:00:00Z";
const STEPS: Steps = Steps { from: FROM_MS, to: FROM_MS + 10 * 24 * HOUR, step: 3 * HOUR };

/// A fleet with incidents, some of whose instances others ended, and with a shadow rule set that fears more.
fn fleet(dir: &Path) -> RuleSet {
    simulated(dir, "12", "16");
    let ids: Vec<String> = history(dir).instances_in(FROM_MS, FROM_MS + HOUR).unwrap().into_iter().collect();
    let mut text = "instance_id,ts,kind,code\n".to_owned();
    text.push_str(&format!("{},2026-01-09T13:00:00Z,instance.left,scale_in\n", ids[1]));
    text.push_str(&format!("{},2026-01-11T07:00:00Z,instance.state_changed,stopped\n", ids[4]));
    text.push_str(&format!("{},2026-01-12T02:00:00Z,spot.interruption_warned,terminate\n", ids[7]));
    std::fs::write(dir.join("ends.csv"), text).unwrap();
    done(dir, &["import", "--history", "h", "--events", "ends.csv"]);
    let known = backtest::read_incidents(&dir.join("sim/incidents.parquet"), None).unwrap().list;
    let row = |i: &Incident| IncidentRow {
        instance_id: i.instance_id.clone(),
        ts: i.ts,
        cause: i.cause.clone(),
        predictable: i.predictable,
    };
    let mut open = history(dir);
    open.writer().unwrap().put_incidents(&known.iter().map(row).collect::<Vec<_>>()).unwrap();
    let builtin = done(dir, &["rules", "list", "--text"]);
    let anxious = builtin.replace("[[-0.9835, -1.7135], [0.0165, -1.7115],", "[[-0.9835, 1.0], [0.0165, 1.1],");
    assert!(anxious != builtin);
    std::fs::write(dir.join("b.toml"), &anxious).unwrap();
    RuleSet::parse(&anxious, "b.toml", &|_| None).unwrap()
}

fn history(dir: &Path) -> History {
    History::open(dir.join("h").to_str().unwrap()).unwrap()
}

fn log(dir: &Path) -> SqliteLog {
    std::fs::create_dir_all(dir.join("s")).unwrap();
    SqliteLog::open(&forewarn_log::log_path(&dir.join("s"))).unwrap()
}

/// Lives through the range as `analyze --emit --shadow` does.
fn live(dir: &Path, shadow_rules: &RuleSet) {
    let (history, log, ruleset) = (history(dir), log(dir), RuleSet::builtin(&|_| None).unwrap());
    let map = SignalMap::new(history.manifest().signal_map.clone());
    for as_of in STEPS.times() {
        let fleet = Fleet::read(&history, &[], as_of).unwrap();
        let (history, ruleset, threads) = (&history, &ruleset, Threads::ONE);
        let prior = &PriorFrom::Given(Prior::stated(0.3));
        let look = Look { history, ruleset, map: &map, fleet: &fleet, as_of, prior, threads };
        let analysis = look.analyze(|_, _| {}).unwrap();
        resolve::resolve(&log, history, &[], as_of).unwrap();
        let round = announce::round(Some(&log), &analysis, ruleset).unwrap();
        announce::write(&log, &round).unwrap();
        let mut bus = JsonLinesBus::open(&dir.join("s/events.jsonl")).unwrap();
        pump(&log, outbox::FILE, &mut bus, &Filter::default()).unwrap();
        announce::keep(history, &analysis, ruleset, &round).unwrap();
        shadow::keep(history, (&analysis, ruleset), shadow_rules, Some(&look)).unwrap();
    }
}

/// Every figure of a report that live rows can have.
const FIGURES: [&str; 23] = [
    "ruleset",
    "range",
    "instances",
    "rows",
    "scored",
    "positives",
    "unassessable",
    "unassessable_p24",
    "censored",
    "incidents",
    "intervals",
    "by_failure_type",
    "by_cause",
    "row_precision",
    "episode_precision",
    "recall_predictable",
    "recall_all",
    "false_episodes_per_instance_week",
    "median_lead_hours",
    "average_precision",
    "brier",
    "brier_skill",
    "ece",
];

#[test]
fn live_figures_are_what_a_backtest_says_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let shadow_rules = fleet(dir);
    live(dir, &shadow_rules);

    let range = ["--from", FROM, "--to", TO, "--step", "3h", "--incidents", "sim/incidents.parquet", "--prior", "0.3"];
    let backtest = |more: &[&str]| {
        json(dir, &[&["backtest", "--history", "h", "--no-baselines", "--format", "json"], &range[..], more].concat())
    };
    let card = json(dir, &["scorecard", "--history", "h", "--state", "s", "--by", "workload", "--format", "json"]);
    let replayed = backtest(&["--against", "b.toml"]);
    for figure in FIGURES {
        assert!(!card[figure].is_null(), "no {figure}");
        assert_eq!(card[figure], replayed[figure], "{figure}");
    }
    let scorer = |report: &Value, which: usize| {
        let mut scorer = report["scorers"][which].clone();
        // Two rule sets of one name are told apart in a comparison.
        scorer["name"].take();
        scorer["kind"].take();
        scorer
    };
    assert_eq!(scorer(&card, 0), scorer(&replayed, 0));
    assert!(card["censored"]["scale_in"].as_u64().unwrap() > 0 && card["censored"]["spot"].as_u64().unwrap() > 0);
    assert_eq!((card["rounds"]["steps"].as_u64(), card["rounds"]["held"].as_u64()), (Some(80), Some(80)));
    assert_eq!(card["rounds"]["left_out"].as_u64(), Some(80), "the shadow's rounds are not the scorecard's");
    assert!(card["drift"]["psi"]["value"].is_number() && !card["by_workload"].as_array().unwrap().is_empty());

    // The shadow, which nobody heard of, against what was said.
    let diff =
        json(dir, &["scorecard", "diff", "default", "b.toml", "--history", "h", "--state", "s", "--format", "json"]);
    assert_eq!(diff["difference"], replayed["difference"]);
    assert_eq!(scorer(&diff, 1), scorer(&replayed, 1));
    assert!(diff["recommendation"]["words"].is_string());
    let announced = std::fs::read_to_string(dir.join("s/events.jsonl")).unwrap();
    assert!(!announced.contains(shadow_rules.sha256()), "a shadow is silent");

    resolutions(dir);
    for text in [
        &["scorecard", "--history", "h", "--state", "s"][..],
        &["scorecard", "diff", "default", "b.toml", "--history", "h"],
    ] {
        let said = done(dir, text);
        assert!(said.contains("rounds: 80 of 80 times looked at") && said.contains("calibration error"), "{said}");
    }
    missing_rounds(dir, &card);
}

/// How the log's episodes turned out, against the rounds and the truth.
fn resolutions(dir: &Path) {
    let (history, log) = (history(dir), log(dir));
    let end = STEPS.to + 9 * 24 * HOUR;
    resolve::resolve(&log, &history, &[], end).unwrap();
    let head = log.head().unwrap();
    let again = resolve::resolve(&log, &history, &[], end + HOUR).unwrap();
    assert_eq!((again, log.head().unwrap()), (resolve::Report::default(), head), "twice changes nothing");

    let incidents = history.incidents().unwrap();
    let (mut hits, mut others, mut reached) = (0, 0, Vec::new());
    for row in log.table(Table::Episodes).unwrap().into_values() {
        let Row::Episode(episode) = row else { continue };
        let ms = |t: &str| t.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let opened = ms(episode.opened_at.as_deref().unwrap());
        match episode.outcome.unwrap() {
            Outcome::Hit => {
                let at = ms(episode.resolved_at.as_deref().unwrap());
                assert!(at > opened && incidents.iter().any(|i| i.instance_id == episode.instance_id && i.ts == at));
                reached.push((episode.instance_id, at));
                hits += 1;
            }
            Outcome::False | Outcome::Censored | Outcome::Gone => others += 1,
            Outcome::Missed => panic!("an episode cannot be missed"),
        }
    }
    assert!(hits > 0 && others > 0, "{hits} hits and {others} others");
    let mut missed = 0;
    for entry in log.list(&Filter::types(["prediction.resolved"])).unwrap() {
        let Event::PredictionResolved(r) = entry.event().unwrap() else { panic!("{entry:?}") };
        if r.outcome == Outcome::Missed {
            let at = r.at.parse::<jiff::Timestamp>().unwrap().as_millisecond();
            assert!(!reached.contains(&(r.instance_id.clone(), at)), "{r:?}");
            missed += 1;
        }
    }
    let counted = incidents.iter().filter(|i| (STEPS.from + 24 * HOUR..STEPS.to).contains(&i.ts)).count();
    assert!(missed <= counted, "{missed} of {counted}");
    assert!(log.verify().unwrap().fault.is_none());

    let episode = log.table(Table::Episodes).unwrap().into_keys().next().unwrap();
    let verdict = |word: &str| {
        forewarn(dir, &["scorecard", "--history", "h", "--state", "s", "--verdict", &format!("{episode}={word}")])
    };
    assert_eq!(verdict("prevented").code, 0);
    let Some(Row::Episode(row)) = log.table(Table::Episodes).unwrap().remove(&episode) else { panic!() };
    assert!(row.verdict.is_some() && row.outcome.is_some());
    assert_eq!(verdict("perhaps").code, 2);
}

/// A round that was not held is not scored, and said.
fn missing_rounds(dir: &Path, whole: &Value) {
    let history = history(dir);
    let rounds = history.rounds().unwrap();
    let builtin = RuleSet::builtin(&|_| None).unwrap();
    let gone = rounds.iter().filter(|r| r.is_of(builtin.sha256())).nth(20).unwrap();
    std::fs::remove_file(dir.join("h").join(&gone.entry.path)).unwrap();
    let card = json(dir, &["scorecard", "--history", "h", "--format", "json"]);
    let count = |v: &Value| v.as_u64().unwrap();
    assert_eq!(count(&card["rounds"]["held"]), 79);
    assert_eq!(count(&card["censored"]["no_round"]), count(&whole["instances"]));
    assert!(count(&card["scored"]) < count(&whole["scored"]));
    let nobody = forewarn(dir, &["scorecard", "--history", "h", "--rules", "other.toml"]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    std::fs::write(
        dir.join("other.toml"),
        done(dir, &["rules", "list", "--text"])
            .replace("incidents_per_instance_month = 0.3", "incidents_per_instance_month = 0.31"),
    )
    .unwrap();
    let nobody = forewarn(dir, &["scorecard", "--history", "h", "--rules", "other.toml"]);
    assert!(nobody.code == 2 && nobody.err.contains("there are rounds of"), "{nobody:?}");
}
