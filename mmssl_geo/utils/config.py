"""Overrides of a config on the command line."""
from mmengine.config import DictAction


class Overrides(DictAction):
    """`--cfg-options key=value ...` as in OpenMMLab; a word without `=` is a usage error."""

    def __call__(self, parser, namespace, values, option_string=None):
        for word in values:
            if '=' not in word:
                parser.error(f'{option_string} takes key=value, got {word!r}')
        try:
            super().__call__(parser, namespace, values, option_string)
        except RecursionError:  # mmengine's reader of lists, of "dict(a=1, b=2)"
            parser.error(f'{option_string} cannot read {" ".join(values)}: give the parts of a dict one by one, '
                         'key.a=1 key.b=2')
