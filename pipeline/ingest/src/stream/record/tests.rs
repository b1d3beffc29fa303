use super::*;
use proptest::prelude::*;

fn block(period_s: i32, gaps: &[u8], values: Vec<f64>) -> SeriesBlock {
    let mut at = 1_767_225_600_000_i64;
    let ts = gaps
        .iter()
        .map(|gap| {
            at += i64::from(period_s) * 1000 * i64::from(*gap);
            at
        })
        .collect();
    SeriesBlock {
        namespace: "AWS/EC2".to_owned(),
        metric: "CPUUtilization".to_owned(),
        stat: "Average".to_owned(),
        device: None,
        period_s,
        ts,
        values,
    }
}

fn batch(series: Vec<SeriesBlock>) -> SampleBatch {
    SampleBatch {
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        instance_id: "i-0123456789abcdef0".to_owned(),
        ingested_at: Some(1_767_225_700_000),
        series,
    }
}

proptest! {
    #[test]
    fn a_batch_reads_back_with_any_gaps(
        points in proptest::collection::vec((1_u8..5, -1e12_f64..1e12), 0..400),
        period_s in prop_oneof![Just(1), Just(60), Just(300)],
    ) {
        let (gaps, values): (Vec<u8>, Vec<f64>) = points.into_iter().unzip();
        let record = Record::Samples(batch(vec![block(period_s, &gaps, values)]));
        let encoded = record.encode().unwrap();
        prop_assert_eq!(encoded.len(), 1);
        prop_assert_eq!(Record::decode(&encoded[0]).unwrap(), record);
    }

    #[test]
    fn bytes_that_are_no_record_are_refused_and_nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), valid_head in any::<bool>()) {
        let mut bytes = bytes;
        if valid_head {
            bytes.splice(0..0, [b'f', b'w', FIRST]);
        }
        prop_assert!(Record::decode(&bytes).is_err());
    }

    #[test]
    fn a_flipped_byte_never_panics(at in 0_usize..200, with in any::<u8>()) {
        let mut bytes = Record::Samples(batch(vec![block(300, &[1; 50], vec![1.5; 50])])).encode().unwrap().remove(0);
        let at = at % bytes.len();
        bytes[at] ^= with;
        drop(Record::decode(&bytes));
    }
}

#[test]
fn a_batch_too_long_for_a_record_is_split_in_order() {
    // Random mantissas do not compress: 400,000 of them need three megabytes.
    let mut x = 7_u64;
    let mut noise = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        f64::from_bits((x >> 12) | 0x3FF0_0000_0000_0000)
    };
    let n = 400_000;
    let values: Vec<f64> = (0..n).map(|_| noise()).collect();
    let whole = batch(vec![block(1, &vec![1; n], values)]);
    let parts = Record::Samples(whole.clone()).encode().unwrap();
    assert!(parts.len() > 1);
    let mut ts = Vec::new();
    for part in &parts {
        assert!(part.len() <= MAX_ENCODED);
        let Record::Samples(batch) = Record::decode(part).unwrap() else { panic!("not samples") };
        ts.extend(batch.series[0].ts.clone());
    }
    assert_eq!(ts, whole.series[0].ts);
}

#[test]
fn an_instance_says_how_it_may_spend_credits_and_is_read_by_older_ones_where_it_does_not() {
    let seen = InstanceSeen { instance_id: "i-1".to_owned(), seen_at: 7, ..InstanceSeen::default() };
    for (credits, version) in [(None, FIRST), (Some("unlimited".to_owned()), VERSION)] {
        let record = Record::Instance(InstanceSeen { cpu_credits: credits, ..seen.clone() });
        let encoded = record.encode().unwrap();
        assert_eq!(encoded[0][2], version);
        assert_eq!(Record::decode(&encoded[0]).unwrap(), record);
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let mut bytes = vec![b'f', b'w', FIRST];
    bytes.extend(zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap());
    assert!(bytes.len() < 100_000);
    assert!(matches!(Record::decode(&bytes), Err(RecordError::TooLong { .. })));
}

#[test]
fn another_version_and_what_can_not_be_are_told_apart() {
    assert!(matches!(Record::decode(b"fw\x03abc"), Err(RecordError::Newer(3))));
    assert!(matches!(Record::decode(b"{}"), Err(RecordError::Foreign(_))));
    let mut bad = block(300, &[1, 1], vec![1.0, f64::NAN]);
    assert!(matches!(Record::Samples(batch(vec![bad.clone()])).encode(), Err(RecordError::Invalid(_))));
    bad.values = vec![1.0];
    assert!(matches!(Record::Samples(batch(vec![bad])).encode(), Err(RecordError::Invalid(_))));
}
