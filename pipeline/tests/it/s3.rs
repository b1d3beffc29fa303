//! A history on `s3://`, over the wire, against a server that speaks S3: the same answers as on a directory.

use crate::house::root;
use crate::person::{AFTER, Ran, fleet, write_rows};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The server, pinned.
const SERVER: &str = "moto[s3,server]==5.2.5";

/// Serves S3 on a free port with one bucket, says the port, and ends with its standard input.
const SERVE: &str = r#"
import sys, boto3
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
keys = dict(region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys).create_bucket(Bucket="fleet")
print(port, flush=True)
sys.stdin.read()
"#;

/// A running server; it ends when this is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts one, installing it into a virtual environment under the target directory the first time; None, with the reason, where
    /// there is no Python or no package index.
    fn start() -> Result<Self, String> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
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
        let python = Path::new(&said(&made.stdout)).join("bin/python");
        let mut child = Command::new(&python)
            .args(["-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{} does not run: {e}", python.display()));
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let url = format!("http://127.0.0.1:{}", port.trim());
        let server = Self { child, url };
        assert!(port.trim().parse::<u16>().is_ok(), "the server did not say its port, but {port:?}");
        Ok(server)
    }

    /// Runs `forewarn` in `dir` against this server.
    fn forewarn(&self, dir: &Path, args: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_forewarn"))
            .args(args)
            .current_dir(dir)
            .env_clear()
            .env("AWS_ENDPOINT_URL_S3", &self.url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closing its input ends it; killing makes sure, and waiting leaves nothing behind.
        drop(self.child.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_history_on_s3_gives_the_answers_of_a_directory() {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let dir = tempfile::tempdir().unwrap();
    let rows = fleet();
    write_rows(&dir.path().join("a.csv"), &rows[..12_000]);
    write_rows(&dir.path().join("b.csv"), &rows[11_000..]);
    let run = |args: &[&str]| server.forewarn(dir.path(), args);
    // What is asked of one history after the other; nothing in the answers may tell them apart.
    let answers = |h: &str| {
        let ask = |args: &[&str]| {
            let ran = run(&[args, &["--history", h, "--format", "json"]].concat());
            assert_eq!(ran.code, 0, "{args:?} on {h}: {}", ran.err);
            serde_json::from_str::<Value>(&ran.out).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", ran.out))
        };
        let state = h.replace(['/', ':'], "-");
        let analyze = ["analyze", "--as-of", AFTER, "--all"];
        vec![
            ask(&["import", "a.csv", "--period", "300"]),
            ask(&["import", "b.csv", "--period", "300"]),
            ask(&["import", "b.csv", "--period", "300"]),
            ask(&["history", "verify"]),
            ask(&["history", "stats"]),
            ask(&[&analyze[..], &["--emit", "--state", &state]].concat()),
            ask(&["history", "compact", "--grace", "0s"]),
            ask(&["history", "compact", "--grace", "0s"]),
            ask(&["history", "verify"]),
            ask(&["history", "stats"]),
            ask(&analyze),
            ask(&["history", "prune", "--older-than", "2026-02-03T00:00:00Z"]),
            ask(&["history", "stats"]),
        ]
    };
    let (local, remote) = (answers("h"), answers("s3://fleet/some/prefix"));
    for (i, (l, r)) in local.iter().zip(&remote).enumerate() {
        assert_eq!(l, r, "answer {i}");
    }
    assert_eq!(remote[2]["already_imported"], true);
    assert!(remote[6]["compacted"].as_u64().unwrap() > 0 && remote[6]["duplicates_dropped"].as_u64().unwrap() > 0);
    assert_eq!(remote[7]["compacted"], 0);
    assert!(remote[12]["rows"].as_u64() < remote[9]["rows"].as_u64());

    let missing = run(&["analyze", "--history", "s3://nowhere/h", "--as-of", AFTER]);
    assert!(missing.code != 0 && missing.err.contains("s3://nowhere/h"), "{}", missing.err);
}
