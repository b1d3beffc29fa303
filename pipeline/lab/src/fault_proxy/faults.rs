//! Writes error answers as each protocol of AWS does.

use super::operation::{Operation, Protocol};
use bytes::Bytes;
use http::{Response, StatusCode};

/// An answer that says too many calls were made.
pub(super) fn throttle(operation: &Operation) -> Response<Bytes> {
    let (code, status) = match operation.protocol {
        Protocol::Json if operation.service.starts_with("Kinesis") => ("ProvisionedThroughputExceededException", 400),
        Protocol::Json | Protocol::Cbor => ("ThrottlingException", 400),
        Protocol::Query => ("Throttling", 400),
        Protocol::Ec2 => ("RequestLimitExceeded", 503),
        Protocol::Rest => ("SlowDown", 503),
    };
    error(operation, status, code, "Rate exceeded")
}

/// An answer that says the service failed.
pub(super) fn failure(operation: &Operation, status: u16) -> Response<Bytes> {
    let code = if status == 503 { "ServiceUnavailable" } else { "InternalFailure" };
    error(operation, status, code, "The service is unwell")
}

/// An answer that says an iterator was too old.
pub(super) fn expired(operation: &Operation) -> Response<Bytes> {
    error(operation, 400, "ExpiredIteratorException", "Iterator expired")
}

fn error(operation: &Operation, status: u16, code: &str, message: &str) -> Response<Bytes> {
    let (kind, body) = match operation.protocol {
        Protocol::Json => ("application/x-amz-json-1.1", json(code, message).into_bytes()),
        Protocol::Cbor => ("application/cbor", cbor(code, message)),
        Protocol::Query => ("text/xml", query(code, message).into_bytes()),
        Protocol::Ec2 => ("text/xml", ec2(code, message).into_bytes()),
        Protocol::Rest => ("application/xml", rest(code, message).into_bytes()),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    if operation.protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", http::HeaderValue::from_static("rpc-v2-cbor"));
    }
    response
}

fn json(code: &str, message: &str) -> String {
    serde_json::json!({ "__type": code, "message": message }).to_string()
}

fn cbor(code: &str, message: &str) -> Vec<u8> {
    let mut out = minicbor::Encoder::new(Vec::new());
    // Writing to a vector cannot fail.
    out.map(2)
        .and_then(|e| e.str("__type"))
        .and_then(|e| e.str(code))
        .and_then(|e| e.str("message"))
        .and_then(|e| e.str(message))
        .ok();
    out.into_writer()
}

fn query(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>fault</RequestId></ErrorResponse>"
    )
}

fn ec2(code: &str, message: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
         <RequestID>fault</RequestID></Response>"
    )
}

fn rest(code: &str, message: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>{message}</Message><RequestId>fault</RequestId></Error>")
}
