//! EC2 and STS over the Query protocol: instances as they are at the time, and who is asking.

mod credits;
mod form;
mod instances;
mod status;
mod xml;

use super::Emulator;
use super::refusal::{Kind, Refusal};
use form::Form;
use xml::Xml;

/// What is answered.
const KNOWN: [&str; 4] =
    ["DescribeInstances", "DescribeInstanceStatus", "DescribeInstanceCreditSpecifications", "GetCallerIdentity"];

/// Answers a form.
pub(super) fn answer(it: &Emulator, body: &[u8], now: i64) -> Result<Vec<u8>, Refusal> {
    let form = Form::parse(body)?;
    match form.get("Action") {
        Some("DescribeInstances") => instances::describe(it, &form, now),
        Some("DescribeInstanceStatus") => status::describe(it, &form, now),
        Some("DescribeInstanceCreditSpecifications") => credits::describe(it, &form, now),
        Some("GetCallerIdentity") => Ok(identity(it)),
        Some(other) => {
            let known = KNOWN.join(", ");
            Err(Refusal::new(
                Kind::InvalidAction,
                format!("The action {other} is not valid; answered here are {known}"),
            ))
        }
        None => Err(Refusal::new(Kind::MissingParameter, "The request must contain the parameter Action")),
    }
}

/// Gives what a request is counted as.
pub(super) fn name(body: &[u8]) -> &'static str {
    let action = Form::parse(body).ok().and_then(|form| form.get("Action").map(str::to_owned));
    KNOWN.into_iter().find(|name| action.as_deref() == Some(name)).unwrap_or("unknown")
}

fn identity(it: &Emulator) -> Vec<u8> {
    let mut x = Xml::open("GetCallerIdentityResponse", "https://sts.amazonaws.com/doc/2011-06-15/");
    x.within("GetCallerIdentityResult", |x| {
        x.text("Arn", &format!("arn:aws:iam::{}:user/emulated", it.account));
        x.text("UserId", "AIDAEMULATED");
        x.text("Account", &it.account);
    });
    x.within("ResponseMetadata", |x| x.text("RequestId", "00000000-0000-4000-8000-000000000000"));
    x.close("GetCallerIdentityResponse")
}

/// Writes an error so that both protocols' readers find code and message; EC2 has names of its own for some.
pub(super) fn refuse(refusal: &Refusal) -> (u16, Vec<u8>) {
    let own = [
        (Kind::Throttling, (503, "RequestLimitExceeded")),
        (Kind::Internal, (500, "InternalError")),
        (Kind::Unavailable, (503, "Unavailable")),
    ];
    let own = own.into_iter().find(|(kind, _)| *kind == refusal.kind);
    let (status, code) = own.map_or((refusal.kind.status(), refusal.kind.code()), |(_, own)| own);
    let error = |x: &mut Xml| {
        x.text("Code", code);
        x.text("Message", &refusal.message);
    };
    let mut x = Xml::open("Response", "");
    x.within("Errors", |x| x.within("Error", error));
    // STS has the error one level higher.
    x.within("Error", error);
    x.text("RequestID", "00000000-0000-4000-8000-000000000000");
    (status, x.close("Response"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_forms_are_refused() {
        for bad in [&b"Action=%"[..], b"Action=%zz", b"Action=%ff", &[0xFF, 0xFE], &b"a=1&".repeat(20_000)] {
            assert!(Form::parse(bad).is_err(), "{}", String::from_utf8_lossy(&bad[..bad.len().min(20)]));
        }
        let form =
            Form::parse(b"Action=A&Filter.1.Name=tag%3Aa+b&Filter.1.Value.1=x%26y&Filter.1.Value.2=*&x").unwrap();
        assert_eq!(form.get("Action"), Some("A"));
        let filters = form.filters();
        assert_eq!(filters, [("tag:a b".to_owned(), vec!["x&y".to_owned(), "*".to_owned()])]);
    }

    #[test]
    fn errors_escape_what_was_sent() {
        let (status, body) = refuse(&Refusal::new(Kind::InvalidAction, "The action <&\" is not valid"));
        let text = String::from_utf8(body).unwrap();
        assert_eq!(status, 400);
        assert!(text.contains("<Message>The action &lt;&amp;&quot; is not valid</Message>"), "{text}");
    }
}
