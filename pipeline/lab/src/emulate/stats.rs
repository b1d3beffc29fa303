//! Counts what was asked and what went wrong.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Everything that is counted beside the calls by operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Count {
    /// Queries that AWS would bill: those of answered `GetMetricData` calls without a token.
    Queries,
    /// Queries of answered calls that went on with a token.
    ContinuedQueries,
    /// Points given out.
    Points,
    /// Points put.
    Put,
    Throttles,
    Errors,
    Resets,
    /// `GetMetricData` replies that ended with a token.
    Partials,
    /// Queries that ended with `InternalError`.
    InternalErrors,
    /// Replies that were lost.
    Lost,
    /// Replies that were slow.
    Slow,
    /// Calls that were at fault themselves.
    Refused,
}

impl Count {
    const ALL: [(Self, &'static str); 12] = [
        (Self::Queries, "queries"),
        (Self::ContinuedQueries, "continued_queries"),
        (Self::Points, "points"),
        (Self::Put, "put"),
        (Self::Throttles, "throttles"),
        (Self::Errors, "errors"),
        (Self::Resets, "resets"),
        (Self::Partials, "partials"),
        (Self::InternalErrors, "internal_errors"),
        (Self::Lost, "lost"),
        (Self::Slow, "slow"),
        (Self::Refused, "refused"),
    ];
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Stats(Mutex<Counted>);

/// Calls by operation, and everything else.
type Counted = (BTreeMap<&'static str, u64>, BTreeMap<Count, u64>);

impl Stats {
    /// Counts a call of an operation.
    pub(super) fn call(&self, operation: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).0.entry(operation).or_default() += 1;
    }

    pub(super) fn add(&self, what: Count, n: u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).1.entry(what).or_default() += n;
    }

    /// Gives everything as JSON: `calls` by operation, and each counter by its name.
    pub(super) fn json(&self) -> Value {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Map::new();
        out.insert("calls".to_owned(), json!(all.0));
        for (what, name) in Count::ALL {
            out.insert(name.to_owned(), json!(all.1.get(&what).copied().unwrap_or(0)));
        }
        Value::Object(out)
    }
}
