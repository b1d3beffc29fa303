//! Asks the application on the instance itself, where nobody outside can.

use super::super::AwsRecovery;
use super::run::{self, Ended};
use super::script;
use forewarn_recovery::facts::Read;
use forewarn_runtime::time::real_duration;

/// How long the instance may take to answer, milliseconds, and how often it is asked meanwhile.
const ANSWER_MS: u64 = 10_000;
const ASKED: u32 = 20;
/// How long curl may run, seconds.
const TIME_S: u32 = 8;

/// Says whether an address of an instance, on the instance itself, answers well.
pub(in super::super) async fn probe(aws: &AwsRecovery, instance: &str, endpoint: &str) -> Read<bool> {
    asked(aws, instance, endpoint).await.map_or_else(Read::Failed, Read::Known)
}

async fn asked(aws: &AwsRecovery, instance: &str, endpoint: &str) -> Result<bool, String> {
    let lines = script::curl(endpoint)?;
    if let Some(why) = run::is_offline(aws, instance).await? {
        return Err(why);
    }
    let command = run::send_anew(aws, instance, &lines, TIME_S).await?;
    for _ in 0..ASKED {
        match run::look(aws, &command, instance).await? {
            Ended::Well(_) => return Ok(true),
            Ended::Badly(_) => return Ok(false),
            Ended::Late(why) => return Err(why),
            Ended::NotYet | Ended::Running => {
                tokio::time::sleep(real_duration(ANSWER_MS / u64::from(ASKED))).await;
            }
        }
    }
    run::cancel(aws, &command, instance).await;
    Err(format!("{instance} has not answered whether {endpoint} is well"))
}
