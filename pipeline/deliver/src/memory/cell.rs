//! What a bus remembers, in cells: `sent/NAME` has the ids that it took, `parked/NAME` what it refused for good.

use super::{BusMemory, Parked};
use crate::bus::BusError;
use forewarn_runtime::cells::map::{CellMap, MapError};
use forewarn_runtime::cells::{CellError, Cells};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// A memory in cells. Who notes something that another process noted meanwhile is told that the bus is busy, and reads it again.
#[derive(Debug)]
pub struct CellMemory {
    cells: Arc<dyn Cells>,
    name: &'static str,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    ids: BTreeSet<String>,
    sent: CellMap<()>,
    parked: CellMap<Parked>,
}

impl CellMemory {
    /// Takes the cells of a bus, by the name of its cursor; nothing is read yet.
    pub fn new(cells: Arc<dyn Cells>, name: &'static str) -> Self {
        Self { cells, name, open: None }
    }

    fn failed(&self, doing: &'static str) -> impl Fn(CellError) -> BusError + use<> {
        let bus = self.name.to_owned();
        move |e| BusError::Unavailable { bus: bus.clone(), doing, source: io::Error::other(e) }
    }

    fn read_parked(&self) -> Result<CellMap<Parked>, BusError> {
        let name = format!("parked/{}", self.name);
        CellMap::read(Arc::clone(&self.cells), &name).map_err(self.failed("read what was set aside"))
    }

    fn read(&self) -> Result<Open, BusError> {
        let sent: CellMap<()> = CellMap::read(Arc::clone(&self.cells), &format!("sent/{}", self.name))
            .map_err(self.failed("read what was sent"))?;
        let ids = sent.iter().map(|(id, ())| id.clone()).collect();
        Ok(Open { ids, sent, parked: self.read_parked()? })
    }

    fn open(&mut self) -> Result<&mut Open, BusError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.read()?,
        };
        Ok(self.open.insert(open))
    }

    /// Changes what is remembered; after a failure it is read again, for it may have been changed all the same.
    fn change(
        &mut self,
        doing: &'static str,
        change: impl FnOnce(&mut Open) -> Result<(), MapError>,
    ) -> Result<(), BusError> {
        let changed = change(self.open()?);
        if changed.is_err() {
            self.open = None;
        }
        changed.map_err(|e| match e {
            MapError::Cell(e) => self.failed(doing)(e),
            MapError::Overtaken { .. } => BusError::Busy { bus: self.name.to_owned() },
        })
    }
}

impl BusMemory for CellMemory {
    fn sent(&mut self) -> Result<&BTreeSet<String>, BusError> {
        Ok(&self.open()?.ids)
    }

    fn note_sent(&mut self, ids: &[&str]) -> Result<(), BusError> {
        self.change("note what was sent", |open| {
            open.sent.insert(ids.iter().map(|id| ((*id).to_owned(), ())))?;
            open.ids.extend(ids.iter().map(|id| (*id).to_owned()));
            open.parked.retain(|id, _| !ids.contains(&id))
        })
    }

    fn forget_sent(&mut self) -> Result<(), BusError> {
        if self.open.as_ref().is_none_or(|open| open.ids.is_empty()) {
            return Ok(());
        }
        self.change("forget what was sent", |open| {
            open.sent.retain(|_, ()| false)?;
            open.ids.clear();
            Ok(())
        })
    }

    fn park(&mut self, parked: Parked) -> Result<(), BusError> {
        self.change("set an announcement aside", |open| open.parked.insert([(parked.announcement.id.clone(), parked)]))
    }

    fn parked(&self) -> Result<BTreeMap<String, Parked>, BusError> {
        Ok(self.read_parked()?.iter().map(|(id, parked)| (id.clone(), parked.clone())).collect())
    }
}
