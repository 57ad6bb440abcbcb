//! Expressions of constants, evaluated within bounds.
//!
//! What is not known stays [`Value::Unknown`] and does no harm where nobody asks for it: the number of
//! parameter sets is often known while their values are not.

use super::calls;
use super::names::{Bound, Names};
use super::operators;
use super::outside;
use super::program::Module;
use super::project_classes;
use super::resolve::{self, Changed, Thing, World};
use super::value::Value;
use crate::syntax::{Class, Comprehension, Expr, Generator, Lambda, Makes};

/// Expressions that one evaluation may visit, and elements that a value may have.
const BUDGET: u32 = 2_000_000;
pub(crate) const MAX_ITEMS: usize = 100_000;
/// Calls and names within each other.
const MAX_DEPTH: u32 = 40;

pub(crate) struct Evaluator<'s, 'a> {
    pub(crate) world: World<'a>,
    /// The body of the class that an expression stands in.
    scope: Option<&'s Names<'a>>,
    locals: Vec<(&'a str, Value<'a>)>,
    budget: u32,
    depth: u32,
}

impl<'s, 'a> Evaluator<'s, 'a> {
    pub(crate) fn new(world: World<'a>, scope: Option<&'s Names<'a>>) -> Self {
        Self {
            world,
            scope,
            locals: Vec::new(),
            budget: BUDGET,
            depth: 0,
        }
    }

    /// The value of an expression of a module.
    pub(crate) fn value(&mut self, at: Module<'a>, expr: &'a Expr) -> Value<'a> {
        if !self.charge(1) {
            return Value::Unknown;
        }
        let value = match Value::literal(expr) {
            Some(value) => value,
            None => self.evaluate(at, expr),
        };
        self.bounded(value)
    }

    /// Takes from the budget. Whether it was there.
    pub(super) fn charge(&mut self, cost: usize) -> bool {
        let left = u32::try_from(cost).map_or(None, |cost| self.budget.checked_sub(cost));
        self.budget = left.unwrap_or(0);
        left.is_some()
    }

    /// A value that can be held, at its price: whoever asks for a value looks at its elements.
    fn bounded(&mut self, value: Value<'a>) -> Value<'a> {
        match value.length() {
            length if length > MAX_ITEMS => match value {
                Value::Str(_) | Value::Bytes(_) => Value::Instance,
                _ => Value::Unknown,
            },
            length => match self.charge(length / 8) {
                true => value,
                false => Value::Unknown,
            },
        }
    }

    /// What a name or a chain of attributes stands for.
    fn thing(&mut self, at: Module<'a>, expr: &'a Expr) -> Thing<'a> {
        let thing = self.world.thing(at, expr);
        match self.charge(resolve::steps() as usize) {
            true => thing,
            false => Thing::Unknown,
        }
    }

    fn evaluate(&mut self, at: Module<'a>, expr: &'a Expr) -> Value<'a> {
        match expr {
            Expr::Name(name) => self.name(at, name, expr),
            Expr::Attr(value, attr) => self.attr(at, value, attr, expr),
            Expr::Tuple(items) => self.display(at, items).map_or(Value::Unknown, Value::tuple),
            Expr::List(items) => self.display(at, items).map_or(Value::Unknown, Value::list),
            Expr::Set(items) => {
                let items = self.display(at, items);
                // Equal elements would be one; what is not known may be equal.
                items.map_or(Value::Nameless, |items| match distinct(&items) {
                    true => Value::Set(items.into()),
                    false => Value::Nameless,
                })
            }
            Expr::Dict(items) => self.dict(at, items),
            Expr::Comprehension(comprehension) => self.comprehension(at, comprehension),
            Expr::Call {
                func,
                args,
                keywords,
            } => self.nested(|this| this.call(at, func, args, keywords)),
            Expr::Lambda(lambda) => Value::Lambda(at, lambda),
            Expr::Binary(left, op, right) => {
                let (left, right) = (self.value(at, left), self.value(at, right));
                operators::binary(&left, *op, &right)
            }
            Expr::Compare(left, op, right) => {
                let (left, right) = (self.value(at, left), self.value(at, right));
                // Whatever it compares: what comes out is no `pytest.param`.
                operators::compare(&left, *op, &right).map_or(Value::Instance, Value::Bool)
            }
            Expr::Logic(and, items) => self.logic(at, *and, items),
            Expr::Not(value) => {
                let truth = self.value(at, value).truth();
                truth.map_or(Value::Instance, |truth| Value::Bool(!truth))
            }
            Expr::Negate(value) => match self.value(at, value) {
                Value::Int(value) => value.checked_neg().map_or(Value::Instance, Value::Int),
                Value::Float(value) => Value::Float(-value),
                Value::Bool(value) => Value::Int(-i128::from(value)),
                _ => Value::Instance,
            },
            Expr::Subscript(value, index) => self.subscript(at, value, index),
            Expr::If(parts) => {
                let [test, body, orelse] = &**parts;
                match self.value(at, test).truth() {
                    Some(true) => self.value(at, body),
                    Some(false) => self.value(at, orelse),
                    None => Value::Unknown,
                }
            }
            Expr::FString(parts) => self.f_string(at, parts),
            _ => Value::Unknown,
        }
    }

    /// The elements of a literal. None where it is not known how many there are.
    pub(crate) fn display(&mut self, at: Module<'a>, items: &'a [Expr]) -> Option<Vec<Value<'a>>> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Expr::Starred(inner) => out.extend(self.value(at, inner).items()?),
                item => out.push(self.value(at, item)),
            }
            if out.len() > MAX_ITEMS {
                return None;
            }
        }
        Some(out)
    }

    fn nested(&mut self, run: impl FnOnce(&mut Self) -> Value<'a>) -> Value<'a> {
        if self.depth >= MAX_DEPTH {
            return Value::Unknown;
        }
        self.depth += 1;
        let value = run(self);
        self.depth -= 1;
        value
    }

    /// Evaluates elsewhere: with other local names, and in the body of another class.
    pub(super) fn elsewhere<R>(
        &mut self,
        locals: Vec<(&'a str, Value<'a>)>,
        scope: Option<&Names<'a>>,
        run: impl FnOnce(&mut Evaluator<'_, 'a>) -> R,
    ) -> R {
        let mut other = Evaluator {
            world: self.world,
            scope,
            locals,
            budget: self.budget,
            depth: self.depth,
        };
        let out = run(&mut other);
        self.budget = other.budget;
        out
    }

    /// A local name or one of the class around, where it is one.
    fn inner(&mut self, at: Module<'a>, name: &str) -> Option<Value<'a>> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(local, _)| *local == name) {
            return Some(value.clone());
        }
        let scope = self.scope?;
        match scope.get(name) {
            [] => None,
            // A comprehension does not see the names of the class around it, but for its first iterable.
            _ if !self.locals.is_empty() => Some(Value::Unknown),
            [one] if !one.conditional => Some(match one.bound {
                Bound::Value(expr) => {
                    let value = self.nested(|this| this.value(at, expr));
                    let gone = matches!(value, Value::Iterator(_));
                    match gone || (value.is_mutable() && at.is_exposed(name)) {
                        true => Value::Unknown,
                        false => value,
                    }
                }
                Bound::Function(function) => Value::Function(at, function),
                Bound::Class(class) => Value::Class(at, class),
                _ => Value::Unknown,
            }),
            _ => Some(Value::Unknown),
        }
    }

    fn name(&mut self, at: Module<'a>, name: &str, expr: &'a Expr) -> Value<'a> {
        match self.inner(at, name) {
            Some(value) => value,
            None => {
                let thing = self.thing(at, expr);
                self.of(thing)
            }
        }
    }

    /// The value of a thing.
    pub(crate) fn of(&mut self, thing: Thing<'a>) -> Value<'a> {
        match thing {
            Thing::Function(module, function) => Value::Function(module, function),
            Thing::Class(module, class) => Value::Class(module, class),
            Thing::Outside(path) => match outside::constant(&path) {
                Some(value) => Value::Float(value),
                None => Value::Outside(path.into()),
            },
            Thing::Value(module, expr, changed) => {
                let value = self.nested(|this| {
                    this.elsewhere(Vec::new(), None, |other| other.value(module, expr))
                });
                // An iterator that has a name may have been gone through before.
                let gone = matches!(value, Value::Iterator(_));
                match gone || (value.is_mutable() && changed == Changed::Perhaps) {
                    true => Value::Unknown,
                    false => value,
                }
            }
            Thing::Module(module) => Value::Module(module),
            Thing::Unknown => Value::Unknown,
        }
    }

    /// Whether the root of a chain of attributes is a local name or one of the class around.
    fn is_inner(&mut self, at: Module<'a>, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.inner(at, name).is_some(),
            Expr::Attr(value, _) => self.is_inner(at, value),
            _ => true,
        }
    }

    fn attr(&mut self, at: Module<'a>, value: &'a Expr, attr: &str, whole: &'a Expr) -> Value<'a> {
        if !self.is_inner(at, value) {
            let thing = self.thing(at, whole);
            if !matches!(thing, Thing::Unknown) {
                return self.of(thing);
            }
        }
        let value = self.value(at, value);
        self.nested(|this| this.attribute(&value, attr))
    }

    pub(super) fn attribute(&mut self, value: &Value<'a>, attr: &str) -> Value<'a> {
        match value {
            Value::Class(module, class) => self.of_class(module, class, attr),
            Value::Outside(path) if attr == "__name__" => {
                outside::name(path).map_or(Value::Unknown, Value::str)
            }
            Value::Module(module) if attr == "__name__" => {
                module.dotted().map_or(Value::Instance, Value::str)
            }
            Value::Member(_, _, name, _) if attr == "name" => Value::str(name),
            Value::Member(_, _, _, value) if attr == "value" => (**value).clone(),
            Value::Function(_, function)
                if attr == "__name__" && function.decorators.is_empty() =>
            {
                Value::str(&function.name)
            }
            _ => Value::Unknown,
        }
    }

    fn of_class(&mut self, module: Module<'a>, class: &'a Class, attr: &str) -> Value<'a> {
        if let Some(kind) = project_classes::enumeration(self.world, module, class) {
            let members = self.members(module, class, kind);
            let member = members
                .into_iter()
                .flatten()
                .find(|member| matches!(member, Value::Member(_, _, name, _) if *name == attr));
            return member.unwrap_or(Value::Unknown);
        }
        let touched = module
            .summary
            .touched
            .iter()
            .any(|(_, name)| *name == class.name);
        let plain = class.bases.is_empty() && class.decorators.is_empty() && !class.has_keywords;
        if touched || !plain {
            return Value::Unknown;
        }
        if attr == "__name__" {
            return Value::str(&class.name);
        }
        let body = Names::of_body(&class.body);
        match body.single(attr).map(|binding| binding.bound) {
            Some(Bound::Value(expr)) => {
                let value =
                    self.elsewhere(Vec::new(), Some(&body), |other| other.value(module, expr));
                match value.is_mutable()
                    && (module.is_exposed(attr) || module.is_exposed(&class.name))
                {
                    true => Value::Unknown,
                    false => value,
                }
            }
            Some(Bound::Function(function)) => Value::Function(module, function),
            Some(Bound::Class(class)) => Value::Class(module, class),
            _ => Value::Unknown,
        }
    }

    /// The members of an enumeration, without aliases. None where they are not known.
    pub(super) fn members(
        &mut self,
        module: Module<'a>,
        class: &'a Class,
        kind: project_classes::Enumeration,
    ) -> Option<Vec<Value<'a>>> {
        let body = Names::of_body(&class.body);
        let mut members: Vec<Value<'a>> = Vec::new();
        for (name, bindings) in body.iter() {
            let [one] = bindings else { return None };
            let value = match one.bound {
                _ if one.conditional => return None,
                Bound::Function(_) => continue,
                _ if name.starts_with('_') => continue,
                Bound::Value(value) => value,
                _ => return None,
            };
            let made = match value {
                Expr::Call { func, args, .. } if args.is_empty() => self.world.path(module, func),
                _ => None,
            };
            let value = match made.as_deref() {
                Some("enum.auto") if kind == project_classes::Enumeration::Text => return None,
                // A number above those before it.
                Some("enum.auto") => Value::Instance,
                // Different from all others.
                Some("builtins.object") => Value::Nameless,
                _ => self.elsewhere(Vec::new(), Some(&body), |other| other.value(module, value)),
            };
            if !self.charge(members.len() / 8) {
                return None;
            }
            for member in &members {
                let Value::Member(_, _, _, other) = member else {
                    continue;
                };
                let distinct = match (made.as_deref(), &**other) {
                    (Some("builtins.object" | "enum.auto"), _) | (_, Value::Nameless) => true,
                    (_, Value::Instance) => matches!(value, Value::Str(_) | Value::Tuple(_)),
                    _ => value.equals(other) == Some(false),
                };
                // An equal value makes an alias, which is no member of its own.
                if !distinct {
                    return None;
                }
            }
            members.push(Value::Member(module, class, name, value.into()));
        }
        Some(members)
    }

    fn dict(&mut self, at: Module<'a>, items: &'a [(Option<Expr>, Expr)]) -> Value<'a> {
        let mut out: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(items.len());
        for (key, value) in items {
            let Some(key) = key else {
                match self.value(at, value) {
                    Value::Dict(inner) => {
                        for (key, value) in inner.iter() {
                            if calls::insert(&mut out, key.clone(), value.clone()).is_none() {
                                return Value::Nameless;
                            }
                        }
                        continue;
                    }
                    _ => return Value::Nameless,
                }
            };
            let (key, value) = (self.value(at, key), self.value(at, value));
            if calls::insert(&mut out, key, value).is_none() {
                return Value::Nameless;
            }
        }
        Value::Dict(out.into())
    }

    fn comprehension(&mut self, at: Module<'a>, comprehension: &'a Comprehension) -> Value<'a> {
        let mut out = Vec::new();
        let before = self.locals.len();
        let known = self.generate(
            at,
            &comprehension.generators,
            &comprehension.element,
            &mut out,
        );
        self.locals.truncate(before);
        if known.is_none() {
            return match comprehension.makes {
                Makes::Set | Makes::Dict | Makes::List => Value::Nameless,
                // It has a name.
                Makes::Generator => Value::Instance,
            };
        }
        match comprehension.makes {
            Makes::List => Value::list(out),
            Makes::Generator => Value::Iterator(out.into()),
            Makes::Set if distinct(&out) => Value::Set(out.into()),
            Makes::Set => Value::Nameless,
            Makes::Dict => {
                let mut items = Vec::with_capacity(out.len());
                for pair in out {
                    let Value::Tuple(pair) = pair else {
                        return Value::Nameless;
                    };
                    let [key, value] = &*pair else {
                        return Value::Nameless;
                    };
                    if calls::insert(&mut items, key.clone(), value.clone()).is_none() {
                        return Value::Nameless;
                    }
                }
                Value::Dict(items.into())
            }
        }
    }

    fn generate(
        &mut self,
        at: Module<'a>,
        generators: &'a [Generator],
        element: &'a Expr,
        out: &mut Vec<Value<'a>>,
    ) -> Option<()> {
        let Some((first, rest)) = generators.split_first() else {
            out.push(self.value(at, element));
            return (out.len() <= MAX_ITEMS).then_some(());
        };
        let items = self.iterate(at, &first.iter)?;
        for item in items {
            let before = self.locals.len();
            self.bind(&first.target, item)?;
            let mut wanted = true;
            for condition in &first.conditions {
                wanted = wanted && self.value(at, condition).truth()?;
            }
            if wanted {
                self.generate(at, rest, element, out)?;
            }
            self.locals.truncate(before);
        }
        Some(())
    }

    /// The elements that iterating over an expression's value gives.
    pub(crate) fn iterate(&mut self, at: Module<'a>, expr: &'a Expr) -> Option<Vec<Value<'a>>> {
        let value = self.value(at, expr);
        self.elements(&value)
    }

    pub(super) fn elements(&mut self, value: &Value<'a>) -> Option<Vec<Value<'a>>> {
        match value {
            Value::Class(module, class) => {
                let kind = project_classes::enumeration(self.world, module, class)?;
                self.members(module, class, kind)
            }
            value => self
                .charge(value.length() / 8)
                .then(|| value.items())
                .flatten(),
        }
    }

    /// Binds the names of a target. None where the value cannot be taken apart as it asks.
    fn bind(&mut self, target: &'a Expr, value: Value<'a>) -> Option<()> {
        match target {
            Expr::Name(name) => self.locals.push((name, value)),
            Expr::Tuple(targets) | Expr::List(targets) => match value.items() {
                Some(items) if items.len() == targets.len() => {
                    for (target, item) in targets.iter().zip(items) {
                        self.bind(target, item)?;
                    }
                }
                Some(_) => return None,
                None => {
                    for target in targets {
                        self.bind(target, Value::Unknown)?;
                    }
                }
            },
            _ => return None,
        }
        Some(())
    }

    fn logic(&mut self, at: Module<'a>, and: bool, items: &'a [Expr]) -> Value<'a> {
        let mut last = Value::Unknown;
        for item in items {
            last = self.value(at, item);
            match last.truth() {
                Some(truth) if truth == and => {}
                Some(_) => return last,
                None => return Value::Unknown,
            }
        }
        last
    }

    fn subscript(&mut self, at: Module<'a>, value: &'a Expr, index: &'a Expr) -> Value<'a> {
        let value = self.value(at, value);
        if let Expr::Slice(parts) = index {
            let mut bounds = [None; 3];
            for (bound, part) in bounds.iter_mut().zip(parts) {
                *bound = match part.as_deref().map(|part| self.value(at, part)) {
                    None | Some(Value::None) => None,
                    Some(Value::Int(value)) => Some(value),
                    Some(_) => return Value::Unknown,
                };
            }
            return operators::slice(&value, bounds);
        }
        let index = self.value(at, index);
        match (&value, &index) {
            (Value::Tuple(items) | Value::List(items), Value::Int(index)) => {
                let length = i128::try_from(items.len()).unwrap_or(i128::MAX);
                let index = if *index < 0 { index + length } else { *index };
                let index = usize::try_from(index).ok();
                index
                    .and_then(|index| items.get(index).cloned())
                    .unwrap_or(Value::Unknown)
            }
            (Value::Dict(items), key) => calls::get(items, key).unwrap_or(Value::Unknown),
            (Value::Class(module, class), Value::Str(name)) => {
                match project_classes::enumeration(self.world, module, class) {
                    Some(_) => self.of_class(module, class, name),
                    None => Value::Unknown,
                }
            }
            _ => Value::Unknown,
        }
    }

    fn f_string(&mut self, at: Module<'a>, parts: &'a [Expr]) -> Value<'a> {
        let mut out = String::new();
        for part in parts {
            match self.value(at, part).text() {
                Some(text) if out.len() <= MAX_ITEMS => out.push_str(&text),
                // A text, but not known which.
                _ => return Value::Instance,
            }
        }
        Value::str(out)
    }

    fn call(
        &mut self,
        at: Module<'a>,
        func: &'a Expr,
        args: &'a [Expr],
        keywords: &'a [(Option<String>, Expr)],
    ) -> Value<'a> {
        // A method of a value that is known.
        if let Expr::Attr(owner, method) = func {
            let outside =
                !self.is_inner(at, owner) && !matches!(self.thing(at, func), Thing::Unknown);
            if !outside {
                let owner = self.value(at, owner);
                let Some(args) = self.display(at, args) else {
                    return Value::Unknown;
                };
                let keywords = self.keywords(at, keywords);
                return match owner {
                    Value::Class(..) => match self.attribute(&owner, method) {
                        Value::Function(module, function) if is_static(function) => {
                            self.apply(&Value::Function(module, function), args, keywords)
                        }
                        _ => Value::Unknown,
                    },
                    owner => calls::method(self, &owner, method, &args, keywords.as_deref()),
                };
            }
        }
        let callee = self.value(at, func);
        let Some(args) = self.display(at, args) else {
            return match &callee {
                Value::Class(module, class) => project_classes::instance(self.world, module, class),
                _ => Value::Unknown,
            };
        };
        let keywords = self.keywords(at, keywords);
        self.apply(&callee, args, keywords)
    }

    /// Keyword arguments; None where `**` has any.
    fn keywords(
        &mut self,
        at: Module<'a>,
        keywords: &'a [(Option<String>, Expr)],
    ) -> Option<Vec<(&'a str, Value<'a>)>> {
        keywords
            .iter()
            .map(|(name, value)| Some((name.as_deref()?, self.value(at, value))))
            .collect()
    }

    /// What calling a value gives.
    pub(super) fn apply(
        &mut self,
        callee: &Value<'a>,
        args: Vec<Value<'a>>,
        keywords: Option<Vec<(&'a str, Value<'a>)>>,
    ) -> Value<'a> {
        match callee {
            Value::Outside(path) => calls::outside(self, path, &args, keywords.as_deref()),
            Value::Class(module, class) => project_classes::instance(self.world, module, class),
            Value::Lambda(module, lambda) => {
                self.nested(|this| this.apply_lambda(module, lambda, args, keywords))
            }
            Value::Function(module, function) => {
                let (Some(returned), Some(keywords)) = (&function.returns, keywords) else {
                    return Value::Unknown;
                };
                let plain = function.decorators.is_empty() || is_static(function);
                if !plain || function.is_generator || args.len() > function.params.len() {
                    return Value::Unknown;
                }
                let mut locals: Vec<(&'a str, Value<'a>)> = Vec::new();
                for (index, param) in function.params.iter().enumerate() {
                    let named = keywords.iter().find(|(name, _)| *name == param.name);
                    let value = args.get(index).or(named.map(|(_, value)| value));
                    let Some(value) = value else {
                        return Value::Unknown;
                    };
                    locals.push((&param.name, value.clone()));
                }
                if keywords
                    .iter()
                    .any(|(name, _)| !locals.iter().any(|(local, _)| local == name))
                {
                    return Value::Unknown;
                }
                self.nested(|this| {
                    this.elsewhere(locals, None, |other| other.value(module, returned))
                })
            }
            _ => Value::Unknown,
        }
    }

    fn apply_lambda(
        &mut self,
        module: Module<'a>,
        lambda: &'a Lambda,
        args: Vec<Value<'a>>,
        keywords: Option<Vec<(&'a str, Value<'a>)>>,
    ) -> Value<'a> {
        let Some(params) = &lambda.params else {
            return Value::Unknown;
        };
        if params.len() != args.len() || keywords.is_none_or(|keywords| !keywords.is_empty()) {
            return Value::Unknown;
        }
        // Names of what is around it are found when it runs; only those of the module are known by then.
        let locals = params.iter().map(String::as_str).zip(args).collect();
        self.elsewhere(locals, None, |other| other.value(module, &lambda.body))
    }
}

fn is_static(function: &crate::syntax::Function) -> bool {
    matches!(function.decorators.as_slice(), [Expr::Name(name)] if name == "staticmethod")
}

/// Whether all are known to differ.
fn distinct(items: &[Value<'_>]) -> bool {
    items.len() < 1_000
        && items.iter().enumerate().all(|(index, item)| {
            items[..index]
                .iter()
                .all(|other| item.equals(other) == Some(false))
        })
}
