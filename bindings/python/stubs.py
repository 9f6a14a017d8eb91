"""Types for the generated code.

A type checker cannot follow it: variants are made subclasses of their enum by a trick at run time, the errors'
base class is bound twice, and defaults are a marker object. This reads the generated source and writes the stub
file that says what it means: the public classes and functions, their signatures and docs, and nothing else.
"""

from __future__ import annotations

import ast

HEADER = """import datetime
import enum
import typing

# A method of that name stands in the way inside its class.
_bytes = bytes"""


def stub(source: str) -> str:
    """The stub file for a generated module."""
    module = ast.parse(source)
    public = _public(module)
    made: dict[str, list[str]] = {}
    aliases = [HEADER]
    for node in module.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in public:
            # A name that is bound twice keeps what says more: of an error, the class with its variants.
            lines = _class(node) if isinstance(node, ast.ClassDef) else _function(node, "")
            if len(lines) > len(made.get(node.name, [])):
                made[node.name] = lines
        elif isinstance(node, ast.Assign) and _is_alias(node):
            aliases.append(ast.unparse(node))
    parts = aliases + ["\n".join(lines) for lines in made.values()]
    return "\n".join(parts) + "\n__all__ = " + repr(sorted(public)) + "\n"


def _public(module: ast.Module) -> set[str]:
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    raise ValueError("the generated code has no __all__")


def _is_alias(node: ast.Assign) -> bool:
    """`AccountId = str`, and the like."""
    name, value = ast.unparse(node.targets[0]), ast.unparse(node.value)
    return name.isidentifier() and name[0].isupper() and (value == "str" or value.startswith("datetime."))


def _class(node: ast.ClassDef) -> list[str]:
    bases = [ast.unparse(base) for base in node.bases]
    variants = [each for each in node.body if isinstance(each, ast.ClassDef)]
    is_error = any(
        "Exception" in base or base.startswith("_Uniffi") for variant in variants for base in _bases(variant)
    )
    if is_error:
        bases = ["Exception"]
    lines = [f"class {node.name}({', '.join(bases)}):", *_doc(node, "    ")]
    if variants:
        shared = [set(_fields(variant)) for variant in variants]
        if is_error:
            lines += [f"    {field}" for field in sorted(set.intersection(*shared))]
        for variant in variants:
            lines += _variant(node.name, variant, is_error)
    else:
        lines += [f"    {field}" for field in _fields(node)]
    for each in node.body:
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if each.name == "__init__" and not variants and each.args.kwarg is None:
                lines += _function(each, "    ")
            elif not each.name.startswith("_"):
                lines += _function(each, "    ")
        elif isinstance(each, ast.Assign) and bases == ["enum.Enum"]:
            lines.append("    " + ast.unparse(each))
    return [*lines, "    ..."]


def _bases(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(base) for base in node.bases]


def _variant(enum: str, node: ast.ClassDef, is_error: bool) -> list[str]:
    """A variant, as the subclass that it is at run time."""
    lines = [f"    class {node.name}({enum}):", *_doc(node, "        ")]
    if not is_error:
        lines += [f"        {field}" for field in _fields(node)]
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__":
            if is_error:
                arguments = ", ".join(sorted(_fields(node), key=_order(each)))
                lines.append(f"        def __init__(self, {arguments}) -> None: ...")
            else:
                lines += _function(each, "        ")
    return [*lines, "        ..."]


def _order(function: ast.FunctionDef):  # type: ignore[no-untyped-def]
    names = [argument.arg for argument in function.args.args]
    return lambda field: names.index(field.split(":")[0])


def _fields(node: ast.ClassDef) -> list[str]:
    """What a record or a variant is made of: the annotated arguments of its `__init__`."""
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name == "__init__" and each.args.kwarg is None:
            arguments = [*each.args.args[1:], *each.args.kwonlyargs]
            return [f"{a.arg}: {ast.unparse(a.annotation) if a.annotation else _error_field(a.arg)}" for a in arguments]
    return []


def _error_field(name: str) -> str:
    """The fields of errors have no annotations in the generated code."""
    return {"code": "str", "reason": "str", "retryable": "bool"}[name]


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, indent: str) -> list[str]:
    arguments = node.args
    for argument in [*arguments.args, *arguments.kwonlyargs]:
        if argument.annotation is not None:
            argument.annotation = _Bytes().visit(argument.annotation)
    shown = ast.arguments(
        posonlyargs=[],
        args=arguments.args,
        vararg=None,
        kwonlyargs=arguments.kwonlyargs,
        kw_defaults=[default and ast.Constant(...) for default in arguments.kw_defaults],
        kwarg=None,
        defaults=[ast.Constant(...) for _ in arguments.defaults],
    )
    returns = ast.unparse(_Bytes().visit(node.returns)) if node.returns is not None else "None"
    lines = [f"{indent}@{ast.unparse(decorator)}" for decorator in node.decorator_list]
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    lines.append(f"{indent}{keyword} {node.name}({ast.unparse(shown)}) -> {returns}:")
    return [*lines, *_doc(node, indent + "    "), f"{indent}    ..."]


class _Bytes(ast.NodeTransformer):
    """Names the type by the alias of the header."""

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802, the name is given
        if node.id == "bytes":
            return ast.Name("_bytes")
        return node


def _doc(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, indent: str) -> list[str]:
    text = ast.get_docstring(node)
    if not text:
        return []
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines = [f"{indent}{line}".rstrip() for line in text.splitlines()]
    return [f'{indent}"""', *lines, f'{indent}"""']
