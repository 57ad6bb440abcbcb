//! One module's items: pytest's `PyCollector.collect` over names instead of objects.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::classes;
use super::closure::Visible;
use super::conftest::Conftest;
use super::fixtures::{Fixtures, Reader};
use super::functions::{Decorated, Inherited, Rules};
use super::marks;
use super::names::{Binding, Bound, Names, Star};
use super::program::{Found, Module};
use super::reorder::{self, Key, Keyed};
use super::resolve::{Thing, World};
use super::scope::Scope;
use crate::config::Config;
use crate::glob::prefix_or_glob;
use crate::syntax::{Class, Expr, Function, StmtKind, contains};
use crate::{CollectedClass, Item, PluginFacts, Reason};

pub(crate) struct Source<'a> {
    /// The node id of the file.
    pub(crate) id: &'a str,
    pub(crate) module: Module<'a>,
    pub(crate) world: World<'a>,
    pub(crate) config: &'a Config,
    pub(crate) plugins: Option<&'a PluginFacts>,
    /// The conftests above the file, outermost first.
    pub(crate) conftests: &'a [&'a Conftest<'a>],
}

/// What a module gives.
#[derive(Debug)]
pub(crate) struct Collected {
    /// In the order in which they are defined.
    pub(crate) items: Vec<Item>,
    /// For each item, whether its parameters may have marks.
    pub(crate) marked: Vec<bool>,
    /// Positions of the items in the order in which pytest runs them.
    pub(crate) order: Vec<usize>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) classes: Vec<CollectedClass>,
    /// Arguments by whose parameters pytest orders the items of several files, each with its scope.
    pub(crate) wide: Vec<(Scope, String)>,
    /// What pytest warns of, with lines.
    pub(crate) warnings: Vec<(u32, String)>,
}

/// The items of a module and what is not proved about them.
pub(crate) fn collect<'a>(source: &'a Source<'a>) -> Collected {
    let reader = Reader {
        world: source.world,
        config: source.config,
    };
    // Plugins come before all conftests.
    let plugins = source
        .conftests
        .iter()
        .flat_map(|conftest| &conftest.plugins);
    let conftests = source.conftests.iter().map(|conftest| &conftest.fixtures);
    let mut holders: Vec<Arc<Fixtures<'a>>> = plugins.chain(conftests).map(Arc::clone).collect();
    holders.push(Arc::new(reader.of_module(source.module)));
    let mut collector = ModuleCollector {
        rules: Rules {
            config: source.config,
            plugins: source.plugins,
            world: source.world,
            warnings: RefCell::default(),
        },
        own: source.module,
        holders,
        items: Vec::new(),
        classes: Vec::new(),
        reasons: Vec::new(),
        of_interest: HashSet::new(),
    };
    collector.module(source.id);
    collector.finish()
}

pub(super) struct ModuleCollector<'a> {
    pub(super) rules: Rules<'a>,
    pub(super) own: Module<'a>,
    /// Who brings fixtures, the outermost first.
    pub(super) holders: Vec<Arc<Fixtures<'a>>>,
    pub(super) items: Vec<Collecting<'a>>,
    pub(super) classes: Vec<CollectedClass>,
    pub(super) reasons: Vec<Reason>,
    /// Classes and functions that items come from.
    pub(super) of_interest: HashSet<&'a str>,
}

/// An item before it has its place.
pub(super) struct Collecting<'a> {
    pub(super) item: Item,
    /// Whether one of its parameters may have marks.
    marked: bool,
    keys: Vec<Key<'a>>,
    /// The id of the class or module that it is in.
    parent: String,
    call: usize,
}

impl Collecting<'_> {
    pub(super) fn new(item: Item) -> Self {
        Self {
            item,
            marked: false,
            keys: Vec::new(),
            parent: String::new(),
            call: 0,
        }
    }
}

impl<'a> ModuleCollector<'a> {
    fn finish(mut self) -> Collected {
        let keyed: Vec<Keyed<'_, 'a>> = self
            .items
            .iter()
            .map(|item| Keyed {
                keys: &item.keys,
                class: &item.parent,
                call: item.call,
            })
            .collect();
        let order = reorder::order(&keyed, self.rules.world.pytest);
        if order.is_none() {
            let wide = self
                .items
                .iter()
                .find_map(|item| Some((item, item.keys.first()?)));
            if let Some((item, key)) = wide {
                self.reasons.push(Reason::ParameterOrder {
                    argument: key.argument.clone(),
                    line: item.item.line,
                });
            }
        }
        let mut wide: Vec<(Scope, String)> = self
            .items
            .iter()
            .flat_map(|item| &item.keys)
            .filter(|key| key.scope > Scope::Module)
            .map(|key| (key.scope, key.argument.clone()))
            .collect();
        wide.sort();
        wide.dedup();
        Collected {
            marked: self.items.iter().map(|item| item.marked).collect(),
            items: self.items.into_iter().map(|item| item.item).collect(),
            order: order.unwrap_or_default(),
            reasons: self.reasons,
            classes: self.classes,
            wide,
            warnings: self.rules.warnings.into_inner(),
        }
    }

    fn module(&mut self, id: &str) {
        if !self.whole_module() {
            return;
        }
        let names = &self.own.names;
        let mut inherited = Inherited::default();
        if let Some(marks) = self.body_marks(self.own, names, &[]) {
            inherited.usefixtures = marks.usefixtures;
            inherited.parametrize = marks.parametrize;
            inherited.anyio = marks.anyio;
        }
        let mut stars = names.stars.iter().peekable();
        let own: Vec<(&'a str, &[Binding<'a>])> = names.iter().collect();
        for position in 0..=own.len() {
            while let Some(star) = stars.next_if(|star| star.position <= position) {
                self.star(id, star, &inherited);
            }
            if let Some((name, bindings)) = own.get(position) {
                self.name(id, name, self.own, bindings, &[], &inherited);
            }
        }
        for (name, bindings) in names.iter() {
            let has_tests = |binding: &Binding<'_>| match binding.bound {
                Bound::Class(class) => class.body.iter().any(|stmt| match &stmt.kind {
                    StmtKind::Function(def) => {
                        def.name.starts_with("test") || self.is_function_name(&def.name)
                    }
                    _ => false,
                }),
                _ => false,
            };
            if bindings.iter().any(has_tests) {
                self.of_interest.insert(name);
            }
        }
        self.effects(&self.own.summary.body);
        let touched = self.own.summary.touched.iter();
        for (line, name) in touched {
            self.touch(*line, name);
        }
    }

    /// What concerns the module as a whole. False where it has no items.
    fn whole_module(&mut self) -> bool {
        let (summary, names) = (self.own.summary, &self.own.names);
        if let Some((line, name)) = &summary.dynamic {
            self.reasons.push(Reason::DynamicNamespace {
                name: name.clone(),
                line: *line,
            });
        }
        let world = self.rules.world;
        let skips = summary.skips.iter().filter(|(_, function)| {
            world
                .path(self.own, function)
                .is_none_or(|path| path.starts_with("pytest.") && !path.starts_with("pytest.mark."))
        });
        let required = summary.requires.iter();
        let missing = required
            .filter(|(_, module)| world.modules.is_there(self.own.path, module) != Some(true));
        let leaves = summary.leaves.into_iter();
        let leaves = leaves.chain(missing.map(|(line, _)| *line));
        let leaves = leaves.chain(skips.map(|(line, _)| *line)).min();
        self.reasons
            .extend(leaves.map(|line| Reason::ModuleSkip { line }));
        if leaves.is_none() && self.imports_skip() {
            self.reasons.push(Reason::ModuleSkip { line: 1 });
        }
        if let Some(line) = self.holders.last().and_then(|own| own.marked) {
            self.reasons.push(Reason::UnknownDecorator {
                name: "a mark of a fixture".to_owned(),
                line,
            });
        }
        if self.rules.plugins.is_some()
            && let Some((line, name)) = super::imports::missing(world, self.own)
        {
            self.reasons.push(Reason::MissingImport { name, line });
        }
        if let Some(binding) = names.get("pytest_generate_tests").first() {
            self.reasons
                .push(Reason::GenerateTestsHook { line: binding.line });
        }
        if let Some(binding) = names.get("pytest_plugins").first() {
            self.reasons
                .push(Reason::PytestPlugins { line: binding.line });
        }
        for name in ["__getattr__", "__test__"] {
            match names.get(name) {
                [] => {}
                [
                    Binding {
                        conditional: false,
                        bound: Bound::Value(Expr::Bool(false)),
                        ..
                    },
                ] if self.reasons.is_empty() => return false,
                [binding, ..] => self.reasons.push(Reason::TestMark {
                    name: name.to_owned(),
                    line: binding.line,
                }),
            }
        }
        true
    }

    /// Whether a package around the module, or a module that it imports, may skip when it is imported.
    fn imports_skip(&self) -> bool {
        let world = self.rules.world;
        let skips = |module: Module<'a>| super::program::may_skip(world, module);
        let packages = (1..).map_while(|level| match world.modules.find(self.own, level, "") {
            Found::Module(package) => Some(package),
            _ => None,
        });
        let bindings = self.own.names.iter().flat_map(|(_, bindings)| bindings);
        let mut imported = bindings.filter_map(|binding| match binding.bound {
            Bound::Module(path) => Some(world.modules.find(self.own, 0, path)),
            Bound::From { level, module, .. } => Some(world.modules.find(self.own, level, module)),
            _ => None,
        });
        packages.into_iter().any(skips)
            || imported.any(|found| matches!(found, Found::Module(module) if skips(module)))
    }

    /// What the `pytestmark` of a body adds.
    pub(super) fn body_marks(
        &mut self,
        at: Module<'a>,
        names: &Names<'a>,
        scopes: &[&Names<'a>],
    ) -> Option<Decorated<'a>> {
        let mut marks = Decorated::default();
        let binding = match names.get("pytestmark") {
            [] => return Some(marks),
            [one, ..] => one,
        };
        let known = match (names.get("pytestmark"), binding.bound) {
            ([_], Bound::Value(value)) if !binding.conditional && !at.is_exposed("pytestmark") => {
                marks::pytestmark(self.rules.world, at, value)
            }
            _ => None,
        };
        let Some(effects) = known else {
            self.reasons.push(Reason::TestMark {
                name: "pytestmark".to_owned(),
                line: binding.line,
            });
            return None;
        };
        for effect in effects {
            if let Err(reason) = self.rules.apply(effect, binding.line, scopes, &mut marks) {
                self.reasons.push(reason);
                return None;
            }
        }
        Some(marks)
    }

    pub(super) fn is_function_name(&self, name: &str) -> bool {
        prefix_or_glob(&self.rules.config.python_functions, name)
    }

    pub(super) fn is_class_name(&self, name: &str) -> bool {
        prefix_or_glob(&self.rules.config.python_classes, name)
    }

    /// Whether a module that is imported from may have test cases.
    fn knows_test_cases(&self, at: Module<'a>, level: u32, module: &str) -> bool {
        match self.rules.world.modules.find(at, level, module) {
            Found::Module(module) => mentions_test_cases(module),
            Found::Outside | Found::Unknown => true,
        }
    }

    /// What a star import brings.
    fn star(&mut self, id: &str, star: &Star<'a>, inherited: &Inherited<'a>) {
        let world = self.rules.world;
        let unknown = Reason::StarImport {
            name: star.module.to_owned(),
            line: star.line,
        };
        let exports = match world.modules.find(self.own, star.level, star.module) {
            Found::Outside if super::outside::is_standard(star.module) => return,
            Found::Module(module) if !star.conditional => world.exports(module),
            _ => None,
        };
        let Some(exports) = exports else {
            self.reasons.push(unknown);
            return;
        };
        for name in exports {
            if is_ignored(&name) {
                continue;
            }
            // Which of two is meant hangs on their order.
            if !self.own.names.get(&name).is_empty() {
                if self.is_test_like(&name) {
                    self.reasons.push(Reason::ConditionalDefinition {
                        name: name.clone(),
                        line: star.line,
                    });
                }
                continue;
            }
            let thing = world.global(self.own, &name);
            self.thing(id, &name, star.line, thing, &[], inherited);
        }
    }

    fn is_test_like(&self, name: &str) -> bool {
        self.is_function_name(name) || self.is_class_name(name)
    }

    /// Everything that one name of a module or class body gives. `at` is the module of the body, `scopes`
    /// are the class bodies around the name.
    pub(super) fn name(
        &mut self,
        id: &str,
        name: &'a str,
        at: Module<'a>,
        bindings: &[Binding<'a>],
        scopes: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) {
        let Some(&last) = bindings.last() else { return };
        if is_ignored(name) {
            return;
        }
        let line = last.line;
        let conditional = bindings.iter().any(|binding| binding.conditional);
        if conditional && self.is_test_like(name) {
            let harmless = bindings.iter().all(|binding| match binding.bound {
                Bound::Value(value) => value.is_plain_data(),
                Bound::Module(_) => true,
                _ => false,
            });
            if !harmless {
                self.reasons.push(Reason::ConditionalDefinition {
                    name: name.to_owned(),
                    line,
                });
            }
            return;
        }
        if conditional {
            // Any of them may be what stays.
            for binding in bindings {
                let thing = self.rules.world.bound(at, binding);
                self.unlikely(name, binding.line, &thing, scopes);
            }
            return;
        }
        if matches!(last.bound, Bound::Deleted) {
            return;
        }
        let thing = match last.bound {
            // A class body knows its own names, which come before those of the module.
            Bound::Value(value @ (Expr::Name(_) | Expr::Attr(..))) if !scopes.is_empty() => {
                let mut own = None;
                value.names(&mut |name| {
                    let scope = scopes.last().map(|scope| scope.get(name));
                    own = own.or(scope.and_then(<[_]>::last).copied());
                });
                match own {
                    Some(binding) if matches!(value, Expr::Name(_)) => {
                        self.rules.world.bound(at, &binding)
                    }
                    Some(_) => Thing::Unknown,
                    None => self.rules.world.bound(at, &last),
                }
            }
            _ => self.rules.world.bound(at, &last),
        };
        let before = self.items.len();
        match (&thing, last.bound) {
            // What an import brings cannot be a test case if its module knows of none.
            (Thing::Unknown, Bound::From { level, module, .. })
                if !self.is_test_like(name) && !self.knows_test_cases(at, level, module) => {}
            _ => self.thing(id, name, line, thing, scopes, inherited),
        }
        if self.items.len() > before {
            self.interest(scopes, name);
        }
    }

    /// What a thing gives under a name.
    fn thing(
        &mut self,
        id: &str,
        name: &str,
        line: u32,
        thing: Thing<'a>,
        scopes: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) {
        let dynamic = || Reason::DynamicName {
            name: name.to_owned(),
            line,
        };
        let test_like = self.is_test_like(name);
        match thing {
            Thing::Function(at, function) if self.is_function_name(name) => {
                self.function(id, name, at, function, scopes, inherited);
            }
            Thing::Function(at, function) => {
                let decorated =
                    self.rules
                        .decorated(at, &function.decorators, function.line, scopes);
                if self.is_class_name(name) && decorated.is_err() {
                    self.reasons.push(dynamic());
                }
            }
            Thing::Class(at, class) => self.class(id, name, at, class, scopes, inherited),
            Thing::Value(_, value, _) if test_like && !value.is_plain_data() => {
                self.reasons.push(dynamic());
            }
            Thing::Unknown if test_like => self.reasons.push(dynamic()),
            thing => self.unlikely(name, line, &thing, scopes),
        }
    }

    fn function(
        &mut self,
        id: &str,
        name: &str,
        at: Module<'a>,
        function: &'a Function,
        scopes: &[&Names<'a>],
        inherited: &Inherited<'a>,
    ) {
        let visible = Visible {
            holders: self.holders.iter().map(|holder| &**holder).collect(),
            plugins: self.rules.plugins,
            usefixtures: &self.rules.config.usefixtures,
            pytest: self.rules.world.pytest,
            legacy_paths: self.rules.config.legacy_paths,
        };
        let elsewhere = self.is_elsewhere(at);
        match self.rules.items(at, function, scopes, inherited, &visible) {
            Ok(None) => {}
            Ok(Some(calls)) => {
                let items = calls.into_iter().enumerate().map(|(index, call)| {
                    let mut item = Item::new(format!("{id}::{name}{}", call.suffix), function.line);
                    item.elsewhere = elsewhere;
                    item.facts.more_marks = call.fixture_marks;
                    Collecting {
                        item,
                        marked: call.marked,
                        keys: call.keys,
                        parent: id.to_owned(),
                        call: index,
                    }
                });
                self.items.extend(items);
            }
            Err(reason) => self.reasons.push(reason),
        }
    }

    /// Whether a module is another one than that of which the items are.
    pub(super) fn is_elsewhere(&self, at: Module<'_>) -> bool {
        at.path != self.own.path
    }

    /// A thing that is no test unless it is a test case under some other name.
    pub(super) fn unlikely(
        &mut self,
        name: &str,
        line: u32,
        thing: &Thing<'a>,
        scopes: &[&Names<'a>],
    ) {
        let dynamic = || Reason::DynamicName {
            name: name.to_owned(),
            line,
        };
        match thing {
            Thing::Outside(path) => {
                let (module, imported) = path.rsplit_once('.').unwrap_or(("", path));
                let test_like = self.is_test_like(name) || is_case_name(imported);
                let known = matches!(
                    module,
                    "unittest" | "unittest.case" | "unittest.mock" | "typing" | "builtins"
                );
                if test_like && !known && !module.is_empty() {
                    self.reasons.push(Reason::ImportedTest {
                        name: name.to_owned(),
                        line,
                    });
                }
            }
            Thing::Class(at, class) => {
                match classes::lineage(self.rules.world, scopes, at, class) {
                    // Something of another's is a test case if its name says so.
                    Err(base) if mentions_test_cases(at) || is_case_name(&base) => self
                        .reasons
                        .push(Reason::UnresolvedBase { name: base, line }),
                    Err(_) => {}
                    Ok(lineage) if lineage.is_testcase => {
                        self.reasons.push(Reason::ConditionalDefinition {
                            name: name.to_owned(),
                            line,
                        });
                    }
                    Ok(_) => {}
                }
            }
            Thing::Value(at, value, _) => {
                let mentions = self.mentions_test_case(value)
                    || (matches!(value, Expr::Name(_) | Expr::Attr(..))
                        && is_camel(name)
                        && self.root_knows_test_cases(at, value));
                if mentions || (is_camel(name) && self.may_make_class(at, value)) {
                    self.reasons.push(dynamic());
                }
            }
            Thing::Unknown if is_camel(name) => self.reasons.push(dynamic()),
            Thing::Module(_) | Thing::Function(..) | Thing::Unknown => {}
        }
    }

    pub(super) fn interest(&mut self, scopes: &[&Names<'a>], name: &'a str) {
        if scopes.is_empty() {
            self.of_interest.insert(name);
        }
    }

    /// The fixtures of a class, while its members are collected.
    pub(super) fn class_fixtures(&self, bodies: &[(Module<'a>, &Names<'a>)]) -> Fixtures<'a> {
        Reader {
            world: self.rules.world,
            config: self.rules.config,
        }
        .of_class(bodies)
    }

    /// For reasons: a class by its first base.
    pub(super) fn first_base(class: &Class) -> String {
        class
            .bases
            .first()
            .and_then(Expr::dotted)
            .unwrap_or_default()
    }
}

/// Whether a module has the word in it; one that makes test cases of others' classes must name them.
pub(super) fn mentions_test_cases(module: Module<'_>) -> bool {
    contains(module.words.as_bytes(), "TestCase")
}

/// Whether a class of this name may be a test case.
fn is_case_name(name: &str) -> bool {
    name.contains("TestCase")
        || ["Case", "Test", "Tests"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// A name in the style of a class, which `CONSTANTS` and `functions` are not.
fn is_camel(name: &str) -> bool {
    name.trim_start_matches('_').starts_with(char::is_uppercase)
        && name.contains(char::is_lowercase)
}

/// `_pytest.python.IGNORED_ATTRIBUTES`: no dunder is a test.
fn is_ignored(name: &str) -> bool {
    name.starts_with("__") && name.ends_with("__")
}
