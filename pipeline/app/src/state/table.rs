//! A state in a table of DynamoDB.

use super::StateError;
use forewarn_log::{DynamoCells, DynamoLog};
use forewarn_recover::store::{ProjectedLog, Store};
use forewarn_runtime::aws::Aws;
use forewarn_runtime::cells::Cells;
use forewarn_runtime::context::RuntimeContext;
use forewarn_runtime::lease::{Guard, Leases};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The variable by which Lambda tells containers of one function apart.
const STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";

/// A table that was opened.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    aws: Aws,
    ctx: RuntimeContext,
    cells: Arc<dyn Cells>,
    holder: String,
    /// What each part has read of the log stays with it.
    logs: Mutex<BTreeMap<&'static str, Arc<ProjectedLog<DynamoLog>>>>,
}

impl Table {
    /// Takes the table called `name` in the own account and region.
    pub(super) fn open(name: &str, ctx: &RuntimeContext) -> Result<Self, StateError> {
        let aws = Aws::load()?;
        aws.region()?;
        aws.check_credentials(aws.base())?;
        let config = aws.base().clone();
        let cells = Arc::new(DynamoCells::new(aws.clone(), &config, name, ctx.clone()));
        let process = std::process::id();
        let holder = std::env::var(STREAM).map_or_else(|_| format!("process {process}"), |s| format!("lambda {s}"));
        Ok(Self { name: name.to_owned(), aws, ctx: ctx.clone(), cells, holder, logs: Mutex::default() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn cells(&self) -> Arc<dyn Cells> {
        Arc::clone(&self.cells)
    }

    pub(super) fn leases(&self) -> Leases {
        let (cells, holder, clock) = (self.cells(), self.holder.clone(), Arc::clone(&self.ctx.clock));
        Leases::Cells { cells, holder, clock }
    }

    /// Opens the log for a part, which appends under a guard from now on.
    pub(super) fn log(&self, part: &'static str, guard: Option<Guard>) -> Result<Arc<dyn Store>, StateError> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let log = if let Some(log) = logs.get(part) {
            Arc::clone(log)
        } else {
            let opened = DynamoLog::open(self.aws.clone(), self.aws.base(), &self.name, self.ctx.clone())?;
            let log = Arc::new(ProjectedLog::new(opened));
            logs.insert(part, Arc::clone(&log));
            log
        };
        log.log().write_under(guard);
        Ok(log)
    }
}
