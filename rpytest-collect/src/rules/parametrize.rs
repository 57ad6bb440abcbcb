//! `pytest.mark.parametrize`, and `params` of a fixture, with values that are known.

use super::eval::{Evaluator, MAX_ITEMS};
use super::ids;
use super::marks::Arguments;
use super::names::Names;
use super::program::Module;
use super::project_classes;
use super::resolve::World;
use super::scope::Scope;
use super::value::Value;
use crate::Reason;
use crate::config::Config;
use crate::syntax::Expr;

/// One `parametrize`: its arguments' names, and for each set its id and its values.
#[derive(Debug)]
pub(crate) struct ParameterSets<'a> {
    pub(crate) argnames: Vec<String>,
    pub(crate) sets: Vec<Set<'a>>,
    /// Arguments whose values go to fixtures of these names.
    pub(crate) indirect: Vec<String>,
    /// As asked for.
    pub(crate) scope: Option<Scope>,
    /// Whether a set has marks.
    pub(crate) marked: bool,
    /// Whether the sets came out of something that can be gone through once only.
    pub(crate) of_iterator: bool,
}

#[derive(Debug)]
pub(crate) struct Set<'a> {
    pub(crate) id: String,
    /// One for each argument.
    pub(crate) values: Vec<Value<'a>>,
}

pub(crate) struct Parametrize<'s, 'a> {
    pub(crate) world: World<'a>,
    pub(crate) config: &'a Config,
    /// Of the test or fixture, for reasons.
    pub(crate) line: u32,
    /// The body of the class around the call.
    pub(crate) scope: Option<&'s Names<'a>>,
}

/// Strings above this get ids that differ between versions of pytest.
const LONG: usize = 100;

/// How ids are made of values.
enum Naming<'a> {
    Auto,
    /// By a function, and as without one where that gives None.
    Function(Value<'a>),
    /// One for each set, None for one that has none.
    Listed(Vec<Value<'a>>),
}

enum Id {
    Text(String),
    /// `argname` and the index of the set.
    FromArgument,
}

impl<'a> Parametrize<'_, 'a> {
    /// The sets of a mark's arguments.
    pub(crate) fn sets(&self, arguments: Arguments<'a>) -> Result<ParameterSets<'a>, Reason> {
        let Arguments {
            at,
            here,
            args,
            keywords,
        } = arguments;
        let mut evaluator = Evaluator::new(self.world, self.scope.filter(|_| here));
        let option = |name: &str| Reason::ParametrizeOption {
            name: name.to_owned(),
            line: self.line,
        };
        if args.iter().any(|arg| matches!(arg, Expr::Starred(_))) {
            return Err(option("*"));
        }
        // Those after the second are by keyword only since pytest 9.1, and warned about before.
        if args.len() > 2 {
            return Err(option("positional"));
        }
        let (mut argnames, mut argvalues) = (args.first(), args.get(1));
        let (mut ids, mut indirect, mut scope) = (None, Value::Bool(false), None);
        for (name, value) in keywords {
            match name.as_deref() {
                Some("argnames") => argnames = Some(value),
                Some("argvalues") => argvalues = Some(value),
                Some("ids") => ids = Some(value),
                Some("indirect") => indirect = evaluator.value(at, value),
                Some("scope") => match evaluator.value(at, value) {
                    Value::None => {}
                    value => scope = Some(Scope::of(&value).ok_or_else(|| option("scope"))?),
                },
                name => return Err(option(name.unwrap_or("**"))),
            }
        }
        let (Some(argnames), Some(argvalues)) = (argnames, argvalues) else {
            return Err(self.unknown("?"));
        };
        let (argnames, single) = self.argnames(&evaluator.value(at, argnames))?;
        let indirect = match indirect {
            Value::Bool(false) => Vec::new(),
            Value::Bool(true) => argnames.clone(),
            other => {
                let names = other.items().and_then(|names| texts(&names));
                let names = names.ok_or_else(|| option("indirect"))?;
                if names.iter().any(|name| !argnames.contains(name)) {
                    return Err(option("indirect"));
                }
                names
            }
        };
        let of_iterator = matches!(evaluator.value(at, argvalues), Value::Iterator(_));
        let (sets, marked) = self.named(&mut evaluator, at, &argnames, single, argvalues, ids)?;
        Ok(ParameterSets {
            marked,
            of_iterator,
            argnames,
            sets,
            indirect,
            scope,
        })
    }

    /// The sets of a fixture's `params`.
    pub(crate) fn params(
        &self,
        at: Module<'a>,
        name: &str,
        params: &'a Expr,
        ids: Option<&'a Expr>,
        scope: Scope,
    ) -> Result<ParameterSets<'a>, Reason> {
        let mut evaluator = Evaluator::new(self.world, self.scope);
        let argnames = vec![name.to_owned()];
        let (sets, marked) = self.named(&mut evaluator, at, &argnames, true, params, ids)?;
        Ok(ParameterSets {
            marked,
            of_iterator: false,
            indirect: argnames.clone(),
            argnames,
            sets,
            scope: Some(scope),
        })
    }

    fn named(
        &self,
        evaluator: &mut Evaluator<'_, 'a>,
        at: Module<'a>,
        argnames: &[String],
        single: bool,
        values: &'a Expr,
        ids: Option<&'a Expr>,
    ) -> Result<(Vec<Set<'a>>, bool), Reason> {
        let label = argnames.join(",");
        let unknown = || self.unknown(&label);
        let elements = evaluator.iterate(at, values).ok_or_else(unknown)?;
        if elements.is_empty() || elements.len() > MAX_ITEMS {
            return Err(unknown());
        }
        let naming = match ids.map(|ids| evaluator.value(at, ids)) {
            None | Some(Value::None) => Naming::Auto,
            Some(
                function @ (Value::Function(..)
                | Value::Lambda(..)
                | Value::Outside(_)
                | Value::Class(..)),
            ) => Naming::Function(function),
            Some(listed) => {
                let listed = listed.items().ok_or_else(unknown)?;
                if !listed.is_empty() && listed.len() != elements.len() {
                    return Err(self.mismatch(&label));
                }
                match listed.is_empty() {
                    true => Naming::Auto,
                    false => Naming::Listed(listed),
                }
            }
        };
        let mut sets = Vec::with_capacity(elements.len());
        let mut marked = false;
        for (index, element) in elements.into_iter().enumerate() {
            let (own, values) = match element {
                Value::Param(param) => {
                    marked |= param.marked;
                    (param.id.clone(), param.values.clone())
                }
                // It may be a `pytest.param`.
                Value::Unknown => return Err(unknown()),
                Value::Outside(path) if !super::outside::is_standard(&path) => {
                    return Err(unknown());
                }
                element if single => (Value::None, vec![element]),
                element => (Value::None, element.items().ok_or_else(unknown)?),
            };
            if values.len() != argnames.len() {
                return Err(self.mismatch(&label));
            }
            let listed = match &naming {
                Naming::Listed(listed) => listed.get(index).cloned().unwrap_or(Value::None),
                _ => Value::None,
            };
            let id = match (own, listed) {
                (Value::None, Value::None) => {
                    self.of_values(evaluator, &values, argnames, index, &naming)?
                }
                (Value::None, listed) => explicit(&listed).ok_or_else(unknown)?,
                (Value::Str(own), _) => ids::escape_str(&own),
                _ => return Err(unknown()),
            };
            sets.push(Set { id, values });
        }
        let mut out: Vec<String> = sets.iter().map(|set| set.id.clone()).collect();
        if self.config.raw_ids && out.iter().any(|id| id.contains('\\')) {
            return Err(unknown());
        }
        if ids::make_unique(&mut out) {
            if self.config.strict_ids {
                return Err(self.mismatch(&label));
            }
            for (set, id) in sets.iter_mut().zip(out) {
                set.id = id;
            }
        }
        Ok((sets, marked))
    }

    fn unknown(&self, argument: &str) -> Reason {
        Reason::DynamicParametrize {
            argument: argument.to_owned(),
            line: self.line,
        }
    }

    fn mismatch(&self, argument: &str) -> Reason {
        Reason::ParametrizeMismatch {
            argument: argument.to_owned(),
            line: self.line,
        }
    }

    /// The names, and whether a set is one bare value.
    fn argnames(&self, value: &Value<'a>) -> Result<(Vec<String>, bool), Reason> {
        if let Value::Str(text) = value {
            let names: Vec<String> = text
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            // Before pytest 8.? a comma behind the only name made no difference.
            if names.len() == 1 && text.trim_end().ends_with(',') {
                return Err(self.unknown(&names[0]));
            }
            let single = names.len() == 1;
            return Ok((names, single));
        }
        let names = match value {
            Value::Tuple(_) | Value::List(_) => value.items().and_then(|names| texts(&names)),
            _ => None,
        };
        names
            .map(|names| (names, false))
            .ok_or_else(|| self.unknown("?"))
    }

    /// `IdMaker._idval` of each value, joined.
    fn of_values(
        &self,
        evaluator: &mut Evaluator<'_, 'a>,
        values: &[Value<'a>],
        argnames: &[String],
        index: usize,
        naming: &Naming<'a>,
    ) -> Result<String, Reason> {
        let mut parts = Vec::with_capacity(values.len());
        for (value, argname) in values.iter().zip(argnames) {
            let unknown = || self.unknown(argname);
            if let Naming::Function(function) = naming {
                match evaluator.apply(function, vec![value.clone()], Some(Vec::new())) {
                    Value::None => {}
                    made => {
                        parts.push(explicit(&made).ok_or_else(unknown)?);
                        continue;
                    }
                }
            }
            let long = match value {
                Value::Str(text) => text.chars().count() > LONG,
                Value::Bytes(bytes) => bytes.len() > LONG,
                _ => false,
            };
            // Since pytest 9.2 they have none of their own; before 9.1, they had.
            let since = self.world.pytest.filter(|_| self.config.short_ids);
            if long && since.is_some_and(|version| version >= (9, 2)) {
                parts.push(format!("{argname}{index}"));
                continue;
            }
            if long && since.is_none_or(|version| version >= (9, 1)) {
                return Err(Reason::LongParameter {
                    argument: argname.clone(),
                    line: self.line,
                });
            }
            parts.push(match self.idval(value).ok_or_else(unknown)? {
                Id::Text(id) => id,
                Id::FromArgument => format!("{argname}{index}"),
            });
        }
        Ok(parts.join("-"))
    }

    /// `IdMaker._idval_from_value` and what follows it; None where the value is not known well enough.
    fn idval(&self, value: &Value<'a>) -> Option<Id> {
        if let Some(id) = scalar(value) {
            return Some(Id::Text(id));
        }
        let world = self.world;
        Some(match value {
            Value::Tuple(_)
            | Value::List(_)
            | Value::Set(_)
            | Value::Dict(_)
            | Value::Range(_)
            | Value::Nameless => Id::FromArgument,
            Value::Pattern(pattern) => match &**pattern {
                Value::Str(text) => Id::Text(ids::escape_str(text)),
                Value::Bytes(bytes) => Id::Text(ids::escape_bytes(bytes)),
                _ => return None,
            },
            Value::Lambda(..) => Id::Text("<lambda>".to_owned()),
            Value::Function(_, function) if function.decorators.is_empty() => {
                Id::Text(function.name.clone())
            }
            Value::Class(module, class) if project_classes::has_its_name(world, module, class) => {
                Id::Text(class.name.clone())
            }
            Value::Module(module) => Id::Text(module.dotted()?),
            Value::Member(module, class, name, value) => {
                match (
                    project_classes::enumeration(world, module, class)?,
                    &**value,
                ) {
                    (project_classes::Enumeration::Plain, _) => {
                        Id::Text(format!("{}.{name}", class.name))
                    }
                    (project_classes::Enumeration::Text, Value::Str(text)) => {
                        Id::Text(ids::escape_str(text))
                    }
                    (project_classes::Enumeration::Number, value @ Value::Int(_)) => {
                        Id::Text(value.text()?)
                    }
                    _ => return None,
                }
            }
            Value::Outside(path) => Id::Text(super::outside::name(path)?.to_owned()),
            _ => return None,
        })
    }
}

/// Texts, if all are.
fn texts(values: &[Value<'_>]) -> Option<Vec<String>> {
    values
        .iter()
        .map(|value| match value {
            Value::Str(text) => Some(text.to_string()),
            _ => None,
        })
        .collect()
}

/// An id that was given, which may be a number too.
fn explicit(value: &Value<'_>) -> Option<String> {
    match value {
        Value::None => None,
        value => scalar(value),
    }
}

/// The id of a value that has one by itself.
fn scalar(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::Str(text) => ids::escape_str(text),
        Value::Bytes(bytes) => ids::escape_bytes(bytes),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::None => value.text()?,
        _ => return None,
    })
}
