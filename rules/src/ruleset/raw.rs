//! Mirrors the TOML of a rule set exactly as written; nothing past `build` sees it.

use forewarn_domain::prediction::{Action, FailureType};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRuleSet {
    pub(super) name: String,
    pub(super) version: String,
    #[serde(default)]
    pub(super) params: BTreeMap<String, Spanned<f64>>,
    pub(super) levels: RawLevels,
    pub(super) prior: RawPrior,
    #[serde(default)]
    pub(super) episodes: RawEpisodes,
    #[serde(default)]
    pub(super) assess: RawAssess,
    #[serde(default)]
    pub(super) passage: RawPassage,
    #[serde(default)]
    pub(super) calibration: Vec<RawCalibration>,
    #[serde(default)]
    pub(super) provenance: toml::Table,
    #[serde(default)]
    pub(super) rule: Vec<RawRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLevels {
    pub(super) high: Spanned<Number>,
    pub(super) medium: Spanned<Number>,
    pub(super) low: Spanned<Number>,
    pub(super) hysteresis: Option<RawHysteresis>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHysteresis {
    pub(super) clear_below: Spanned<Number>,
    pub(super) clear_after: Spanned<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrior {
    pub(super) incidents_per_instance_month: Spanned<Number>,
    pub(super) instance_months: Option<Spanned<Number>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawEpisodes {
    pub(super) change_grace_hours: Option<Spanned<Number>>,
    pub(super) workload_members: Option<Spanned<Number>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAssess {
    pub(super) min_coverage_24h: Option<Spanned<Number>>,
    pub(super) max_silence_hours: Option<Spanned<Number>>,
    pub(super) min_age_hours: Option<Spanned<Number>>,
    pub(super) lookback_hours: Option<Spanned<Number>>,
    pub(super) require_any: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPassage {
    pub(super) cap: Option<Spanned<Number>>,
    pub(super) weights: BTreeMap<Spanned<String>, Spanned<RawWeight>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCalibration {
    pub(super) horizon: Spanned<String>,
    pub(super) knots: Spanned<Vec<(f64, f64)>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub(super) id: Spanned<String>,
    pub(super) group: Option<String>,
    pub(super) signal: Spanned<String>,
    pub(super) failure_type: FailureType,
    pub(super) action: Action,
    pub(super) when: Spanned<String>,
    pub(super) evidence: Spanned<RawEvidence>,
    pub(super) horizons: Option<Spanned<[f64; 3]>>,
    #[serde(default)]
    pub(super) hard: bool,
    #[serde(default)]
    pub(super) locked: bool,
    pub(super) why: Spanned<String>,
}

/// A number, or the name of a parameter written `":name"`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Number {
    Literal(f64),
    Param(String),
}

/// A weight as written: one number for all hazards, or one for each.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected a number, or three of them: one for each hazard")]
pub(super) enum RawWeight {
    Same(f64),
    Each([f64; 3]),
}

/// A bin as written: its edge, then its evidence towards all hazards or towards each.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected [edge, evidence] or [edge, evidence, evidence, evidence]: one for each hazard")]
pub(super) enum RawBin {
    Same(f64, f64),
    Each(f64, f64, f64, f64),
}

/// Evidence as written: one number, one for each hazard, or bins over a feature.
#[derive(Debug)]
pub(super) enum RawEvidence {
    Constant(RawWeight),
    Binned(RawBins),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBins {
    pub(super) feature: String,
    pub(super) bins: Vec<RawBin>,
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or the name of a parameter such as \":high_confidence_threshold\"")
            }
            fn visit_f64<E>(self, v: f64) -> Result<Number, E> {
                Ok(Number::Literal(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Number, E> {
                Ok(Number::Literal(v as f64))
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Number, E> {
                v.strip_prefix(':')
                    .map(|name| Number::Param(name.to_owned()))
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(v), &self))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for RawEvidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = RawEvidence;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, three of them (one for each hazard), or { feature = \"memory_q24\", bins = [[edge, evidence], ...] }")
            }
            fn visit_f64<E>(self, v: f64) -> Result<RawEvidence, E> {
                Ok(RawEvidence::Constant(RawWeight::Same(v)))
            }
            fn visit_i64<E>(self, v: i64) -> Result<RawEvidence, E> {
                Ok(RawEvidence::Constant(RawWeight::Same(v as f64)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<RawEvidence, A::Error> {
                RawWeight::deserialize(SeqAccessDeserializer::new(seq)).map(RawEvidence::Constant)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawEvidence, A::Error> {
                RawBins::deserialize(MapAccessDeserializer::new(map)).map(RawEvidence::Binned)
            }
        }
        deserializer.deserialize_any(V)
    }
}
