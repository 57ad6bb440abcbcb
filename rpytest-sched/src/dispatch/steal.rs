//! How a worker without work of its own comes by some.

use super::layout::Span;
use super::policy::Grouping;
use super::worker::Life;
use super::{DispatchError, Dispatcher, MUST_KNOW, TaskState};
use crate::task::{TaskId, WorkerId};

impl Dispatcher {
    /// The lane from which a worker whose own is empty should take, and how many nanoseconds of work.
    ///
    /// The one that will be worked off last, among those from which taking does not make the run longer; a worker
    /// that knows nothing takes in any case. Lanes that nobody draws from come before all others.
    pub(super) fn victim(&self, nth: usize, needed: bool, mean: u64) -> Option<(usize, u64)> {
        let pool = self.pool.as_ref()?;
        let left = if self.policy.grouping == Grouping::Each {
            0
        } else {
            pool.left()
        };
        if left == 0 {
            return None;
        }
        let thief = &self.workers[nth];
        let idle = thief.known() == 0;
        let ready = if idle {
            self.now
        } else {
            thief.ready_at(&pool.layout, mean, self.now)
        };
        // (does it pay, is it nobody's, when it ends), lane
        let mut best: Option<((bool, bool, u64), usize)> = None;
        for (lane, it) in pool.lanes.iter().enumerate() {
            if Some(lane) == thief.lane {
                continue;
            }
            let Some(least) = pool.least(lane, thief.lane, mean) else {
                continue;
            };
            let (nobodys, ends) = match it.owner {
                None => (true, it.cost(&pool.layout, mean)),
                Some(owner) => {
                    let known = self.workers[owner].ready_at(&pool.layout, mean, self.now);
                    (false, known.saturating_add(it.cost(&pool.layout, mean)))
                }
            };
            let pays = nobodys || ready.saturating_add(least) <= ends;
            // A queue that is merely below its horizon is not worth a small theft.
            if !needed && !nobodys && ends.saturating_sub(ready) < self.horizon {
                continue;
            }
            let rank = (pays, nobodys, ends);
            if (pays || idle) && best.is_none_or(|(other, _)| rank > other) {
                best = Some((rank, lane));
            }
        }
        let ((_, nobodys, ends), lane) = best?;
        let target = match (nobodys, self.open) {
            (true, 0 | 1) => u64::MAX,
            (true, _) => ends / 2,
            (false, _) => ends.saturating_sub(ready) / 2,
        };
        Some((lane, target))
    }

    /// Which other worker should be asked to give tasks back for this one, and how many at the most.
    ///
    /// To be asked when [`next`](Self::next) gave nothing, best while the worker still knows two tasks, since the other can
    /// answer late. It is `None` unless the pool has nothing more for this worker and another has a queue beyond the
    /// item that it must know next. No task is asked for twice, and no worker after it had nothing to give, so that an
    /// answer that comes twice does no harm. The other gives back from the tail of its queue what it has not begun, and must
    /// always answer with [`returned`](Self::returned), if need be with nothing. Until then this worker is not told to finish.
    /// Only with [`Grouping::Splittable`].
    pub fn revoke_for(&mut self, worker: WorkerId) -> Option<(WorkerId, usize)> {
        let nth = self.open_worker(worker)?;
        if self.stopped || self.policy.grouping != Grouping::Splittable {
            return None;
        }
        let mean = self.mean();
        let pool = self.pool.as_ref()?;
        let thief = &self.workers[nth];
        if pool.left() > 0 || thief.known() > MUST_KNOW || thief.awaiting.is_some() {
            return None;
        }
        let ready = thief.ready_at(&pool.layout, mean, self.now);
        let mut best: Option<(u64, usize, usize)> = None;
        for (other, it) in self.workers.iter().enumerate() {
            // The head of the queue is the next item of the running one, or will begin at any moment.
            let kept = MUST_KNOW - usize::from(it.running.is_some());
            let tail = it.queue.len().saturating_sub(kept);
            if other == nth || it.life == Life::Gone || it.asked || it.declined || tail == 0 {
                continue;
            }
            let (mut known, mut unknown) = (0u64, 0u32);
            for &slot in it.queue.iter().skip(kept) {
                let sums = pool.layout.sums(Span::one(slot));
                known = known.saturating_add(sums.0);
                unknown += sums.1;
            }
            // Tasks of known and small cost are done before the messages have gone to and fro.
            if unknown == 0 && known < self.horizon / 2 {
                continue;
            }
            let given_back = |&slot: &u32| self.given_back.contains(&pool.layout.task(slot));
            if it.queue.iter().skip(kept).any(given_back) {
                continue;
            }
            let ends = it.ready_at(&pool.layout, mean, self.now);
            // The last goes first; to run it, the group may have to be begun once more.
            let begin = (it.queue.back().zip(thief.lane)).map_or(0, |(&slot, lane)| {
                let group = pool.layout.group(slot);
                pool.lanes[lane].begins.owes(&pool.layout, group)
            });
            if ends > ready.saturating_add(begin) && best.is_none_or(|(most, ..)| ends > most) {
                best = Some((ends, other, tail.div_ceil(2)));
            }
        }
        let (_, victim, count) = best?;
        self.workers[nth].awaiting = Some(victim);
        self.workers[victim].lending = Some(nth);
        self.workers[victim].asked = true;
        Some((self.workers[victim].id, count))
    }

    /// Notes which tasks a worker gave back, when it was asked to. They wait at the head of the work of the
    /// worker for which they were asked: ask [`next`](Self::next) for that one and then for the others.
    ///
    /// # Errors
    ///
    /// [`NotAsked`](DispatchError::NotAsked), [`NotQueued`](DispatchError::NotQueued) if one of the tasks does not wait on this worker
    /// or was given back before, or that a task or the worker is
    /// unknown or gone. Then nothing was given back.
    pub fn returned(&mut self, victim: WorkerId, tasks: &[TaskId]) -> Result<(), DispatchError> {
        let nth = self.living(victim)?;
        if !self.workers[nth].asked {
            return Err(DispatchError::NotAsked(victim));
        }
        let mut indices = Vec::with_capacity(tasks.len());
        for &task in tasks {
            let (_, index) = self.known_pair(victim, task)?;
            let state = self.ledger.get(self.workers[nth].row, index);
            let again = self.given_back.contains(&index);
            if again || state != Some(TaskState::Queued(victim)) {
                return Err(DispatchError::NotQueued(victim, task));
            }
            indices.push(index);
        }
        indices.sort_unstable();
        self.given_back.extend(&indices);
        self.workers[nth].asked = false;
        self.workers[nth].declined |= indices.is_empty();
        let thief = self.workers[nth].lending.take();
        let mut lane = self.workers[nth].lane;
        if let Some(thief) = thief {
            self.workers[thief].awaiting = None;
            if self.workers[thief].life == Life::Open {
                lane = self.workers[thief].lane;
            }
        }
        let Some(pool) = &mut self.pool else {
            return Ok(());
        };
        let it = &mut self.workers[nth];
        for &slot in it.queue.iter().filter(|&&slot| it.begins_with(slot)) {
            let taken = indices.binary_search(&pool.layout.task(slot)).is_ok();
            if let Some(own) = it.lane.filter(|_| taken) {
                let group = pool.layout.group(slot);
                pool.lanes[own].begins.unbegin(&pool.layout, group);
            }
        }
        let slots = it.take(&pool.layout, |slot| {
            indices.binary_search(&pool.layout.task(slot)).is_ok()
        });
        let row = it.row;
        self.put_back(row, lane, &slots);
        Ok(())
    }
}
