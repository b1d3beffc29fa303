//! Reads AWS's time off every reply, so that a clock that is off is noticed.

use aws_sdk_cloudwatch::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_cloudwatch::config::{ConfigBag, Intercept, RuntimeComponents};
use forewarn_runtime::clock::Clock;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Says that no reply has told the time yet.
const UNKNOWN: i64 = i64::MIN;

/// AWS's time less our own at the last reply; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Offset {
    clock: Arc<dyn Clock>,
    millis: Arc<AtomicI64>,
}

impl Offset {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, millis: Arc::new(AtomicI64::new(UNKNOWN)) }
    }

    pub(super) fn millis(&self) -> Option<i64> {
        Some(self.millis.load(Ordering::Relaxed)).filter(|m| *m != UNKNOWN)
    }
}

impl Intercept for Offset {
    fn name(&self) -> &'static str {
        "clock offset"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        if let Some(aws) = context.response().headers().get("date").and_then(http_date) {
            // The header is cut to whole seconds: half a second more is right on average.
            self.millis.store(aws + 500 - self.clock.now_ms(), Ordering::Relaxed);
        }
        Ok(())
    }
}

fn http_date(text: &str) -> Option<i64> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn the_date_of_a_reply_is_read() {
        assert_eq!(http_date("Sun, 15 Feb 2026 00:00:00 GMT"), Some(1_771_113_600_000));
        assert_eq!(http_date("soon"), None);
    }
}
