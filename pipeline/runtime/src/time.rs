//! Reads and writes times as people and files give them: RFC 3339, naive date and time, epoch seconds or
//! milliseconds, and offsets from now. All times are milliseconds since 1970 in UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub const DAY_MS: i64 = 86_400_000;

/// Epoch numbers from here on are milliseconds; below, seconds. 1e11 s is the year 5138, 1e11 ms is 1973.
const MILLIS_FROM: f64 = 1e11;

/// Says why a time could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text is none of the known forms.
    #[error(
        "cannot read the time `{0}`: expected RFC 3339 (2026-02-15T00:00:00Z), `YYYY-MM-DD HH:MM:SS`, epoch seconds or milliseconds, `now` or `now-7d`"
    )]
    Unparsable(String),
    /// The zone is not in the time zone database.
    #[error("unknown time zone `{0}`: give an IANA name such as Europe/Berlin, or UTC")]
    UnknownZone(String),
    /// The local time does not exist or exists twice in the zone.
    #[error("the local time `{0}` is ambiguous or does not exist in zone {1}: give it with an offset (RFC 3339)")]
    Ambiguous(String, String),
}

/// Finds a zone by its IANA name (`UTC` included).
pub fn zone(name: &str) -> Result<TimeZone, TimeError> {
    if name.eq_ignore_ascii_case("utc") || name == "Z" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| TimeError::UnknownZone(name.to_owned()))
}

/// The variable that lets time pass quicker in a proof: `T0,R0,SPEED`, where at the real time R0 (epoch milliseconds) it is T0 (epoch
/// milliseconds) and from there SPEED times as fast. Processes that are given the same share one time.
pub const CLOCK: &str = "FOREWARN_CLOCK";

static WARP: std::sync::OnceLock<Option<Warp>> = std::sync::OnceLock::new();

/// A time that passes quicker than the real one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Warp {
    t0: i64,
    r0: i64,
    speed: f64,
}

impl Warp {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',').map(str::trim);
        let (t0, r0) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let speed: f64 = parts.next()?.parse().ok()?;
        (parts.next().is_none() && (1.0..=1e6).contains(&speed)).then_some(Self { t0, r0, speed })
    }

    fn at(self, real: i64) -> i64 {
        self.t0 + ((real - self.r0) as f64 * self.speed) as i64
    }
}

fn warp() -> Option<Warp> {
    *WARP.get_or_init(|| std::env::var(CLOCK).ok().as_deref().and_then(Warp::parse))
}

/// Gives the system's time. Only the outermost shell calls this; everything else takes `now_ms` or a clock.
#[expect(clippy::disallowed_methods, reason = "the one place where the clock is read to be injected elsewhere")]
pub fn system_now_ms() -> i64 {
    let real = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
    warp().map_or(real, |w| w.at(real))
}

/// Gives the real time that `ms` of the system's time take.
pub fn real_duration(ms: u64) -> std::time::Duration {
    let real = std::time::Duration::from_millis(ms);
    warp().map_or(real, |w| real.div_f64(w.speed))
}

/// Reads a time given by a person: everything that [`parse_instant`] reads, and `now`, `now-7d`, `now+90m`
/// (units s, m, h, d, w).
pub fn parse_time(text: &str, now_ms: i64, tz: Option<&TimeZone>) -> Result<i64, TimeError> {
    let text = text.trim();
    let Some(rest) = text.strip_prefix("now") else { return parse_instant(text, tz) };
    if rest.is_empty() {
        return Ok(now_ms);
    }
    let bad = || TimeError::Unparsable(text.to_owned());
    let (sign, span) = match rest.split_at_checked(1) {
        Some(("-", span)) => (-1, span),
        Some(("+", span)) => (1, span),
        _ => return Err(bad()),
    };
    let ms = parse_span(span).ok_or_else(bad)?;
    now_ms.checked_add(sign * ms).ok_or_else(bad)
}

/// Reads a duration such as `90s`, `15m`, `6h`, `7d`, `2w` as milliseconds.
pub fn parse_span(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => DAY_MS,
        'w' => 7 * DAY_MS,
        _ => return None,
    };
    let count = &text[..text.len() - unit.len_utf8()];
    if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    count.parse::<i64>().ok()?.checked_mul(ms)
}

/// Reads a time from a file: RFC 3339, naive date and time (UTC, or in `tz`), a date, or epoch seconds or
/// milliseconds.
pub fn parse_instant(text: &str, tz: Option<&TimeZone>) -> Result<i64, TimeError> {
    let text = text.trim();
    if let Some((ms, naive)) = parse_fixed(text.as_bytes()) {
        return match tz {
            Some(zone) if naive => localise(text, ms, zone),
            Some(_) | None => Ok(ms),
        };
    }
    if let Some(ms) = text.parse::<f64>().ok().and_then(epoch_ms) {
        return Ok(ms);
    }
    if let Ok(t) = text.parse::<Timestamp>() {
        return Ok(t.as_millisecond());
    }
    if let Ok(civil) = text.parse::<DateTime>()
        && let Ok(zoned) = civil.to_zoned(tz.cloned().unwrap_or(TimeZone::UTC))
    {
        return Ok(zoned.timestamp().as_millisecond());
    }
    Err(TimeError::Unparsable(text.to_owned()))
}

/// Reads an epoch number: below 1e11 seconds, from there on milliseconds.
pub fn epoch_ms(number: f64) -> Option<i64> {
    let ms = if number.abs() < MILLIS_FROM { number * 1000.0 } else { number };
    (ms.is_finite() && ms.abs() < 9e15).then(|| ms.round() as i64)
}

/// Takes a naive time, given as if it were UTC, as local time of `zone`.
pub fn localise(text: &str, as_utc_ms: i64, zone: &TimeZone) -> Result<i64, TimeError> {
    let bad = || TimeError::Unparsable(text.to_owned());
    let civil = Timestamp::from_millisecond(as_utc_ms).map_err(|_| bad())?.to_zoned(TimeZone::UTC).datetime();
    let found = zone.to_ambiguous_zoned(civil);
    found
        .unambiguous()
        .map(|z| z.timestamp().as_millisecond())
        .map_err(|_| TimeError::Ambiguous(text.to_owned(), zone.iana_name().unwrap_or("given").to_owned()))
}

/// Writes a time as RFC 3339 in UTC, with milliseconds only where there are any.
pub fn format_ms(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |t| t.to_string())
}

/// Says how far a time is from now, in the largest unit of which there are two at least: `in 5 minutes`, `3 hours ago`, `now`.
pub fn relative(at_ms: i64, now_ms: i64) -> String {
    let ahead = at_ms.saturating_sub(now_ms);
    let seconds = ahead.unsigned_abs() / 1000;
    let (count, unit) = match seconds {
        0 => return "now".to_owned(),
        1..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let unit = if count == 1 { unit.to_owned() } else { format!("{unit}s") };
    if ahead > 0 { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
}

/// Writes the UTC date (`YYYY-MM-DD`) of a day counted from 1970-01-01.
pub fn format_day(day: i64) -> String {
    format_ms(day.saturating_mul(DAY_MS)).chars().take(10).collect()
}

/// Reads a UTC date `YYYY-MM-DD` as days since 1970-01-01.
pub fn parse_day(text: &str) -> Option<i64> {
    (text.len() == 10).then(|| parse_fixed(text.as_bytes())).flatten().map(|(ms, _)| ms.div_euclid(DAY_MS))
}

/// Reads `YYYY-MM-DD[(T| )HH:MM[:SS[.fff…]][Z|±HH:MM]]`; the flag says that no zone was given.
fn parse_fixed(b: &[u8]) -> Option<(i64, bool)> {
    let num = |from: usize, len: usize| -> Option<i64> {
        let part = b.get(from..from + len)?;
        part.iter().try_fold(0_i64, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
    };
    let at = |i: usize, c: u8| b.get(i) == Some(&c);
    if !(at(4, b'-') && at(7, b'-')) {
        return None;
    }
    let (year, month, day) = (num(0, 4)?, num(5, 2)?, num(8, 2)?);
    let days = days_from_civil(year, month, day)?;
    if b.len() == 10 {
        return Some((days * DAY_MS, true));
    }
    if !(at(10, b'T') || at(10, b' ') || at(10, b't')) || !at(13, b':') {
        return None;
    }
    let (hour, minute) = (num(11, 2)?, num(14, 2)?);
    let mut i = 16;
    let mut second = 0;
    let mut millis = 0;
    if at(i, b':') {
        second = num(17, 2)?;
        i = 19;
        if at(i, b'.') {
            i += 1;
            let digits = b[i..].iter().take_while(|d| d.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            for k in 0..3 {
                millis = millis * 10 + if k < digits { i64::from(b[i + k] - b'0') } else { 0 };
            }
            i += digits;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let local = days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + millis;
    match b.get(i..)? {
        [] => Some((local, true)),
        b"Z" | b"z" | b" UTC" => Some((local, false)),
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest[2] == b':' => {
            let (h, m) = (num(i + 1, 2)?, num(i + 4, 2)?);
            let offset = (h * 60 + m) * 60_000;
            (h < 24 && m < 60).then_some((if *sign == b'+' { local - offset } else { local + offset }, false))
        }
        _ => None,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date; none where the date does not exist.
///
/// H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    Some(era * 146_097 + doe - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_771_113_600_000; // 2026-02-15T00:00:00Z

    #[test]
    fn how_far_a_time_is_from_now_is_said_in_words() {
        let said = [0, 1_000, 90_000, 5 * 60_000, -3 * 3_600_000, 36 * 3_600_000, -2 * DAY_MS]
            .map(|ms| relative(NOW + ms, NOW));
        assert_eq!(
            said,
            ["now", "in 1 second", "in 90 seconds", "in 5 minutes", "3 hours ago", "in 36 hours", "2 days ago"]
        );
    }

    #[test]
    fn every_documented_form_is_read() {
        for text in [
            "2026-02-15T00:00:00Z",
            "2026-02-15 00:00:00",
            "2026-02-15",
            "2026-02-15T00:00",
            "2026-02-15T01:30:00+01:30",
            "2026-02-14T16:00:00-08:00",
            "2026-02-15T00:00:00.000Z",
            "2026-02-15T00:00:00.000000000Z",
            "1771113600",
            "1771113600000",
            "1771113600.0",
            "now",
        ] {
            assert_eq!(parse_time(text, NOW, None), Ok(NOW), "{text}");
        }
        assert_eq!(parse_time("now-7d", NOW, None), Ok(NOW - 7 * DAY_MS));
        assert_eq!(parse_time("now+90m", NOW, None), Ok(NOW + 5_400_000));
        assert_eq!(parse_instant("2026-02-15T00:00:00.25Z", None), Ok(NOW + 250));
    }

    #[test]
    fn a_naive_time_is_local_where_a_zone_is_given_and_only_then() {
        let berlin = zone("Europe/Berlin").unwrap();
        assert_eq!(parse_instant("2026-02-15 01:00:00", Some(&berlin)), Ok(NOW));
        assert_eq!(parse_instant("2026-02-15T00:00:00Z", Some(&berlin)), Ok(NOW));
        let gone = parse_instant("2026-03-29 02:30:00", Some(&berlin)).unwrap_err();
        assert_eq!(gone, TimeError::Ambiguous("2026-03-29 02:30:00".into(), "Europe/Berlin".into()));
        assert_eq!(zone("Mars/Base"), Err(TimeError::UnknownZone("Mars/Base".into())));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-13-01",
            "2026-02-15T25:00:00Z",
            "now-",
            "now-7x",
            "now*2",
            "nan",
            "inf",
            "1e300",
        ] {
            assert!(parse_time(text, NOW, None).is_err(), "{text}");
        }
    }

    #[test]
    fn a_warped_clock_runs_from_its_anchor() {
        let warp = Warp::parse("1000, 50, 10").unwrap();
        assert_eq!((warp.at(50), warp.at(60)), (1000, 1100));
        for bad in ["", "1,2", "1,2,0", "1,2,3,4", "a,2,3"] {
            assert_eq!(Warp::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_written_time_reads_back(ms in -2_208_988_800_000_i64..4_102_444_800_000) {
            prop_assert_eq!(parse_instant(&format_ms(ms), None), Ok(ms));
            let day = ms.div_euclid(DAY_MS);
            prop_assert_eq!(parse_day(&format_day(day)), Some(day));
        }
    }
}
