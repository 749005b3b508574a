"""Checks of the values that a config passes to a class, before any data is read."""

import math
from collections.abc import Iterable

from .errors import UserError


def check_counts(owner: str, at_least: int = 1, **values: object) -> None:
    """Checks whole numbers.

    Args:
        owner: Class whose arguments these are.
        at_least: Smallest allowed value.
        **values: Values by the name of the argument.

    Raises:
        UserError: If one of them is not an int, or is too small.
    """
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
            kind = {0: 'a whole number, not negative', 1: 'a positive whole number'}.get(
                at_least, f'a whole number, at least {at_least}'
            )
            raise UserError(f'{owner}: {name} must be {kind}, got {value!r}')


def check_numbers(
    owner: str, at_least: float = -math.inf, at_most: float = math.inf, above: float = -math.inf, **values: object
) -> None:
    """Checks finite numbers.

    Args:
        owner: Class whose arguments these are.
        at_least: Smallest allowed value.
        at_most: Largest allowed value.
        above: Value that is too small itself.
        **values: Values by the name of the argument.

    Raises:
        UserError: If one of them is not a finite number, or is outside of these bounds.
    """
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not (at_least <= value <= at_most and value > above):  # type: ignore[operator]
            bounds = [
                text
                for bound, text in (
                    (at_least, f'at least {at_least:g}'),
                    (above, f'above {above:g}'),
                    (at_most, f'at most {at_most:g}'),
                )
                if math.isfinite(bound)
            ]
            raise UserError(f'{owner}: {name} must be a number{", " * bool(bounds)}{", ".join(bounds)}, got {value!r}')


def check_fractions(owner: str, **values: object) -> None:
    """Checks numbers from 0 to 1.

    Raises:
        UserError: If one of them is not such a number.
    """
    for name, value in values.items():
        check_numbers(owner, at_least=0, at_most=1, **{name: value})  # type: ignore[arg-type]


def check_keys(owner: str, name: str, value: object, required: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Checks the keys of a dict.

    Args:
        owner: Class whose argument this is.
        name: Name of the argument.
        value: The dict.
        required: Keys that it must have.
        optional: Further keys that it may have.

    Raises:
        UserError: If it is not a dict, or a key is missing or unknown.
    """
    required, optional = list(required), list(optional)
    known = ', '.join(required + optional)
    if not isinstance(value, dict):
        raise UserError(f'{owner}: {name} must be a dict with the keys {known}, got {value!r}')
    unknown = [key for key in value if key not in required + optional]
    if unknown:
        raise UserError(f'{owner}: {name} has the unknown key {unknown[0]}; its keys are {known}')
    missing = [key for key in required if key not in value]
    if missing:
        raise UserError(f'{owner}: {name} lacks the key {missing[0]}')
