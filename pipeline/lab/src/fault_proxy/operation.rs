//! Finds out which operation of AWS a request asks for, and how it speaks.

use http::HeaderMap;

/// How a request is written, and so how an error must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// JSON with `X-Amz-Target`.
    Json,
    /// A form with `Action`, answered in XML.
    Query,
    /// EC2's own dialect of it.
    Ec2,
    /// Smithy RPC v2 in CBOR.
    Cbor,
    /// Anything else, such as S3.
    Rest,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The service as the request names it, such as `Kinesis_20131202`; empty where it names none.
    pub service: String,
    /// The operation, such as `PutRecords`; the method where the request names none.
    pub name: String,
    /// How it is written.
    pub protocol: Protocol,
}

/// The version that EC2's requests carry.
const EC2_VERSION: &str = "2016-11-15";

impl Operation {
    /// Reads it from a request.
    pub fn of(method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        if let Some((service, name)) = header("x-amz-target").and_then(|t| t.rsplit_once('.')) {
            return Self::new(service, name, Protocol::Json);
        }
        if let ["service", service, "operation", name] = path.trim_matches('/').split('/').collect::<Vec<_>>()[..] {
            let cbor = header("smithy-protocol").is_some_and(|p| p.contains("cbor"));
            return Self::new(service, name, if cbor { Protocol::Cbor } else { Protocol::Json });
        }
        let form = header("content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
        let text = if form { std::str::from_utf8(body).unwrap_or_default() } else { "" };
        let field = |key: &str| text.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        match field("Action") {
            Some(name) if field("Version") == Some(EC2_VERSION) => Self::new("ec2", name, Protocol::Ec2),
            Some(name) => Self::new("", name, Protocol::Query),
            None => Self::new("", method, Protocol::Rest),
        }
    }

    fn new(service: &str, name: &str, protocol: Protocol) -> Self {
        Self { service: service.to_owned(), name: name.to_owned(), protocol }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, headers: &[(&'static str, &str)], body: &str) -> (String, Protocol) {
        let headers = headers.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
        let found = Operation::of("PUT", path, &headers, body.as_bytes());
        (found.name, found.protocol)
    }

    #[test]
    fn every_protocol_says_its_operation() {
        let named = |name: &str, protocol| (name.to_owned(), protocol);
        let form = ("content-type", "application/x-www-form-urlencoded");
        let json = of("/", &[("x-amz-target", "Kinesis_20131202.PutRecords")], "{}");
        assert_eq!(json, named("PutRecords", Protocol::Json));
        let cbor = of("/service/Granite/operation/GetMetricData", &[("smithy-protocol", "rpc-v2-cbor")], "");
        assert_eq!(cbor, named("GetMetricData", Protocol::Cbor));
        assert_eq!(of("/", &[form], "Action=GetCallerIdentity&Version=2011-06-15").1, Protocol::Query);
        assert_eq!(of("/", &[form], "Action=RunInstances&Version=2016-11-15"), named("RunInstances", Protocol::Ec2));
        assert_eq!(of("/bucket/key", &[], "Action=No"), named("PUT", Protocol::Rest));
    }
}
