//! What is known of one item that `-k` and `-m` look at.

/// A mark, by its name and keyword arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Mark {
    /// As in `pytest.mark.NAME`.
    pub name: String,
    /// The keyword arguments. Positional ones cannot be selected by.
    pub kwargs: Vec<(String, MarkValue)>,
    /// Whether `kwargs` are all of them: false for `mark(**options)`.
    pub complete: bool,
}

impl Mark {
    /// A mark without keyword arguments.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kwargs: Vec::new(),
            complete: true,
        }
    }

    /// Adds a keyword argument.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: MarkValue) -> Self {
        let name = name.into();
        self.kwargs.retain(|(other, _)| *other != name);
        self.kwargs.push((name, value));
        self
    }
}

/// The value of a mark's keyword argument, as far as an expression can ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MarkValue {
    /// `None`.
    None,
    /// A boolean. As in Python, `True` equals 1.
    Bool(bool),
    /// An integer, or a float that equals one, in decimal.
    Int(String),
    /// A string.
    Str(String),
    /// A value that equals none of those: a list, a fraction, bytes.
    Other,
    /// A value that the source does not show.
    Unknown,
}

/// What is known of an item besides its id.
///
/// The default is an item that has no mark and no attribute, and of which that is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ItemFacts {
    /// Marks of the function, its classes (with their bases), its module and its parameters.
    pub marks: Vec<Mark>,
    /// Marks that it may have: those of a parameter set that may not be its own.
    pub possible_marks: Vec<Mark>,
    /// Whether it may have further marks, of which nothing is known.
    pub more_marks: bool,
    /// Attributes of the function, which `-k` matches too.
    pub attributes: Vec<String>,
    /// Attributes that it may have, or that versions of pytest do not agree to match.
    pub possible_attributes: Vec<String>,
    /// Whether it may have further attributes.
    pub more_attributes: bool,
}

impl ItemFacts {
    /// An item of which nothing is known besides its id.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            more_marks: true,
            more_attributes: true,
            ..Self::default()
        }
    }
}
