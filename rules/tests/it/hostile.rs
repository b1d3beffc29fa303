//! Rule sets that must be refused, each with the exact words.

use forewarn_rules::ruleset::RuleSet;

const HEAD: &str = "name = \"t\"\nversion = \"1\"\n[levels]\nhigh = 0.5\nmedium = 0.5\nlow = 0.4\n[prior]\nincidents_per_instance_month = 0.3\n";

fn rule(when: &str, evidence: &str, why: &str) -> String {
    format!(
        "{HEAD}[[rule]]\nid = \"r1\"\ngroup = \"g\"\nsignal = \"memory\"\nfailure_type = \"memory_exhaustion\"\naction = \"notify\"\n\
         when = '''{when}'''\nevidence = {evidence}\nwhy = \"{why}\"\n"
    )
}

fn error(text: &str) -> String {
    match RuleSet::parse(text, "mine.toml", &|_| None) {
        Ok(_) => "accepted".to_owned(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn predicates_that_are_more_than_one_row_are_refused() {
    for (when, expected) in [
        (
            "memory_now > avg(memory_now)",
            "aggregate function `avg` is refused: a predicate sees only its own row; use a feature such as `cpu_mean_24h`",
        ),
        (
            "count(*) > 3",
            "aggregate function `count` is refused: a predicate sees only its own row; use a feature such as `cpu_mean_24h`",
        ),
        (
            "max(memory_now) > 3",
            "aggregate function `max` is refused: a predicate sees only its own row; use a feature such as `cpu_mean_24h`",
        ),
        ("sum(memory_now) OVER () > 3", "window function `sum` is refused: a predicate sees only its own row"),
        ("lag(memory_now) > 3", "window function `lag` is refused: a predicate sees only its own row"),
        (
            "row_number() OVER (ORDER BY memory_now) = 1",
            "window function `row_number` is refused: a predicate sees only its own row",
        ),
        ("memory_now > (SELECT 1)", "a subquery is refused: a predicate sees only its own row"),
        ("memory_now IN (SELECT 1)", "a subquery is refused: a predicate sees only its own row"),
        ("EXISTS (SELECT 1)", "a subquery is refused: a predicate sees only its own row"),
        (
            "1; drop table features",
            "`;` is a statement or ends one; `when` takes one Boolean expression over feature columns",
        ),
        (
            "SELECT * FROM features",
            "`SELECT` is a statement or ends one; `when` takes one Boolean expression over feature columns",
        ),
        (
            "DROP TABLE features",
            "`DROP` is a statement or ends one; `when` takes one Boolean expression over feature columns",
        ),
    ] {
        assert_eq!(error(&rule(when, "1", "w")), format!("mine.toml:15: rule `r1`: {expected}"), "{when}");
    }
}

#[test]
fn names_that_are_unknown_are_refused_with_the_nearest() {
    for (when, expected) in [
        ("memry_now > 1", "unknown column `memry_now`; did you mean `memory_now`?"),
        ("memory_q25 > 1", "unknown column `memory_q25`; did you mean `memory_q24`?"),
        ("instance_id = 1", "unknown column `instance_id`"),
        ("features.memory_now > 1", "unknown column `features.memory_now`"),
        ("florr(memory_now) > 1", "unknown function `florr`; did you mean `floor`?"),
        ("read_csv('/etc/passwd') > 1", "unknown function `read_csv`"),
        (
            "memory_now > :memory_saturation_warnin",
            "unknown parameter `:memory_saturation_warnin`; did you mean `memory_saturation_warning`?; parameters stand in [params]",
        ),
    ] {
        let found = error(&rule(when, "1", "w"));
        assert!(found.starts_with(&format!("mine.toml:15: rule `r1`: {expected}")), "{when}: {found}");
    }
}

#[test]
fn types_and_forms_that_do_not_fit_are_refused() {
    for (when, expected) in [
        (
            "memory_now",
            "`memory_now` is a number where a Boolean is needed; compare it with something, as in `memory_now > 0`",
        ),
        (
            "memory_now + 1",
            "`memory_now + 1` is a number where a Boolean is needed; compare it with something, as in `memory_now + 1 > 0`",
        ),
        (
            "memory_now AND cpu_now > 1",
            "`memory_now` is a number where a Boolean is needed; compare it with something, as in `memory_now > 0`",
        ),
        ("(memory_now > 1) + 1 > 1", "`(memory_now > 1)` is a Boolean where a number is needed"),
        ("memory_now = TRUE", "`true` is a Boolean where a number is needed"),
        ("NULL", "the predicate can't be read: it is always NULL, so it would never fire"),
        ("abs(memory_now, 1) > 1", "`abs` takes one number, not 2"),
        (
            "memory_now LIKE 'a%'",
            "`memory_now LIKE 'a%'` is not supported in a predicate; comparisons, arithmetic, AND, OR, NOT, BETWEEN, IN, IS NULL and CASE are",
        ),
        (
            "memory_now = '5'",
            "`'5'` is not supported in a predicate; comparisons, arithmetic, AND, OR, NOT, BETWEEN, IN, IS NULL and CASE are",
        ),
        (
            "CAST(memory_now AS INT) > 1",
            "`CAST(memory_now AS INT)` is not supported in a predicate; comparisons, arithmetic, AND, OR, NOT, BETWEEN, IN, IS NULL and CASE are",
        ),
        (
            "memory_now > 1e999",
            "`1e999` is not supported in a predicate; comparisons, arithmetic, AND, OR, NOT, BETWEEN, IN, IS NULL and CASE are",
        ),
        (
            "memory_now > 1 memory_now",
            "the predicate can't be read: nothing may follow the expression, but `memory_now` does",
        ),
    ] {
        assert_eq!(error(&rule(when, "1", "w")), format!("mine.toml:15: rule `r1`: {expected}"), "{when}");
    }
    let deep = format!("{}memory_now > 1{}", "NOT (".repeat(200), ")".repeat(200));
    assert_eq!(error(&rule(&deep, "1", "w")), "mine.toml:15: rule `r1`: the predicate is nested deeper than 8 levels");
    let bearable = format!("{}memory_now > 1{}", "NOT (".repeat(8), ")".repeat(8));
    assert_eq!(error(&rule(&bearable, "1", "w")), "accepted");
    let chain = error(&rule(&format!("{}memory_now > 1", "NOT ".repeat(500)), "1", "w"));
    assert!(chain.starts_with("mine.toml:15: rule `r1`: the predicate"), "{chain}");
}

#[test]
fn evidence_that_could_lower_a_risk_is_refused() {
    for (evidence, expected) in [
        ("-0.5", "evidence -0.5 is negative; evidence only adds to the risk, so it is 0 or more"),
        ("nan", "evidence is NaN, which is not a finite number"),
        ("inf", "evidence is inf, which is not a finite number"),
        (
            "{ feature = \"memory_q24\", bins = [[0.1, 1], [0.5, 0.5]] }",
            "evidence bins over `memory_q24` must have rising edges and evidence that never falls; bin 2 breaks that",
        ),
        (
            "{ feature = \"memory_q24\", bins = [[0.5, 1], [0.1, 2]] }",
            "evidence bins over `memory_q24` must have rising edges and evidence that never falls; bin 2 breaks that",
        ),
        (
            "{ feature = \"memory_q24\", bins = [[0.5, -1]] }",
            "evidence -1 is negative; evidence only adds to the risk, so it is 0 or more",
        ),
        (
            "{ feature = \"memory_q24\", bins = [] }",
            "evidence bins over `memory_q24` are empty; give at least one [edge, evidence]",
        ),
        ("{ feature = \"memory_q42\", bins = [[0, 1]] }", "unknown column `memory_q42`; did you mean `memory_q24`?"),
        ("1\nhorizons = [1, -1, 1]", "evidence -1 is negative; evidence only adds to the risk, so it is 0 or more"),
        ("[1, -2, 3]", "evidence -2 is negative; evidence only adds to the risk, so it is 0 or more"),
        (
            "{ feature = \"memory_q24\", bins = [[0.1, 1, 1, 1], [0.5, 2, 0.5, 2]] }",
            "evidence bins over `memory_q24` must have rising edges and evidence that never falls; bin 2 breaks that",
        ),
        (
            "{ feature = \"memory_q24\", bins = [[0.1, 1, 1]] }",
            "expected [edge, evidence] or [edge, evidence, evidence, evidence]: one for each hazard",
        ),
        ("[1, 2]", "expected a number, or three of them: one for each hazard"),
    ] {
        let found = error(&rule("memory_now > 1", evidence, "w"));
        let line = if evidence.contains("horizons") { 17 } else { 16 };
        assert_eq!(found, format!("mine.toml:{line}: rule `r1`: {expected}"), "{evidence}");
    }
}

#[test]
fn evidence_is_shared_out_once() {
    for evidence in ["[1, 2, 3]", "{ feature = \"memory_q24\", bins = [[0.1, 1, 2, 3]] }"] {
        let text = rule("memory_now > 1", &format!("{evidence}\nhorizons = [1, 0.5, 0.2]"), "w");
        let said = "mine.toml:16: rule `r1`: evidence is written for each hazard, and `horizons` would share it out again; \
                    leave one of them out";
        assert_eq!(error(&text), said);
    }
}

#[test]
fn keys_ids_and_placeholders_are_checked() {
    let good = rule("memory_now > 1", "1", "w");
    assert_eq!(error(&good), "accepted");
    let twice = format!("{good}{}", &good[HEAD.len()..]);
    assert_eq!(error(&twice), "mine.toml:19: rule `r1`: `r1` is the id of an earlier rule too; ids are unique");
    let unknown_key = error(&good.replace("why =", "wy = 1\nwhy ="));
    assert!(unknown_key.starts_with("mine.toml:17: rule `r1`: unknown field `wy`, expected one of "), "{unknown_key}");
    let no_signal = error(&good.replace("signal = \"memory\"", "signal = \"memry\""));
    assert_eq!(no_signal, "mine.toml:12: rule `r1`: signal `memry` is unknown; did you mean `memory`?");
    let kind = error(&good.replace("\"memory_exhaustion\"", "\"bad_luck\""));
    assert!(
        kind.starts_with("mine.toml:13: rule `r1`: unknown variant `bad_luck`, expected one of `cpu_saturation`"),
        "{kind}"
    );
    let why = error(&rule("memory_now > 1", "1", "is {memory_nwo}"));
    assert_eq!(why, "mine.toml:17: rule `r1`: unknown column `memory_nwo`; did you mean `memory_now`?");
    let broken = error("name = \"x\"\nversion = ");
    assert!(broken.starts_with("mine.toml:2: "), "{broken}");
}

#[test]
fn thresholds_are_checked() {
    let with_params = |p: &str| format!("{}\n[params]\n{p}\n", rule("memory_now > 1", "1", "w"));
    assert_eq!(
        error(&with_params("memory_saturation_warnin = 3")),
        "mine.toml:20: parameter `memory_saturation_warnin` is never used; did you mean `memory_saturation_warning`?"
    );
    assert_eq!(
        error(&with_params("memory_saturation_warning = 97")),
        "mine.toml:20: memory_saturation_warning = 97 and memory_saturation_critical = 95: the warning level must come before the critical one"
    );
    assert_eq!(
        error(&with_params("").replace("high = 0.5", "high = 1.5")),
        "mine.toml:4: level high is 1.5, outside 0.000001 to 0.999999"
    );
    assert_eq!(
        error(&with_params("").replace("month = 0.3", "month = 0")),
        "mine.toml:8: incidents_per_instance_month is 0, outside 0.000000001 to 1000"
    );
    let calibration = |body: &str| format!("{}\n[[calibration]]\n{body}\n", rule("memory_now > 1", "1", "w"));
    assert_eq!(
        error(&calibration("horizon = \"0-24h\"\nknots = [[0, 0], [1, -1]]")),
        "mine.toml:21: knot 1 of the calibration does not rise above the one before it by a slope of at least 0.001: sort the \
         knots by score and let the log-odds grow with it"
    );
    assert_eq!(
        error(&calibration("horizon = \"0-25h\"\nknots = [[0, 0], [1, 1]]")),
        "mine.toml:20: horizon `0-25h` is unknown; horizons are 0-24h, 24-72h and 72-168h"
    );
}

#[test]
fn the_environment_overrides_and_is_checked() {
    let env = |name: &str, value: &str| {
        let (name, value) = (name.to_owned(), value.to_owned());
        move |asked: &str| (asked == name).then(|| value.clone())
    };
    let plain = RuleSet::builtin(&|_| None).unwrap();
    let changed = RuleSet::builtin(&env("CPU_STEAL_WARNING", "8")).unwrap();
    assert!((changed.params().get("cpu_steal_warning").unwrap() - 8.0).abs() < 1e-12);
    assert_ne!(plain.sha256(), changed.sha256(), "parameters in force are part of the identity");
    assert_eq!(plain.sha256(), RuleSet::builtin(&|_| None).unwrap().sha256());
    let high = RuleSet::builtin(&env("HIGH_CONFIDENCE_THRESHOLD", "0.9")).unwrap();
    assert!((high.levels().high - 0.9).abs() < 1e-12);
    let bad = RuleSet::builtin(&env("STATUS_CHECK_FAILURE_COUNT", "three")).unwrap_err().to_string();
    assert!(
        bad.contains("the environment variable STATUS_CHECK_FAILURE_COUNT is `three`, which is not a finite number"),
        "{bad}"
    );
    let crossed = RuleSet::builtin(&env("CPU_STEAL_WARNING", "50")).unwrap_err().to_string();
    assert!(crossed.contains("cpu_steal_warning = 50 and cpu_steal_critical = 10"), "{crossed}");
}
