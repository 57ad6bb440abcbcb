//! What rules ask of a file's text besides its syntax: whether a word is anywhere in it.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Every word that a rule may ask for, and how many mentions of it are told apart.
const WORDS: [(&str, usize); 16] = [
    (">>>", 1),
    ("Skip", 1),
    ("TestCase", 1),
    ("_inicache", 1),
    ("_pytest.python", 1),
    // Each that is not understood may change the list.
    ("collect_ignore", usize::MAX),
    ("inicfg", 1),
    ("markexpr", 1),
    ("option.keyword", 1),
    ("pluginmanager", 1),
    ("pytest", 1),
    ("python_classes", 1),
    ("python_files", 1),
    ("python_functions", 1),
    ("skip", 1),
    ("unittest", 1),
];

/// To make one costs more than to look through a small file.
static FINDERS: LazyLock<Vec<Finder<'static>>> =
    LazyLock::new(|| WORDS.iter().map(|(word, _)| Finder::new(word)).collect());

/// The words of a text, one a line. To ask it for a word is to ask the text; it is what a cache keeps of one.
pub(crate) fn digest(text: &[u8]) -> String {
    let mut out = String::new();
    for (finder, (word, most)) in FINDERS.iter().zip(WORDS) {
        for _ in finder.find_iter(text).take(most) {
            out.push_str(word);
            out.push('\n');
        }
    }
    out
}

/// Whether a text, or its [`digest`], has a word in it.
pub(crate) fn contains(text: &[u8], word: &str) -> bool {
    let listed = WORDS.iter().position(|(listed, _)| *listed == word);
    debug_assert!(listed.is_some(), "{word} is not kept in a digest");
    listed.is_some_and(|at| FINDERS[at].find(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_answers_for_its_text() {
        let text =
            b"collect_ignore collect_ignore collect_ignore x.skip() config.getini('python_files')";
        let digest = digest(text);
        for (word, _) in WORDS {
            assert_eq!(
                contains(digest.as_bytes(), word),
                contains(text, word),
                "{word}"
            );
        }
        assert_eq!(digest.matches("collect_ignore").count(), 3);
    }
}
