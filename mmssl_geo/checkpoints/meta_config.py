"""What the config in a checkpoint's meta says about the backbone. Its text is parsed, never run."""
import ast


def backbone_config(meta):
    """`model.backbone` of the config text in `meta['cfg']`.

    Args:
        meta: the checkpoint's `meta`, of any form.

    Returns:
        dict: its plain values; values of other forms are None. Empty if there is no such config.
    """
    text = meta.get('cfg') if isinstance(meta, dict) else None
    if not isinstance(text, str):
        return {}
    try:
        values = [_literal(statement.value) for statement in ast.parse(text).body
                  if isinstance(statement, ast.Assign) and getattr(statement.targets[0], 'id', None) == 'model']
        backbone = values[-1]['backbone']
    except (SyntaxError, ValueError, RecursionError, IndexError, KeyError, TypeError):  # not there, or another form
        return {}
    return backbone if isinstance(backbone, dict) else {}


def _literal(node):
    """Value of a `dict(...)`, a `{...}`, a list, a tuple or a constant; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(element) for element in node.elts]
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict' and not node.args:
        return {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)}
    return None
