"""A property that is computed at its first use, and then is an attribute.

Role: what a moment's snapshot asks of the kernel is asked once, and not at all if nobody wants it.
Boundary: knows no kernel. Threading: an object belongs to one thread.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class once(Generic[_T]):  # noqa: N801 - used as a decorator, as property is
    """A property that is computed at its first use.

    Not functools' cached_property, which until Python 3.12 computes under a lock that all objects
    of a class share: one container's slow count would keep the others waiting.
    """

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, _owner: type) -> _T:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
