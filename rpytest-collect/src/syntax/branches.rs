//! Conditions whose answer is known: branches that never run, and what asks for a fixture.

use super::{Comparison, Expr, Guard};

/// Whether a condition is false under pytest.
pub(super) fn never_runs(test: &Expr) -> bool {
    is_main_guard(test) || is_type_checking(test)
}

/// `typing.TYPE_CHECKING`, by whatever name the module has it.
fn is_type_checking(test: &Expr) -> bool {
    matches!(test, Expr::Name(name) | Expr::Attr(_, name) if name == "TYPE_CHECKING")
}

fn is_main_guard(test: &Expr) -> bool {
    let Expr::Compare(left, Comparison::Equal, right) = test else {
        return false;
    };
    let is_name = |expr: &Expr| matches!(expr, Expr::Name(name) if name == "__name__");
    let is_main = |expr: &Expr| matches!(expr, Expr::Str(text) if text == "__main__");
    (is_name(left) && is_main(right)) || (is_main(left) && is_name(right))
}

/// A branch that runs for tests with a fixture: `if "name" in metafunc.fixturenames`. `only` is the expression that is
/// the whole of its body, where there is one.
pub(super) fn guard(test: &Expr, owner: &str, only: Option<Expr>) -> Option<Guard> {
    let Expr::Compare(left, Comparison::In, right) = test else {
        return None;
    };
    let (Expr::Str(name), Expr::Attr(of, attr)) = (&**left, &**right) else {
        return None;
    };
    (attr == "fixturenames" && is_name(of, owner)).then(|| Guard {
        name: name.clone(),
        parametrize: only.filter(|expr| is_parametrize(expr, owner)),
    })
}

/// `metafunc.parametrize(..)`.
fn is_parametrize(expr: &Expr, owner: &str) -> bool {
    let Expr::Call { func, .. } = expr else {
        return false;
    };
    matches!(&**func, Expr::Attr(of, attr) if attr == "parametrize" && is_name(of, owner))
}

fn is_name(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Name(found) if found == name)
}
