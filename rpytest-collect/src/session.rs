//! One collection: the walk, the conftests, and each file after the other.

mod ignored;
mod twins;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use self::ignored::{IgnoredBy, is_ignored};
use self::twins::twins;
use crate::answer::{Answer, Case, IgnoredBelow, Shared, Wide};
use crate::config::Config;
use crate::parallel::parallel;
use crate::rules::conftest::Conftest;
use crate::rules::fixtures::Reader;
use crate::rules::module::{self, Source};
use crate::rules::program::{Files, Parsed, Program};
use crate::rules::resolve::World;
use crate::select::{self, Nodes, Selection};
use crate::sources::{FileFacts, Sources};
use crate::syntax::{SyntaxProblem, contains};
use crate::walk::{Kind, Walk};
use crate::{
    CollectError, CollectedFile, Collection, Completeness, Diagnostic, Item, PluginFacts, Reason,
};

/// A configuration, and what was asked for.
pub(crate) struct Session<'a> {
    pub(crate) config: Config,
    pub(crate) selection: Selection,
    pub(crate) plugins: Option<&'a PluginFacts>,
    pub(crate) threads: Option<usize>,
    pub(crate) sources: Sources,
    pub(crate) nodes: Nodes,
}

impl Session<'_> {
    pub(crate) fn run(&self, arguments: &[PathBuf]) -> Result<Collection, CollectError> {
        self.sources.expect(|| {
            let (config, plugins) = (self.config.text(), self.plugins);
            format!("{config}\n{arguments:?}\n{plugins:?}")
        });
        let mut walk = Walk::default();
        for argument in arguments {
            walk.argument(argument, &self.config);
        }
        let mut conftests: Vec<PathBuf> = std::mem::take(&mut walk.conftests);
        let above = arguments.iter().flat_map(|argument| {
            argument
                .ancestors()
                .take_while(|dir| dir.starts_with(&self.config.rootdir))
        });
        conftests.extend(
            above
                .map(|dir| dir.join("conftest.py"))
                .filter(|path| path.is_file()),
        );
        let mut seen = HashSet::new();
        conftests.retain(|path| seen.insert(path.clone()));

        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for (path, message) in std::mem::take(&mut walk.problems) {
            diagnostics.push(Diagnostic {
                path: self.relative(&path),
                line: None,
                message,
            });
        }
        let threads = self.thread_count();
        let kept = Files::default();
        let program = Program::new(&kept, &self.sources, &self.config, self.plugins);
        let read = || {
            parallel(threads, &conftests, |path| {
                self.conftest(path, arguments, &program)
            })
        };
        let mut known: Option<Vec<Conftest<'_>>> = None;
        let made;
        let shared = match self.sources.recall(&conftests) {
            Some(shared) => shared,
            None => {
                made = self.shared(&conftests, known.insert(read()?));
                &made
            }
        };
        let cases = self.cases(walk, arguments, shared);
        let mut answers = match known {
            Some(_) => vec![None; cases.len()],
            None => self.sources.answers(&cases, threads),
        };
        let missing = (0..cases.len()).filter(|&at| answers[at].is_none());
        let missing: Vec<usize> = missing.collect();
        if !missing.is_empty() {
            let known = match known {
                Some(known) => known,
                None => read()?,
            };
            let directories = conftests.iter().map(|path| path.parent());
            let by_directory = directories.zip(&known);
            let by_directory: HashMap<&Path, &Conftest<'_>> = by_directory
                .filter_map(|(dir, conftest)| Some((dir?, conftest)))
                .collect();
            let found = parallel(threads, &missing, |&at| {
                let case = &cases[at];
                let answer = self.file(case, &shared.reasons, &by_directory, &program);
                self.sources.keep(case, &answer);
                answer
            })?;
            for (at, answer) in missing.into_iter().zip(found) {
                answers[at] = Some(answer);
            }
        }
        let mut collection = Collection {
            rootdir: self.config.rootdir.clone(),
            conftests: conftests.iter().map(|path| self.relative(path)).collect(),
            files: Vec::with_capacity(cases.len()),
            diagnostics,
        };
        let problem = self.sources.save(&cases, &conftests, shared);
        collection.diagnostics.extend(problem);
        let mut wide = Vec::new();
        for (case, answer) in cases.iter().zip(answers.into_iter().flatten()) {
            if let Some((mut file, keys)) = answer.file {
                if shared.gives_marks {
                    // Which, and to which items, is not known.
                    file.items
                        .iter_mut()
                        .for_each(|item| item.facts.more_marks = true);
                }
                self.nodes.keep(&case.path, &mut file)?;
                self.selection.keep(&mut file)?;
                collection.files.push(file);
                wide.push(keys);
            }
            collection.diagnostics.extend(answer.diagnostic);
        }
        without_shared(&mut collection.files, &wide);
        Ok(collection)
    }

    /// What the conftests do to all files.
    fn shared(&self, paths: &[PathBuf], conftests: &[Conftest<'_>]) -> Shared {
        let mut shared = Shared {
            reasons: self.config.reasons.clone(),
            ..Shared::default()
        };
        let plugins = self.plugins.iter().flat_map(|plugins| plugins.reasons());
        shared.reasons.extend(plugins);
        for (path, conftest) in paths.iter().zip(conftests) {
            shared.reasons.extend(conftest.session.iter().cloned());
            shared.gives_marks |= conftest.gives_marks;
            let (names, globs) = (&conftest.ignored, &conftest.ignored_globs);
            if let Some(dir) = path.parent().filter(|_| names.is_some() || globs.is_some()) {
                shared.ignored.push(IgnoredBelow {
                    dir: dir.to_owned(),
                    names: names.clone(),
                    globs: globs.clone(),
                });
            }
        }
        shared.ignored.sort_by(|a, b| a.dir.cmp(&b.dir));
        shared
    }

    /// The files that are not ignored.
    fn cases(&self, mut walk: Walk, arguments: &[PathBuf], shared: &Shared) -> Vec<Case> {
        let is_ignored = |path: &Path, by| is_ignored(path, arguments, shared, by);
        let mut files = std::mem::take(&mut walk.files);
        files.retain(|(path, _)| {
            !is_ignored(path, IgnoredBy::Sure) && !self.selection.leaves_out(path, arguments)
        });
        let mut twins = match self.config.import_mode_is_importlib {
            true => HashMap::new(),
            false => twins(&files),
        };
        let case = |(at, (path, kind)): (usize, (PathBuf, Kind))| {
            let unsure = is_ignored(&path, IgnoredBy::Perhaps);
            let unsure = unsure.then(|| Reason::ConftestDynamic {
                file: "conftest.py".to_owned(),
                name: "collect_ignore".to_owned(),
            });
            let in_environment = walk.unsure.iter().any(|dir| path.starts_with(dir));
            let in_environment = in_environment.then(|| Reason::Configuration {
                name: "--collect-in-virtualenv".to_owned(),
            });
            let twin = twins.remove(&at);
            let twin = twin.map(|name| Reason::SameModule { name });
            let reasons = unsure.into_iter().chain(in_environment).chain(twin);
            Case {
                reasons: reasons.collect(),
                path,
                kind,
            }
        };
        files.into_iter().enumerate().map(case).collect()
    }

    fn world<'a, 'f: 'a>(&self, program: &'a Program<'f>) -> World<'a> {
        World {
            modules: program,
            python: self.plugins.and_then(|facts| facts.python),
            pytest: self.plugins.and_then(|facts| facts.pytest),
        }
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        })
    }

    pub(crate) fn relative(&self, path: &Path) -> String {
        match path.strip_prefix(&self.config.rootdir) {
            Ok(below) => below.to_string_lossy().into_owned(),
            Err(_) => {
                let up = self
                    .config
                    .rootdir
                    .ancestors()
                    .position(|dir| path.starts_with(dir));
                let up = up.unwrap_or_default();
                let base = self
                    .config
                    .rootdir
                    .ancestors()
                    .nth(up)
                    .unwrap_or(Path::new("/"));
                let below = path.strip_prefix(base).unwrap_or(path);
                format!("{}{}", "../".repeat(up), below.to_string_lossy())
            }
        }
    }

    fn conftest<'a>(
        &'a self,
        path: &Path,
        arguments: &[PathBuf],
        program: &'a Program<'a>,
    ) -> Conftest<'a> {
        let id = self.relative(path);
        let Some(module) = program.module(path) else {
            return Conftest::unreadable(&id);
        };
        let world = self.world(program);
        let config = &self.config;
        // `PytestPluginManager._set_initial_conftests`: those above the arguments, and in `test*` below them.
        let initial = path.parent().is_some_and(|dir| {
            let is_test = dir
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("test"));
            arguments.iter().any(|argument| {
                argument.starts_with(dir) || (is_test && dir.parent() == Some(argument))
            })
        });
        Conftest::new(&id, module, Reader { world, config }, initial)
    }

    fn file(
        &self,
        case: &Case,
        session: &[Reason],
        conftests: &HashMap<&Path, &Conftest<'_>>,
        program: &Program<'_>,
    ) -> Answer {
        let path = case.path.as_path();
        let id = self.relative(path);
        let answer = |file, diagnostic| Answer { file, diagnostic };
        let partial = |reasons: Vec<Reason>| {
            let completeness = Completeness::from_reasons(reasons);
            let file = CollectedFile {
                path: id.clone(),
                items: Vec::new(),
                deselected: 0,
                classes: Vec::new(),
                completeness,
            };
            Some((file, Wide::new()))
        };
        let FileFacts { summary, words } = match self.sources.facts(path) {
            Ok(facts) if path.to_str().is_some() => facts,
            Ok(_) => return answer(partial(vec![Reason::Unreadable]), None),
            Err(error) => {
                let diagnostic = Diagnostic {
                    path: id.clone(),
                    line: None,
                    message: error.to_string(),
                };
                return answer(partial(vec![Reason::Unreadable]), Some(diagnostic));
            }
        };
        let text = words.as_bytes();
        let may_have_doctests = contains(text, ">>>");
        if case.kind == Kind::Doctest {
            let reasons = may_have_doctests.then(|| vec![Reason::DoctestFile]);
            return answer(reasons.and_then(partial), None);
        }
        let mut reasons: Vec<Reason> = session.iter().chain(&case.reasons).cloned().collect();
        if self.config.doctest_modules && may_have_doctests {
            reasons.push(Reason::DoctestFile);
        }
        let mut chain: Vec<&Conftest<'_>> = path
            .ancestors()
            .skip(1)
            .filter_map(|dir| conftests.get(dir).copied())
            .collect();
        chain.reverse();
        reasons.extend(
            chain
                .iter()
                .flat_map(|conftest| conftest.below.iter().cloned()),
        );
        let summary = match summary {
            Ok(summary) => summary,
            Err(problem) => {
                let (reason, diagnostic) = explain(problem, &id);
                reasons.insert(0, reason);
                return answer(partial(reasons), diagnostic);
            }
        };
        let parsed = Parsed::new(path, &summary, &words, &self.sources.disk);
        let collected = module::collect(&Source {
            id: &id,
            module: &parsed,
            world: self.world(program),
            config: &self.config,
            plugins: self.plugins,
            conftests: &chain,
        });
        reasons.extend(collected.reasons);
        if !reasons.is_empty() {
            return answer(partial(reasons), None);
        }
        let mut items = collected.items;
        let world = self.world(program);
        select::attach(&mut items, &collected.marked, &parsed, world);
        let registered = |mark: &str| {
            let plugins = self.plugins.into_iter().flat_map(|facts| &facts.marks);
            self.config.registers(mark) || plugins.into_iter().any(|known| known == mark)
        };
        let unknown_mark = || {
            let marks = items.iter().flat_map(|item| &item.facts.marks);
            marks.clone().any(|mark| !registered(&mark.name))
        };
        if self.config.strict_warnings && (!collected.warnings.is_empty() || unknown_mark()) {
            let name = "filterwarnings".to_owned();
            return answer(partial(vec![Reason::Configuration { name }]), None);
        }
        let diagnostic = collected.warnings.into_iter().next();
        let diagnostic = diagnostic.map(|(line, message)| Diagnostic {
            path: id.clone(),
            line: Some(line),
            message,
        });
        let file = CollectedFile {
            path: id,
            items: in_order(items, &collected.order),
            deselected: 0,
            classes: collected.classes,
            completeness: Completeness::Exact,
        };
        answer(Some((file, collected.wide)), diagnostic)
    }
}

fn in_order(items: Vec<Item>, order: &[usize]) -> Vec<Item> {
    if order.iter().copied().eq(0..items.len()) {
        return items;
    }
    let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
    order
        .iter()
        .filter_map(|&at| items.get_mut(at).and_then(Option::take))
        .collect()
}

/// Makes files partial whose items pytest may put between those of another file: those that have parameters
/// of a package's or the session's scope that another has too, or one of which nothing is known.
fn without_shared(files: &mut [CollectedFile], wide: &[Wide]) {
    let unknown = files.iter().any(|file| !file.completeness.is_exact());
    let shared: Vec<Option<String>> = wide
        .iter()
        .enumerate()
        .map(|(at, keys)| {
            let (_, argument) = keys.iter().find(|key| {
                let others = wide.iter().enumerate();
                unknown
                    || others
                        .clone()
                        .any(|(other, keys)| other != at && keys.contains(key))
            })?;
            Some(argument.clone())
        })
        .collect();
    for (file, argument) in files.iter_mut().zip(shared) {
        let (Some(argument), Some(first)) = (argument, file.items.first()) else {
            continue;
        };
        let reason = Reason::ParameterOrder {
            argument,
            line: first.line,
        };
        file.items.clear();
        file.classes.clear();
        file.deselected = 0;
        file.completeness = Completeness::Partial(vec![reason]);
    }
}

fn explain(problem: SyntaxProblem, path: &str) -> (Reason, Option<Diagnostic>) {
    let diagnostic = |line, message| {
        Some(Diagnostic {
            path: path.to_owned(),
            line,
            message,
        })
    };
    match problem {
        SyntaxProblem::NoParser => (Reason::NoParser, None),
        SyntaxProblem::TooLarge { bytes } => (Reason::TooLarge { bytes }, None),
        SyntaxProblem::Encoding { name } => (Reason::Encoding { name }, None),
        SyntaxProblem::TooDeep { line } => (Reason::TooDeep { line }, None),
        SyntaxProblem::Error { line, message } => (
            Reason::SyntaxError { line },
            diagnostic(Some(line), message),
        ),
        SyntaxProblem::Unsupported { line } => (Reason::UnsupportedSyntax { line }, None),
        SyntaxProblem::ParserPanicked => (
            Reason::ParserFailed,
            diagnostic(None, "the parser failed".to_owned()),
        ),
    }
}
