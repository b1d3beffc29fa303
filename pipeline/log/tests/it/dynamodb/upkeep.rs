//! Snapshots and pruning in DynamoDB: what a start reads is bounded, what is broken is passed over, and a cut at any point is made good.

use super::{create, ctx, proxied, reach, samples};
use forewarn_log::{Cursors, DynamoLog, EventLog, Expected, Prefix, Snapshots};
use forewarn_runtime::clock::ManualClock;
use forewarn_runtime::metrics::Call;
use forewarn_testkit::moto::Moto;
use forewarn_testkit::samples::silence;
use jiff::Timestamp;

fn later() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

/// Appends silences, which make a row each, ten at a time.
fn fill(log: &DynamoLog, from: usize, to: usize) {
    let all: Vec<_> = (from..to).map(|n| silence(&format!("i-{n:05}"))).collect();
    for (n, part) in all.chunks(10).enumerate() {
        log.append(&format!("s-{}", n % 3), Expected::Any, part).unwrap();
    }
}

fn folded(log: &DynamoLog) -> Prefix {
    let mut prefix = log.newest().unwrap();
    loop {
        let page = log.read_all(prefix.walk.position, 1000).unwrap();
        if page.is_empty() {
            return prefix;
        }
        for entry in &page {
            prefix.check_and_take(entry).unwrap();
        }
    }
}

#[test]
fn a_start_reads_the_newest_snapshot_and_what_came_after_it() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let log = create(&moto.url, "log");
    fill(&log, 0, 90);
    let whole = folded(&log);
    log.keep(&whole).unwrap();
    fill(&log, 90, 110);
    // An entry before it that nobody could read: nobody does.
    moto.python(
        "d, k = aws('dynamodb'), dict(pk=dict(S='all#0'), sk=dict(N='5'))\n\
         item = d.get_item(TableName='log', Key=k)['Item']\n\
         d.put_item(TableName='log', Item={**item, 'envelope': dict(S='x')})",
    );
    let aws = reach(&moto.url);
    let surroundings = ctx(ManualClock::default());
    let other = DynamoLog::open(aws.clone(), aws.base(), "log", surroundings.clone()).unwrap();
    let calls = |operation| surroundings.metrics.calls.get_or_create(&Call { service: "dynamodb", operation }).get();
    let newest = other.newest().unwrap();
    assert_eq!((newest.walk.position, &newest.walk.versions), (90, &whole.walk.versions));
    assert_eq!(newest.projection.rows, whole.projection.rows);
    let read = other.read_all(90, 1000).unwrap();
    assert_eq!(read.len(), 20);
    let queries = calls("Query");
    assert!(queries <= 3, "{queries} queries: one for snapshots, the rest for twenty entries");
    assert!(calls("GetItem") <= 6, "{} items, parts included", calls("GetItem"));
    assert_eq!(folded(&other).projection.rows.len(), 110);
}

#[test]
fn a_snapshot_that_is_broken_unfinished_or_of_a_newer_format_is_passed_over() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    let alter = |code: &str| {
        let prelude = "d = aws('dynamodb')\n\
            q = lambda pk: d.query(TableName='log', KeyConditionExpression='pk = :p', ExpressionAttributeValues={':p': dict(S=pk)})['Items']\n\
            newest = q('snapshot')[-1]\n\
            part = q('snapshot#' + newest['place']['S'])[0]\n\
            put = lambda item, **changes: d.put_item(TableName='log', Item={**item, **changes})\n";
        moto.python(&format!("{prelude}{code}"));
    };
    let log = create(&moto.url, "log");
    fill(&log, 0, 20);
    log.keep(&folded(&log)).unwrap();
    for (n, code) in [
        "put(part, body=dict(B=b'x'))",
        "d.delete_item(TableName='log', Key={k: part[k] for k in ('pk', 'sk')})",
        "put(newest, format=dict(N='99'))",
        "put(newest, sha256=dict(S='0' * 64))",
        "del newest['parts']; put(newest)",
        "put(newest, sk=dict(N='9999')); d.delete_item(TableName='log', Key={k: newest[k] for k in ('pk', 'sk')})",
    ]
    .iter()
    .enumerate()
    {
        fill(&log, 20 + 10 * n, 30 + 10 * n);
        log.keep(&folded(&log)).unwrap();
        let at = 30 + 10 * n as u64;
        assert_eq!(log.newest().unwrap().walk.position, at, "{code}");
        if n == 5 {
            // Found at another place than it was put, it is that of its content or none.
            alter(code);
            assert_eq!(log.newest().unwrap().walk.position, at);
            continue;
        }
        alter(code);
        let newest = log.newest().unwrap();
        assert!(newest.walk.position < at, "{code}");
        assert_eq!(folded(&log).projection.rows.len() as u64, at, "{code}");
        assert_eq!(log.verify().unwrap().fault, None, "{code}");
    }
    let kept = moto.python(
        "print(len([i for i in aws('dynamodb').scan(TableName='log')['Items'] if i['pk']['S'] == 'snapshot']))",
    );
    assert!(kept.trim().parse::<u32>().unwrap() <= 3, "{kept} snapshots are kept");
}

#[test]
fn a_pruning_cut_at_any_call_leaves_a_log_that_verifies_and_the_next_one_ends_it() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    for (operation, most) in [("PutItem", 2), ("TransactWriteItems", 1), ("BatchWriteItem", 5), ("UpdateItem", 3)] {
        let mut cuts = 0;
        for nth in 1..=most {
            let nth: u32 = nth;
            let table = format!("log-{operation}-{nth}");
            let log = create(&moto.url, &table);
            fill(&log, 0, 60);
            log.advance("bus", 20).unwrap();
            assert_eq!(log.prune(later(), later()).unwrap().entries, 20);
            log.advance("bus", 61).unwrap();
            let (before, rows) = (log.head().unwrap(), folded(&log).projection.rows);
            // The reply to that call is lost, so that it may have taken effect, and no later one arrives.
            let rule = |n, action: &str| format!(r#"{{"operation": "{operation}", "nth": {n}, "action": "{action}"}}"#);
            let rules: Vec<String> =
                std::iter::once(rule(nth, "lose_reply")).chain((nth + 1..nth + 40).map(|n| rule(n, "reset"))).collect();
            let script = format!(r#"{{"rules": [{}]}}"#, rules.join(", "));
            let proxy = proxied(&moto, &script);
            let cut = create(&proxy.url(), &table).prune(later(), later());
            cuts += usize::from(cut.is_err());
            assert_eq!(log.verify().unwrap().fault, None, "{table}");
            assert_eq!(folded(&log).projection.rows, rows, "{table}");
            let first = log.read_all(0, 1).unwrap()[0].position;
            assert!(first > 20 && first <= before + 1, "{table}: {first}");
            log.prune(later(), later()).unwrap();
            let after = log.read_all(0, 500).unwrap();
            assert!(after[0].position > 60, "{table}: what was pruned stays gone");
            assert_eq!(log.verify().unwrap().fault, None, "{table}");
            assert!(log.rebuild().unwrap().identical, "{table}");
            let left = moto.python_with(
                "items = aws('dynamodb').scan(TableName=sys.argv[1])['Items']\n\
                 print(len([i for i in items if 'envelope' in i or i['pk']['S'].startswith('id#')]))",
                &[&table],
            );
            assert_eq!(
                left.trim().parse::<usize>().unwrap(),
                3 * after.len(),
                "{table}: what counts no more is deleted"
            );
        }
        assert!(cuts > 0, "{operation} was never cut");
    }
}

#[test]
fn a_checkpoint_that_was_altered_is_noticed() {
    let Some(moto) = Moto::or_skip(&["dynamodb"]) else { return };
    for (n, (code, says)) in [
        ("put(c, hash=dict(S='0' * 64))", "of another entry"),
        ("put(p, body=dict(B=b'x'))", "altered"),
        ("d.delete_item(TableName=t, Key={k: p[k] for k in ('pk', 'sk')})", "missing"),
        ("put(c, position=dict(N='3'))", "of another entry"),
        ("d.delete_item(TableName=t, Key={k: c[k] for k in ('pk', 'sk')})", "missing"),
    ]
    .into_iter()
    .enumerate()
    {
        let table = format!("log-{n}");
        let log = create(&moto.url, &table);
        for n in 1..=6 {
            log.append("a", Expected::Any, &samples([n])).unwrap();
        }
        assert_eq!(log.prune(later(), later()).unwrap().entries, 6);
        assert_eq!(log.verify().unwrap().fault, None);
        let prelude = "d, t = aws('dynamodb'), sys.argv[1]\n\
            q = lambda pk: d.query(TableName=t, KeyConditionExpression='pk = :p', ExpressionAttributeValues={':p': dict(S=pk)})['Items']\n\
            c = q('checkpoint')[0]\n\
            p = q('snapshot#' + c['place']['S'])[0]\n\
            put = lambda item, **changes: d.put_item(TableName=t, Item={**item, **changes})\n";
        moto.python_with(&format!("{prelude}{code}"), &[&table]);
        let fault = log.verify().unwrap().fault.unwrap_or_else(|| panic!("nobody noticed {code}"));
        assert!(fault.what.contains(says), "{code}: {fault:?}");
    }
}
