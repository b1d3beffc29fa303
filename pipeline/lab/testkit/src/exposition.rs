//! Reads what a process tells Prometheus as Prometheus does, so that tests ask for a value and not for a piece of text.

use std::collections::{BTreeMap, BTreeSet};

/// One series: its name and labels, in order.
pub type Series = (String, BTreeMap<String, String>);

/// What was told: each series once, each of a family that was declared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposition {
    /// The kind of each family, such as `counter`.
    pub families: BTreeMap<String, String>,
    pub samples: BTreeMap<Series, f64>,
}

impl Exposition {
    /// Reads `OpenMetrics` text.
    ///
    /// # Errors
    /// What is wrong, and in which line: no end, a series twice or without a family, a counter without its suffix, a label that does
    /// not end.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut out = Self::default();
        let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
        for line in body.lines() {
            let wrong = |what: &str| format!("{what}: {line:?}");
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').ok_or_else(|| wrong("no kind"))?;
                if out.families.insert(name.to_owned(), kind.to_owned()).is_some() {
                    return Err(wrong("declared twice"));
                }
            } else if !line.starts_with("# ") {
                let (series, value) = sample(line).ok_or_else(|| wrong("no sample"))?;
                if !out.declares(&series.0) {
                    return Err(wrong("of no family that was declared before it"));
                }
                if out.samples.insert(series, value).is_some() {
                    return Err(wrong("told twice"));
                }
            }
        }
        Ok(out)
    }

    fn declares(&self, name: &str) -> bool {
        let counter = name.strip_suffix("_total").and_then(|family| self.families.get(family));
        counter.is_some_and(|kind| kind == "counter") || self.families.get(name).is_some_and(|kind| kind != "counter")
    }

    /// Gives the names that a query may ask for.
    pub fn names(&self) -> BTreeSet<String> {
        let name = |(family, kind): (&String, &String)| match kind.as_str() {
            "counter" => format!("{family}_total"),
            _ => family.clone(),
        };
        self.families.iter().map(name).collect()
    }

    /// Gives the value of the series with exactly these labels, where it is told.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// Gives the value of the series with exactly these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.get(name, labels).unwrap_or_else(|| panic!("{name}{labels:?} is not told: {:#?}", self.samples))
    }
}

fn sample(line: &str) -> Option<(Series, f64)> {
    let named = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(named);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (key, quoted) = rest.split_once("=\"")?;
            let (value, after) = unquote(quoted)?;
            labels.insert(key.to_owned(), value).is_none().then_some(())?;
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    Some(((name.to_owned(), labels), rest.strip_prefix(' ')?.parse().ok()?))
}

/// Gives a label's value, and what stands behind its closing quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_all_of_its_labels() {
        let text = "# HELP a Counts.\n# TYPE a counter\na_total{x=\"1\",y=\"a \\\"b\\\" {c}, d\"} 3\na_total 4\n# TYPE b gauge\nb 0.5\n# EOF\n";
        let told = Exposition::parse(text).unwrap();
        assert_eq!(told.get("a_total", &[("y", "a \"b\" {c}, d"), ("x", "1")]), Some(3.0));
        assert_eq!((told.get("a_total", &[]), told.get("b", &[])), (Some(4.0), Some(0.5)));
        assert_eq!(told.get("a_total", &[("x", "1")]), None);
        assert_eq!(told.names().into_iter().collect::<Vec<_>>(), ["a_total", "b"]);
    }

    #[test]
    fn what_prometheus_refuses_is_refused() {
        for (text, says) in [
            ("a 1\n", "# EOF"),
            ("a 1\n# EOF\n", "no family"),
            ("# TYPE a counter\na 1\n# EOF\n", "no family"),
            ("# TYPE a counter\na_total 1\na_total 1\n# EOF\n", "told twice"),
            ("# TYPE a counter\n# TYPE a counter\n# EOF\n", "declared twice"),
            ("# TYPE a counter\na_total{x=\"1} 1\n# EOF\n", "no sample"),
            ("# TYPE a counter\na_total one\n# EOF\n", "no sample"),
        ] {
            let refused = Exposition::parse(text).unwrap_err();
            assert!(refused.contains(says), "{text:?}: {refused}");
        }
    }
}
