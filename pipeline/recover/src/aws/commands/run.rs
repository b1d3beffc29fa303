//! A command: sent, found again and looked at.

use super::super::AwsRecovery;
use super::super::call::{CallError, ask};
use aws_sdk_ssm::types::{CommandFilter, CommandFilterKey, InstanceInformationStringFilter};
use forewarn_domain::time::UnixMs;
use forewarn_runtime::time::format_ms;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How long a command may wait to be taken up, seconds: the least that SSM allows.
const TAKEN_UP_S: i32 = 30;
/// How far before the first try a search looks back, milliseconds: clocks differ.
const BACK_MS: i64 = 600_000;
/// Pages of commands that a search reads at most.
const PAGES: usize = 4;
/// How much of what a command said is kept, bytes.
const KEPT: usize = 2_048;
/// Commands that this process remembers having sent.
const REMEMBERED: usize = 1_000;

/// What this process has sent, by token: the list of commands is behind for a while.
static SENT: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It does not show on the instance yet.
    NotYet,
    /// It waits or runs.
    Running,
    /// It went well, and said this.
    Well(String),
    /// It did not.
    Badly(String),
    /// It took too long.
    Late(String),
}

/// Says why an instance takes no commands; none where it does.
pub(super) async fn is_offline(aws: &AwsRecovery, instance: &str) -> Result<Option<String>, CallError> {
    let only = InstanceInformationStringFilter::builder().key("InstanceIds").values(instance).build();
    let only =
        only.map_err(|e| CallError { code: String::new(), words: e.to_string(), definitely_not_applied: true })?;
    let call = aws.ssm.describe_instance_information().filters(only);
    let seen = ask("ssm:DescribeInstanceInformation", call.send()).await?;
    let seen = seen.instance_information_list.unwrap_or_default();
    let ping = seen.iter().find(|i| i.instance_id() == Some(instance)).and_then(|i| i.ping_status());
    Ok(match ping.map(aws_sdk_ssm::types::PingStatus::as_str) {
        Some("Online") => None,
        Some(other) => Some(format!("SSM is offline on {instance}: {other}")),
        None => Some(format!("SSM is offline on {instance}: it is not a managed instance")),
    })
}

/// Sends a command, and gives its id.
pub(super) async fn send(
    aws: &AwsRecovery,
    instance: &str,
    token: &str,
    lines: &[String],
    time_s: u32,
) -> Result<String, CallError> {
    let id = sent_as(aws, instance, &comment(token), lines, time_s).await?;
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    if sent.len() >= REMEMBERED {
        sent.clear();
    }
    sent.insert(token.to_owned(), id.clone());
    Ok(id)
}

/// Sends a command that only reads and is sent as often as somebody asks.
pub(super) async fn send_anew(
    aws: &AwsRecovery,
    instance: &str,
    lines: &[String],
    time_s: u32,
) -> Result<String, CallError> {
    sent_as(aws, instance, "forewarn probe", lines, time_s).await
}

async fn sent_as(
    aws: &AwsRecovery,
    instance: &str,
    comment: &str,
    lines: &[String],
    time_s: u32,
) -> Result<String, CallError> {
    let call = aws.ssm.send_command();
    let call = call
        .document_name("AWS-RunShellScript")
        .instance_ids(instance)
        .comment(comment)
        .timeout_seconds(TAKEN_UP_S)
        .parameters("commands", lines.to_vec())
        .parameters("executionTimeout", vec![time_s.to_string()]);
    let reply = ask("ssm:SendCommand", call.send()).await?;
    let words = "ssm:SendCommand names no command".to_owned();
    let id = reply.command.and_then(|c| c.command_id);
    id.ok_or(CallError { code: String::new(), words, definitely_not_applied: false })
}

fn comment(token: &str) -> String {
    format!("forewarn {token}")
}

/// Finds the command of a step.
pub(super) async fn find(
    aws: &AwsRecovery,
    instance: &str,
    token: &str,
    at: UnixMs,
) -> Result<Option<String>, CallError> {
    if let Some(id) = SENT.lock().unwrap_or_else(PoisonError::into_inner).get(token) {
        return Ok(Some(id.clone()));
    }
    let seconds = at.saturating_sub(BACK_MS).0.div_euclid(1_000).saturating_mul(1_000);
    let since = CommandFilter::builder().key(CommandFilterKey::InvokedAfter).value(format_ms(seconds)).build();
    let since =
        since.map_err(|e| CallError { code: String::new(), words: e.to_string(), definitely_not_applied: true })?;
    let mut next = None;
    for _ in 0..PAGES {
        let call = aws.ssm.list_commands().instance_id(instance).filters(since.clone()).set_next_token(next);
        let page = ask("ssm:ListCommands", call.send()).await?;
        let mut ours = page.commands.unwrap_or_default().into_iter();
        if let Some(found) = ours.find(|c| c.comment() == Some(&comment(token))) {
            return Ok(found.command_id);
        }
        next = page.next_token.filter(|t| !t.is_empty());
        if next.is_none() {
            return Ok(None);
        }
    }
    let words = format!("{instance} has had too many commands to look through");
    Err(CallError { code: String::new(), words, definitely_not_applied: false })
}

/// Looks what became of a command.
pub(super) async fn look(aws: &AwsRecovery, command: &str, instance: &str) -> Result<Ended, CallError> {
    let call = aws.ssm.get_command_invocation().command_id(command).instance_id(instance);
    let seen = match ask("ssm:GetCommandInvocation", call.send()).await {
        Err(e) if e.code.starts_with("InvocationDoesNotExist") => return Ok(Ended::NotYet),
        other => other?,
    };
    let details = seen.status_details().unwrap_or_default();
    Ok(match seen.status().map_or("", |s| s.as_str()) {
        "Success" => Ended::Well(plain(seen.standard_output_content().unwrap_or_default(), false)),
        "Pending" | "InProgress" | "Delayed" | "Cancelling" | "" => Ended::Running,
        "TimedOut" => Ended::Late(format!("the command on {instance} took too long: {details}")),
        other => {
            let (code, said) = (seen.response_code(), plain(seen.standard_error_content().unwrap_or_default(), true));
            Ended::Badly(format!("the command on {instance} ended as {other} with exit code {code}: {said}"))
        }
    })
}

/// Cancels a command; whether it can be is not waited for.
pub(super) async fn cancel(aws: &AwsRecovery, command: &str, instance: &str) {
    let call = aws.ssm.cancel_command().command_id(command).instance_ids(instance);
    if let Err(e) = ask("ssm:CancelCommand", call.send()).await {
        tracing::warn!(instance, command, error = e.words, "a command was not cancelled");
    }
}

/// Keeps the beginning of a text, or its end, with nothing in it but what can be shown.
fn plain(text: &str, from_end: bool) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c };
    let text: String = text.chars().map(shown).collect();
    let text = text.trim();
    if text.len() <= KEPT {
        return text.to_owned();
    }
    if from_end {
        let from = (text.len() - KEPT..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or_default();
        return text[from..].to_owned();
    }
    let to = (0..=KEPT).rev().find(|i| text.is_char_boundary(*i)).unwrap_or_default();
    text[..to].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "é".repeat(KEPT);
        assert_eq!((plain(&long, false).len(), plain(&long, true).len()), (KEPT, KEPT));
        assert_eq!(plain(&format!("a{long}"), false).len(), KEPT - 1);
        assert_eq!(plain("\u{1b}[1mup\u{0}\n", false), "[1mup");
    }
}
