//! A pilot on fleets whose truth is known: what it says of each failure, and what it spends to find out.

use crate::person::{done, forewarn, json, simulated};
use serde_json::Value;
#[cfg(feature = "aws")]
use std::path::Path;

/// What a trial says of incidents, by instance and time.
fn verdict<'a>(trial: &'a Value, id: &str, at: i64) -> &'a Value {
    let is = |v: &&Value| {
        let ts: jiff::Timestamp = v["ts"].as_str().unwrap().parse().unwrap();
        v["instance_id"] == id && ts.as_millisecond() == at
    };
    trial["incidents"].as_array().unwrap().iter().find(is).unwrap()
}

#[test]
fn the_verdict_on_each_failure_agrees_with_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    simulated(dir, "72", "14");
    let known = forewarn_evaluate::backtest::read_incidents(&dir.join("sim/incidents.parquet"), None).unwrap().list;
    // What the truth calls predictable is kept from it: it has to find out.
    let mut text = "instance_id,ts,cause\n".to_owned();
    for i in &known {
        text.push_str(&format!("{},{},{}\n", i.instance_id, i.ts, i.cause.as_deref().unwrap()));
    }
    std::fs::write(dir.join("blind.csv"), text).unwrap();
    let trial = |file: &str| json(dir, &["pilot", "--history", "h", "--incidents", file, "--format", "json"]);
    let (blind, told) = (trial("blind.csv"), trial("sim/incidents.parquet"));
    let from: jiff::Timestamp = told["backtest"]["range"]["from"].as_str().unwrap().parse().unwrap();
    let (mut warned, mut right, mut all, mut judged) = (0, 0, 0, 0);
    for i in known.iter().filter(|i| i.ts > from.as_millisecond()) {
        let (own, with) = (verdict(&blind, &i.instance_id, i.ts), verdict(&told, &i.instance_id, i.ts));
        all += 1;
        assert_eq!(own["verdict"] == "warned", with["verdict"] == "warned", "{own} {with}");
        warned += usize::from(own["verdict"] == "warned");
        assert!(own["verdict"] != "warned" || (1.0..=24.0).contains(&own["lead_h"].as_f64().unwrap()), "{own}");
        let predictable = i.predictable.unwrap();
        assert!(with["verdict"] != "not_foreseeable" || !predictable, "{with}");
        assert!(with["verdict"] != "missed" || predictable, "{with}");
        if own["verdict"] != "unassessable" && own["verdict"] != "warned" {
            judged += 1;
            right += usize::from((own["verdict"] == "missed") == predictable);
        }
    }
    assert_eq!(told["incidents"].as_array().unwrap().len(), all);
    assert!(warned >= 3 && judged >= 2, "{warned} warned of and {judged} judged of {all}");
    assert!(right * 4 >= judged * 3, "it finds out by itself for {right} of {judged}");
    let counts = &told["backtest"]["scorers"][0]["counts"];
    assert_eq!(counts["caught_all"].as_u64().unwrap() as usize, warned, "as the backtest counts");
    assert_eq!(counts["false_episodes"].as_u64().unwrap() as usize, told["false_alarms"].as_array().unwrap().len());

    let said = done(dir, &["pilot", "--history", "h", "--step", "3h"]);
    for part in [
        "failures happened",
        "nobody could have seen",
        "false alarm",
        "looked at every 180 min",
        "derived from status checks",
    ] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    let young = forewarn(dir, &["pilot", "--history", "h", "--from", "2027-01-01T00:00:00Z"]);
    assert_eq!(young.code, 2, "{young:?}");
}

#[cfg(feature = "aws")]
mod pull {
    use super::*;
    use forewarn_lab::emulate::{Emulator, Faults, Late, Options, WorldKind, serve};
    use forewarn_runtime::clock::ManualClock;
    use forewarn_runtime::interrupt::Interrupt;
    use std::process::{Command, Stdio};
    use std::sync::{Arc, mpsc};

    const START: i64 = 1_767_225_600_000;
    const DAY: i64 = 86_400_000;

    #[test]
    fn nothing_is_requested_unless_agreed_and_nothing_twice() {
        let options = Options {
            seed: 7,
            instances: 5,
            start_ms: START,
            days: 9,
            step_s: 300,
            gaps: true,
            world: WorldKind::Fleet(Box::default()),
            late: Late::default(),
            faults: Faults::default(),
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
        };
        let now = START + 9 * DAY;
        let emulator = Arc::new(Emulator::new(&options, Arc::new(ManualClock::at(now)) as _).unwrap());
        let (stop, (tell, told)) = (Interrupt::default(), mpsc::channel());
        let thread = {
            let (emulator, stop) = (Arc::clone(&emulator), stop.clone());
            std::thread::spawn(move || {
                serve(&emulator, "127.0.0.1:0".parse().unwrap(), &stop, |at| tell.send(at).unwrap()).unwrap();
            })
        };
        let url = format!("http://{}", told.recv().unwrap());
        let asked = |name: &str| emulator.stats()[name].as_u64().unwrap_or(0);
        let dir = tempfile::tempdir().unwrap();
        let pilot = |more: &[&str]| run(dir.path(), &url, now, more);

        let refused = pilot(&[]);
        assert!(
            refused.0 == 2 && refused.2.contains("--yes agrees to") && refused.2.contains("US dollars"),
            "{refused:?}"
        );
        let billed = |text: &str| -> u64 {
            let before = text.split(" metrics requested").next().unwrap();
            before.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let estimate = billed(&refused.2);
        assert!(estimate > 0 && asked("points") == 0, "{} {}", estimate, emulator.stats());

        let (code, out, err) = pilot(&["--yes", "--format", "json"]);
        assert_eq!(code, 0, "{err}");
        let trial: Value = serde_json::from_str(&out).unwrap();
        assert!(trial["backtest"]["rows"].as_u64().unwrap() > 0 && trial["incidents_from"] == "derived", "{out}");
        let spent = asked("points");
        assert!(spent > 10_000, "{}", emulator.stats());
        assert_eq!(asked("queries"), estimate, "what was said is what was spent: {}", emulator.stats());

        // All is there: nobody has to be asked for nothing.
        let (code, again, err) = pilot(&["--format", "json"]);
        assert_eq!((code, asked("points")), (0, spent), "{err}");
        assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), trial);
        let other = pilot(&["--days", "9"]);
        assert!(other.0 == 2 && other.2.contains("holds a pilot of 8 days"), "{other:?}");
        stop.raise();
        thread.join().unwrap();
    }

    fn run(dir: &Path, url: &str, now: i64, more: &[&str]) -> (i32, String, String) {
        let real = jiff::Timestamp::now().as_millisecond();
        let output = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(
                [
                    &["pilot", "--select", "metrics"][..],
                    if more.contains(&"--days") { &[] } else { &["--days", "8"] },
                    more,
                ]
                .concat(),
            )
            .current_dir(dir)
            .env_clear()
            .env("AWS_ENDPOINT_URL", url)
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("FOREWARN_CLOCK", format!("{now},{real},1"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}
