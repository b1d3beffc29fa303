//! The report of a round, for people.

use super::super::common::count;
use super::super::error::CliError;
use super::super::output::Out;
use forewarn_ingest::source::report::Report;

pub(super) fn write(report: &Report, out: &mut Out) -> Result<(), CliError> {
    let t = &report.tally;
    out.line(format_args!(
        "{} samples, {} of them repeated ({:.2} %), {} records put; {} calls ({} data, {} list, {} describe), {} billed metrics, \
         {} retries, {} throttles, {} partial results, {} failed queries, lag {}",
        count(t.samples),
        count(t.repeated),
        100.0 * report.repeated_share(),
        count(report.records),
        count(t.data_calls + t.list_calls + t.describe_calls),
        count(t.data_calls),
        count(t.list_calls),
        count(t.describe_calls),
        count(t.billed_metrics),
        count(t.retries),
        count(t.throttles),
        count(t.partials),
        count(t.failed_queries),
        report.lag_ms().map_or_else(|| "-".to_owned(), |ms| format!("{} s", ms / 1000)),
    ))?;
    if t.late > 0 {
        out.line(format_args!("{} samples came late, into gaps that were asked for again", count(t.late)))?;
    }
    if t.doubled + t.not_finite + t.outside > 0 {
        out.line(format_args!(
            "left out: {} points given twice in a reply, {} not finite, {} outside their window",
            t.doubled, t.not_finite, t.outside
        ))?;
    }
    for p in &report.places {
        let standing = match (p.complete, p.is_whole()) {
            (_, true) => "complete".to_owned(),
            (true, false) => "all that is known is done".to_owned(),
            (false, _) => format!("{} series not done", p.series_left),
        };
        out.line(format_args!(
            "{} {}: {} instances, {} series ({} new), {} metrics billed this month, {standing}",
            p.account,
            p.region,
            count(p.instances),
            count(p.series),
            count(p.new_series),
            count(p.billed_this_month),
        ))?;
        if p.series == 0 && p.error.is_none() {
            out.line(
                "  no metric of an observed instance is listed: CloudWatch lists what had data within two weeks; see --select, --namespaces, and `forewarn doctor --live`",
            )?;
        }
        for gap in p.gaps() {
            out.line(format_args!("  {gap}"))?;
        }
        if let Some(offset) = p.clock_offset_ms.filter(|o| o.abs() > 60_000) {
            out.line(format_args!(
                "  this machine's clock is {} s {} by AWS's time; set it (NTP)",
                offset.abs() / 1000,
                if offset < 0 { "fast" } else { "slow" }
            ))?;
        }
        if let Some(error) = &p.error {
            out.line(format_args!("  {error}"))?;
        }
    }
    if report.interrupted {
        out.line("interrupted; the next run goes on where this one ended")?;
    }
    Ok(())
}
