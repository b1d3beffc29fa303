//! Serves the process's own metrics to Prometheus, and says whether it lives.

use bytes::Bytes;
use forewarn_runtime::metrics::Metrics;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
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

/// Serves `/metrics` and `/healthz` on a thread of its own, for the rest of the process; gives the address.
///
/// # Errors
/// When the address is none or taken.
pub fn serve(address: &str, metrics: Metrics) -> Result<SocketAddr, ListenError> {
    let address: SocketAddr = address.parse().map_err(|_| ListenError::Address(address.to_owned()))?;
    let failed = |source| ListenError::Bind { address, source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let listener = runtime.block_on(TcpListener::bind(address)).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || runtime.block_on(accept(listener, metrics)))
        .map_err(failed)?;
    Ok(bound)
}

async fn accept(listener: TcpListener, metrics: Metrics) {
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(MOST));
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let metrics = metrics.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = respond(&request, &metrics);
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

fn respond(request: &Request<hyper::body::Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", metrics.render())
        }
        (&Method::GET, "/healthz") => (StatusCode::OK, "text/plain", "ok\n".to_owned()),
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
    use std::io::{Read, Write};

    #[test]
    fn prometheus_reads_what_was_counted() {
        let metrics = Metrics::default();
        metrics.samples.inc_by(7);
        let address = serve("127.0.0.1:0", metrics).unwrap();
        let get = |path: &str| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        assert!(get("/metrics").contains("forewarn_samples_total 7"));
        assert!(get("/healthz").starts_with("HTTP/1.1 200"));
        assert!(get("/").starts_with("HTTP/1.1 404"));
        assert!(matches!(serve("here", Metrics::default()), Err(ListenError::Address(_))));
    }
}
