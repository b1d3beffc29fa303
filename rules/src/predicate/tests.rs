use super::*;
use crate::feature::{Feature, WIDTH, index};
use forewarn_domain::signal::Signal;
use std::collections::BTreeMap;

fn params() -> Params {
    Params::in_force(&BTreeMap::from([("limit".to_owned(), -5.0), ("tiny".to_owned(), 1e-7)]), &|_| None).unwrap()
}

fn compile(text: &str) -> Result<Predicate, Problem> {
    Predicate::compile(text, &params(), &mut |_| ())
}

/// Evaluates on rows of (`memory_now`, `cpu_now`).
fn fires(text: &str, rows: &[(f64, f64)]) -> Vec<bool> {
    let mut table = FeatureTable::new();
    for (memory, cpu) in rows {
        let mut row = vec![f64::NAN; WIDTH];
        row[index(Signal::Memory, Feature::Now)] = *memory;
        row[index(Signal::Cpu, Feature::Now)] = *cpu;
        table.push("i-1", 0, &row, &[]);
    }
    evaluate(&[&compile(text).unwrap()], &table).unwrap().remove(0)
}

fn one(text: &str, memory: f64, cpu: f64) -> bool {
    fires(text, &[(memory, cpu)])[0]
}

#[test]
fn every_function_works_in_polars() {
    for (text, x) in [
        ("abs(memory_now) = 2", -2.0),
        ("ceil(memory_now) = 3", 2.2),
        ("coalesce(cpu_now, memory_now) = 7", 7.0),
        ("abs(exp(memory_now) - 2.718281828459045) < 1e-12", 1.0),
        ("floor(memory_now) = 2", 2.9),
        ("greatest(memory_now, 3, cpu_now) = 4", 4.0),
        ("least(memory_now, 3, cpu_now) = -4", -4.0),
        ("abs(ln(memory_now) - 0.6931471805599453) < 1e-12", 2.0),
        ("nullif(memory_now, 3) IS NULL", 3.0),
        ("power(memory_now, 2) = 9", 3.0),
        ("round(memory_now) = 3", 2.6),
        ("sign(memory_now) = -1", -7.0),
        ("sqrt(memory_now) = 3", 9.0),
    ] {
        assert!(one(text, x, f64::NAN), "{text}");
        assert!(!one(text, x + 50.0, f64::NAN), "{text}");
    }
    assert_eq!(FUNCTIONS.len(), 13, "each function has its line above");
}

#[test]
fn operators_mean_what_sql_says() {
    for (text, expected) in [
        ("memory_now > 5", true),
        ("memory_now > cpu_now", true),
        ("memory_now BETWEEN 10 AND 11", true),
        ("memory_now NOT BETWEEN 10 AND 11", false),
        ("memory_now IN (1, 10)", true),
        ("memory_now NOT IN (1, 2)", true),
        ("memory_now + 1 = 11 AND cpu_now * 2 - 1 = 7", true),
        ("7 / 2 = 3.5 AND memory_now > 0", true),
        ("memory_now % 3 = 1", true),
        ("- -memory_now = 10", true),
        ("NOT memory_now > 5 OR cpu_now <> 4", false),
        ("memory_now IS NOT NULL", true),
        ("disk_now IS NULL", true),
        ("CASE WHEN memory_now > 50 THEN 1 WHEN memory_now > 5 THEN 2 END = 2", true),
        ("CASE memory_now WHEN 10 THEN cpu_now > 1 ELSE FALSE END", true),
        ("memory_now > :limit", true),
        ("memory_now - :limit = 15", true),
        ("memory_now < :tiny", false),
        ("TRUE", true),
        ("1 > 2", false),
    ] {
        assert_eq!(one(text, 10.0, 4.0), expected, "{text}");
    }
}

#[test]
fn the_unknown_never_fires() {
    for text in [
        "memory_now > 5",
        "memory_now <= 5",
        "NOT memory_now > 5",
        "memory_now <> 5",
        "memory_now NOT IN (1, 2)",
        "memory_now NOT BETWEEN 1 AND 2",
        "memory_now = NULL",
        "memory_now + 1 > 0",
        "cpu_now > 1 AND memory_now > 1",
    ] {
        assert!(!one(text, f64::NAN, 4.0), "{text}");
    }
    assert!(one("cpu_now > 1 OR memory_now > 1", f64::NAN, 4.0));
}

#[test]
fn what_cannot_be_computed_is_unknown_not_huge() {
    for text in [
        "cpu_now / memory_now > 1",
        "memory_now / memory_now > 0",
        "cpu_now % memory_now >= 0",
        "ln(memory_now - 1) > 0",
        "sqrt(memory_now - 1) > 0",
        "coalesce(sqrt(memory_now - 1), 0) > 1",
        "greatest(sqrt(memory_now - 1), 0) > 1",
        "exp(cpu_now * 1000) - exp(cpu_now * 1000) > 0",
        "CASE WHEN TRUE THEN sqrt(memory_now - 1) END > 0",
    ] {
        assert!(!one(text, 0.0, 4.0), "{text}");
    }
    assert!(one("sqrt(memory_now - 1) IS NULL", 0.0, 4.0));
    assert!(!one("memory_now > 1", f64::INFINITY, 4.0));
}

#[test]
fn a_constant_is_stretched_over_all_rows() {
    assert_eq!(fires("TRUE", &[(1.0, 1.0), (2.0, 2.0), (f64::NAN, 3.0)]), [true; 3]);
}

#[test]
fn a_predicate_tells_its_columns_and_its_parameters() {
    let mut used = Vec::new();
    let p = Predicate::compile("memory_q24 > :tiny OR cpu_now > :limit", &params(), &mut |n| used.push(n.to_owned()))
        .unwrap();
    assert_eq!(used, ["tiny", "limit"]);
    let expected = BTreeSet::from([index(Signal::Memory, Feature::Q24), index(Signal::Cpu, Feature::Now)]);
    assert_eq!(*p.columns(), expected);
    assert_eq!(p.sql(), "((memory_q24 > 0.0000001) OR (cpu_now > (-5.0)))");
}
