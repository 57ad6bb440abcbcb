//! Work on all processors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::CollectError;
use crate::syntax;

/// Maps every input on threads with a stack that fits the parser, in order.
pub(crate) fn parallel<T: Sync, R: Send>(
    threads: usize,
    inputs: &[T],
    map: impl Fn(&T) -> R + Sync,
) -> Result<Vec<R>, CollectError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(inputs.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(inputs.len()) {
            let work = || {
                let mut own = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(index) else {
                        break;
                    };
                    own.push((index, map(input)));
                }
                done.lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .extend(own);
            };
            std::thread::Builder::new()
                .stack_size(syntax::STACK_BYTES)
                .spawn_scoped(scope, work)
                .map_err(CollectError::Thread)?;
        }
        Ok::<(), CollectError>(())
    })?;
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}
