"""The backbone's config in a checkpoint's metadata. The config text is parsed, never run."""

import ast
from typing import Any


def backbone_config(meta: object) -> dict[str, Any]:
    """Returns `model.backbone` of the config text in `meta['cfg']`, or {} if there is no such config.

    Args:
        meta: Metadata of a checkpoint, of any form.

    Returns:
        Plain values by key; other expressions, such as calls, become None.
    """
    text = meta.get('cfg') if isinstance(meta, dict) else None
    if not isinstance(text, str):
        return {}
    try:
        values = [
            _literal(statement.value)
            for statement in ast.parse(text).body
            if isinstance(statement, ast.Assign) and getattr(statement.targets[0], 'id', None) == 'model'
        ]
        backbone = values[-1]['backbone']
    except (SyntaxError, ValueError, RecursionError, MemoryError, IndexError, KeyError, TypeError):
        # Missing or of another form; the parser reports deep nesting as RecursionError or MemoryError.
        return {}
    return backbone if isinstance(backbone, dict) else {}


def _literal(node: ast.AST | None) -> Any:  # noqa: ANN401  (any plain value)
    """Evaluates a `dict(...)`, a `{...}`, a list, a tuple or a constant; returns None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(element) for element in node.elts]
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict' and not node.args:
        return {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {
            _literal(key): _literal(value)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)
        }
    return None
