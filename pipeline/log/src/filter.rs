//! Chooses entries by stream, type, subject and time.

use super::recorded::Recorded;
use jiff::Timestamp;

/// Chooses entries; an empty filter takes them all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this stream.
    pub stream: Option<String>,
    /// Only these types: exact, or the beginning of one up to a dot (`forewarn.prediction`); the leading `forewarn.` may be left out.
    pub types: Vec<String>,
    /// Only this subject.
    pub subject: Option<String>,
    /// Only events at or after this time.
    pub from: Option<Timestamp>,
    /// Only events before this time.
    pub to: Option<Timestamp>,
    /// Only entries after this position.
    pub after: u64,
    /// At most this many entries.
    pub limit: Option<usize>,
}

impl Filter {
    /// Makes a filter for types.
    pub fn types<I: IntoIterator<Item = S>, S: Into<String>>(types: I) -> Self {
        Self { types: types.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Says whether an entry is chosen, `limit` aside; an entry whose time cannot be read falls outside every period.
    pub fn matches(&self, entry: &Recorded) -> bool {
        let envelope = &entry.envelope;
        let within = |from: Option<Timestamp>, to: Option<Timestamp>| {
            if from.is_none() && to.is_none() {
                return true;
            }
            envelope.timestamp().is_ok_and(|t| from.is_none_or(|f| f <= t) && to.is_none_or(|end| t < end))
        };
        entry.position > self.after
            && self.stream.as_ref().is_none_or(|s| *s == entry.stream)
            && self.subject.as_ref().is_none_or(|s| *s == envelope.subject)
            && self.chooses_type(&envelope.type_)
            && within(self.from, self.to)
    }

    /// Says whether a type is chosen.
    pub fn chooses_type(&self, type_: &str) -> bool {
        let begins = |wanted: &str, type_: &str| {
            type_.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.types.is_empty()
            || self.types.iter().any(|wanted| {
                let wanted = wanted.trim_end_matches(".*");
                begins(wanted, type_) || type_.strip_prefix(super::event::PREFIX).is_some_and(|t| begins(wanted, t))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_match_whole_or_up_to_a_dot() {
        let made = "forewarn.prediction.made.v1";
        for wanted in ["forewarn.prediction.made.v1", "prediction.made", "prediction", "prediction.*", "forewarn"] {
            assert!(Filter::types([wanted]).chooses_type(made), "{wanted}");
        }
        for wanted in ["predict", "prediction.made.v", "made", "recovery"] {
            assert!(!Filter::types([wanted]).chooses_type(made), "{wanted}");
        }
        assert!(Filter::default().chooses_type(made));
    }
}
