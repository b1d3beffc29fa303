//! Launches the successor, ends one that never served, and keeps the old instance.

mod arguments;
pub(super) mod capture;
mod devices;
mod discard;
mod image;
pub(super) mod subnet;

use super::super::ports::{StepOutcome, StepRequest};
use super::call::bounded;
use super::{AwsRecovery, Part};
use arguments::Arguments;
use capture::ActionRequest;
use devices::Snapshot;
use forewarn_domain::action::RecoveryAction;
use forewarn_domain::id::sha256_hex;
use forewarn_domain::step::StepKind as S;
use forewarn_runtime::time::{DAY_MS, format_ms};

/// Codes by which AWS says that it has no room for a type, or lets us have no more of it: the next type may do.
const NO_ROOM: [&str; 6] = [
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InstanceLimitExceeded",
    "VcpuLimitExceeded",
    "Unsupported",
];

/// `Launch`, `Discard` and `KeepOld`.
#[derive(Debug)]
pub(super) struct Launches;

#[expect(clippy::wildcard_enum_match_arm, reason = "these are the three steps of this part")]
impl Part for Launches {
    async fn prepare(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<String, String> {
        match request.kind {
            S::Discard => discard::prepare(request),
            S::KeepOld => discard::settle_tags(request, &format_ms(request.now_ms.saturating_add(DAY_MS))),
            _ => {
                let arguments = bounded(Box::pin(settle(aws, request))).await??;
                serde_json::to_string(&arguments).map_err(|e| e.to_string())
            }
        }
    }

    async fn perform(&self, aws: &AwsRecovery, request: &StepRequest) -> StepOutcome {
        match request.kind {
            S::Discard => discard::discard(aws, request).await,
            S::KeepOld => discard::keep(aws, request).await,
            _ => match read(request) {
                Ok(arguments) => launch(aws, request, &arguments).await,
                Err(why) => StepOutcome::Failed(why),
            },
        }
    }

    async fn find(&self, aws: &AwsRecovery, request: &StepRequest) -> Result<Option<String>, String> {
        match request.kind {
            S::Discard => discard::ended(aws, request).await,
            S::KeepOld => discard::kept(aws, request).await,
            _ => {
                let arguments = read(request)?;
                let ec2 = arguments.ec2(aws);
                arguments.launched(&ec2, &request.token).await.map_err(String::from)
            }
        }
    }
}

fn read(request: &StepRequest) -> Result<Arguments, String> {
    serde_json::from_str(&request.before).map_err(|e| format!("the arguments of the launch can't be read: {e}"))
}

async fn settle(aws: &AwsRecovery, request: &StepRequest) -> Result<Arguments, String> {
    let takes_data = matches!(request.action, RecoveryAction::ReplaceStateful | RecoveryAction::FailOverZone);
    let found = request.notes.contains_key(&S::FindSnapshots).then_some(S::FindSnapshots);
    let from = takes_data.then_some(S::Snapshot).or(found);
    let snapshots = from.map(|step| snapshots(request, step)).transpose()?;
    let wish = ActionRequest { action: request.action, subject: &request.subject, policy: &request.policy, snapshots };
    let mut arguments = capture::settle(aws, &wish).await?;
    arguments.tags.extend(
        [
            ("SelfHealed", "true"),
            ("ReplacedInstance", &request.subject),
            ("Timestamp", &format_ms(request.now_ms)),
            ("forewarn:recovery", &request.recovery_id),
            ("forewarn:plan", &request.plan_id),
            ("forewarn:step", &request.token),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    Ok(arguments)
}

fn snapshots(request: &StepRequest, step: S) -> Result<Vec<Snapshot>, String> {
    let result = request.notes.get(&step).and_then(|note| note.result.as_deref());
    let result = result.ok_or_else(|| format!("this plan has no snapshots of {}", request.subject))?;
    serde_json::from_str(result).map_err(|e| format!("the snapshots of {} can't be read: {e}", request.subject))
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
