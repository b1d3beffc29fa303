//! Remembers instances and volumes: those that are gone are asked about as well.

use super::{State, StateError, failed};
use crate::source::api::Instance;
use crate::stream::InstanceSeen;
use rusqlite::{TransactionBehavior, params};
use std::collections::BTreeMap;

impl State {
    /// Remembers instances as they are described now, with their volumes.
    pub(in crate::source) fn remember(&self, place: i64, instances: &[Instance], now: i64) -> Result<(), StateError> {
        let e = || failed("remember instances");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        {
            let sql = "INSERT INTO instances(place, id, instance, seen_at) VALUES(?1, ?2, ?3, ?4)
                       ON CONFLICT(place, id) DO UPDATE SET instance = excluded.instance, seen_at = excluded.seen_at";
            let mut put = tx.prepare(sql).map_err(e())?;
            let sql = "INSERT INTO volumes(place, id, instance_id) VALUES(?1, ?2, ?3)
                       ON CONFLICT(place, id) DO UPDATE SET instance_id = excluded.instance_id";
            let mut attach = tx.prepare(sql).map_err(e())?;
            for instance in instances {
                let text = serde_json::to_string(instance).map_err(|e| StateError::Damaged(e.to_string()))?;
                put.execute(params![place, instance.id, text, now]).map_err(e())?;
                for (volume, _) in &instance.volumes {
                    attach.execute(params![place, volume, instance.id]).map_err(e())?;
                }
            }
        }
        tx.commit().map_err(e())
    }

    /// Gives the instances that were ever described in a place, by id.
    pub(in crate::source) fn known(&self, place: i64) -> Result<BTreeMap<String, Instance>, StateError> {
        let e = || failed("read instances");
        let connection = self.lock();
        let mut all = connection.prepare("SELECT id, instance FROM instances WHERE place = ?1").map_err(e())?;
        let rows =
            all.query_map(params![place], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))).map_err(e())?;
        let mut out = BTreeMap::new();
        for row in rows {
            let (id, text) = row.map_err(e())?;
            let instance =
                serde_json::from_str(&text).map_err(|e| StateError::Damaged(format!("instance {id}: {e}")))?;
            out.insert(id, instance);
        }
        Ok(out)
    }

    /// Gives the instance that each volume was last attached to.
    pub(in crate::source) fn volumes(&self, place: i64) -> Result<BTreeMap<String, String>, StateError> {
        let e = || failed("read volumes");
        let connection = self.lock();
        let mut all = connection.prepare("SELECT id, instance_id FROM volumes WHERE place = ?1").map_err(e())?;
        let rows = all.query_map(params![place], |r| Ok((r.get(0)?, r.get(1)?))).map_err(e())?;
        rows.collect::<Result<_, _>>().map_err(e())
    }

    /// Leaves those of which the same was sent before.
    pub(in crate::source) fn unsent(
        &self,
        place: i64,
        seen: Vec<InstanceSeen>,
    ) -> Result<Vec<InstanceSeen>, StateError> {
        let e = || failed("read what was sent");
        let connection = self.lock();
        let sql = "SELECT sent FROM instances WHERE place = ?1 AND id = ?2";
        let mut sent = connection.prepare(sql).map_err(e())?;
        let mut out = Vec::new();
        for one in seen {
            let before: Option<String> = sent.query_row(params![place, one.instance_id], |r| r.get(0)).map_err(e())?;
            if before.as_deref() != Some(fingerprint(&one).as_str()) {
                out.push(one);
            }
        }
        Ok(out)
    }

    /// Notes what was sent.
    pub(in crate::source) fn mark_sent(&self, place: i64, seen: &[InstanceSeen]) -> Result<(), StateError> {
        let e = || failed("note what was sent");
        let mut connection = self.lock();
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(e())?;
        for one in seen {
            let sql = "UPDATE instances SET sent = ?3 WHERE place = ?1 AND id = ?2";
            tx.execute(sql, params![place, one.instance_id, fingerprint(one)]).map_err(e())?;
        }
        tx.commit().map_err(e())
    }
}

fn fingerprint(seen: &InstanceSeen) -> String {
    let told = format!("{:?}", (&seen.account, &seen.region, &seen.workload, &seen.instance_type, seen.launched_at));
    match &seen.cpu_credits {
        // What was sent before credits were asked for is not sent again because of that.
        None => told,
        Some(credits) => format!("{told} {credits}"),
    }
}
