//! Bad input ends with code 2 and says what is wrong; the history keeps every byte.

use crate::person::{AFTER, fleet, forewarn, import_rows};
use forewarn_testkit::snapshot;

#[test]
fn bad_input_is_refused_in_words_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    import_rows(dir.path(), "h", &fleet());
    let text = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    text("ragged.csv", "instance_id,metric,ts,value\ni-a,m,2026-02-10,1\ni-a,m,2026-02-11\n");
    text("nocolumn.csv", "instance_id,metric,when,value\ni-a,m,2026-02-10,1\n");
    text("future.csv", "instance_id,metric,ts,value\ni-a,m,2999-02-10,1\n");
    text("infinite.csv", "instance_id,metric,ts,value\ni-a,m,2026-02-10,inf\n");
    text("empty.parquet", "");
    text("torn.parquet", "PAR1 and then nothing");
    text("events.csv", "instance_id,kind\ni-a,scheduled\n");
    text("settings.toml", "histroy = \"h\"\n");
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    let builtin = forewarn(dir.path(), &["rules", "list", "--text"]).out;
    let rules = |name: &str, when: &str| {
        let at = builtin.find("\nwhen = ").unwrap() + 1;
        let end = at + builtin[at..].find('\n').unwrap();
        text(name, &format!("{}when = \"{when}\"{}", &builtin[..at], &builtin[end..]));
    };
    rules("column.toml", "memroy_now > 5");
    rules("function.toml", "sqrtt(memory_now) > 5");
    rules("aggregate.toml", "max(memory_now) > 5");
    rules("window.toml", "row_number() over (order by memory_now) > 5");
    rules("subquery.toml", "memory_now > (select 5)");
    rules("statement.toml", "memory_now > 5; drop table x");
    rules("type.toml", "memory_now + 5");
    let at = builtin.find("\nevidence = ").unwrap();
    let end = at + 1 + builtin[at + 1..].find('\n').unwrap();
    text("negative.toml", &format!("{}\nevidence = -1.0{}", &builtin[..at], &builtin[end..]));

    let import = |file: &'static str| vec!["import", "--history", "h", file];
    let with_rules = |file: &'static str| vec!["analyze", "--history", "h", "--as-of", AFTER, "--rules", file];
    let cases: Vec<(Vec<&str>, &[&str])> = vec![
        (import("ragged.csv"), &["ragged.csv:3", "the line has 3 fields, the header 4"]),
        (import("nocolumn.csv"), &["the column `ts` is missing", "`when`"]),
        (import("future.csv"), &["future.csv:2", "is in the future"]),
        (import("infinite.csv"), &["infinite.csv:2", "is not finite"]),
        (import("empty.parquet"), &["the file is empty (0 bytes)"]),
        (import("torn.parquet"), &["is not a readable Parquet file"]),
        (import("folder"), &["is a directory"]),
        (import("absent.csv"), &["cannot read absent.csv"]),
        (vec!["import", "--history", "h", "--events", "events.csv"], &["no column `ts`"]),
        (vec!["import", "--history", "h"], &["nothing to import"]),
        (vec!["import", "--history", "ragged.csv/h", "h.csv"], &["ragged.csv", "Not a directory"]),
        (
            vec!["analyze", "--history", "h", "--as-of", "2025-06-01T00:00:00Z"],
            &[
                "no samples in the 7 days before 2025-06-01T00:00:00Z",
                "the history holds 2026-02-01T00:00:00Z to 2026-02-08T23:57:07Z",
            ],
        ),
        (vec!["analyze", "--history", "h", "--as-of", "soon"], &["cannot read the time `soon`"]),
        (vec!["analyze", "--history", "nowhere"], &["no history at nowhere"]),
        (vec!["analyze", "--history", "h", "--as-of", AFTER, "--map", "vol=dsik"], &["no signal `dsik`"]),
        (vec!["analyze", "--history", "h", "--as-of", AFTER, "--format", "parquet"], &["needs --out FILE"]),
        (vec!["--config", "settings.toml", "analyze"], &["settings.toml", "histroy"]),
        (
            vec!["rules", "explain", "i-nobody", "--history", "h", "--as-of", AFTER],
            &["no samples of i-nobody in the 7 days before", "the history holds"],
        ),
        (
            vec!["backtest", "--history", "h", "--from", "2026-02-08T00:00:00Z", "--to", "2026-02-07T00:00:00Z"],
            &["--from must lie before --to"],
        ),
        (
            vec![
                "backtest",
                "--history",
                "h",
                "--from",
                "2026-02-07T00:00:00Z",
                "--to",
                AFTER,
                "--pages-per-week",
                "5",
            ],
            &["--pages-per-week needs --incidents FILE"],
        ),
        (
            vec!["analyze", "--history", "h", "--as-of", AFTER, "--prior", "0"],
            &["`0` is not a rate", "0.000001 to 100"],
        ),
        (with_rules("column.toml"), &["column.toml:", "unknown column `memroy_now`", "memory_now"]),
        (with_rules("function.toml"), &["function.toml:", "unknown function `sqrtt`"]),
        (with_rules("aggregate.toml"), &["aggregate.toml:", "max"]),
        (with_rules("window.toml"), &["window.toml:"]),
        (with_rules("subquery.toml"), &["subquery.toml:"]),
        (with_rules("statement.toml"), &["statement.toml:"]),
        (with_rules("type.toml"), &["type.toml:"]),
        (with_rules("negative.toml"), &["negative.toml:", "-1"]),
        (with_rules("absent.toml"), &["cannot read the rule set absent.toml"]),
    ];
    let before = snapshot(dir.path());
    for (args, parts) in cases {
        let ran = forewarn(dir.path(), &args);
        assert_eq!(ran.code, 2, "{args:?}: {}{}", ran.out, ran.err);
        assert_eq!(ran.out, "", "{args:?}");
        for part in parts {
            assert!(ran.err.contains(part), "{args:?}: no `{part}` in: {}", ran.err);
        }
        assert!(snapshot(dir.path()) == before, "{args:?} left a trace");
    }
}
