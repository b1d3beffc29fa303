use super::*;
use proptest::prelude::*;

#[test]
fn what_is_written_is_read_back() {
    let mut w = Writer::default();
    w.map(4).text("A").array(300);
    for i in 0..300 {
        w.text(&"x".repeat(i));
    }
    let points = [(1_767_225_600_000, 0.1), (5, -0.0), (70_000_500, f64::MAX)];
    w.text("T").times(&points);
    w.text("V").floats(&points);
    w.text("W").times(&points[..1]);
    let texts = (0..300).map(|i| Value::Text("x".repeat(i))).collect();
    let wanted = Value::Map(vec![
        ("A".into(), Value::Array(texts)),
        ("T".into(), Value::Array([1_767_225_600_000, 5, 70_000_500].map(Value::Time).into())),
        ("V".into(), Value::Array([0.1, -0.0, f64::MAX].map(Value::Float).into())),
        ("W".into(), Value::Array(vec![Value::Time(1_767_225_600_000)])),
    ]);
    assert_eq!(decode(&w.finish()), Ok(wanted));
}

#[test]
fn items_without_a_length_are_read() {
    // {_ "a": [_ 1, (_ "b", "c")]}
    let bytes = [0xBF, 0x61, b'a', 0x9F, 0x01, 0x7F, 0x61, b'b', 0x61, b'c', 0xFF, 0xFF, 0xFF];
    let inner = Value::Array(vec![Value::Int(1), Value::Text("bc".into())]);
    assert_eq!(decode(&bytes), Ok(Value::Map(vec![("a".into(), inner)])));
}

#[test]
fn hostile_bytes_are_refused_without_taking_memory() {
    let deep = |byte: u8| vec![byte; 200_000];
    let huge = |head: u8| [vec![head], vec![0xFF; 8]].concat();
    let cases: [(&str, Vec<u8>); 12] = [
        ("empty", vec![]),
        ("deep arrays", deep(0x81)),
        ("deep arrays without a length", deep(0x9F)),
        ("deep tags", deep(0xC1)),
        ("an array of 2^64 - 1", huge(0x9B)),
        ("a map of 2^64 - 1", huge(0xBB)),
        ("a text of 2^64 - 1", huge(0x7B)),
        ("bytes of 2^64 - 1", huge(0x5B)),
        ("a key that is a number", vec![0xA1, 0x01, 0x01]),
        ("a text that is not UTF-8", vec![0x61, 0xFF]),
        ("more after the end", vec![0x01, 0x01]),
        ("a time that is not a number", vec![0xC1, 0xFB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0]),
    ];
    for (what, bytes) in cases {
        assert!(decode(&bytes).is_err(), "{what}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // Whatever comes out, the bytes were walked to an end.
        let _either: Result<Value, String> = decode(&bytes);
    }
}
