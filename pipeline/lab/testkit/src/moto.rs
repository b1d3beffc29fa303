//! A server on this machine that answers most of AWS, in a virtual environment under the target directory.

use crate::root;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The server, pinned, with what every service used here asks for: one environment for all.
const SERVER: &str = "moto[server,s3,kinesis,events,sqs,ec2,sts]==5.2.5";

/// Serves on a free port, loads the services named first, says the port, and ends with its standard input.
const SERVE: &str = "pipeline/lab/world/serve_moto.py";

/// The region that clients ask by default.
pub const REGION: &str = "us-east-1";

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    python: PathBuf,
    /// Where it answers, such as `http://127.0.0.1:40123`.
    pub url: String,
}

impl Moto {
    /// Starts one that is about to be asked for these services, such as `kinesis`, installing it the first time; the reason, where
    /// there is no Python or no package index.
    pub fn start(services: &[&str]) -> Result<Self, String> {
        Self::serving(SERVE, services)
    }

    /// Starts the server that a script makes of it, with arguments of its own.
    pub fn serving(script: &str, args: &[&str]) -> Result<Self, String> {
        let python = install()?;
        let mut child = Command::new(&python)
            .arg(root().join(script))
            .args(args)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{} does not run: {e}", python.display()));
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let moto = Self { child, python, url: format!("http://127.0.0.1:{}", port.trim()) };
        assert!(port.trim().parse::<u16>().is_ok(), "the server did not say its port, but {port:?}");
        Ok(moto)
    }

    /// Starts one, or says why a test is skipped.
    pub fn or_skip(services: &[&str]) -> Option<Self> {
        started_or_skipped(Self::start(services))
    }

    /// Gives the environment with which the SDKs, Rust's and Python's, talk to this server and to nothing else.
    pub fn env(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
    }

    /// Gives the Python that has boto3.
    pub fn interpreter(&self) -> &Path {
        &self.python
    }

    /// Runs Python in which `aws("kinesis")` gives a boto3 client of this server, `aws("ec2", "us-west-2")` one of another region, and
    /// gives what it prints.
    pub fn python(&self, script: &str) -> String {
        self.python_with(script, &[])
    }

    /// Runs Python as [`Moto::python`] does, with arguments.
    pub fn python_with(&self, script: &str, args: &[&str]) -> String {
        let prelude = "import boto3, json, os, sys\n\
                       def aws(service, region=os.environ['AWS_REGION']): return boto3.client(service, region_name=region)\n";
        let ran: Output = Command::new(&self.python)
            .args(["-c", &format!("{prelude}{script}")])
            .args(args)
            .env_clear()
            .envs(self.env())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Closing its input ends it; killing makes sure, and waiting leaves nothing behind.
        drop(self.child.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes the virtual environment where there is none yet, one test at a time, and gives its Python.
fn install() -> Result<PathBuf, String> {
    // Tests lie in TARGET/PROFILE/deps.
    let this = std::env::current_exe().map_err(|e| format!("the test has no path: {e}"))?;
    let target = this.ancestors().nth(3).ok_or("the test does not lie in a target directory")?;
    let turn = File::create(target.join("moto.lock")).map_err(|e| format!("no lock file: {e}"))?;
    turn.lock().map_err(|e| format!("no lock: {e}"))?;
    let install = format!("source .ci/env.sh && venv moto '{SERVER}' && printf %s \"$venv\"");
    let made = Command::new("bash")
        .args(["-c", &install])
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .map_err(|e| format!("bash does not run: {e}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().lines().last().unwrap_or_default().to_owned();
    if !made.status.success() {
        return Err(format!("{SERVER} cannot be installed: {}", said(&made.stderr)));
    }
    Ok(Path::new(&said(&made.stdout)).join("bin/python"))
}

/// Gives what has started, or says why a test is skipped; in CI, where a test that cannot run must not count as passed, it fails.
pub(crate) fn started_or_skipped<T>(started: Result<T, String>) -> Option<T> {
    let ci = std::env::var("CI").unwrap_or_default();
    required_or_skipped(started, !ci.is_empty() && ci != "false")
}

#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn required_or_skipped<T>(started: Result<T, String>, is_required: bool) -> Option<T> {
    if is_required {
        return Some(started.unwrap_or_else(|why| panic!("a test that CI asks for cannot run: {why}")));
    }
    started.inspect_err(|why| println!("skipped: {why}")).ok()
}

#[cfg(test)]
mod tests {
    use super::required_or_skipped;

    #[test]
    fn a_server_that_cannot_be_installed_skips_a_test_at_home_and_fails_it_in_ci() {
        let missing = || Err::<(), _>("no package index".to_owned());
        assert_eq!(required_or_skipped(missing(), false), None);
        let failed = std::panic::catch_unwind(|| required_or_skipped(missing(), true));
        assert!(failed.is_err());
        assert_eq!(required_or_skipped(Ok(()), true), Some(()));
    }
}
