//! CloudWatch and EC2 in memory, with everything that goes wrong at a word.

use super::api::{
    ApiError, DataPage, DataRequest, Instance, InstanceApi, InstancePage, ListRequest, MetricApi, MetricName,
    MetricPage, Points, Standing, UnlimitedPage,
};
use crate::stream::{Producer, PutReport, Record, StreamError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What there is and what goes wrong.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) instances: Vec<Instance>,
    /// Series with when each point became visible: (ts, value, visible from).
    pub(super) series: BTreeMap<MetricName, Vec<(i64, f64, i64)>>,
    /// Errors to give, in order, before anything is answered.
    pub(super) errors: Vec<ApiError>,
    /// Throttles everything between these times.
    pub(super) storm: Option<(i64, i64)>,
    /// Points of a page at most.
    pub(super) page: usize,
    /// Lets every other query of this call fail.
    pub(super) fail_at: usize,
    /// AWS's time less ours.
    pub(super) offset: Option<i64>,
    pub(super) data_calls: usize,
    pub(super) asked: u64,
    pub(super) denied: bool,
    /// Says nothing for so long to each call, milliseconds.
    pub(super) hangs: Option<i64>,
    /// Whose CPU credits are unlimited; none where that may not be asked.
    pub(super) unlimited: Option<Vec<String>>,
    /// Names one page of a listing as the next for ever.
    pub(super) endless: bool,
}

/// A clone shares the world.
#[derive(Debug, Clone)]
pub(super) struct Fake {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) clock: Arc<forewarn_runtime::clock::ManualClock>,
}

impl Fake {
    fn trouble(&self, world: &mut World) -> Result<(), ApiError> {
        use forewarn_runtime::clock::Clock;
        let now = self.clock.now_ms();
        if let Some(ms) = world.hangs {
            self.clock.advance(ms);
            return Err(ApiError::Silent("no reply in time".to_owned()));
        }
        if world.denied {
            return Err(ApiError::Denied { operation: "cloudwatch:ListMetrics", why: "no".to_owned() });
        }
        if world.storm.is_some_and(|(from, to)| (from..to).contains(&now)) {
            return Err(ApiError::Throttled("Rate exceeded".to_owned()));
        }
        world.errors.pop().map_or(Ok(()), Err)
    }
}

impl MetricApi for Fake {
    fn list_metrics(&self, request: &ListRequest<'_>) -> Result<MetricPage, ApiError> {
        use forewarn_runtime::clock::Clock;
        let world = &mut *self.world.lock().unwrap();
        self.trouble(world)?;
        let since = self.clock.now_ms() - 3 * 3_600_000;
        let named = world.series.iter().filter(|(m, points)| {
            m.namespace == request.namespace
                && request.metric.is_none_or(|n| n == m.metric)
                && (!request.recently_active || points.iter().any(|p| p.0 >= since && p.2 <= self.clock.now_ms()))
        });
        let all: Vec<MetricName> = named.map(|(m, _)| m.clone()).collect();
        let at: usize = request.token.as_ref().map_or(0, |t| t.parse().unwrap());
        let next = (at + 2 < all.len() || world.endless).then(|| (at + 2).to_string());
        Ok(MetricPage { metrics: all.into_iter().skip(at).take(2).collect(), next })
    }

    fn get_metric_data(&self, request: &DataRequest<'_>) -> Result<DataPage, ApiError> {
        use forewarn_runtime::clock::Clock;
        let world = &mut *self.world.lock().unwrap();
        world.data_calls += 1;
        world.asked += request.queries.len() as u64;
        self.trouble(world)?;
        let now = self.clock.now_ms();
        let skip: usize = request.token.as_ref().map_or(0, |t| t.parse().unwrap());
        let page = if world.page == 0 { usize::MAX } else { world.page };
        let mut out = DataPage::default();
        let mut more = false;
        for (i, q) in request.queries.iter().enumerate() {
            let points = world.series.get(q.metric).map(Vec::as_slice).unwrap_or_default();
            let mut newest_first: Vec<(i64, f64)> = points
                .iter()
                .filter(|p| p.0 >= request.from && p.0 < request.to && p.2 <= now)
                .map(|p| (p.0, p.1))
                .collect();
            newest_first.reverse();
            let rest = newest_first.len().saturating_sub(skip);
            let part: Vec<_> = newest_first.into_iter().skip(skip).take(page).collect();
            let failed = world.data_calls == world.fail_at && i % 2 == 0;
            let standing = match () {
                () if failed => Standing::Failed,
                () if rest > part.len() => Standing::Partial,
                () => Standing::Complete,
            };
            more |= standing == Standing::Partial;
            let (ts, values) = part.into_iter().unzip();
            out.results.push(Points { query: i, ts, values, standing });
        }
        out.next = more.then(|| (skip + page).to_string());
        Ok(out)
    }

    fn clock_offset_ms(&self) -> Option<i64> {
        self.world.lock().unwrap().offset
    }
}

impl InstanceApi for Fake {
    fn describe_instances(&self, token: Option<&str>) -> Result<InstancePage, ApiError> {
        let world = &mut *self.world.lock().unwrap();
        self.trouble(world)?;
        let at: usize = token.map_or(0, |t| t.parse().unwrap());
        let next = (at + 1 < world.instances.len()).then(|| (at + 1).to_string());
        Ok(InstancePage { instances: world.instances.iter().skip(at).take(1).cloned().collect(), next })
    }

    fn unlimited_credits(&self, token: Option<&str>) -> Result<UnlimitedPage, ApiError> {
        let world = &mut *self.world.lock().unwrap();
        let Some(unlimited) = &world.unlimited else {
            let operation = "ec2:DescribeInstanceCreditSpecifications";
            return Err(ApiError::Denied { operation, why: "told so".to_owned() });
        };
        let at: usize = token.map_or(0, |t| t.parse().unwrap());
        let next = (at + 1 < unlimited.len()).then(|| (at + 1).to_string());
        Ok(UnlimitedPage { ids: unlimited.iter().skip(at).take(1).cloned().collect(), next })
    }
}

/// Keeps what is put; fails when told to.
#[derive(Debug, Default)]
pub(super) struct SharedStream {
    pub(super) records: Vec<Record>,
    pub(super) fail_at: Option<usize>,
    pub(super) puts: usize,
}

impl Producer for SharedStream {
    fn put(&mut self, records: &[Record]) -> Result<PutReport, StreamError> {
        self.puts += 1;
        if self.fail_at == Some(self.puts) {
            return Err(StreamError::unavailable("kept", "put", "told to fail"));
        }
        self.records.extend_from_slice(records);
        Ok(PutReport { records: records.len() as u64, ..PutReport::default() })
    }
}
