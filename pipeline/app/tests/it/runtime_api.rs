//! The binary as a Lambda function's bootstrap, with a runtime API that gives it one invocation.

use forewarn_runtime::clock::{Clock, SystemClock};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// A process that ends with the test.
struct Bootstrap(Child);

impl Drop for Bootstrap {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What became of an invocation.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It answered: where, and what.
    Answered(String, Value),
    /// The process ended before.
    Ended(ExitStatus),
}

impl Outcome {
    /// Gives the answer of an invocation that succeeded.
    pub(crate) fn response(self) -> Value {
        match self {
            Self::Answered(path, value) => {
                assert!(path.ends_with("/response"), "{path}: {value}");
                value
            }
            Self::Ended(status) => panic!("no response, but {status}"),
        }
    }
}

/// Answers one connection of the runtime: the event to whoever asks first, nothing to who asks again; tells what comes back.
fn answer(stream: TcpStream, event: &str, told: &Sender<(String, String)>, given: &mut bool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let (mut request, mut length) = (String::new(), 0);
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(n) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        if path.ends_with("/invocation/next") {
            if *given {
                // The next one never comes.
                std::thread::sleep(Duration::from_mins(1));
                return Ok(());
            }
            *given = true;
            let deadline = SystemClock.now_ms() + 600_000;
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-1\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:respond\r\n\
                 Lambda-Runtime-Trace-Id: Root=1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{event}",
                event.len()
            )?;
        } else {
            told.send((path, String::from_utf8_lossy(&body).into_owned())).ok();
            write!(stream, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}

/// Invokes a handler once, in an environment that has nothing but this.
pub(crate) fn invoke(handler: &str, event: &Value, environment: &[(String, String)]) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = listener.local_addr().unwrap().to_string();
    let (told, answers) = channel();
    let text = event.to_string();
    std::thread::spawn(move || {
        let mut given = false;
        for stream in listener.incoming().flatten() {
            answer(stream, &text, &told, &mut given).ok();
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forewarn"));
    command.current_dir(dir.path()).env_clear().envs(environment.iter().map(|(k, v)| (k, v)));
    command.envs([("AWS_LAMBDA_RUNTIME_API", api), ("_HANDLER", format!("bootstrap.{handler}"))]);
    command.envs([
        ("AWS_LAMBDA_FUNCTION_NAME", handler),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
    ]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
    let (mut bootstrap, begun) = (Bootstrap(child), Instant::now());
    loop {
        match answers.recv_timeout(Duration::from_millis(20)) {
            Ok((path, body)) => return Outcome::Answered(path, serde_json::from_str(&body).unwrap()),
            Err(RecvTimeoutError::Disconnected) => panic!("the runtime API has ended"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Some(status) = bootstrap.0.try_wait().unwrap() {
            return Outcome::Ended(status);
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "the bootstrap answers");
    }
}
