//! Expressions against items, in three values: what is not known is not guessed.

use std::ops::Not;

use super::expression::{self, ExpressionError, Literal, Node};
use super::facts::{ItemFacts, Mark, MarkValue};
use crate::{Item, NodeId};

/// Whether an expression selects an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// pytest would keep the item.
    Selected,
    /// pytest would deselect it.
    Deselected,
    /// It depends on something that the source does not show.
    Unknown,
}

impl From<bool> for Verdict {
    fn from(selected: bool) -> Self {
        if selected {
            Self::Selected
        } else {
            Self::Deselected
        }
    }
}

impl Not for Verdict {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Selected => Self::Deselected,
            Self::Deselected => Self::Selected,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// What a name with its arguments comes to.
type Matcher<'a, E> = dyn Fn(&str, &[(String, Literal)]) -> Result<Verdict, E> + 'a;

/// Evaluates lazily, as Python does: a call that `-k` refuses may never be reached.
fn evaluate<E>(node: &Node, name: &Matcher<'_, E>) -> Result<Verdict, E> {
    let (nodes, absorbing) = match node {
        Node::False => return Ok(Verdict::Deselected),
        Node::Name(text) => return name(text, &[]),
        Node::Call(text, arguments) => return name(text, arguments),
        Node::Not(node) => return Ok(!evaluate(node, name)?),
        Node::Or(nodes) => (nodes, Verdict::Selected),
        Node::And(nodes) => (nodes, Verdict::Deselected),
    };
    let mut unknown = false;
    for node in nodes {
        match evaluate(node, name) {
            Ok(verdict) if verdict == absorbing => return Ok(absorbing),
            Ok(verdict) => unknown |= verdict == Verdict::Unknown,
            // Whether it is reached is not known either.
            Err(_) if unknown => return Ok(Verdict::Unknown),
            Err(error) => return Err(error),
        }
    }
    Ok(match unknown {
        true => Verdict::Unknown,
        false => !absorbing,
    })
}

/// An expression of `-k`.
///
/// Each name in it matches, without regard to case, any part of: the item's name with its parameters,
/// the names of its classes, its module's file, and the directories below the root directory; its marks;
/// the attributes of its function (`KeywordMatcher` in `_pytest/mark/__init__.py`).
///
/// ```
/// use rpytest_collect::{Item, KeywordExpression, NodeId, Verdict};
///
/// # fn main() -> Result<(), rpytest_collect::ExpressionError> {
/// let item = Item::new(NodeId::new("tests/test_sum.py::TestSum::test_add[1-x]"), 3);
/// let expression = KeywordExpression::parse("testsum and not slow")?;
/// assert_eq!(expression.matches(&item)?, Verdict::Selected);
/// assert_eq!(
///     KeywordExpression::parse("a b").unwrap_err().to_string(),
///     "Wrong expression passed to '-k': a b: at column 3: expected end of input; got identifier",
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeywordExpression {
    text: String,
    node: Option<Node>,
}

impl KeywordExpression {
    /// Parses the value of `-k`. One of white space alone selects everything.
    ///
    /// # Errors
    ///
    /// Where pytest refuses it, with pytest's message.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let text = text.trim_start_matches(is_python_space);
        let node = match text {
            "" => None,
            text => Some(expression::parse("-k", text)?),
        };
        Ok(Self {
            text: text.to_owned(),
            node,
        })
    }

    /// Whether it selects an item of a collection.
    ///
    /// # Errors
    ///
    /// Where evaluation comes to a name with arguments, which only `-m` has.
    pub fn matches(&self, item: &Item) -> Result<Verdict, ExpressionError> {
        self.matches_facts(&item.id, &item.facts)
    }

    /// The same for an item that another collector has found.
    ///
    /// # Errors
    ///
    /// As [`KeywordExpression::matches`].
    pub fn matches_facts(
        &self,
        id: &NodeId,
        facts: &ItemFacts,
    ) -> Result<Verdict, ExpressionError> {
        let Some(node) = &self.node else {
            return Ok(Verdict::Selected);
        };
        let names: Vec<String> = known_names(id.as_str(), facts)
            .map(str::to_lowercase)
            .collect();
        // Directories above the root directory are nodes by rules of their own.
        let more = facts.more_marks || facts.more_attributes || id.as_str().starts_with("../");
        evaluate(node, &|word, arguments| {
            if !arguments.is_empty() {
                return Err(ExpressionError::call_in_keyword(&self.text));
            }
            let word = word.to_lowercase();
            if names.iter().any(|name| name.contains(&word)) {
                return Ok(Verdict::Selected);
            }
            let possible = facts
                .possible_marks
                .iter()
                .map(|mark| &mark.name)
                .chain(&facts.possible_attributes)
                .any(|name| name.to_lowercase().contains(&word));
            Ok(match possible || more {
                true => Verdict::Unknown,
                false => Verdict::Deselected,
            })
        })
    }

    /// The text of the expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn known_names<'a>(id: &'a str, facts: &'a ItemFacts) -> impl Iterator<Item = &'a str> {
    let (path, nodes) = split_id(id);
    path.split('/')
        .filter(|part| *part != "..")
        .chain(nodes)
        .chain(facts.marks.iter().map(|mark| mark.name.as_str()))
        .chain(facts.attributes.iter().map(String::as_str))
}

/// The path of an id, and the names below it. A parameter may have `::` in it.
pub(super) fn split_id(id: &str) -> (&str, Vec<&str>) {
    let end = id.find('[').unwrap_or(id.len());
    let (base, parameters) = id.split_at(end);
    let mut parts = base.split("::");
    let path = parts.next().unwrap_or_default();
    let mut names: Vec<&str> = parts.collect();
    if let (Some(last), false) = (names.last_mut(), parameters.is_empty()) {
        // From where the last name starts to the end of the id.
        *last = &id[end - last.len()..];
    }
    (path, names)
}

/// What `str.lstrip` removes.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// An expression of `-m`: names of marks, with keyword arguments if wanted, as in `slow(level=2)`.
///
/// ```
/// use rpytest_collect::{Item, ItemFacts, Mark, MarkExpression, MarkValue, NodeId, Verdict};
///
/// # fn main() -> Result<(), rpytest_collect::ExpressionError> {
/// let mut item = Item::new(NodeId::new("test_sum.py::test_add"), 3);
/// item.facts.marks.push(Mark::new("slow").with("level", MarkValue::Int("2".into())));
/// assert_eq!(MarkExpression::parse("slow(level=2)")?.matches(&item), Verdict::Selected);
/// assert_eq!(MarkExpression::parse("not slow")?.matches(&item), Verdict::Deselected);
///
/// // Of an item whose marks are not all known, only some questions have an answer.
/// item.facts.more_marks = true;
/// assert_eq!(MarkExpression::parse("network")?.matches(&item), Verdict::Unknown);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkExpression {
    text: String,
    node: Option<Node>,
}

impl MarkExpression {
    /// Parses the value of `-m`. An empty one selects everything; one of spaces, nothing.
    ///
    /// # Errors
    ///
    /// Where pytest refuses it, with pytest's message.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let node = match text {
            "" => None,
            text => Some(expression::parse("-m", text)?),
        };
        Ok(Self {
            text: text.to_owned(),
            node,
        })
    }

    /// Whether it selects an item of a collection.
    #[must_use]
    pub fn matches(&self, item: &Item) -> Verdict {
        self.matches_facts(&item.facts)
    }

    /// The same for an item that another collector has found.
    #[must_use]
    pub fn matches_facts(&self, facts: &ItemFacts) -> Verdict {
        let Some(node) = &self.node else {
            return Verdict::Selected;
        };
        let verdict: Result<_, std::convert::Infallible> = evaluate(node, &|name, arguments| {
            let best = |marks: &[Mark]| {
                let marks = marks.iter().filter(|mark| mark.name == name);
                let verdicts: Vec<_> = marks.map(|mark| has(mark, arguments)).collect();
                if verdicts.contains(&Verdict::Selected) {
                    Verdict::Selected
                } else if verdicts.contains(&Verdict::Unknown) {
                    Verdict::Unknown
                } else {
                    Verdict::Deselected
                }
            };
            Ok(match best(&facts.marks) {
                Verdict::Deselected
                    if facts.more_marks || best(&facts.possible_marks) != Verdict::Deselected =>
                {
                    Verdict::Unknown
                }
                verdict => verdict,
            })
        });
        match verdict {
            Ok(verdict) => verdict,
        }
    }

    /// The marks that it names. With `strict_markers`, pytest 9.1 and later refuse one that is not registered.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        if let Some(node) = &self.node {
            node.names(&mut names);
        }
        names
    }

    /// The text of the expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a mark has all of these keyword arguments.
fn has(mark: &Mark, arguments: &[(String, Literal)]) -> Verdict {
    let mut out = Verdict::Selected;
    for (name, wanted) in arguments {
        let value = mark.kwargs.iter().find(|(other, _)| other == name);
        let equal = match value {
            Some((_, value)) => equal(value, wanted),
            None if mark.complete => Verdict::Deselected,
            None => Verdict::Unknown,
        };
        match equal {
            Verdict::Deselected => return Verdict::Deselected,
            Verdict::Unknown => out = Verdict::Unknown,
            Verdict::Selected => {}
        }
    }
    out
}

/// Python's `==`, by which `True == 1`.
fn equal(value: &MarkValue, wanted: &Literal) -> Verdict {
    let number = |value: bool| if value { "1" } else { "0" };
    let value = match value {
        MarkValue::Unknown => return Verdict::Unknown,
        MarkValue::Other => return Verdict::Deselected,
        MarkValue::None => return (*wanted == Literal::None).into(),
        MarkValue::Str(text) => {
            return matches!(wanted, Literal::Str(other) if other == text).into();
        }
        MarkValue::Bool(value) => number(*value).to_owned(),
        MarkValue::Int(value) => expression::integer(value),
    };
    match wanted {
        Literal::Int(wanted) => (*wanted == value).into(),
        Literal::Bool(wanted) => (number(*wanted) == value).into(),
        Literal::None | Literal::Str(_) => Verdict::Deselected,
    }
}
