//! What a crew does with what has been collected.

use rpytest_ipc::{Event, InventoryItem, ToPython};
use rpytest_worker::ProcessId;
use serde_bytes::ByteBuf;

use super::feed::Feed;
use super::{Bound, Crew, Processes, Stage, name, tell};
use crate::history::History;

impl Crew {
    pub(super) fn collected(
        &mut self,
        processes: &Processes,
        history: &History,
        template: ProcessId,
        items: Vec<InventoryItem>,
        unshareable: Vec<String>,
        payload: ByteBuf,
    ) {
        let settings = &self.settings;
        for item in &items {
            self.ledger.add(&item.address);
        }
        let costs = history.estimates();
        self.feed = Some(Feed::new(&items, settings, &costs));
        if settings.tells_bound {
            self.bound = Bound::of(&items, settings.workers, &settings.dist, &costs);
        }
        let told = (self.bound.as_ref()).filter(|bound| bound.is_worth_saying());
        // The payload has what the controller wants to know; the items are ours.
        let event = Event::Collected {
            items: Vec::new(),
            payload,
            line: told.map(Bound::line),
        };
        tell(processes, &name(0), event);
        self.items = items;
        self.shared = unshareable.is_empty();
        let count = self.settings.workers;
        if self.shared {
            if !self.interrupted {
                let note = format!("{count} workers were forked from one collection");
                self.notes.push(note);
                for _ in 0..count {
                    self.add_worker(processes, None);
                }
            }
        } else {
            self.notes.push(format!(
                "{count} workers collected for themselves: {}",
                unshareable.join("; ")
            ));
            self.template = None;
            if let Some(feed) = &mut self.feed {
                for worker in self.workers.values() {
                    feed.add(worker.id);
                }
            }
            let started = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
            self.adopt(processes, template);
            for _ in started..count.saturating_sub(1) {
                self.add_worker(processes, None);
            }
            for (process, items) in std::mem::take(&mut self.early) {
                self.collected_too(processes, process, &items);
            }
        }
        if self.stopped() {
            // By whoever did not know yet whom to tell.
            self.stop_workers(processes);
        }
        self.feed_all(processes);
        self.check_done(processes);
    }

    /// A worker that collects for itself has. It must know all that it could be given.
    pub(super) fn collected_too(
        &mut self,
        processes: &Processes,
        process: ProcessId,
        items: &[InventoryItem],
    ) {
        let Some(worker) = self.workers.get_mut(&process) else {
            return;
        };
        let same = items.len() == self.items.len()
            && items
                .iter()
                .all(|item| self.ledger.position(&item.address).is_some());
        if !same {
            self.notes.push(format!(
                "{} collected other tests than {}, and was not used",
                worker.name,
                name(0)
            ));
            if let Some(feed) = &mut self.feed {
                feed.gone(worker.id);
            }
            worker.stage = Stage::Finished;
            processes.send(
                process,
                &ToPython::Stop {
                    reason: "not used".into(),
                },
            );
            self.feed_all(processes);
            return;
        }
        worker.stage = Stage::Running;
        let name = worker.name.clone();
        tell(processes, &name, Event::Up {});
        if self.interrupted {
            // It has not heard of that.
            let reason = "interrupted".into();
            processes.send(process, &ToPython::Stop { reason });
        }
        self.feed_one(processes, process);
    }
}
