//! Makes the calls: each again when it failed for now, with waits by the injected clock, counted.

use super::super::port::LogError;
use super::call_error::{self, Answer, CallError};
use super::item::{Item, Key, n};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, WriteRequest};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::backoff::{Backoff, TRIES};
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::metrics::Call;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a call may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long a call may have taken, its repetitions included, before it is not made again, milliseconds.
const PATIENCE_MS: i64 = 30_000;
/// The first wait and any wait at most after another writer came first, milliseconds: a transaction takes about twenty.
const OVERTAKEN_MS: (u64, u64) = (20, 1000);
/// Most keys of one `BatchGetItem`.
const BATCH: usize = 100;
/// Most items of one `BatchWriteItem`.
const WRITES: usize = 25;

/// A call that failed for good.
#[derive(Debug)]
pub struct Failed {
    /// What that means.
    pub trouble: CallError,
    /// What to say.
    pub error: LogError,
}

impl Failed {
    /// Says that another writer came first, or is about to.
    pub fn is_overtaken(&self) -> bool {
        matches!(self.trouble, CallError::Refused | CallError::Contended)
    }
}

impl From<LogError> for Failed {
    fn from(error: LogError) -> Self {
        Self { trouble: CallError::Lasting, error }
    }
}

impl From<Failed> for LogError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// The way to one table; threads may share it.
#[derive(Debug)]
pub struct Api {
    aws: Aws,
    client: Client,
    pub table: String,
    /// What the table is called in messages: `dynamodb:REGION:TABLE`.
    pub label: String,
    ctx: RuntimeContext,
    backoff: Mutex<Backoff>,
}

impl Api {
    /// Prepares the way; nothing is called yet.
    pub fn new(aws: Aws, config: &SdkConfig, table: &str, ctx: RuntimeContext) -> Self {
        let region = config.region().map_or("unknown", AsRef::as_ref);
        let label = format!("dynamodb:{region}:{table}");
        // Tried again here, by the clock that we are handed, and counted: the SDK must not do so by itself.
        let config = Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build(),
            )
            .build();
        let seed = ctx.clock.now_ms().unsigned_abs() ^ (u64::from(std::process::id()) << 32);
        let backoff = Mutex::new(Backoff::seeded(seed));
        Self { aws, client: Client::from_conf(config), table: table.to_owned(), label, ctx, backoff }
    }

    /// Says what was tried, and where.
    pub fn doing(&self, what: &str) -> String {
        format!("{what} ({})", self.label)
    }

    /// Makes a call, again where it failed for now, at most [`TRIES`] times and not for long.
    pub fn call<T, E, F>(&self, operation: &'static str, doing: &str, once: impl Fn(&Client) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: Answer + std::error::Error + Send + Sync + 'static,
    {
        let label = Call { service: "dynamodb", operation };
        let metrics = &self.ctx.metrics;
        let (mut failed, begun) = (0, self.now_ms());
        loop {
            metrics.calls.get_or_create(&label).inc();
            let error = match self.aws.block_on(once(&self.client)) {
                Ok(answer) => return Ok(answer),
                Err(e) => e,
            };
            failed += 1;
            let trouble = call_error::of(&error);
            if trouble == CallError::Throttled {
                metrics.throttles.get_or_create(&label).inc();
            }
            let in_time = failed < TRIES && self.now_ms() - begun <= PATIENCE_MS;
            let again = matches!(trouble, CallError::Throttled | CallError::Passing) && in_time;
            if !again || !self.pause(self.backoff(|b| b.wait_ms(failed))) {
                return Err(Failed { trouble, error: LogError::unavailable(self.doing(doing), error) });
            }
            metrics.retries.get_or_create(&label).inc();
            tracing::debug!(operation, failed, error = %error, "calling again");
        }
    }

    /// Waits after another writer came first so many times; says whether the whole time has passed.
    pub(super) fn give_way(&self, times: u32) -> bool {
        let (base, cap) = OVERTAKEN_MS;
        self.pause(self.backoff(|b| b.within_ms(times, base, cap)))
    }

    /// Gives the time.
    pub(super) fn now_ms(&self) -> i64 {
        self.ctx.clock.now_ms()
    }

    /// Waits; says whether the whole time has passed.
    pub(super) fn pause(&self, ms: u64) -> bool {
        self.ctx.clock.pause(ms, &self.ctx.stop)
    }

    fn backoff(&self, draw: impl FnOnce(&mut Backoff) -> u64) -> u64 {
        draw(&mut self.backoff.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads one item as it stands now.
    pub(super) fn get(&self, key: &Key, doing: &str) -> Result<Option<Item>, LogError> {
        let answer = self.call("GetItem", doing, |client| {
            client.get_item().table_name(&self.table).set_key(Some(key.item())).consistent_read(true).send()
        })?;
        Ok(answer.item)
    }

    /// Reads many items as they stand now; what is not there is left out.
    pub(super) fn get_many(&self, keys: &[Key], doing: &str) -> Result<BTreeMap<Key, Item>, LogError> {
        let mut found = BTreeMap::new();
        let mut left: Vec<Item> = keys.iter().map(Key::item).collect();
        let mut without_progress = 0;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(BATCH));
            let asked = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(left)).build();
            let asked = asked.map_err(|e| LogError::unavailable(self.doing(doing), e))?;
            let answer = self.call("BatchGetItem", doing, |client| {
                client.batch_get_item().request_items(&self.table, asked.clone()).send()
            })?;
            let before = found.len();
            for item in answer.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                if let Some(key) = Key::of(&item) {
                    found.insert(key, item);
                }
            }
            // An answer holds 16 MB; what did not fit, or was too much for now, is asked for again.
            left = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, asked)| asked.keys).collect();
            without_progress = if found.len() > before || left.is_empty() { 0 } else { without_progress + 1 };
            if without_progress > 0 && (without_progress >= TRIES || !self.give_way(without_progress)) {
                return Err(LogError::unavailable(self.doing(doing), "DynamoDB gives none of the items asked for"));
            }
            left.extend(rest);
        }
        Ok(found)
    }

    /// Writes one item, whatever stood there.
    pub(super) fn put(&self, item: &Item, doing: &str) -> Result<(), LogError> {
        self.call("PutItem", doing, |client| {
            client.put_item().table_name(&self.table).set_item(Some(item.clone())).send()
        })?;
        Ok(())
    }

    /// Raises a number of an item; one that is as high or higher stays.
    pub(super) fn raise(&self, key: &Key, name: &str, to: u64, doing: &str) -> Result<(), LogError> {
        let raised = self.call("UpdateItem", doing, |client| {
            client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(key.item()))
                .update_expression("SET #n = :n")
                .condition_expression("attribute_not_exists(#n) OR #n < :n")
                .expression_attribute_names("#n", name)
                .expression_attribute_values(":n", n(to))
                .send()
        });
        match raised {
            // It stands there already, or further on.
            Err(failed) if failed.trouble != CallError::Refused => Err(failed.into()),
            _ => Ok(()),
        }
    }

    /// Deletes items; those that are not there are no error.
    pub(super) fn delete_many(&self, keys: &[Key], doing: &str) -> Result<(), LogError> {
        let delete = |key: &Key| {
            let delete = DeleteRequest::builder().set_key(Some(key.item())).build()?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        };
        let all = keys.iter().map(delete).collect::<Result<Vec<_>, BuildError>>();
        let all = all.map_err(|e| LogError::unavailable(self.doing(doing), e))?;
        for part in all.chunks(WRITES) {
            let (mut left, mut without_progress) = (part.to_vec(), 0);
            while !left.is_empty() {
                let answer = self.call("BatchWriteItem", doing, |client| {
                    client.batch_write_item().request_items(&self.table, left.clone()).send()
                })?;
                let before = left.len();
                left = answer.unprocessed_items.into_iter().flatten().flat_map(|(_, items)| items).collect();
                without_progress = if left.len() < before { 0 } else { without_progress + 1 };
                if without_progress > 0 && (without_progress >= TRIES || !self.give_way(without_progress)) {
                    return Err(LogError::unavailable(self.doing(doing), "DynamoDB deletes none of the items"));
                }
            }
        }
        Ok(())
    }
}
