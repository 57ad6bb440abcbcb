//! What is said of an option of rpytest's own, once: from it come the parser of the command line, `--help`,
//! error texts, completions and the manual page.

/// An option of rpytest's own.
#[derive(Debug)]
pub(crate) struct Definition {
    /// Its names, the one that texts use first.
    pub(crate) names: &'static [&'static str],
    /// Under which heading it is listed.
    pub(crate) group: Group,
    /// Whether it has a value.
    pub(crate) takes: Takes,
    /// All that its value can be, if that is a few words. The first one is what it is without the option, where
    /// pytest's parser knows it.
    pub(crate) choices: &'static [&'static str],
    /// What it does, in one sentence without a full stop.
    pub(crate) help: &'static str,
    /// Who parses it.
    pub(crate) state: State,
    /// Options that it excludes, ours or pytest's.
    pub(crate) not_with: &'static [Excluded],
    /// What it has no meaning without.
    pub(crate) needs: Option<Needed>,
}

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A switch.
    Nothing,
    /// One, in the same word behind `=` or in the next word.
    Value(&'static str),
    /// One in the same word, or none.
    Inline(&'static str),
}

/// Who parses an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The command alone; pytest's parser does not see it.
    Ours,
    /// pytest's parser, where it may also stand in `addopts`; the command only looks at it.
    Pytests,
    /// Nobody, ever: why, and what to do instead. It completes "... is not supported: ".
    Never(&'static str),
    /// Nobody yet: why, and what to do instead. It completes "... is not supported by this version of rpytest".
    NotYet(&'static str),
}

/// Options that another one does not work with.
#[derive(Debug)]
pub(crate) struct Excluded {
    /// Any of these.
    pub(crate) options: &'static [&'static str],
    /// What to do instead; it completes "... does not work with ...".
    pub(crate) remedy: &'static str,
}

/// Options of which another one needs one.
#[derive(Debug)]
pub(crate) struct Needed {
    /// Any of these.
    pub(crate) options: &'static [&'static str],
    /// How they are called in "... works with ... only".
    pub(crate) called: &'static str,
    /// What to do instead; it completes that sentence.
    pub(crate) remedy: &'static str,
}

/// Headings, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Of a run.
    Running,
    /// Of `--collect-only`.
    Collecting,
    /// Of fixtures that stay up.
    WarmState,
    /// Of watch mode.
    Watching,
    /// Of one machine of several.
    Shards,
    /// Of the daemon.
    Daemon,
    /// Of reports for programs and people.
    Reports,
    /// Of what is kept between runs, and where.
    Kept,
}

impl Group {
    /// All of them, in order.
    pub(crate) const ALL: [Group; 8] = [
        Group::Running,
        Group::Collecting,
        Group::WarmState,
        Group::Watching,
        Group::Shards,
        Group::Daemon,
        Group::Reports,
        Group::Kept,
    ];

    /// The heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Group::Running => "running",
            Group::Collecting => "collecting without running",
            Group::WarmState => "fixtures that stay up",
            Group::Watching => "watching",
            Group::Shards => "shards",
            Group::Daemon => "the daemon",
            Group::Reports => "reports",
            Group::Kept => "what is kept between runs",
        }
    }
}

impl Definition {
    const fn new(names: &'static [&'static str], group: Group, help: &'static str) -> Self {
        Definition {
            names,
            group,
            takes: Takes::Nothing,
            choices: &[],
            help,
            state: State::Ours,
            not_with: &[],
            needs: None,
        }
    }

    /// An option without a value.
    pub(super) const fn switch(
        names: &'static [&'static str],
        group: Group,
        help: &'static str,
    ) -> Self {
        Self::new(names, group, help)
    }

    /// An option with a value.
    pub(super) const fn valued(
        names: &'static [&'static str],
        value: &'static str,
        group: Group,
        help: &'static str,
    ) -> Self {
        let mut option = Self::new(names, group, help);
        option.takes = Takes::Value(value);
        option
    }

    /// An option that will exist, with the reason why it does not yet.
    pub(super) const fn not_yet(names: &'static [&'static str], reason: &'static str) -> Self {
        let mut option = Self::new(names, Group::Kept, "");
        option.state = State::NotYet(reason);
        option
    }

    /// An option that other tools have, with the reason why it makes no sense here.
    pub(super) const fn never(names: &'static [&'static str], reason: &'static str) -> Self {
        let mut option = Self::new(names, Group::Kept, "");
        option.state = State::Never(reason);
        option
    }

    /// The value may be left out, and is never in a word of its own.
    pub(super) const fn inline(mut self, value: &'static str) -> Self {
        self.takes = Takes::Inline(value);
        self
    }

    /// All that its value can be.
    pub(super) const fn choices(mut self, choices: &'static [&'static str]) -> Self {
        self.choices = choices;
        self
    }

    /// It is pytest's parser that parses it, under the name `rpytest_...`.
    pub(super) const fn by_pytest(mut self) -> Self {
        self.state = State::Pytests;
        self
    }

    /// What it excludes.
    pub(super) const fn not_with(mut self, excluded: &'static [Excluded]) -> Self {
        self.not_with = excluded;
        self
    }

    /// What it needs.
    pub(super) const fn needs(
        mut self,
        options: &'static [&'static str],
        called: &'static str,
        remedy: &'static str,
    ) -> Self {
        self.needs = Some(Needed {
            options,
            called,
            remedy,
        });
        self
    }

    /// The name that texts use.
    pub(crate) const fn name(&self) -> &'static str {
        self.names[0]
    }

    /// Whether it is one that users are told of.
    pub(crate) fn listed(&self) -> bool {
        matches!(self.state, State::Ours | State::Pytests) && !self.help.is_empty()
    }
}
