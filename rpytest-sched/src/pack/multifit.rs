//! MULTIFIT: the least capacity for which first fit decreasing needs no more machines than there are, by bisection
//! (E. G. Coffman, M. R. Garey, D. S. Johnson, *An application of bin-packing to multiprocessor scheduling*, SIAM J.
//! Comput. 7, 1978). It is within 13/11 of the best arrangement (M. Yue 1990), LPT within 4/3 - 1/(3*m*).

use super::{Packing, Piece, Suite, longest_first};

/// Capacities that are tried at most.
const PASSES: usize = 12;

/// An arrangement of the same pieces that is shorter than `base`, if one is found within so many steps. A step is a
/// machine that is tried for a piece; what was needed is taken off `left`.
pub(super) fn multifit(
    suite: &Suite,
    base: &Packing,
    bound: u64,
    effort: u64,
    left: &mut u64,
) -> Option<Packing> {
    let machines = base.machines.len();
    let pieces: Vec<Piece> = longest_first(suite, &base.machines.concat()).collect();
    let weights: Vec<u64> = pieces.iter().map(|&piece| suite.weight(piece)).collect();
    let (mut low, mut high) = (bound, base.makespan().saturating_sub(1));
    let mut best: Option<Packing> = None;
    let mut budget = effort;
    for _ in 0..PASSES {
        // A pass that could not be ended would be for nothing.
        if low > high || (pieces.len() as u64).saturating_mul(machines as u64) > budget {
            break;
        }
        let capacity = low + (high - low) / 2;
        let fit = fit(&weights, machines, capacity, &mut budget);
        let packed = fit.map(|places| {
            let mut packing = Packing::new(machines);
            for (&piece, machine) in pieces.iter().zip(places) {
                packing.add(suite, machine, piece);
            }
            packing
        });
        match packed {
            // Pieces of one group that met have made it shorter than was foreseen.
            Some(packing) => {
                high = packing.makespan().min(capacity).saturating_sub(1);
                best = Some(packing);
            }
            None => low = capacity + 1,
        }
    }
    *left -= effort - budget;
    best
}

/// First fit: the machine of each piece, if all have room.
fn fit(weights: &[u64], machines: usize, capacity: u64, budget: &mut u64) -> Option<Vec<usize>> {
    let mut loads = vec![0u64; machines];
    let mut places = Vec::with_capacity(weights.len());
    for &weight in weights {
        let fits = |load: &u64| load.saturating_add(weight) <= capacity;
        let place = loads.iter().position(fits);
        *budget = budget.saturating_sub(place.unwrap_or(machines) as u64 + 1);
        let place = place?;
        loads[place] += weight;
        places.push(place);
    }
    Some(places)
}
