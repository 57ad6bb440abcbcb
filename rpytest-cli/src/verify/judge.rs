//! What becomes of a difference: it is looked at twice, and with workers it is asked whether any workers would have it.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{Difference, Steady, differs_in_lines_of, is_text};
use super::facts::{Facts, Key, Kind, Scope};
use super::normal::Normal;
use super::observation::Ran;
use super::runs::{Bench, Stopped, Way};

/// How many tests are run by themselves, in a process of pytest's for each.
const ALONE: usize = 8;

/// How many workers' tests are run once more by pytest, in the workers' order.
const LANES: usize = 4;

/// What is known of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It was there twice, and in no run of pytest's.
    Certain,
    /// A second run of rpytest did not have it; nor did three of pytest's.
    Once,
    /// xdist has it as well.
    AsXdist,
    /// The test has it in a process of pytest's of its own: it depends on those that run before it.
    Alone,
    /// The test has it in a process of pytest's that runs what its worker has run before, in that order.
    InOrder,
    /// It follows from others that any workers would have.
    Follows,
}

impl Finding {
    /// Whether rpytest is to blame, as far as anybody knows.
    pub(super) fn counts(self) -> bool {
        matches!(self, Self::Certain | Self::Once)
    }
}

/// A run of rpytest's, and in what it differs.
struct Heard {
    way: Way,
    facts: Facts,
    /// How many differences there were when pytest had run twice.
    first: usize,
    differences: Vec<Difference>,
    findings: BTreeMap<Key, Finding>,
}

/// A difference, with the ways in which it shows.
#[derive(Clone, Debug)]
pub(super) struct Judged<'a> {
    pub(super) difference: &'a Difference,
    pub(super) finding: Finding,
    pub(super) ways: Vec<Way>,
    /// What the test says where it fails.
    pub(super) message: Option<&'a str>,
}

/// Has heard all runs.
pub(super) struct Judge {
    normal: Normal,
    one_process: Vec<Facts>,
    workers: Vec<Facts>,
    heard: Vec<Heard>,
}

fn scope(way: Way) -> Scope {
    match way {
        Way::Workers | Way::Xdist => Scope::Workers,
        Way::Pytest | Way::Cold | Way::First | Way::Warm => Scope::OneProcess,
    }
}

/// That a test is missing does not.
fn may_come_of_order(key: &Key) -> bool {
    key.kind.is_of_a_test() && key.kind != Kind::Test
}

impl Judge {
    pub(super) fn new(normal: Normal, first: &Ran, again: &Ran) -> Self {
        let mut judge = Self {
            normal,
            one_process: Vec::new(),
            workers: Vec::new(),
            heard: Vec::new(),
        };
        judge.pytest(first);
        judge.pytest(again);
        judge
    }

    fn pytest(&mut self, ran: &Ran) {
        let facts = |scope| Facts::of(ran, &self.normal, scope);
        let (one_process, workers) = (facts(Scope::OneProcess), facts(Scope::Workers));
        self.one_process.push(one_process);
        self.workers.push(workers);
    }

    /// What pytest's runs say together.
    pub(super) fn steady(&self, scope: Scope) -> Steady<'_> {
        let runs = match scope {
            Scope::OneProcess => &self.one_process,
            Scope::Workers => &self.workers,
        };
        Steady::of(&runs[0], &runs[1..])
    }

    /// Takes a run of rpytest's; returns in how much it differs.
    pub(super) fn hear(&mut self, way: Way, ran: &Ran) -> usize {
        let facts = Facts::of(ran, &self.normal, scope(way));
        let differences = self.steady(scope(way)).differences(&facts);
        let count = differences.len();
        let findings = certain(&differences);
        self.heard.push(Heard {
            way,
            facts,
            first: count,
            differences,
            findings,
        });
        count
    }

    pub(super) fn has_differences(&self) -> bool {
        self.heard.iter().any(|one| !one.differences.is_empty())
    }

    /// Runs again what differs, and pytest.
    pub(super) fn look_again(&mut self, bench: &mut Bench<'_>) -> Result<(), Stopped> {
        let ran = bench.run(Way::Pytest)?;
        // What a run that has died does not say would be taken for what varies.
        if bench.nothing_to_compare(&ran).is_none() {
            self.pytest(&ran);
        }
        let mut heard = std::mem::take(&mut self.heard);
        for one in &mut heard {
            one.differences = self.steady(scope(one.way)).differences(&one.facts);
            one.findings = certain(&one.differences);
            if one.differences.is_empty() {
                continue;
            }
            // There is a daemon by now.
            let way = if one.way == Way::First {
                Way::Warm
            } else {
                one.way
            };
            if way != Way::Cold && bench.may_have_daemon() {
                bench.settle()?;
            }
            let ran = bench.run(way)?;
            let facts = Facts::of(&ran, &self.normal, scope(way));
            let again = self.steady(scope(way)).differences(&facts);
            let again: BTreeSet<&Key> = again.iter().map(|one| &one.key).collect();
            for (key, finding) in &mut one.findings {
                if !again.contains(key) {
                    *finding = Finding::Once;
                }
            }
        }
        let in_one_process: BTreeSet<Key> = heard
            .iter()
            .filter(|one| one.way != Way::Workers)
            .flat_map(|one| one.findings.keys().cloned())
            .collect();
        for one in heard.iter_mut().filter(|one| one.way == Way::Workers) {
            self.would_any_workers(one, &in_one_process, bench)?;
        }
        self.heard = heard;
        Ok(())
    }

    /// Looks for what differs with workers only, whosever they are.
    fn would_any_workers(
        &self,
        heard: &mut Heard,
        in_one_process: &BTreeSet<Key>,
        bench: &mut Bench<'_>,
    ) -> Result<(), Stopped> {
        let open = |heard: &Heard| -> Vec<Key> {
            let open = heard.findings.iter().filter(|(key, finding)| {
                finding.counts() && !in_one_process.contains(key) && key.kind != Kind::Order
            });
            open.map(|(key, _)| key.clone()).collect()
        };
        if open(heard).is_empty() {
            return Ok(());
        }
        let mut has_answered = false;
        if bench.has_xdist {
            let ran = bench.run(Way::Xdist)?;
            has_answered = bench.nothing_to_compare(&ran).is_none();
            if has_answered {
                let theirs = Facts::of(&ran, &self.normal, Scope::Workers);
                for key in self.explained(&heard.facts, open(heard), theirs) {
                    heard.findings.insert(key, Finding::AsXdist);
                }
            }
        }
        let tests = open(heard);
        let tests: BTreeSet<String> = tests
            .into_iter()
            .filter(|key| matches!(key.kind, Kind::Outcome | Kind::Message | Kind::Captured))
            .map(|key| key.subject)
            .collect();
        for nodeid in tests.into_iter().take(ALONE) {
            let ran = bench.run_with(Way::Pytest, &bench.of_one_test(&nodeid))?;
            let alone = Facts::of(&ran, &self.normal, Scope::Workers);
            if alone.order != [nodeid.clone()] {
                continue;
            }
            let mut keys = open(heard);
            keys.retain(|key| {
                let known = self.workers[0].facts.get(key);
                key.subject == nodeid && alone.facts.get(key) != known
            });
            for key in self.explained(&heard.facts, keys, alone) {
                heard.findings.insert(key, Finding::Alone);
            }
        }
        self.would_the_order(heard, open, bench)?;
        // xdist has shown what follows from its tests; what follows from tests that pytest has run for this nobody has.
        let is_by_pytest = |one: &Finding| matches!(one, Finding::Alone | Finding::InOrder);
        if has_answered && !heard.findings.values().any(is_by_pytest) {
            return Ok(());
        }
        let of_a_test = |key: &Key| key.kind.is_of_a_test();
        let mut of_tests = heard.findings.iter().filter(|(key, _)| of_a_test(key));
        let any = of_tests.clone().next().is_some();
        if any && of_tests.all(|(_, finding)| !finding.counts()) {
            for key in open(heard) {
                heard.findings.insert(key, Finding::Follows);
            }
        }
        Ok(())
    }

    /// Has pytest run what workers have run whose tests differ, in their order: a suite may depend on it.
    fn would_the_order(
        &self,
        heard: &mut Heard,
        open: impl Fn(&Heard) -> Vec<Key>,
        bench: &mut Bench<'_>,
    ) -> Result<(), Stopped> {
        if !open(heard).iter().any(may_come_of_order) {
            return Ok(());
        }
        let (ran, lanes) = bench.lanes()?;
        let facts = Facts::of(&ran, &self.normal, Scope::Workers);
        let there_again = self.steady(Scope::Workers).differences(&facts);
        let there_again: BTreeSet<&Key> = there_again.iter().map(|one| &one.key).collect();
        let mut asked = 0;
        for lane in &lanes {
            let ids: BTreeMap<String, usize> = (lane.iter().enumerate())
                .map(|(place, nodeid)| (self.normal.id(nodeid), place))
                .collect();
            let mut keys = open(heard);
            keys.retain(|key| {
                may_come_of_order(key)
                    && there_again.contains(key)
                    && ids.contains_key(&key.subject)
            });
            let Some(last) = keys.iter().filter_map(|key| ids.get(&key.subject)).max() else {
                continue;
            };
            if asked == LANES {
                break;
            }
            asked += 1;
            let ran = bench.run_in_order(&lane[..=*last])?;
            let theirs = Facts::of(&ran, &self.normal, Scope::Workers);
            let ran_there: BTreeSet<String> = theirs.order.iter().cloned().collect();
            keys.retain(|key| {
                let known = self.workers[0].facts.get(key);
                // A run that has died says nothing of those that it did not come to.
                ran_there.contains(&key.subject) && theirs.facts.get(key) != known
            });
            for key in self.explained(&heard.facts, keys, theirs) {
                heard.findings.insert(key, Finding::InOrder);
            }
        }
        Ok(())
    }

    /// Which of the differences at `keys` were none if this were one more run of pytest's.
    fn explained(&self, heard: &Facts, mut keys: Vec<Key>, further: Facts) -> Vec<Key> {
        let base = &self.workers[0];
        let runs = [&self.workers[1..], &[further]].concat();
        let left = Steady::of(base, &runs).differences(heard);
        let left: BTreeSet<&Key> = left.iter().map(|one| &one.key).collect();
        let further = &runs[runs.len() - 1];
        keys.retain(|key| {
            let [base, further, heard] = [base, further, heard].map(|one| one.facts.get(key));
            match (base, further, heard) {
                (_, further, heard) if key.kind == Kind::Outcome => further == heard,
                _ if !left.contains(key) => true,
                (Some(base), Some(further), Some(heard)) => {
                    is_text(key.kind)
                        && base != further
                        && differs_in_lines_of(base, further, heard)
                }
                _ => false,
            }
        });
        keys
    }

    /// How many differences there seemed to be before anybody looked again.
    pub(super) fn heard_first(&self) -> usize {
        self.heard.iter().map(|one| one.first).sum()
    }

    /// How many of them are left, in all runs.
    pub(super) fn left(&self) -> usize {
        self.heard.iter().map(|one| one.differences.len()).sum()
    }

    /// All differences, each once.
    pub(super) fn judged(&self) -> Vec<Judged<'_>> {
        let mut all: Vec<Judged<'_>> = Vec::new();
        let mut places: BTreeMap<&Key, Vec<usize>> = BTreeMap::new();
        for heard in &self.heard {
            for difference in &heard.differences {
                let finding = heard.findings.get(&difference.key);
                let finding = finding.copied().unwrap_or(Finding::Certain);
                let places = places.entry(&difference.key).or_default();
                let is_same = |at: &&usize| {
                    let one: &Judged<'_> = &all[**at];
                    one.difference == difference && one.finding == finding
                };
                if let Some(at) = places.iter().find(is_same) {
                    all[*at].ways.push(heard.way);
                    continue;
                }
                places.push(all.len());
                let Key { subject, part, .. } = &difference.key;
                let message = Key::new(Kind::Message, subject, part);
                let base = &self.one_process[0];
                let message = [&heard.facts, base]
                    .into_iter()
                    .find_map(|facts| facts.facts.get(&message).map(String::as_str));
                all.push(Judged {
                    difference,
                    finding,
                    ways: vec![heard.way],
                    message: message.filter(|_| difference.key.kind == Kind::Outcome),
                });
            }
        }
        all.sort_by(|one, other| one.difference.key.cmp(&other.difference.key));
        all
    }

    /// How many results of tests were compared, in all runs of rpytest.
    pub(super) fn results(&self) -> usize {
        let tests = |one: &Heard| one.facts.order.len();
        self.heard.iter().map(tests).sum()
    }

    /// How many runs of rpytest were compared.
    pub(super) fn runs(&self) -> usize {
        self.heard.len()
    }

    /// The files that were compared, of all runs.
    pub(super) fn files(&self) -> BTreeSet<&str> {
        let keys = self.one_process[0].facts.keys();
        let keys = keys.chain(self.heard.iter().flat_map(|one| one.facts.facts.keys()));
        let files = keys.filter(|key| key.kind == Kind::File);
        files.map(|key| key.subject.as_str()).collect()
    }

    /// Whether there was JUnit XML.
    pub(super) fn has_junit(&self) -> bool {
        let mut keys = self.one_process[0].facts.keys();
        keys.any(|key| key.kind == Kind::Junit)
    }
}

fn certain(differences: &[Difference]) -> BTreeMap<Key, Finding> {
    let keys = differences.iter().map(|one| one.key.clone());
    keys.map(|key| (key, Finding::Certain)).collect()
}
