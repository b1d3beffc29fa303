//! Whoever alters the table is found out: the first bad entry is named, readers stop there, and writers do not go on.

use super::{create, samples};
use forewarn_log::{AppendError, DynamoLog, EventLog, Expected, LogError};
use forewarn_testkit::moto::Moto;
use serde_json::json;

/// Six entries, in streams `odd` and `even`.
fn six(moto: &Moto, table: &str) -> DynamoLog {
    let log = create(&moto.url, table);
    for n in 1..=6 {
        log.append(if n % 2 == 0 { "even" } else { "odd" }, Expected::Any, &samples([n])).unwrap();
    }
    log
}

/// Alters each table as said: `item(pk, sk)` reads, `put` writes, `delete(pk, sk)` removes.
const ALTER: &str = r#"
db = aws("dynamodb")
for table, code in json.loads(sys.argv[1]):
    key = lambda pk, sk: dict(pk=dict(S=pk), sk=dict(N=str(sk)))
    item = lambda pk, sk: db.get_item(TableName=table, Key=key(pk, sk))["Item"]
    put = lambda item, **changes: db.put_item(TableName=table, Item={**item, **changes})
    delete = lambda pk, sk: db.delete_item(TableName=table, Key=key(pk, sk))
    exec(code)
"#;

/// What is done to a log of six entries, the first bad entry, and what is said of it.
const ALTERATIONS: [(&str, u64, &str); 15] = [
    ("e = item('all#0', 4); put(e, envelope=dict(S=e['envelope']['S'].replace('sample 4', 'sample X')))", 4, "altered"),
    ("put(item('all#0', 2), envelope=dict(S='x'))", 2, "not one"),
    ("put(item('all#0', 2), hash=dict(S='x'))", 2, "altered"),
    ("put(item('all#0', 6), stream=dict(S='other'))", 6, "altered"),
    ("delete('all#0', 1)", 1, "is missing"),
    ("delete('all#0', 3)", 3, "is missing"),
    ("delete('all#0', 6)", 6, "is missing"),
    ("put(item('all#0', 6), sk=dict(N='5'))", 5, "entry 6 stands in its place"),
    ("e = item('stream#even', 2); put(e, envelope=dict(S=e['envelope']['S'].replace('sample 4', 'X')))", 4, "altered"),
    ("delete('stream#odd', 2)", 3, "missing in its stream"),
    ("put(item('stream#odd', 1), sk=dict(N='3'))", 5, "stands in its place"),
    ("delete('id#4', 0)", 4, "its id is missing"),
    ("put(item('id#3', 0), pk=dict(S='id#4'))", 4, "its id leads to entry 3"),
    ("put(item('stream#even', 0), version=dict(N='2'))", 6, "said to end with"),
    ("put(item('head', 0), hash=dict(S='0' * 64))", 6, "the head of the log says"),
];

#[test]
fn alterations_are_named() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let logs: Vec<DynamoLog> = (0..ALTERATIONS.len()).map(|n| six(&moto, &format!("log-{n}"))).collect();
    assert!(logs.iter().all(|log| log.verify().unwrap().fault.is_none()), "untouched");
    let code: Vec<_> = ALTERATIONS.iter().enumerate().map(|(n, a)| json!([format!("log-{n}"), a.0])).collect();
    moto.python_with(ALTER, &[&json!(code).to_string()]);
    for (log, (code, position, says)) in logs.iter().zip(ALTERATIONS) {
        let report = log.verify().unwrap();
        let fault = report.fault.unwrap_or_else(|| panic!("nobody noticed {code}"));
        assert!(fault.position == position && fault.what.contains(says), "{code}: {fault:?}");
        let good = if says.contains("head") || says.contains("end with") { position } else { position - 1 };
        assert_eq!(report.entries, good, "{code}");
    }
    // Readers stop where the damage is, and never pass a missing entry.
    let corrupt = |entries: Result<Vec<_>, LogError>, at: u64, says: &str| {
        let error = entries.unwrap_err();
        assert!(
            matches!(&error, LogError::Corrupt { position, what } if *position == at && what.contains(says)),
            "{error}"
        );
    };
    assert_eq!(logs[0].read_all(0, 3).unwrap().len(), 3);
    corrupt(logs[0].read_all(0, 4), 4, "altered");
    assert_eq!(logs[0].read("even", 1, 9).unwrap().len(), 3, "its copy in the stream is whole");
    assert_eq!(logs[5].read_all(0, 9).unwrap().len(), 2);
    corrupt(logs[5].read_all(2, 9), 3, "missing");
    corrupt(logs[6].read_all(5, 9), 6, "missing");
    corrupt(logs[8].read("even", 1, 9), 4, "altered");
    corrupt(logs[9].read("odd", 2, 9), 5, "version 2");
    // An id that was taken away would be written again; one that leads elsewhere is noticed.
    let error = logs[12].append("even", Expected::Any, &samples([4])).unwrap_err();
    assert!(matches!(error, AppendError::Log(LogError::Corrupt { position: 3, .. })), "{error}");
}

#[test]
fn an_item_past_the_head_stops_writers_instead_of_turning_them_round_for_ever() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let log = six(&moto, "log");
    let code = json!([["log", "put(item('all#0', 6), sk=dict(N='7'))"]]);
    moto.python_with(ALTER, &[&code.to_string()]);
    let error = log.append("odd", Expected::Any, &samples([7])).unwrap_err();
    assert!(matches!(error, AppendError::Log(LogError::Corrupt { position: 7, .. })), "{error}");
}
