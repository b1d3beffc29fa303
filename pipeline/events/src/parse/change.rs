//! Events of deployments and of Systems Manager: declared changes.

use super::{Events, Head, Said};
use crate::doc::Doc;
use forewarn_domain::id::event_id;
use forewarn_log::Event;
use forewarn_log::event::change::{ChangeKind, ChangeMarked};

/// Documents that look and change nothing; they run all the time.
const LOOKING: [&str; 4] =
    ["AWS-GatherSoftwareInventory", "AmazonInspector", "AWS-ListWindowsInventory", "AWS-FindWindowsUpdates"];

/// `CodeDeploy`'s deployments and their instances: marked once they have ended, however they did.
pub(super) fn deployment(head: &Head<'_>) -> Events {
    let of_instance = match head.detail_type {
        "CodeDeploy Deployment State-change Notification" => false,
        "CodeDeploy Instance State-change Notification" => true,
        _ => return Err(head.unknown()),
    };
    let d = &head.detail;
    let state = d.need("state")?;
    let how = match state.text()? {
        "SUCCESS" => "",
        "FAILURE" => " failed",
        "STOP" => " was stopped",
        "START" | "READY" => return Ok(Vec::new()),
        _ => return Err(state.bad_value("START, READY, SUCCESS, FAILURE or STOP")),
    };
    let id = d.need("deploymentId")?.name()?;
    let application = d.need("application")?.name()?;
    let group = d.maybe("deploymentGroup").map(|g| g.name()).transpose()?;
    let text = format!("CodeDeploy {id} of {application}{how}");
    let target = if of_instance {
        Target { instance: Some(d.need("instanceId")?.instance()?.to_owned()), workload: None }
    } else {
        Target { instance: None, workload: Some(group.unwrap_or(application).to_owned()) }
    };
    Ok(vec![marked(head, id, target, ChangeKind::Deployment, text)])
}

/// Commands and automations of Systems Manager that succeeded.
pub(super) fn systems_manager(head: &Head<'_>) -> Events {
    let d = &head.detail;
    let name = |key: &str| d.need(key).and_then(|k| k.name());
    let (status, id, document) = match head.detail_type {
        "EC2 Command Status-change Notification" | "EC2 Command Invocation Status-change Notification" => {
            (name("status")?, name("command-id")?, name("document-name")?)
        }
        "EC2 Automation Execution Status-change Notification" => {
            (name("Status")?, name("ExecutionId")?, name("Definition")?)
        }
        _ => return Err(head.unknown()),
    };
    let mut instances = head.of_arns("instance", "i-");
    if let Some(said) = d.maybe("instance-id").as_ref().map(Doc::instance).transpose()? {
        instances = vec![said];
    }
    if status != "Success" || LOOKING.iter().any(|l| document.starts_with(l)) {
        return Ok(Vec::new());
    }
    let text = format!("Systems Manager {document} ({id})");
    let mark = |instance: Option<&str>| {
        let target = Target { instance: instance.map(str::to_owned), workload: None };
        marked(head, id, target, ChangeKind::Config, text.clone())
    };
    if instances.is_empty() {
        // Which instances a command of many ran on, its invocations say.
        return Ok(vec![mark(None)]);
    }
    Ok(instances.into_iter().map(|i| mark(Some(i))).collect())
}

#[derive(Debug)]
struct Target {
    instance: Option<String>,
    workload: Option<String>,
}

fn marked(head: &Head<'_>, id: &str, target: Target, kind: ChangeKind, text: String) -> Said {
    let subject = target.instance.clone().or_else(|| target.workload.clone()).unwrap_or_else(|| format!("change/{id}"));
    let change = ChangeMarked {
        change_id: event_id("change", &[&subject, head.source, id]),
        instance_id: target.instance,
        workload: target.workload,
        kind,
        text,
        at: head.time_text(),
        until: None,
        marked_at: None,
        by: None,
    };
    (subject, Event::ChangeMarked(change))
}
