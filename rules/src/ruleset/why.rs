//! Renders a rule's `why`: a sentence with placeholders, in numbers that people read.

use super::error::Problem;
use super::nearest::nearest;
use super::params::Params;
use crate::feature::columns;

/// What stands in a text for a value that is not known.
pub const UNKNOWN: &str = "unknown";

/// A sentence with placeholders, taken apart once.
///
/// `{memory_now}` is a feature column, `{memory_now:.1}` the same with one decimal, `{memory_q24:%}` a share as a percentage,
/// `{status_critical_minutes_24h:min}` minutes as a duration, `{status_hours_critical:h}` hours as one,
/// `{:iowait_warning}` a parameter; `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    written: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Column(usize, Style),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Decimals(usize),
    Percent,
    /// A duration, in so many minutes for each unit of the value.
    Duration(u8),
}

impl Why {
    /// Gives the sentence as the rule set has it, placeholders and all.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Takes a sentence apart; parameters are put in at once, and `used` is told of each.
    pub(super) fn parse(text: &str, params: &Params, used: &mut dyn FnMut(&str)) -> Result<Self, Problem> {
        let names = columns();
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
                literal.push_str(&tail[..1]);
                rest = after;
                continue;
            }
            let end = tail.find('}').filter(|_| tail.starts_with('{'));
            let Some(end) = end else { return Err(Problem::Placeholder(tail.chars().take(20).collect())) };
            let inner = &tail[1..end];
            rest = &tail[end + 1..];
            let (name, style) = split_style(inner)?;
            if let Some(param) = name.strip_prefix(':') {
                used(param);
                literal.push_str(&style.show(params.get(param)?));
                continue;
            }
            let index = names.iter().position(|c| c == name).ok_or_else(|| Problem::UnknownColumn {
                name: name.to_owned(),
                nearest: nearest(name, names.iter().map(String::as_str)),
            })?;
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            parts.push(Part::Column(index, style));
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { written: text.to_owned(), parts })
    }

    /// Gives the indexes of the feature columns that it names.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Column(index, _) => Some(*index),
        })
    }

    /// Renders the sentence with the values that `value` gives by column index; NaN reads as `unknown`.
    pub fn render(&self, value: impl Fn(usize) -> f64) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(t) => t.clone(),
                Part::Column(index, style) => style.show(value(*index)),
            })
            .collect()
    }
}

fn split_style(inner: &str) -> Result<(&str, Style), Problem> {
    let bad = || Problem::Placeholder(inner.to_owned());
    let (sigil, body) = if inner.starts_with(':') { inner.split_at(1) } else { ("", inner) };
    let (name, style) = match body.split_once(':') {
        None => (body, Style::Plain),
        Some((name, "%")) => (name, Style::Percent),
        Some((name, "min")) => (name, Style::Duration(1)),
        Some((name, "h")) => (name, Style::Duration(60)),
        Some((name, spec)) => {
            let digits = spec.strip_prefix('.').and_then(|d| d.parse().ok()).filter(|d| *d <= 6).ok_or_else(bad)?;
            (name, Style::Decimals(digits))
        }
    };
    if name.is_empty() {
        return Err(bad());
    }
    Ok((&inner[..sigil.len() + name.len()], style))
}

impl Style {
    fn show(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => UNKNOWN.to_owned(),
            Self::Plain => plain(value),
            Self::Decimals(n) => fixed(value, n),
            Self::Percent => format!("{} %", percent(value)),
            Self::Duration(minutes) => duration(value * f64::from(minutes)),
        }
    }
}

/// Writes a number as people do: fewer decimals the larger it is, no trailing zeros.
pub(crate) fn plain(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = fixed(value, decimals);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    // A small negative number would read `-0`.
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        _ => text,
    }
}

/// Writes minutes as people do: to the minute below two days, then in days and hours.
fn duration(minutes: f64) -> String {
    let minutes = minutes.round().max(0.0) as u64;
    let (days, hours) = (minutes / 1440, minutes / 60);
    match (days, hours, minutes % 60) {
        (_, 0, m) => format!("{m} min"),
        (0 | 1, h, 0) => format!("{h} h"),
        (0 | 1, h, m) => format!("{h} h {m} min"),
        (d, h, _) if h % 24 == 0 => format!("{d} d"),
        (d, h, _) => format!("{d} d {} h", h % 24),
    }
}

fn percent(share: f64) -> String {
    let p = share * 100.0;
    if p > 0.0 && p < 1.0 { "under 1".to_owned() } else { fixed(p, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, value: f64) -> String {
        let params =
            Params::in_force(&std::collections::BTreeMap::from([("limit".to_owned(), 85.0)]), &|_| None).unwrap();
        Why::parse(text, &params, &mut |_| ()).unwrap().render(|_| value)
    }

    #[test]
    fn sentences_are_filled_in() {
        assert_eq!(render("memory {memory_now:.0} % of {:limit} %", 91.26), "memory 91 % of 85 %");
        assert_eq!(render("{memory_q24:%} {{x}} {memory_now}", 0.126), "13 % {x} 0.13");
        assert_eq!(render("{memory_q24:%}", 0.001), "under 1 %");
        assert_eq!(render("is {memory_now:.1}!", -0.01), "is 0.0!");
        assert_eq!(render("{memory_now:min} {memory_now:h}", 3.0), "3 min 3 h");
        assert_eq!(render("{memory_now:min} {memory_now:h}", 191.0), "3 h 11 min 7 d 23 h");
    }

    #[test]
    fn what_is_unknown_reads_so() {
        for value in [f64::NAN, f64::INFINITY] {
            assert_eq!(render("{memory_now:.0} {memory_q24:%} {memory_now}", value), "unknown unknown unknown");
        }
    }

    #[test]
    fn bad_placeholders_are_errors() {
        let params = Params::in_force(&std::collections::BTreeMap::new(), &|_| None).unwrap();
        let refuse = |t: &str| Why::parse(t, &params, &mut |_| ()).unwrap_err();
        assert_eq!(refuse("{memory_now:5}"), Problem::Placeholder("memory_now:5".into()));
        assert_eq!(refuse("{}"), Problem::Placeholder(String::new()));
        assert!(matches!(refuse("a } b"), Problem::Placeholder(_)));
        assert!(matches!(refuse("a {memory_now"), Problem::Placeholder(_)));
        assert_eq!(
            refuse("{memory_nwo}"),
            Problem::UnknownColumn { name: "memory_nwo".into(), nearest: Some("memory_now".into()) }
        );
        assert!(matches!(refuse("{:iowait_warnin}"), Problem::UnknownParam { .. }));
    }
}
