//! Serves the process's own metrics to Prometheus, and says whether it lives.

use bytes::Bytes;
use forewarn_runtime::clock::Clock;
use forewarn_runtime::metrics::Metrics;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Connections served at a time.
const MOST: usize = 16;
/// How long one connection may last.
const LONGEST: Duration = Duration::from_secs(30);

/// Explains why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is none.
    #[error("metrics_listen: {0:?} is no address, such as 127.0.0.1:9464")]
    Address(String),
    /// The address can't be listened on.
    #[error("cannot serve metrics on {address}; is another process there?")]
    Bind {
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// What is served: the metrics, and the clock that their ages go by.
#[derive(Debug, Clone)]
struct Served {
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

/// Serves `/metrics` and `/healthz` on a thread of its own, for the rest of the process; gives the address.
///
/// # Errors
/// When the address is none or taken.
pub fn serve(address: &str, metrics: Metrics, clock: Arc<dyn Clock>) -> Result<SocketAddr, ListenError> {
    let address: SocketAddr = address.parse().map_err(|_| ListenError::Address(address.to_owned()))?;
    let failed = |source| ListenError::Bind { address, source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || runtime.block_on(accept(listener, Served { metrics, clock })))
        .map_err(failed)?;
    Ok(bound)
}

async fn accept(listener: TcpListener, served: Served) {
    let places = Arc::new(tokio::sync::Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let served = served.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = respond(&request, &served);
                async move { Ok::<_, Infallible>(response) }
            });
            let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            if !matches!(tokio::time::timeout(LONGEST, serving).await, Ok(Ok(()))) {
                tracing::debug!("a reader of the metrics went away");
            }
            drop(place);
        });
    }
}

/// Says whether every part gives signs of life.
fn health(served: &Served) -> (StatusCode, String) {
    let now = served.clock.uptime_ms();
    let pulses = served.metrics.pulses.all();
    let hung = pulses.iter().filter(|(_, pulse)| pulse.is_hung(now));
    let told: Vec<String> = hung.map(|(part, pulse)| format!("hung: {part} waits for {}\n", pulse.waits())).collect();
    if told.is_empty() { (StatusCode::OK, "ok\n".to_owned()) } else { (StatusCode::SERVICE_UNAVAILABLE, told.concat()) }
}

fn respond(request: &Request<hyper::body::Incoming>, served: &Served) -> Response<Full<Bytes>> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let text = served.metrics.render(served.clock.as_ref());
            (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
        }
        (&Method::GET, "/healthz") => {
            let (status, text) = health(served);
            (status, "text/plain", text)
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "there are /metrics and /healthz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    if let Ok(kind) = kind.parse() {
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_runtime::clock::ManualClock;
    use forewarn_runtime::pulse::BOUND_MS;
    use forewarn_testkit::exposition::Exposition;
    use std::io::{Read, Write};

    fn get(address: SocketAddr, path: &str) -> (String, String) {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    #[test]
    fn prometheus_reads_what_was_counted_and_how_old_everything_is_by_now() {
        let (metrics, clock) = (Metrics::default(), Arc::new(ManualClock::at(1_000)));
        metrics.samples.inc_by(7);
        metrics.begin("archive", 1_000);
        let address = serve("127.0.0.1:0", metrics.clone(), Arc::clone(&clock) as _).unwrap();
        let read = || Exposition::parse(&get(address, "/metrics").1).unwrap();
        assert_eq!(read().get("forewarn_samples_total", &[]), Some(7.0));
        clock.advance(90_000);
        assert_eq!(read().get("forewarn_lag_seconds", &[("part", "archive")]), Some(90.0), "nobody moved it on");
        assert_eq!(get(address, "/").0, "HTTP/1.1 404 Not Found");
        assert!(matches!(serve("here", metrics, clock), Err(ListenError::Address(_))));
    }

    #[test]
    fn a_process_with_a_part_that_hangs_is_not_healthy_and_says_what_it_waits_for() {
        let (metrics, clock) = (Metrics::default(), Arc::new(ManualClock::at(0)));
        let address = serve("127.0.0.1:0", metrics.clone(), Arc::clone(&clock) as _).unwrap();
        let pulse = metrics.pulses.of("archive");
        pulse.begin(0);
        let waiting = pulse.waits_for("s3://fleet");
        assert_eq!(get(address, "/healthz"), ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
        clock.advance(BOUND_MS + 1);
        let (status, said) = get(address, "/healthz");
        assert_eq!(
            (status.as_str(), said.as_str()),
            ("HTTP/1.1 503 Service Unavailable", "hung: archive waits for s3://fleet\n")
        );
        let read = Exposition::parse(&get(address, "/metrics").1).unwrap();
        assert_eq!(read.get("forewarn_part_hung", &[("part", "archive")]), Some(1.0));
        drop(waiting);
    }
}
