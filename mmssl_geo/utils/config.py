"""Config options on the command line."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from mmengine.config import DictAction


class CfgOptionsAction(DictAction):
    """`--cfg-options key=value ...` as in OpenMMLab; a word without `=` is a usage error."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Sequence[Any], option_string: str | None = None
    ) -> None:
        for word in values:
            if '=' not in word:
                parser.error(f'{option_string} takes key=value, got {word!r}')
        try:
            super().__call__(parser, namespace, values, option_string)
        except RecursionError:  # mmengine's parser of lists, for "dict(a=1, b=2)"
            parser.error(
                f'{option_string} cannot read {" ".join(values)}: give the items of a dict one by one, key.a=1 key.b=2'
            )
