import ast

from tests.support import ROOT


def first_statements():
    """First import or assignment of `_base_` of each config that imports something."""
    for path in sorted((ROOT / 'configs').rglob('*.py')):
        body = ast.parse(path.read_text()).body
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        bases = [node for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_']
        if imports:
            yield str(path.relative_to(ROOT)), min(imports + bases, key=lambda node: node.lineno)


def test_base_is_assigned_before_imports():
    """mmengine 0.10.7 takes a config that begins with an import for one of its new style."""
    statements = list(first_statements())
    assert len(statements) > 10
    assert not [path for path, node in statements if not isinstance(node, ast.Assign)]
