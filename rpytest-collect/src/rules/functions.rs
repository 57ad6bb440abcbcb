//! One test function: its decorators, parameters and fixtures, to the names of its items.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::closure::{Request, Visible};
use super::eval::MAX_ITEMS;
use super::marks::{self, Arguments, Effect};
use super::names::Names;
use super::parametrize::{ParameterSets, Parametrize};
use super::program::Module;
use super::reorder::Key;
use super::resolve::World;
use super::scope::Scope;
use crate::config::Config;
use crate::syntax::{Expr, Function};
use crate::{PluginFacts, Reason};

/// What is the same for all functions of a module.
pub(crate) struct Rules<'a> {
    pub(crate) config: &'a Config,
    pub(crate) plugins: Option<&'a PluginFacts>,
    pub(crate) world: World<'a>,
    /// What pytest warns of, with lines.
    pub(crate) warnings: RefCell<Vec<(u32, String)>>,
}

/// What classes and the module around a function add to it, innermost first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inherited<'a> {
    pub(crate) parametrize: Vec<Arc<ParameterSets<'a>>>,
    pub(crate) usefixtures: Vec<String>,
    /// Whether it is marked for anyio.
    pub(crate) anyio: bool,
}

/// What the decorators of a function come to.
#[derive(Debug, Default)]
pub(crate) struct Decorated<'a> {
    pub(crate) is_fixture: bool,
    pub(crate) is_static: bool,
    /// Arguments that `mock.patch` passes.
    pub(crate) mocks: usize,
    pub(crate) parametrize: Vec<Arc<ParameterSets<'a>>>,
    pub(crate) usefixtures: Vec<String>,
    /// What `hypothesis.given` passes.
    given: Vec<Arguments<'a>>,
    pub(crate) anyio: bool,
}

/// One item of a function: what stands behind its name, and its parameters of wide scopes.
#[derive(Debug, Default)]
pub(crate) struct Call<'a> {
    pub(crate) suffix: String,
    pub(crate) keys: Vec<Key<'a>>,
    /// Whether a parameter may have marks.
    pub(crate) marked: bool,
    /// Whether one of a fixture may.
    pub(crate) fixture_marks: bool,
}

impl<'a> Rules<'a> {
    /// Reads decorators of something in a module. `scopes` are the bodies of the classes around them.
    pub(crate) fn decorated(
        &self,
        at: Module<'a>,
        decorators: &'a [Expr],
        line: u32,
        scopes: &[&Names<'a>],
    ) -> Result<Decorated<'a>, Reason> {
        let mut out = Decorated::default();
        // The decorator nearest to the function applies first.
        for decorator in decorators.iter().rev() {
            let unknown = |name: String| Reason::UnknownDecorator { name, line };
            let func = match decorator {
                Expr::Call { func, .. } => func,
                other => other,
            };
            let mut shadow = None;
            func.names(&mut |name| {
                if scopes.iter().any(|scope| !scope.get(name).is_empty()) {
                    shadow = Some(name.to_owned());
                }
            });
            let effect = marks::effect(self.world, at, decorator);
            if let (Some(name), false) = (shadow, matches!(effect, Effect::Fixture(_))) {
                return Err(unknown(name));
            }
            self.apply(effect, line, scopes, &mut out)?;
        }
        Ok(out)
    }

    /// Adds the effect of a decorator or mark.
    pub(crate) fn apply(
        &self,
        effect: Effect<'a>,
        line: u32,
        scopes: &[&Names<'a>],
        out: &mut Decorated<'a>,
    ) -> Result<(), Reason> {
        let unknown = |name: String| Reason::UnknownDecorator { name, line };
        match effect {
            Effect::Keep | Effect::ClassMethod => {}
            Effect::Patch(mocks) => out.mocks += mocks,
            Effect::Given(arguments) => out.given.push(arguments),
            Effect::Static => out.is_static = true,
            Effect::Fixture(_) => out.is_fixture = true,
            Effect::Parametrize(arguments) => {
                let maker = Parametrize {
                    world: self.world,
                    config: self.config,
                    line,
                    scope: scopes.last().copied(),
                };
                let sets = maker.sets(arguments)?;
                if sets.of_iterator {
                    // Since pytest 9.1.
                    let text = "Passing a non-Collection iterable to parametrize is deprecated";
                    self.warnings.borrow_mut().push((line, text.to_owned()));
                }
                out.parametrize.push(sets.into());
            }
            Effect::UseFixtures(arguments) => match marks::literal_names(arguments.args) {
                Some(names) => out.usefixtures.extend(names),
                None => return Err(unknown("pytest.mark.usefixtures".to_owned())),
            },
            Effect::AnyIo => out.anyio = true,
            Effect::Unknown(name) => return Err(unknown(name)),
        }
        Ok(())
    }

    /// The items of a function. None for a fixture.
    pub(crate) fn items(
        &self,
        at: Module<'a>,
        function: &'a Function,
        scopes: &[&Names<'a>],
        inherited: &Inherited<'a>,
        visible: &Visible<'_, 'a>,
    ) -> Result<Option<Vec<Call<'a>>>, Reason> {
        let line = function.line;
        let mut decorated = self.decorated(at, &function.decorators, line, scopes)?;
        if decorated.is_fixture {
            return Ok(None);
        }
        let name = || function.name.clone();
        if function.is_generator {
            return Err(Reason::YieldTest { name: name(), line });
        }
        let anyio = function.is_async && (decorated.anyio || inherited.anyio);
        match self.plugins {
            None if function.is_async => {
                return Err(Reason::AsyncTest { name: name(), line });
            }
            // The plugin's fixture has parameters, unless the project has one of the same name.
            Some(facts) if anyio && facts.has_plugin("anyio") => {
                decorated.usefixtures.push("anyio_backend".to_owned());
            }
            // Of these a project's own may have parameters, and tests use them unseen.
            Some(facts)
                if function.is_async
                    && facts.has_plugin("pytest_asyncio")
                    && (visible.has("event_loop") || visible.has("event_loop_policy")) =>
            {
                return Err(Reason::AsyncTest { name: name(), line });
            }
            _ => {}
        }
        let is_method = !scopes.is_empty() && !decorated.is_static;
        let mut wanted: Vec<String> = function
            .params
            .iter()
            .skip(usize::from(is_method))
            .filter(|param| !param.has_default)
            .skip(decorated.mocks)
            .map(|param| param.name.clone())
            .collect();
        for given in &decorated.given {
            without_given(given, &mut wanted).ok_or_else(|| Reason::UnknownDecorator {
                name: "hypothesis.given".to_owned(),
                line,
            })?;
        }
        let marks: Vec<&Arc<ParameterSets<'a>>> = decorated
            .parametrize
            .iter()
            .chain(&inherited.parametrize)
            .collect();
        let mut parametrized = HashSet::new();
        let mut direct = HashSet::new();
        for sets in &marks {
            for name in &sets.argnames {
                if !sets.indirect.contains(name) {
                    direct.insert(name.clone());
                }
                if name == "request" || !parametrized.insert(name.clone()) {
                    return Err(mismatch(name, line));
                }
            }
        }
        let mut used = decorated.usefixtures;
        used.extend(inherited.usefixtures.iter().cloned());
        let closure = visible.request(&Request {
            used: &used,
            arguments: &wanted,
            direct: &direct,
            parametrized: &parametrized,
            line,
        })?;
        if let Some(name) = parametrized
            .iter()
            .find(|name| !closure.names.contains(name))
        {
            return Err(mismatch(name, line));
        }
        let marked = marks.iter().any(|sets| sets.marked);
        let mut calls: Vec<Call<'a>> = Vec::new();
        // pytest parametrizes by fixtures before it does by marks.
        for sets in &closure.parametrized {
            calls = product(calls, sets, sets.scope.unwrap_or(Scope::Function), line)?;
        }
        for sets in marks {
            let scope = match sets.scope {
                Some(scope) => scope,
                // The narrowest of the fixtures, if all arguments go to fixtures.
                None if sets.indirect.len() == sets.argnames.len() => sets
                    .argnames
                    .iter()
                    .filter_map(|name| closure.scope(name))
                    .min()
                    .unwrap_or(Scope::Function),
                None => Scope::Function,
            };
            calls = product(calls, sets, scope, line)?;
        }
        let fixture_marks = closure.parametrized.iter().any(|sets| sets.marked);
        for call in &mut calls {
            call.suffix = format!("[{}]", call.suffix);
            call.marked = marked || fixture_marks;
            call.fixture_marks = fixture_marks;
        }
        if calls.is_empty() {
            calls.push(Call::default());
        }
        Ok(Some(calls))
    }
}

fn mismatch(argument: &str, line: u32) -> Reason {
    Reason::ParametrizeMismatch {
        argument: argument.to_owned(),
        line,
    }
}

/// Takes the arguments that `hypothesis.given` passes out of those that a test wants: by position from the
/// right, or by name.
fn without_given(given: &Arguments<'_>, wanted: &mut Vec<String>) -> Option<()> {
    if given
        .args
        .iter()
        .any(|arg| matches!(arg, Expr::Starred(_) | Expr::Ellipsis))
    {
        return None;
    }
    for (name, _) in given.keywords {
        let name = name.as_deref()?;
        wanted.retain(|wanted| wanted != name);
    }
    let left = wanted.len().checked_sub(given.args.len())?;
    wanted.truncate(left);
    Some(())
}

/// All combinations, the sets that came first outermost.
fn product<'a>(
    before: Vec<Call<'a>>,
    sets: &ParameterSets<'a>,
    scope: Scope,
    line: u32,
) -> Result<Vec<Call<'a>>, Reason> {
    let first = before.is_empty();
    let before = if first { vec![Call::default()] } else { before };
    if before.len() * sets.sets.len() > MAX_ITEMS {
        let argument = sets.argnames.join(",");
        return Err(Reason::DynamicParametrize { argument, line });
    }
    let mut out = Vec::with_capacity(before.len() * sets.sets.len());
    for call in &before {
        for (index, set) in sets.sets.iter().enumerate() {
            let suffix = match first {
                true => set.id.clone(),
                false => format!("{}-{}", call.suffix, set.id),
            };
            let mut keys = call.keys.clone();
            if scope > Scope::Function {
                for (argument, value) in sets.argnames.iter().zip(&set.values) {
                    keys.push(Key {
                        argument: argument.clone(),
                        scope,
                        index,
                        direct: !sets.indirect.contains(argument),
                        value: value.clone(),
                    });
                }
            }
            out.push(Call {
                suffix,
                keys,
                ..Call::default()
            });
        }
    }
    Ok(out)
}
