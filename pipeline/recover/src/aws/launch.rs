//! Launches the successor, ends one that never served, and keeps the old instance.

mod arguments;
pub(super) mod capture;
mod devices;
mod discard;
mod image;
pub(super) mod subnet;

use super::super::ports::{StepOutcome, StepRequest};
use super::AwsRecovery;
use super::call::bounded;
use super::record::Unreadable;
use super::snapshots::{FindSnapshots, SnapshotRecord, TakeSnapshots};
use super::step::{Found, JsonResult, Performed, Step, result_of};
use arguments::Arguments;
use capture::ActionRequest;
pub(super) use discard::{Discard, KeepOld};
use forewarn_domain::id::sha256_hex;
use forewarn_domain::step::StepKind;
use forewarn_runtime::time::format_ms;

/// Codes by which AWS says that it has no room for a type, or lets us have no more of it: the next type may do.
const NO_ROOM: [&str; 6] = [
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InstanceLimitExceeded",
    "VcpuLimitExceeded",
    "Unsupported",
];

#[derive(Debug)]
pub(super) struct Launch;

impl Step for Launch {
    const KIND: StepKind = StepKind::Launch;
    type Precondition = Arguments;
    const IS_SETTLED_ONCE: bool = false;

    async fn prepare(aws: &AwsRecovery, request: &StepRequest) -> Result<Arguments, String> {
        bounded(Box::pin(settle(aws, request))).await?
    }

    async fn perform(aws: &AwsRecovery, request: &StepRequest, arguments: &Arguments) -> Performed {
        Ok(launch(aws, request, arguments).await)
    }

    async fn find(aws: &AwsRecovery, request: &StepRequest, arguments: Result<Arguments, Unreadable>) -> Found {
        let arguments = arguments.map_err(|why| unreadable(&why))?;
        let ec2 = arguments.ec2(aws);
        arguments.launched(&ec2, &request.token).await.map_err(String::from)
    }

    fn unreadable(_request: &StepRequest, why: Unreadable) -> Result<Arguments, StepOutcome> {
        Err(StepOutcome::Failed(unreadable(&why)))
    }
}

fn unreadable(why: &Unreadable) -> String {
    format!("the arguments of the launch can't be read: {}", why.error)
}

async fn settle(aws: &AwsRecovery, request: &StepRequest) -> Result<Arguments, String> {
    let snapshots = if request.action.restores_own_snapshots() {
        Some(snapshots::<TakeSnapshots>(request)?)
    } else if request.notes.contains_key(&FindSnapshots::KIND) {
        Some(snapshots::<FindSnapshots>(request)?)
    } else {
        None
    };
    let wanted =
        ActionRequest { action: request.action, subject: &request.subject, policy: &request.policy, snapshots };
    let mut arguments = capture::settle(aws, &wanted).await?;
    arguments.tags.extend(
        [
            ("SelfHealed", "true"),
            ("ReplacedInstance", &request.subject),
            ("Timestamp", &format_ms(request.now_ms.0)),
            ("forewarn:recovery", &request.recovery_id),
            ("forewarn:plan", &request.plan_id),
            ("forewarn:step", &request.token),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    Ok(arguments)
}

fn snapshots<T>(request: &StepRequest) -> Result<Vec<SnapshotRecord>, String>
where
    T: JsonResult<Result = Vec<SnapshotRecord>>,
{
    let set = result_of::<T>(request).ok_or_else(|| format!("this plan has no snapshots of {}", request.subject))?;
    set.map_err(|e| format!("the snapshots of {} can't be read: {e}", request.subject))
}

/// Launches, unless it was launched before; where a type has no room, the next one.
async fn launch(aws: &AwsRecovery, request: &StepRequest, arguments: &Arguments) -> StepOutcome {
    let ec2 = arguments.ec2(aws);
    match arguments.launched(&ec2, &request.token).await {
        Ok(Some(id)) => return StepOutcome::Done(id),
        Ok(None) => {}
        // Whether an earlier call has launched it can't be told now.
        Err(error) => return error.unknown(),
    }
    let mut arguments = arguments.clone();
    if let Some(root) = &arguments.root {
        match image::ready(&ec2, root, &arguments.tags).await {
            Ok(id) => arguments.image = Some(id),
            Err(reply) => return reply,
        }
    }
    let user_data = match user_data(aws, &arguments).await {
        Ok(text) => text,
        Err(why) => return StepOutcome::Failed(why),
    };
    let mut full = Vec::new();
    for n in 0..arguments.types.len() {
        match arguments.launch(&ec2, &request.token, n, user_data.as_deref()).await {
            Ok(id) => return StepOutcome::Done(id),
            Err(error) if error.definitely_not_applied && NO_ROOM.contains(&error.code.as_str()) => {
                full.push(error.words);
            }
            Err(error) => return error.outcome(),
        }
    }
    StepOutcome::Failed(full.join("; "))
}

/// Reads the user data again, which must be what it was: the log holds only its digest.
async fn user_data(aws: &AwsRecovery, arguments: &Arguments) -> Result<Option<String>, String> {
    let Some(wanted) = &arguments.user_data else { return Ok(None) };
    let text = capture::user_data(aws, &wanted.of).await?;
    match text {
        Some(text) if sha256_hex(text.as_bytes()) == wanted.sha256 => Ok(Some(text)),
        _ => Err(format!("the user data of {} is not what it was when the launch was settled", wanted.of)),
    }
}
