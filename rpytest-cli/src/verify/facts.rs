//! A run as a set of facts, each of which another run has as well, or has not.

use std::collections::{BTreeMap, BTreeSet};

use super::normal::Normal;
use super::observation::{Ran, Report};

/// What a fact is about. The order is that in which differences are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    ExitCode,
    Test,
    Order,
    Outcome,
    Message,
    Captured,
    Attribute,
    Collection,
    Warning,
    Output,
    Junit,
    File,
}

impl Kind {
    /// As a heading.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::ExitCode => "exit code",
            Self::Test => "tests",
            Self::Order => "order",
            Self::Outcome => "outcomes",
            Self::Message => "messages",
            Self::Captured => "captured output",
            Self::Attribute => "attributes of reports",
            Self::Collection => "collection",
            Self::Warning => "warnings",
            Self::Output => "terminal output",
            Self::Junit => "JUnit XML",
            Self::File => "files",
        }
    }

    /// Whether the fact is about one test.
    pub(super) fn is_of_a_test(self) -> bool {
        matches!(
            self,
            Self::Test | Self::Outcome | Self::Message | Self::Captured | Self::Attribute
        )
    }
}

/// Which fact it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) kind: Kind,
    /// A node id, a path, a stream.
    pub(super) subject: String,
    /// A phase, or an attribute; often nothing.
    pub(super) part: String,
}

impl Key {
    pub(super) fn new(kind: Kind, subject: impl Into<String>, part: impl Into<String>) -> Self {
        let (subject, part) = (subject.into(), part.into());
        Self {
            kind,
            subject,
            part,
        }
    }
}

/// What is compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) facts: BTreeMap<Key, String>,
    /// The node ids, in the order in which they were reported.
    pub(super) order: Vec<String>,
}

/// In whose company tests have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// One process has run them all.
    OneProcess,
    /// Several have: each has set up what tests share, so that what that writes is found with other tests.
    /// What a terminal shows of workers is another matter than what it shows without.
    Workers,
}

impl Facts {
    pub(super) fn of(ran: &Ran, normal: &Normal, scope: Scope) -> Self {
        let mut facts = Self::default();
        let mut add = |key: Key, text: String| _ = facts.facts.insert(key, text);
        add(Key::new(Kind::ExitCode, "", ""), ran.code.to_string());
        if scope == Scope::OneProcess {
            for (name, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
                add(Key::new(Kind::Output, name, ""), normal.output(text));
            }
        }
        if let Some(junit) = &ran.junit {
            add(Key::new(Kind::Junit, "", ""), normal.markup(junit));
        }
        for (path, text) in &ran.files {
            add(Key::new(Kind::File, path, ""), text.clone());
        }
        let Some(observation) = &ran.observation else {
            return facts;
        };
        let mut of_a_place: BTreeMap<Key, Vec<String>> = BTreeMap::new();
        for warning in &observation.warnings {
            let nodeid = normal.id(&warning.nodeid);
            let (category, file) = (&warning.category, normal.text(&warning.file));
            let place = format!("{category}, {file}:{}, {}", warning.line, warning.when);
            let key = Key::new(Kind::Warning, nodeid, place);
            let message = normal.text(&warning.message);
            of_a_place.entry(key).or_default().push(message);
        }
        for report in &observation.collected {
            let key = Key::new(Kind::Collection, normal.id(&report.nodeid), "");
            let longrepr = normal.text(report.longrepr.as_deref().unwrap_or_default());
            let text = format!("{}\n{longrepr}", report.outcome);
            of_a_place.entry(key).or_default().push(text);
        }
        for (key, mut texts) in of_a_place {
            texts.sort();
            facts.facts.insert(key, texts.join("\n"));
        }
        facts.reports(&observation.reports, normal, scope);
        facts
    }

    fn reports(&mut self, reports: &[Report], normal: &Normal, scope: Scope) {
        let mut phases: BTreeMap<(String, &str), u32> = BTreeMap::new();
        // What each test had to show so far, since a report repeats what the last one had.
        let mut shown: BTreeMap<String, &[(String, String)]> = BTreeMap::new();
        let mut attributes: BTreeMap<String, &BTreeMap<String, String>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut of_all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for report in reports {
            let id = normal.id(&report.nodeid);
            if seen.insert(id.clone()) {
                self.order.push(id.clone());
                let key = Key::new(Kind::Test, &id, "");
                self.facts.insert(key, "present".to_owned());
            }
            let times = phases.entry((id.clone(), &report.when)).or_default();
            *times += 1;
            // A test may have a phase several times: subtests, reruns.
            let part = match times {
                1 => report.when.clone(),
                n => format!("{} {n}", report.when),
            };
            let mut add = |kind, text: String| {
                let key = Key::new(kind, &id, &part);
                self.facts.insert(key, text);
            };
            add(Kind::Outcome, report.outcome.clone());
            if let Some(longrepr) = &report.longrepr {
                add(Kind::Message, normal.text(longrepr));
            }
            let before = shown
                .insert(id.clone(), &report.sections)
                .unwrap_or_default();
            let further = report.sections.strip_prefix(before);
            let sections = further.unwrap_or(&report.sections);
            let own = scope == Scope::OneProcess || report.when == "call";
            if own && !sections.is_empty() {
                let sections = sections
                    .iter()
                    .map(|(name, text)| format!("{name}:\n{}", normal.text(text)));
                add(Kind::Captured, sections.collect::<Vec<_>>().join("\n"));
            } else {
                for (name, text) in sections {
                    let lines = of_all.entry(name.clone()).or_default();
                    lines.extend(normal.text(text).lines().map(str::to_owned));
                }
            }
            // What the last phase has had as well is said once.
            let before = attributes.insert(id.clone(), &report.others);
            let new = report.others.iter().filter(|(name, value)| {
                before.and_then(|before| before.get(*name)) != Some(*value)
            });
            let mut new: Vec<_> = new
                .map(|(name, value)| format!("{name}: {}", normal.text(value)))
                .collect();
            // What is not there any more must be gone on both sides.
            let names = before.into_iter().flat_map(BTreeMap::keys);
            let gone = names.filter(|name| !report.others.contains_key(*name));
            new.extend(gone.map(|name| format!("{name}: no longer")));
            if further.is_none() {
                new.push("sections: not those of the phase before".to_owned());
            }
            if !new.is_empty() {
                add(Kind::Attribute, new.join("\n"));
            }
        }
        for (name, lines) in of_all {
            let lines: Vec<_> = lines.into_iter().collect();
            let key = Key::new(Kind::Captured, "all tests together", name);
            self.facts.insert(key, lines.join("\n"));
        }
    }
}
