//! Brings data of old versions up to date, one version at a time, when it is read.

use super::DecodeError;
use serde_json::Value;
use std::borrow::Cow;

/// Leads from one version of a type to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upcast {
    /// The type without its version.
    pub(super) name: &'static str,
    /// The version this step starts from.
    pub(super) from: u32,
    /// Rewrites data of `from` as data of `from + 1`.
    pub(super) up: fn(Value) -> Value,
}

/// Rewrites data of version `found` as data of version `current`.
pub(super) fn to_current<'a>(
    name: &str,
    found: u32,
    current: u32,
    data: &'a Value,
    steps: &[Upcast],
) -> Result<Cow<'a, Value>, DecodeError> {
    if found > current {
        return Err(DecodeError::Newer { name: name.to_owned(), found, known: current });
    }
    let mut data = Cow::Borrowed(data);
    for from in found..current {
        let step = steps
            .iter()
            .find(|s| s.name == name && s.from == from)
            .ok_or_else(|| DecodeError::NoUpcast { name: name.to_owned(), from })?;
        data = Cow::Owned((step.up)(data.into_owned()));
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STEPS: &[Upcast] = &[
        Upcast { name: "x.a", from: 1, up: |v| json!({"two": v["one"]}) },
        Upcast { name: "x.a", from: 2, up: |v| json!({"three": v["two"]}) },
    ];

    #[test]
    fn steps_are_taken_in_order_and_a_missing_one_is_named() {
        let data = json!({"one": 5});
        assert_eq!(*to_current("x.a", 1, 3, &data, STEPS).unwrap(), json!({"three": 5}));
        assert_eq!(*to_current("x.a", 3, 3, &data, STEPS).unwrap(), data);
        let missing = to_current("x.a", 1, 4, &data, STEPS).unwrap_err();
        assert!(matches!(missing, DecodeError::NoUpcast { from: 3, .. }));
        assert!(matches!(to_current("x.a", 5, 4, &data, STEPS), Err(DecodeError::Newer { found: 5, .. })));
    }
}
