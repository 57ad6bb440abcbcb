"""Prints what CPython's ast sees defined in files: paths on the input, for each a line of JSON."""

import ast
import json
import sys
import warnings


def never_runs(test):
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.Compare(
            left=ast.Name(id="__name__"),
            ops=[ast.Eq()],
            comparators=[ast.Constant(value="__main__")],
        ):
            return True
        case ast.Compare(
            left=ast.Constant(value="__main__"),
            ops=[ast.Eq()],
            comparators=[ast.Name(id="__name__")],
        ):
            return True
    return False


def top_level(path):
    return path.partition(".")[0]


def aliases(names, implied):
    """What each binds, if that is another name than the one that it has without `as`."""
    renamed = [alias.asname and alias.asname != implied(alias.name) for alias in names]
    return ", ".join(
        f"{alias.name} as {alias.asname}" if other else alias.name
        for alias, other in zip(names, renamed, strict=True)
    )


def definitions(body, owner=""):
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                first = node.decorator_list[0] if node.decorator_list else node
                kind = "class" if isinstance(node, ast.ClassDef) else "def"
                name = owner + node.name
                yield f"{first.lineno}: {kind} {name}"
                if kind == "class":
                    yield from definitions(node.body, name + ".")
            case ast.Import():
                yield f"{node.lineno}: import {aliases(node.names, top_level)}"
            case ast.ImportFrom():
                source = "." * node.level + (node.module or "")
                yield f"{node.lineno}: from {source} import {aliases(node.names, str)}"
            case ast.If():
                if not never_runs(node.test):
                    yield from definitions(node.body, owner)
                yield from definitions(node.orelse, owner)
            case _:
                blocks = [getattr(node, "body", None)]
                blocks += [
                    part.body
                    for part in getattr(node, "handlers", None) or getattr(node, "cases", [])
                ]
                blocks += [getattr(node, "orelse", None), getattr(node, "finalbody", None)]
                for block in blocks:
                    if isinstance(block, list):
                        yield from definitions(block, owner)


def main():
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        with open(line.rstrip("\n"), "rb") as file:
            source = file.read()
        try:
            found = list(definitions(ast.parse(source).body))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            found = None
        print(json.dumps(found))


main()
