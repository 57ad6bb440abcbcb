//! One test function: its decorators, parameters and fixtures, to the names of its items.

use std::collections::HashSet;

use super::fixtures::{Found, Visible};
use super::marks::{self, Effect};
use super::names::Names;
use super::parametrize::{MAX_SETS, ParameterSets, Parametrize};
use crate::config::Config;
use crate::syntax::{Expr, Function};
use crate::{PluginFacts, Reason};

/// What is the same for all functions of a module.
pub(crate) struct Rules<'a> {
    pub(crate) config: &'a Config,
    pub(crate) plugins: Option<&'a PluginFacts>,
    pub(crate) names: &'a Names<'a>,
    pub(crate) visible: Visible<'a>,
}

/// The positional and keyword arguments of a `parametrize`.
pub(crate) type Arguments<'a> = (&'a [Expr], &'a [(Option<String>, Expr)]);

/// What classes and the module around a function add to it, innermost first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inherited<'a> {
    pub(crate) parametrize: Vec<Arguments<'a>>,
    pub(crate) usefixtures: Vec<String>,
}

/// What the decorators of a function come to.
#[derive(Debug, Default)]
pub(crate) struct Decorated<'a> {
    pub(crate) is_fixture: bool,
    is_static: bool,
    /// Arguments that `mock.patch` passes.
    pub(crate) mocks: usize,
    parametrize: Vec<Arguments<'a>>,
    usefixtures: Vec<String>,
    anyio: bool,
}

impl<'a> Rules<'a> {
    /// Reads decorators. `scopes` are the bodies of the classes around them.
    pub(crate) fn decorated(
        &self,
        decorators: &'a [Expr],
        line: u32,
        scopes: &[&Names<'a>],
    ) -> Result<Decorated<'a>, Reason> {
        let mut out = Decorated::default();
        // The decorator nearest to the function applies first.
        for decorator in decorators.iter().rev() {
            let unknown = |name: String| Reason::UnknownDecorator { name, line };
            let mut shadow = None;
            decorator.names(&mut |name| {
                if scopes.iter().any(|scope| !scope.get(name).is_empty()) {
                    shadow = Some(name.to_owned());
                }
            });
            let effect = marks::effect(self.names, decorator);
            if let (Some(name), false) = (shadow, matches!(effect, Effect::Fixture(_))) {
                return Err(unknown(name));
            }
            match effect {
                Effect::Keep => {}
                Effect::Patch(mocks) => out.mocks += mocks,
                Effect::Static => out.is_static = true,
                Effect::ClassMethod => {}
                Effect::Fixture(_) => out.is_fixture = true,
                Effect::Parametrize(args, keywords) => out.parametrize.push((args, keywords)),
                Effect::UseFixtures(args) => match marks::literal_names(args) {
                    Some(names) => out.usefixtures.extend(names),
                    None => return Err(unknown("pytest.mark.usefixtures".to_owned())),
                },
                Effect::AnyIo => out.anyio = true,
                Effect::Unknown(name) => return Err(unknown(name)),
            }
        }
        Ok(out)
    }

    /// The suffixes of a function's items, empty for one without parameters. None for a fixture.
    pub(crate) fn items(
        &self,
        function: &'a Function,
        scopes: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) -> Result<Option<Vec<String>>, Reason> {
        let decorated = self.decorated(&function.decorators, function.line, scopes)?;
        if decorated.is_fixture {
            return Ok(None);
        }
        let at = |name: &str| (name.to_owned(), function.line);
        if function.is_generator {
            let (name, line) = at(&function.name);
            return Err(Reason::YieldTest { name, line });
        }
        let known = |facts: &PluginFacts| !facts.collect_coroutines();
        if !self.plugins.is_some_and(known) && (function.is_async || decorated.anyio) {
            let (name, line) = at(&function.name);
            return Err(Reason::AsyncTest { name, line });
        }
        let is_method = !scopes.is_empty() && !decorated.is_static;
        let wanted: Vec<String> = function
            .params
            .iter()
            .skip(usize::from(is_method))
            .filter(|param| !param.has_default)
            .skip(decorated.mocks)
            .map(|param| param.name.clone())
            .collect();
        let mut direct = HashSet::new();
        let mut suffixes: Option<Vec<String>> = None;
        let maker = Parametrize {
            names: self.names,
            config: self.config,
            line: function.line,
        };
        for (args, keywords) in decorated.parametrize.iter().chain(&inherited.parametrize) {
            let ParameterSets { argnames, ids } = maker.sets(args, keywords)?;
            for name in &argnames {
                if !wanted.contains(name) || !direct.insert(name.clone()) {
                    return Err(Reason::ParametrizeMismatch {
                        argument: name.clone(),
                        line: function.line,
                    });
                }
            }
            suffixes = Some(product(suffixes, ids, &argnames, function.line)?);
        }
        let inherited = inherited.usefixtures.iter();
        let used = inherited.chain(&self.config.usefixtures).cloned();
        let used = decorated.usefixtures.into_iter().chain(used);
        match self
            .visible
            .parametrized(&wanted, used, &direct, self.plugins)
        {
            Ok(fixtures) => {
                // pytest parametrizes by fixtures before it does by marks.
                let marked = suffixes.take();
                for def in fixtures {
                    let params = Expr::List(def.params.clone().unwrap_or_default());
                    let args = [Expr::Str(def.name.clone()), params];
                    let ParameterSets { argnames, ids } = maker.sets(&args, &[])?;
                    suffixes = Some(product(suffixes, ids, &argnames, function.line)?);
                }
                if let Some(marked) = marked {
                    suffixes = Some(product(suffixes, marked, &[], function.line)?);
                }
            }
            Err(Found::Parametrized(def)) => {
                return Err(Reason::ParametrizedFixture {
                    name: def.name.clone(),
                    line: def.line,
                });
            }
            Err(Found::Generated) => {
                let line = function.line;
                return Err(Reason::GenerateTestsHook { line });
            }
            Err(Found::Unknown(name)) => {
                let line = function.line;
                return Err(Reason::UnknownFixture { name, line });
            }
        }
        Ok(Some(match suffixes {
            None => vec![String::new()],
            Some(ids) => ids.iter().map(|id| format!("[{id}]")).collect(),
        }))
    }

    pub(crate) fn inherited(&self, decorated: Decorated<'a>) -> Inherited<'a> {
        Inherited {
            parametrize: decorated.parametrize,
            usefixtures: decorated.usefixtures,
        }
    }
}

/// The ids of all combinations, the sets that came first outermost.
fn product(
    before: Option<Vec<String>>,
    ids: Vec<String>,
    argnames: &[String],
    line: u32,
) -> Result<Vec<String>, Reason> {
    let Some(before) = before else {
        return Ok(ids);
    };
    if before.len() * ids.len() > MAX_SETS {
        let argument = argnames.join(",");
        return Err(Reason::DynamicParametrize { argument, line });
    }
    Ok(before
        .iter()
        .flat_map(|before| ids.iter().map(move |id| format!("{before}-{id}")))
        .collect())
}
