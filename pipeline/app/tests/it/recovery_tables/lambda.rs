//! The binary as a bootstrap, with a runtime API that gives it one invocation.

use super::{SERVICES, environment, forewarn, instance, said};
use forewarn_runtime::clock::{Clock, SystemClock};
use forewarn_testkit::world::World;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// A process that ends with the test.
struct Bootstrap(Child);

impl Drop for Bootstrap {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
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

/// Invokes the bootstrap once; gives where it answered, and what.
fn invoke(world: &World, event: &Value, more: &[(&str, String)]) -> (String, Value) {
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
    command
        .current_dir(dir.path())
        .env_clear()
        .envs(environment(world))
        .envs(more.iter().map(|(k, v)| (*k, v.as_str())));
    command.envs([("AWS_LAMBDA_RUNTIME_API", api.as_str()), ("_HANDLER", "bootstrap.respond")]);
    command.envs([("AWS_LAMBDA_FUNCTION_NAME", "respond"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")]);
    command.envs([
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
    ]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _bootstrap = Bootstrap(child);
    let (path, body) = answers.recv_timeout(Duration::from_mins(1)).expect("the bootstrap answers");
    (path, serde_json::from_str(&body).unwrap())
}

#[test]
fn a_manual_run_restarts_the_instance_and_a_wrong_one_says_why() {
    let Some(world) = World::start(&SERVICES, &[]) else { return };
    let (dir, id) = (tempfile::tempdir().unwrap(), instance(&world));
    let run = |args: &[&str]| said(&forewarn(&world, dir.path(), args)).0;
    run(&["respond", "--create", "--until", "idle"]);
    run(&["policy", "set", "default", "mode=act", "objection_ms=0", "hold_ms=0", "may_lose_public_ip=true"]);
    let queue = world.python("print(aws('sqs').create_queue(QueueName='wake')['QueueUrl'])");
    // Five times as fast: what waits seconds for EC2 is over at once.
    let now = SystemClock.now_ms();
    let more = [("FOREWARN_WAKE_QUEUE", queue.clone()), ("FOREWARN_CLOCK", format!("{now},{now},5"))];

    let (path, wrong) = invoke(&world, &json!({"instance_id": id, "trigger_type": "whim"}), &more);
    assert!(path.ends_with("/error") && wrong["errorMessage"].as_str().unwrap().contains("whim"), "{path} {wrong}");
    assert_eq!(world.count("StopInstances"), 0);

    let event = json!({"instance_id": id, "trigger_type": "manual", "action": "safe_restart"});
    let (path, report) = invoke(&world, &event, &more);
    assert!(path.ends_with("/response"), "{path} {report}");
    let recovery = report["recoveries"][0].as_str().unwrap().to_owned();
    // What takes its time is gone on with by whoever is invoked next: here by the ticks of a schedule.
    let tick = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
    let is_over = || run(&["recoveries", "list", "--all"]).contains("over: recovered");
    for _ in 0..20 {
        if is_over() {
            break;
        }
        invoke(&world, &tick, &more);
    }
    assert!(is_over(), "{}", run(&["recoveries", "show", &recovery]));
    assert_eq!((world.count("StopInstances"), world.count("StartInstances")), (1, 1));
    let depth = "ApproximateNumberOfMessagesDelayed";
    let waiting = world.python(&format!(
        "a = aws('sqs').get_queue_attributes(QueueUrl='{queue}', AttributeNames=['All'])['Attributes']\n\
         print(int(a['ApproximateNumberOfMessages']) + int(a['{depth}']))"
    ));
    assert_ne!(waiting, "0", "it has asked to be woken");
}
