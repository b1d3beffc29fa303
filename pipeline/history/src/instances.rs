//! Says what was known of an instance at a time: of its versions the newest that had been seen by then.

use super::rows::InstanceRow;
use std::collections::BTreeMap;

/// Everything that is known of instances, in the order in which it came to be known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceVersions(BTreeMap<String, Vec<InstanceRow>>);

impl InstanceVersions {
    /// Orders rows; those that repeat the version before them go.
    pub fn of(rows: impl IntoIterator<Item = InstanceRow>) -> Self {
        let mut all: BTreeMap<String, Vec<InstanceRow>> = BTreeMap::new();
        for row in rows {
            all.entry(row.instance_id.clone()).or_default().push(row);
        }
        for rows in all.values_mut() {
            rows.sort_by(|a, b| (a.known_from(), a).cmp(&(b.known_from(), b)));
            rows.dedup_by(|later, earlier| says_the_same(earlier, later));
        }
        Self(all)
    }

    /// Gives the ids of the instances, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Gives all rows, instance by instance.
    pub fn rows(&self) -> impl Iterator<Item = &InstanceRow> {
        self.0.values().flatten()
    }

    /// Gives what counts of an instance at `as_of`, field by field: what was not said does not undo what was said before.
    ///
    /// The newest row seen by then counts. What somebody told, without a time at which it was seen, counts at any time; over what was
    /// seen only from when it was told. Where nothing had been seen or told, the oldest that was seen later is the best guess.
    pub fn at(&self, instance_id: &str, as_of: i64) -> Option<InstanceRow> {
        let rows = self.0.get(instance_id)?;
        Some(InstanceRow {
            instance_id: instance_id.to_owned(),
            seen_at: rows.iter().filter_map(|r| r.seen_at).rfind(|at| *at <= as_of),
            imported_at: rows.iter().filter_map(|r| r.imported_at).rfind(|at| *at <= as_of),
            workload: field(rows, as_of, |r| r.workload.as_ref()).cloned(),
            instance_type: field(rows, as_of, |r| r.instance_type.as_ref()).cloned(),
            launched_at: field(rows, as_of, |r| r.launched_at.as_ref()).copied(),
            cpu_credits: field(rows, as_of, |r| r.cpu_credits.as_ref()).cloned(),
        })
    }

    /// Says whether a row that nobody saw at a time says what was told last.
    pub(super) fn was_told_last(&self, row: &InstanceRow) -> bool {
        let rows = self.0.get(&row.instance_id).map_or(&[][..], Vec::as_slice);
        row.seen_at.is_none() && rows.iter().rfind(|r| r.seen_at.is_none()).is_some_and(|last| says_the_same(last, row))
    }

    /// Gives the times, ascending, at which something new came to be known of an instance: between two of them nothing changes.
    pub fn times(&self, instance_id: &str) -> Vec<i64> {
        let rows = self.0.get(instance_id).map_or(&[][..], Vec::as_slice);
        let mut times: Vec<i64> = rows.iter().filter_map(InstanceRow::known_from).collect();
        times.dedup();
        times
    }

    /// Leaves out what nobody asks for any more who asks for times from `time` on.
    #[must_use]
    pub fn from(mut self, time: i64) -> Self {
        for rows in self.0.values_mut() {
            let last = rows.last().cloned();
            let (mut seen, mut told) = ([false; 4], [false; 4]);
            let mut kept: Vec<InstanceRow> = Vec::with_capacity(rows.len());
            for row in rows.drain(..).rev() {
                let said = [
                    row.workload.is_some(),
                    row.instance_type.is_some(),
                    row.launched_at.is_some(),
                    row.cpu_credits.is_some(),
                ];
                let known = if row.seen_at.is_some() { &mut seen } else { &mut told };
                if row.known_from().is_some_and(|at| at > time) {
                    kept.push(row);
                } else if said.iter().zip(&*known).any(|(said, known)| *said && !known) {
                    said.iter().zip(known).for_each(|(said, known)| *known |= said);
                    kept.push(row);
                }
            }
            kept.reverse();
            if kept.is_empty() {
                kept.extend(last);
            }
            *rows = kept;
        }
        self
    }
}

/// Two versions that follow each other and differ in nothing but when they came. What was seen and what was told stay apart.
fn says_the_same(earlier: &InstanceRow, later: &InstanceRow) -> bool {
    let said = |r: &InstanceRow| InstanceRow { seen_at: None, imported_at: None, ..r.clone() };
    earlier.seen_at.is_some() == later.seen_at.is_some() && said(earlier) == said(later)
}

fn field<'a, T>(rows: &'a [InstanceRow], as_of: i64, of: impl Fn(&'a InstanceRow) -> Option<&'a T>) -> Option<&'a T> {
    let (mut seen, mut told, mut told_by_then, mut first) = (None, None, None, None);
    for (row, value) in rows.iter().filter_map(|r| Some((r, of(r)?))) {
        match row.seen_at {
            Some(at) if at <= as_of => seen = Some((at, value)),
            Some(_) => {
                first.get_or_insert(value);
            }
            None => {
                told = Some(value);
                if let Some(at) = row.imported_at.filter(|at| *at <= as_of) {
                    told_by_then = Some((at, value));
                }
            }
        }
    }
    match (seen, told_by_then) {
        (Some((seen_at, _)), Some((told_at, value))) if told_at > seen_at => Some(value),
        (Some((_, value)), _) => Some(value),
        (None, _) => told.or(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seen_at: Option<i64>, imported_at: Option<i64>, workload: &str, kind: Option<&str>) -> InstanceRow {
        InstanceRow {
            instance_id: "i-a".to_owned(),
            seen_at,
            imported_at,
            workload: (!workload.is_empty()).then(|| workload.to_owned()),
            instance_type: kind.map(str::to_owned),
            launched_at: None,
            cpu_credits: None,
        }
    }

    fn workload(rows: &[InstanceRow], as_of: i64) -> Option<String> {
        InstanceVersions::of(rows.to_vec()).at("i-a", as_of).and_then(|r| r.workload)
    }

    #[test]
    fn the_newest_version_seen_by_then_counts_and_the_oldest_where_none_was() {
        let rows = [row(Some(20), None, "api", None), row(Some(10), None, "web", None)];
        let at = |as_of| workload(&rows, as_of).unwrap();
        assert_eq!([at(9), at(10), at(19), at(20)], ["web", "web", "web", "api"]);
    }

    #[test]
    fn what_was_told_counts_at_any_time_and_over_what_was_seen_from_then_on() {
        let told = [row(None, Some(30), "first", None), row(None, Some(40), "second", None)];
        assert_eq!(workload(&told, 5).unwrap(), "second", "of two tellings the newest counts, at any time");
        let all = [told.to_vec(), vec![row(Some(10), None, "seen", None), row(Some(50), None, "later", None)]].concat();
        let at = |as_of| workload(&all, as_of).unwrap();
        assert_eq!([at(9), at(10), at(39), at(40), at(50)], ["second", "seen", "first", "second", "later"]);
        let old = [row(None, None, "old", None), row(Some(10), None, "seen", None)];
        assert_eq!([workload(&old, 9).unwrap(), workload(&old, 10).unwrap()], ["old", "seen"]);
    }

    #[test]
    fn what_is_not_said_undoes_nothing() {
        let rows = [row(Some(10), None, "web", None), row(Some(20), None, "", Some("t3.large"))];
        let at = |as_of| InstanceVersions::of(rows.to_vec()).at("i-a", as_of).unwrap();
        assert_eq!((at(20).workload.as_deref(), at(20).instance_type.as_deref()), (Some("web"), Some("t3.large")));
    }

    proptest::proptest! {
        #[test]
        fn leaving_out_what_repeats_or_is_of_the_past_changes_no_answer(
            versions in proptest::collection::vec((0_i64..8, proptest::bool::ANY, 0_usize..3, proptest::option::of(0_usize..2)), 1..9),
            from in 0_i64..9,
        ) {
            let rows: Vec<InstanceRow> = versions.iter().map(|&(t, seen, w, k)| {
                let kind = k.map(|k| ["small", "large"][k]);
                row(seen.then_some(t), (!seen).then_some(t), ["", "web", "api"][w], kind)
            }).collect();
            let mut plain: Vec<InstanceRow> = rows.clone();
            plain.sort_by(|a, b| (a.known_from(), a).cmp(&(b.known_from(), b)));
            let plain = InstanceVersions(BTreeMap::from([("i-a".to_owned(), plain)]));
            let fewer = InstanceVersions::of(rows);
            let kept = fewer.clone().from(from);
            let said = |v: &InstanceVersions, t| v.at("i-a", t).map(|r| (r.workload, r.instance_type));
            for t in -1..10 {
                proptest::prop_assert_eq!(said(&fewer, t), said(&plain, t));
                if t >= from {
                    proptest::prop_assert_eq!(said(&kept, t), said(&plain, t));
                }
            }
        }
    }
}
