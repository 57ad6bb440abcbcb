//! What the names of a module stand for.

use foldhash::HashMap;

use crate::syntax::{Class, Expr, Function, ModuleSummary, Stmt, StmtKind};

/// What one statement binds a name to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound<'a> {
    Module(&'a str),
    /// A name from a module, with the number of leading dots.
    From {
        level: u32,
        module: &'a str,
        name: &'a str,
    },
    Function(&'a Function),
    Class(&'a Class),
    Value(&'a Expr),
    Unknown,
    Deleted,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub(crate) line: u32,
    /// Within a branch, loop, `with` or `try`: it may not happen.
    pub(crate) conditional: bool,
    pub(crate) bound: Bound<'a>,
}

/// The bindings of one body, by name and in the order of their first binding.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    order: Vec<&'a str>,
    bindings: HashMap<&'a str, Vec<Binding<'a>>>,
    pub(crate) stars: Vec<Star<'a>>,
}

/// A star import.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Star<'a> {
    pub(crate) line: u32,
    pub(crate) level: u32,
    pub(crate) module: &'a str,
    pub(crate) conditional: bool,
    /// How many names were bound before it.
    pub(crate) position: usize,
}

impl<'a> Names<'a> {
    pub(crate) fn of_module(summary: &'a ModuleSummary) -> Self {
        let mut names = Self::of_body(&summary.body);
        for (line, name) in &summary.stray_bindings {
            names.bind(name, *line, true, Bound::Unknown);
        }
        names
    }

    pub(crate) fn of_body(body: &'a [Stmt]) -> Self {
        let mut names = Self::default();
        names.add(body, false);
        names
    }

    /// Names in the order of a namespace dictionary, each with its bindings.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &[Binding<'a>])> {
        self.order.iter().map(|name| (*name, self.get(name)))
    }

    pub(crate) fn get(&self, name: &str) -> &[Binding<'a>] {
        self.bindings.get(name).map_or(&[], Vec::as_slice)
    }

    /// The one unconditional binding of a name.
    pub(crate) fn single(&self, name: &str) -> Option<Binding<'a>> {
        match self.get(name) {
            [binding] if !binding.conditional => Some(*binding),
            _ => None,
        }
    }

    fn bind(&mut self, name: &'a str, line: u32, conditional: bool, bound: Bound<'a>) {
        let bindings = self.bindings.entry(name).or_default();
        if bindings.is_empty() {
            self.order.push(name);
        }
        bindings.push(Binding {
            line,
            conditional,
            bound,
        });
    }

    fn bind_target(
        &mut self,
        target: &'a Expr,
        line: u32,
        conditional: bool,
        value: Option<&'a Expr>,
    ) {
        match target {
            Expr::Name(name) => {
                let bound = value.map_or(Bound::Unknown, Bound::Value);
                self.bind(name, line, conditional, bound);
            }
            Expr::Tuple(items) | Expr::List(items) => {
                for item in items {
                    self.bind_target(item, line, conditional, None);
                }
            }
            Expr::Starred(item) => self.bind_target(item, line, conditional, None),
            _ => {}
        }
    }

    fn add(&mut self, body: &'a [Stmt], conditional: bool) {
        for stmt in body {
            let line = stmt.line;
            match &stmt.kind {
                StmtKind::Import(names) => {
                    for (path, bound) in names {
                        let top = path.split('.').next().unwrap_or_default();
                        let path = if bound == top { top } else { path };
                        self.bind(bound, line, conditional, Bound::Module(path));
                    }
                }
                StmtKind::From {
                    level,
                    module,
                    names,
                } => {
                    for (name, bound) in names {
                        if name == "*" {
                            self.stars.push(Star {
                                line,
                                level: *level,
                                module,
                                conditional,
                                position: self.order.len(),
                            });
                            continue;
                        }
                        let from = Bound::From {
                            level: *level,
                            module,
                            name,
                        };
                        self.bind(bound, line, conditional, from);
                    }
                }
                StmtKind::Function(def) => {
                    self.bind(&def.name, def.line, conditional, Bound::Function(def));
                }
                StmtKind::Class(def) => {
                    self.bind(&def.name, def.line, conditional, Bound::Class(def));
                }
                StmtKind::Assign { targets, value } => {
                    for target in targets {
                        self.bind_target(target, line, conditional, Some(value));
                    }
                }
                StmtKind::Delete(targets) => {
                    for target in targets {
                        if let Expr::Name(name) = target {
                            self.bind(name, line, conditional, Bound::Deleted);
                        }
                    }
                }
                StmtKind::Block { binds, body, .. } => {
                    for target in binds {
                        self.bind_target(target, line, true, None);
                    }
                    self.add(body, true);
                }
                StmtKind::Expr(_) => {}
            }
        }
    }
}
